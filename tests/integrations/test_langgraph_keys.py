"""What LangGraph's ids are called in a store: any text, one name each, in the right order."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tests.integrations.langgraph_kit import config

from casckpt.history.names import check_thread_name  # isort: skip
from casckpt.integrations.langgraph import thread_name
from casckpt.integrations.langgraph.keys import END, ascending, descending, space
from casckpt.integrations.langgraph.reading import space_of

EDGES = st.text(st.sampled_from('\x00 !"|}~\x7f\x80\uffff\U0001f600a1-/'), max_size=4)
TEXTS = st.text(max_size=8) | EDGES


@given(TEXTS, TEXTS)
@example("a", "a b")
@example("", " ")
def test_ids_are_spelled_one_to_one_and_in_reverse_order(one: str, two: str) -> None:
    assert ascending(descending(one)) == one
    assert END not in descending(one)
    spelled = [(descending(text) + END).encode() for text in (one, two)]
    order = [text.encode() for text in (one, two)]
    assert (spelled[0] < spelled[1]) == (order[0] > order[1])
    assert (spelled[0] == spelled[1]) == (one == two)


@given(TEXTS, TEXTS)
def test_a_ref_tells_its_checkpoint(id: str, task: str) -> None:
    place = space("thread", "ns:1")
    assert place.checkpoint_id(place.checkpoint(id)) == id
    assert place.checkpoint_id(place.task(id, task)) == id
    assert place.checkpoint(id) < place.task(id, task) < place.behind(id)


NAMES = TEXTS | st.sampled_from(["a", "a/b", "a/+b", "+b", "a%2Fb", "0" * 64, "..", "x" * 400])
NAMESPACES = st.lists(TEXTS.filter(lambda text: "|" not in text), max_size=3).map("|".join)


@given(st.tuples(NAMES, NAMESPACES), st.tuples(NAMES, NAMESPACES))
@example(("a/+b", ""), ("a", "b"))
@example(("a", "b:c"), ("a", "b=c"))
@example(("a", "b|c"), ("a", "b/+c"))
def test_threads_have_one_name_each(one: tuple[str, str], two: tuple[str, str]) -> None:
    first, second = thread_name(*one), thread_name(*two)
    assert check_thread_name(first) == first
    assert (first == second) == (one == two)


def test_plain_names_stay_as_they_are() -> None:
    assert thread_name("support/alice") == "support/alice"
    assert thread_name("alice", "plan:4f|tool:2") == "alice/+plan=4f/+tool=2"
    assert space_of(config("alice", ns="x")) == space("alice", "x")
