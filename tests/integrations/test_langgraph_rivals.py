"""Silent forks, refused: of two runs that go on from one checkpoint, one is told."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

from tests.integrations.langgraph_kit import config, ids, make, put

from langgraph.graph import START, StateGraph  # isort: skip
from langgraph.types import Command, interrupt

import casckpt
from casckpt import ConflictError
from casckpt.integrations.langgraph import CasckptSaver


@pytest.fixture(params=["memory", "disk"])
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CasckptSaver]:
    path = "memory:" if request.param == "memory" else str(tmp_path / "store")
    with CasckptSaver(path, refuse_silent_forks=True) as opened:
        yield opened


class State(TypedDict):
    log: Annotated[list[str], operator.add]


def two_steps(saver: Any, meet: threading.Barrier | None = None) -> Any:
    """A graph whose first node waits until both runs are in it."""

    def first(state: State) -> Any:
        if meet is not None:
            meet.wait(10)
        return {"log": [f"first of {len(state['log'])}"]}

    def second(_: State) -> Any:
        return {"log": ["second"]}

    def ask(_: State) -> Any:
        return {"log": [interrupt("more?")]}

    graph = StateGraph(State).add_node("first", first).add_node("second", second)
    graph.add_node("ask", ask).add_edge("first", "second").add_edge("second", "ask")
    return graph.add_edge(START, "first").compile(checkpointer=saver)


def outcome(run: Any) -> str:
    try:
        run()
    except ConflictError as error:
        return "refused" if error.details["child"] else "what by?"
    return "done"


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_two_runs_of_one_thread(strict: CasckptSaver, durability: Any) -> None:
    two_steps(strict).invoke({"log": ["begin"]}, config())
    two_steps(strict).invoke(Command(resume="yes"), config())

    def go(name: str) -> None:
        # Both read the same newest checkpoint: neither has put anything before both have.
        graph.invoke({"log": [name]}, config(), durability=durability)

    slow = threading.Barrier(2)
    read = strict.get_tuple

    def read_together(wanted: Any) -> Any:
        found = read(wanted)
        slow.wait(10)
        return found

    strict.get_tuple = read_together  # type: ignore[method-assign]
    graph = two_steps(strict)
    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(outcome, [lambda: go("a"), lambda: go("b")]))
    strict.get_tuple = read  # type: ignore[method-assign]
    assert outcomes == ["done", "refused"]
    parents = [t.parent_config for t in strict.list(config())]
    assert len({str(parent) for parent in parents}) == len(parents), "a silent fork"
    values = two_steps(strict).get_state(config()).values["log"]
    assert [text for text in values if text in {"a", "b"}] in [["a"], ["b"]]


def test_without_the_option_both_go_through(saver: CasckptSaver) -> None:
    put(saver, "1")
    put(saver, "2", parent="1")
    put(saver, "3", parent="1")
    assert ids(saver.list(config())) == ["3", "2", "1"]


def test_the_second_child_is_refused(strict: CasckptSaver) -> None:
    put(strict, "1", {"x": 1}, source="input")
    put(strict, "2", {"x": 2}, parent="1")
    for id in ("3", "17", "0"):  # greater and smaller than its rival, and than its parent
        with pytest.raises(ConflictError, match=r"gone on with the thread t from checkpoint 1 \("):
            put(strict, id, {"x": 3}, parent="1")
    put(strict, "2", {"x": 4}, parent="1")  # put again: no rival of itself
    with pytest.raises(ConflictError, match="from its beginning"):
        put(strict, "9", source="input")
    assert ids(strict.list(config())) == ["2", "1"]
    put(strict, "9", source="input", ns="a:1")
    put(strict, "9", source="input", thread="u")
    put(strict, "3", parent="2")


def test_a_child_with_a_smaller_id_than_its_parent(strict: CasckptSaver) -> None:
    """Clocks differ: what was put last is looked at, too."""
    put(strict, "5", source="input")
    put(strict, "3", parent="5")
    with pytest.raises(ConflictError):
        put(strict, "6", parent="5")
    strict.delete_for_runs(["none"])
    put(strict, "4", parent="3")


def test_branches_that_are_asked_for(strict: CasckptSaver) -> None:
    graph = two_steps(strict)
    graph.invoke({"log": ["begin"]}, config())
    graph.invoke(Command(resume="yes"), config())
    states = list(graph.get_state_history(config()))
    early = next(s for s in states if s.next == ("second",))
    replayed = graph.invoke(None, early.config)
    assert replayed["log"][:2] == ["begin", "first of 1"]
    updated = graph.update_state(early.config, {"log": ["by hand"]})
    assert graph.invoke(None, updated)["log"][:3] == ["begin", "first of 1", "by hand"]
    graph.invoke(Command(resume="again"), config())
    branch = strict.fork(early.config, "branch")
    graph.invoke(None, branch)
    graph.invoke({"log": ["more"]}, config())
    strict.prune(["t"], keep_last=2)
    graph.invoke(Command(resume="yes"), config())
    strict.copy_thread("t", "u")
    graph.invoke({"log": ["more"]}, config("u"))
    strict.delete_thread("t")
    graph.invoke({"log": ["begin"]}, config())


def test_a_run_that_went_away_is_no_rival(strict: CasckptSaver) -> None:
    put(strict, "1", source="input", run_id="a")
    put(strict, "2", parent="1", run_id="b")
    strict.delete_for_runs(["b"])
    put(strict, "3", parent="1")


@pytest.mark.parametrize("count", [8])
def test_many_at_once(strict: CasckptSaver, count: int) -> None:
    """However many try, at each checkpoint one gets through."""
    put(strict, "0000", source="input")
    won: list[str] = []

    def attempt(worker: int) -> None:
        for _ in range(6):
            newest = strict.get_tuple(config())
            assert newest is not None
            parent = newest.checkpoint["id"]
            id = f"{int(parent) // 10 + 1:03}{worker}"
            try:
                strict.put(config(id=parent), make(id, {}), {"source": "loop"}, {})
            except ConflictError:
                continue
            won.append(id)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(attempt, range(count)))
    found = list(strict.list(config()))
    assert sorted(won) == sorted(ids(found))[1:]
    parents = [t.parent_config["configurable"]["checkpoint_id"] for t in found if t.parent_config]
    assert len(parents) == len(set(parents)) == len(found) - 1


def test_async(strict: CasckptSaver) -> None:
    async def both() -> list[Any]:
        await strict.aput(config(), make("1", {}), {"source": "input"}, {})
        puts = [strict.aput(config(id="1"), make(id, {}), {"source": "loop"}, {}) for id in "234"]
        return await asyncio.gather(*puts, return_exceptions=True)

    outcomes = [type(found) for found in asyncio.run(both())]
    assert sorted(kind.__name__ for kind in outcomes) == ["ConflictError", "ConflictError", "dict"]
    assert casckpt.ConflictError in outcomes
