"""What the tests of the import from SqliteSaver share; skips them where it is not installed."""

from __future__ import annotations

import json
import operator
from typing import Annotated, Any, TypedDict

import pytest

from tests.integrations.langgraph_kit import WHY, config, make

pytest.importorskip("langgraph.checkpoint.sqlite", reason=WHY)

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, interrupt

import casckpt
from casckpt.integrations.langgraph import ImportReport, import_sqlite

__all__ = ["FILE", "graph", "put", "took_over", "tuples", "work"]

FILE = "checkpoints.sqlite"


class Inner(TypedDict):
    messages: Annotated[list[Any], add_messages]
    path: Annotated[list[str], operator.add]


def put(
    saver: Any, id: str, values: dict[str, Any], parent: str | None = None, **more: Any
) -> None:
    where = {key: more.pop(key) for key in ("thread", "ns") if key in more}
    checkpoint = make(id, values, more.pop("versions", None))
    facts: Any = {"source": "loop", "step": 0, "parents": {}, **more}
    saver.put(config(id=parent, **where), checkpoint, facts, checkpoint["channel_versions"])


def graph(saver: Any) -> Any:
    """Messages, a tool, a question to the human inside of a subgraph."""

    def think(state: Inner) -> Any:
        n = str(len(state["messages"]))
        call = {"name": "look", "args": {"n": n}, "id": n}
        return {"messages": [AIMessage("", tool_calls=[call], id=n)], "path": ["think"]}

    def look(state: Inner) -> Any:
        answer = interrupt({"question": "may I?"})
        found = ToolMessage(f"{answer}", tool_call_id=state["messages"][-1].id, id="t")
        return {"messages": [found], "path": ["look"]}

    inner = StateGraph(Inner).add_node("look", look).add_edge(START, "look").compile()
    outer = StateGraph(Inner).add_node("think", think).add_node("act", inner)
    return outer.add_edge(START, "think").add_edge("think", "act").compile(checkpointer=saver)


def work(saver: Any) -> None:
    """A run with a subgraph and an interrupt, a branch of it, and one that waits."""
    agent, where = graph(saver), config("support/alice")
    agent.invoke({"messages": [HumanMessage("Hi", id="h")], "path": []}, where)
    agent.invoke(Command(resume="yes"), where)
    early = [s for s in agent.get_state_history(where) if s.next == ("think",)][-1]
    agent.invoke(None, agent.update_state(early.config, {"path": ["again"]}))
    agent.invoke({"messages": [HumanMessage("Hey", id="b")], "path": []}, config("bob"))


def tuples(saver: Any, prefix: str = "") -> list[CheckpointTuple]:
    """All tuples, as another saver calls their threads."""
    found = list(saver.list(None))
    for one in found:
        for each in (one.config, one.parent_config or {"configurable": {"thread_id": ""}}):
            each["configurable"]["thread_id"] = prefix + each["configurable"]["thread_id"]
    return sorted(found, key=lambda t: json.dumps(t.config))


def took_over(store: casckpt.Store, **options: Any) -> ImportReport:
    report = import_sqlite(store, FILE, **options)
    assert (report.different, report.unreadable) == ((), ())
    assert report.equal in {None, report.checkpoints}
    return report
