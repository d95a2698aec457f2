"""Ids of any characters become names of threads, one to one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from casckpt.history.names import check_thread_name
from casckpt.integrations.spelling import name, segment, unsegment

TEXT = st.text(
    st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("~^:@{}%/.- \n"),
    max_size=12,
)


@given(TEXT)
@example("")
@example(".")
@example("..")
@example("%")
@example("%2E")
@example(" a b ")
@example("\ud83d\ude00")
def test_a_segment_is_read_back(text: str) -> None:
    spelled = segment(text)
    assert unsegment(spelled) == text
    assert "/" not in spelled
    assert check_thread_name(name("p/", spelled, segment("x"))) == f"p/{spelled}/x"


@given(st.lists(TEXT, min_size=1, max_size=3))
@example(["-a"])
@example(["0" * 64])
def test_a_name_without_a_prefix_is_one(parts: list[str]) -> None:
    check_thread_name(name("", *map(segment, parts)))


def test_plain_ids_are_spelled_as_they_are() -> None:
    assert name("claude/", segment("-srv-app"), segment("a1b2-c3")) == "claude/-srv-app/a1b2-c3"
    assert segment("größe 3") == "größe 3"
    assert segment("user:7/x") == "user%3A7%2Fx"


def test_what_was_not_spelled_here_is_known() -> None:
    assert [unsegment(text) for text in ("%FF", "%41", "a/b", "a%", "~")] == [None] * 5
