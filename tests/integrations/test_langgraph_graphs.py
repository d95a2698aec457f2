"""Real graphs: the same run on LangGraph's own saver and on ours has the same history."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from tests.integrations.langgraph_kit import config, ids

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage  # isort: skip
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

import casckpt
from casckpt.integrations.langgraph import CasckptSaver


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]
    count: int


def agent(state: State) -> dict[str, Any]:
    n = state.get("count", 0)
    place = len(state["messages"])
    call = {"name": "look", "args": {"n": n}, "id": f"call-{place}"}
    message = AIMessage(f"step {n}", id=f"ai-{place}", tool_calls=[call] if n < 3 else [])
    return {"messages": [message], "count": n + 1}


def tools(state: State) -> dict[str, Any]:
    call = state["messages"][-1].tool_calls[0]
    return {"messages": [ToolMessage("seen", tool_call_id=call["id"], id=f"tool-{call['id']}")]}


def route(state: State) -> str:
    return "tools" if state["messages"][-1].tool_calls else END


def chat(saver: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("agent", agent)
    builder.add_node("tools", tools)
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", route)
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=saver)


def ask(n: int = 0) -> dict[str, Any]:
    return {"messages": [HumanMessage("please", id=f"human-{n}")], "count": 0}


def told(graph: Any, thread: str = "t") -> list[Any]:
    """A history without what differs from run to run: ids and times."""
    history = list(graph.get_state_history(config(thread)))
    number = {s.config["configurable"]["checkpoint_id"]: n for n, s in enumerate(history[::-1])}
    return [
        (
            *(state.values, state.next, state.metadata["source"], state.metadata["step"]),
            number.get((state.parent_config or config(id="-"))["configurable"]["checkpoint_id"]),
            [(task.name, task.error, [i.value for i in task.interrupts]) for task in state.tasks],
        )
        for state in history
    ]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_run_has_the_history_it_has_elsewhere(saver: CasckptSaver, durability: Any) -> None:
    mine, theirs = chat(saver), chat(InMemorySaver())
    for graph in (mine, theirs):
        graph.invoke(ask(), config(), durability=durability)
        graph.invoke(ask(1), config(), durability=durability)
    assert told(mine) == told(theirs)
    assert len(told(mine)) == (2 if durability == "exit" else 18)


def test_time_travel_update_and_forks(saver: CasckptSaver) -> None:
    mine, theirs = chat(saver), chat(InMemorySaver())
    for graph in (mine, theirs):
        graph.invoke(ask(), config())
        middle = list(graph.get_state_history(config()))[4]
        graph.invoke(None, middle.config)  # replay from there
        changed = graph.update_state(middle.config, {"count": 2})
        graph.invoke(None, changed)
        graph.update_state(changed, None, as_node="__copy__")
    assert told(mine) == told(theirs)
    # casckpt sees the same: every state is still there, and the lines meet.
    store = saver.store
    assert {c.meta["langgraph"]["id"] for c in store.find()} == set(ids(saver.list(config())))
    store.gc(grace=0)
    assert told(mine) == told(theirs)
    assert list(store.fsck()) == []


class Approval(TypedDict):
    plan: str
    answer: str


def approving(saver: Any) -> Any:
    def inner_ask(state: Approval) -> dict[str, Any]:
        return {"answer": interrupt({"approve": state["plan"]})}

    inner = StateGraph(Approval)
    inner.add_node("ask", inner_ask)
    inner.add_edge(START, "ask")
    outer = StateGraph(Approval)
    outer.add_node("plan", lambda _: {"plan": "train"})
    outer.add_node("review", inner.compile(checkpointer=True))
    outer.add_edge(START, "plan")
    outer.add_edge("plan", "review")
    return outer.compile(checkpointer=saver)


def test_an_interrupt_in_a_subgraph_survives_reopening(tmp_path: Path) -> None:
    memory = InMemorySaver()
    with CasckptSaver(tmp_path / "store") as saver:
        for graph in (approving(saver), approving(memory)):
            found = graph.invoke({"plan": "", "answer": ""}, config())
            assert found["__interrupt__"][0].value == {"approve": "train"}
    with CasckptSaver(tmp_path / "store") as saver:
        mine, theirs = approving(saver), approving(memory)
        assert told(mine) == told(theirs)
        names = [info.name for info in saver.store.threads()]
        assert names == ["t", "t/+review"]
        for graph in (mine, theirs):
            assert graph.invoke(Command(resume="yes"), config())["answer"] == "yes"
        assert told(mine) == told(theirs)
        state = mine.get_state(config(), subgraphs=True)
        assert state.values == {"plan": "train", "answer": "yes"}


def merge(state: Any, writes: Sequence[Any]) -> list[Any]:
    return [*(state or []), *(item for write in writes for item in write)]


class Deltas(TypedDict):
    log: Annotated[list[str], DeltaChannel(merge, snapshot_frequency=6)]
    n: Annotated[int, operator.add]


def delta_graph(saver: Any) -> Any:
    builder = StateGraph(Deltas)
    builder.add_node("step", lambda state: {"log": [f"entry {state['n']}"], "n": 1})
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", lambda state: END if state["n"] % 7 == 0 else "step")
    return builder.compile(checkpointer=saver)


def test_delta_channels_are_pruned_with_what_they_are_computed_from(saver: CasckptSaver) -> None:
    mine, theirs = delta_graph(saver), delta_graph(InMemorySaver())
    for graph in (mine, theirs):
        graph.invoke({"log": [], "n": 0}, config())
        graph.invoke({"log": ["again"], "n": 1}, config())
    assert told(mine) == told(theirs)
    before, count = mine.get_state(config()).values, len(told(mine))
    assert before["log"][0] == "entry 0"
    saver.prune(["t"])
    left = list(saver.list(config()))
    assert 1 < len(left) < count
    assert "log" in left[-1].checkpoint["channel_values"]
    saver.store.gc(grace=0)
    assert mine.get_state(config()).values == before
    saver.copy_thread("t", "u")
    saver.delete_thread("t")
    saver.store.gc(grace=0)
    assert mine.get_state(config("u")).values == before
    after = mine.invoke({"log": ["more"], "n": 1}, config("u"))
    assert after["log"][: len(before["log"])] == before["log"]


def test_many_threads_at_once() -> None:
    async def run() -> None:
        async with CasckptSaver("memory:") as saver:
            graph = chat(saver)
            names = [f"user-{n}" for n in range(50)]
            found = await asyncio.gather(
                *(graph.ainvoke(ask(n), config(name)) for n, name in enumerate(names))
            )
            for n, (name, state) in enumerate(zip(names, found, strict=True)):
                assert state["messages"][0].id == f"human-{n}"
                history = [s async for s in graph.aget_state_history(config(name))]
                assert len(history) == 9
                assert history[0].values == state
            assert len(saver.store.threads()) == 50

    asyncio.run(run())


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    path, broken = tmp_path / "store", [True]

    def fragile(state: State) -> dict[str, Any]:
        if broken and state["count"] == 2:
            raise ConnectionError("gone")
        return agent(state)

    def graph(saver: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node("agent", fragile)
        builder.add_node("tools", tools)
        builder.add_edge(START, "agent")
        builder.add_conditional_edges("agent", route)
        builder.add_edge("tools", "agent")
        return builder.compile(checkpointer=saver)

    with CasckptSaver(path) as saver, pytest.raises(ConnectionError):
        graph(saver).invoke(ask(), config())
    broken.clear()
    with CasckptSaver(path) as saver:
        found = graph(saver).invoke(None, config())
        expected = chat(InMemorySaver()).invoke(ask(), config())
        assert found == expected


# --- the rest of casckpt on such threads ----------------------------------------------------------


def test_casckpt_reads_such_threads(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke(ask(), config("support/alice"))
    run = saver.store.thread("support/alice")
    labels = [c.label for c in run.log()]
    assert labels == ["agent", *["tools", "agent"] * 3, "loop", "input"]
    assert run.load(":tools", path="messages[-1].content") == "seen"
    assert run.load(path="count") == 4
    found = list(saver.store.find(thread="support/alice", meta={"source": "loop", "step": 3}))
    assert [c.meta["step"] for c in found] == [3]
    changes = [(c.op, c.path[:2]) for c in run.checkpoint("~1").diff(run.checkpoint())]
    assert ("add", ("messages", 7)) in changes
    assert ("replace", ("count",)) in changes


def test_a_thread_that_casckpt_forked_runs_on(saver: CasckptSaver) -> None:
    graph = approving(saver)
    graph.invoke({"plan": "", "answer": ""}, config("a"))
    plain = chat(saver)
    plain.invoke(ask(), config("b"))
    middle = list(plain.get_state_history(config("b")))[4]
    store = saver.store
    wanted = middle.config["configurable"]["checkpoint_id"]
    at = next(c for c in store.thread("b").log() if c.meta["langgraph"]["id"] == wanted)
    store.thread("b").fork("b2", at=at)
    forked = plain.get_state(config("b2", wanted))
    assert forked.values == middle.values
    assert forked.config["configurable"] == {**middle.config["configurable"], "thread_id": "b2"}
    assert len(told(plain, "b2")) == 5
    assert told(plain, "b2") == told(plain, "b")[4:]
    ended = plain.invoke(None, config("b2"))
    assert ended == plain.get_state(config("b")).values
    assert len(told(plain, "b2")) == 9
    history = store.thread("b2").checkpoint().common_ancestor(store.thread("b").checkpoint())
    assert history == at


def test_pending_writes_go_along_with_a_fork(saver: CasckptSaver) -> None:
    class One(TypedDict):
        answer: str

    builder = StateGraph(One)
    builder.add_node("ask", lambda _: {"answer": interrupt("well?")})
    builder.add_edge(START, "ask")
    graph = builder.compile(checkpointer=saver)
    graph.invoke({"answer": ""}, config("a"))
    saver.store.thread("a").fork("b")
    assert graph.get_state(config("b")).tasks[0].interrupts[0].value == "well?"
    assert graph.invoke(Command(resume="b!"), config("b")) == {"answer": "b!"}
    assert graph.get_state(config("a")).next == ("ask",)
    assert graph.invoke(Command(resume="a!"), config("a")) == {"answer": "a!"}


def test_two_savers_on_one_store(tmp_path: Path) -> None:
    with casckpt.open(tmp_path / "store") as store:
        one, two = CasckptSaver(store), CasckptSaver(store)
        chat(one).invoke(ask(), config())
        chat(two).invoke(ask(1), config())
        chat(one).invoke(ask(2), config())
        assert chat(two).get_state(config()) == chat(one).get_state(config())
        theirs = chat(InMemorySaver())
        for n in range(3):
            theirs.invoke(ask(n), config())
        assert told(chat(one)) == told(theirs)


# --- removing --------------------------------------------------------------------------------------


def test_what_is_removed_gives_its_space_back(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke({"messages": [HumanMessage("x" * 5000, id="h")], "count": 0}, config())
    saver.delete_thread("t")
    assert saver.get_tuple(config()) is None
    assert saver.store.threads() == []
    saver.store.gc(grace=0)
    assert saver.store.stats().checkpoints == 0
    graph.invoke(ask(), config())
    assert len(told(graph)) == 9


def test_pruning_cuts_the_history_off(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke(ask(), config())
    state = graph.get_state(config()).values
    saver.prune(["t"])
    saver.store.gc(grace=0)
    assert saver.store.stats().checkpoints == 1
    assert [c.step for c in saver.store.thread("t").log()] == [0]
    assert graph.get_state(config()).values == state
    assert list(saver.store.fsck()) == []
    assert graph.invoke(ask(1), config())["messages"][: len(state["messages"])] == state["messages"]


def test_the_head_goes_back_with_a_run_that_is_taken_back(saver: CasckptSaver) -> None:
    graph = chat(saver)
    for run_id in ("one", "two"):
        graph.invoke(ask(), {**config(), "metadata": {"run_id": run_id}})
    expected = [t.metadata.get("run_id") for t in saver.list(config())]
    assert set(expected) == {"one", "two"}
    before = told(graph)[9:]
    saver.delete_for_runs(["two"])
    assert told(graph) == before
    head = saver.store.thread("t").checkpoint()
    assert head.meta["run_id"] == "one"
    saver.delete_for_runs(["one"])
    assert saver.get_tuple(config()) is None
    assert saver.store.threads() == []


def test_pruning_by_number_and_age(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke(ask(), config())
    middle = list(graph.get_state_history(config()))[4]
    graph.invoke(None, middle.config)
    newest = told(graph)[:6]
    saver.prune(["t"], max_age=timedelta(hours=1))
    assert len(told(graph)) == 14
    saver.prune(["t"], keep_last=6, max_age=timedelta(0))
    saver.store.gc(grace=0)
    assert [state[:4] for state in told(graph)] == [state[:4] for state in newest]
    # The oldest has no parent any more; the others have the same as before.
    assert [c.step for c in saver.store.thread("t").log()] == [4, 3, 2, 1, 0]
    assert saver.store.stats().checkpoints == 6
    assert list(saver.store.fsck()) == []
    with pytest.raises(casckpt.InvalidInputError):
        saver.prune(["t"], strategy="keep_some")
    with pytest.raises(casckpt.InvalidInputError):
        saver.prune(["t"], keep_last=0)


def test_a_branch_gets_a_name_and_is_compared(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke(ask(), config())
    middle = list(graph.get_state_history(config()))[4].config
    branch = saver.fork(middle, "bold")
    graph.update_state(branch, {"count": 3})
    graph.invoke(None, branch)
    changes = [(c.op, c.path) for c in saver.diff(config(), config("bold"))]
    assert ("replace", ("messages", 4, "content")) not in changes
    assert changes
    assert saver.checkpoint(middle).is_ancestor_of(saver.checkpoint(config("bold")))
    with pytest.raises(casckpt.ConflictError):
        saver.fork(middle, "bold")
    with pytest.raises(casckpt.NotFoundError):
        saver.fork(config("nobody"), "x")


def test_a_deleted_thread_can_be_undone(saver: CasckptSaver) -> None:
    graph = chat(saver)
    graph.invoke(ask(), config())
    before = told(graph)
    saver.delete_thread("t")
    assert told(graph) == []
    saver.store.thread("t").undo()
    after = [state[:4] for state in told(graph)]
    assert after == [state[:4] for state in before]
    graph.invoke(ask(1), config())
    assert len(told(graph)) == 18
