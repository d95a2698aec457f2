"""Graphs as people build them, for `bench/questions/graph.py`: each run with any saver.

A kind of graph is built with a saver and driven to its end; it does the same each time, but for
the ids that LangGraph draws. What a run came to can be asked of its graph afterwards.

Imports: langgraph, bench.workloads.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, interrupt

from bench.workloads import SYSTEM_PROMPT, chat_messages

__all__ = ["KINDS", "SNAPSHOT_FREQUENCY", "Kind", "Run"]

SNAPSHOT_FREQUENCY = 100
"""DeltaChannel's own default at the time of writing."""


class Run(NamedTuple):
    """A graph, and the threads that were run in it."""

    graph: Any
    threads: list[str]


class Kind(NamedTuple):
    """One kind of graph."""

    what: str
    build: Callable[[Any, int, int], Any]
    """The compiled graph, of saver, steps and seed."""
    drive: Callable[[Any, int], Any]
    """Runs a graph for so many steps: the threads, or an awaitable of them."""
    concurrent: bool = False
    """Whether it is driven by the async methods."""


def config(thread: str, steps: int = 0) -> Any:
    """The config of a thread, with room for so many steps."""
    return {"configurable": {"thread_id": thread}, "recursion_limit": 10 * steps + 50}


def _turn(texts: list[str], i: int) -> list[Any]:
    call = {"name": "search", "args": {"q": f"query {i}"}, "id": f"c{i}"}
    usage: Any = {"input_tokens": 100 + i, "output_tokens": 50, "total_tokens": 150 + i}
    said, found = texts[2 * i % len(texts)], texts[(2 * i + 1) % len(texts)]
    return [
        AIMessage(said, id=f"a{i}", tool_calls=[call], usage_metadata=usage),
        ToolMessage(found, id=f"t{i}", tool_call_id=f"c{i}"),
    ]


def _texts(steps: int, seed: int) -> list[str]:
    """About 1 kB each, no two alike."""
    messages = (m["content"] for m in chat_messages(seed))
    texts = []
    for _ in range(2 * min(steps, 3_000)):
        text = ""
        while len(text) < 1_000:
            text += f"{next(messages)} "
        texts.append(text[:1_000])
    return texts


def _long(kind: Any) -> Callable[[Any, int, int], Any]:
    """One node that appends two messages a step, in a channel of this kind."""

    def build(saver: Any, steps: int, seed: int) -> Any:
        texts = _texts(steps, seed)
        schema: Any = TypedDict("State", {"system": str, "n": int, "messages": kind})  # type: ignore[misc]

        def agent(state: Any) -> Any:
            return {"n": state["n"] + 1, "messages": _turn(texts, state["n"])}

        builder = StateGraph(schema).add_node("agent", agent).add_edge(START, "agent")
        builder.add_conditional_edges("agent", lambda s: END if s["n"] >= steps else "agent")
        return builder.compile(checkpointer=saver)

    return build


def _drive_long(graph: Any, steps: int) -> list[str]:
    begin = {"system": SYSTEM_PROMPT, "n": 0, "messages": [HumanMessage("Go.", id="go")]}
    graph.invoke(begin, config("run", steps), durability="sync")
    return ["run"]


class _Agent(TypedDict):
    messages: Annotated[list[Any], add_messages]
    n: int


def _agent(saver: Any, steps: int, seed: int) -> Any:
    """Thinks, calls a tool in a subgraph that asks a human first, and thinks again."""
    texts = _texts(steps, seed)

    def think(state: _Agent) -> Any:
        return {"n": state["n"] + 1, "messages": [_turn(texts, state["n"])[0]]}

    def ask(state: _Agent) -> Any:
        answer = interrupt({"may I": state["n"]})
        return {"messages": [HumanMessage(str(answer), id=f"h{state['n']}")]}

    def look(state: _Agent) -> Any:
        found = _turn(texts, state["n"] - 1)[1]
        return {"messages": [found]}

    tool = StateGraph(_Agent).add_node("ask", ask).add_node("look", look)
    tool.add_edge(START, "ask").add_edge("ask", "look")
    outer = StateGraph(_Agent).add_node("think", think).add_node("tool", tool.compile())
    outer.add_edge(START, "think").add_edge("think", "tool")
    outer.add_conditional_edges("tool", lambda s: END if s["n"] >= steps else "think")
    return outer.compile(checkpointer=saver)


def _drive_agent(graph: Any, steps: int) -> list[str]:
    where = config("run", steps)
    given: Any = {"messages": [HumanMessage("Go.", id="go")], "n": 0}
    for n in itertools.count():
        graph.invoke(given, where, durability="sync")
        if not graph.get_state(where).next:
            return ["run"]
        given = Command(resume=f"yes {n}")
    raise AssertionError


THREADS = 200


async def _drive_many(graph: Any, steps: int) -> list[str]:
    """So many threads at once, on one event loop."""
    threads = [f"user-{n}" for n in range(THREADS)]

    async def one(thread: str) -> None:
        begin = {"system": SYSTEM_PROMPT, "n": 0, "messages": [HumanMessage("Go.", id="go")]}
        await graph.ainvoke(begin, config(thread, steps))

    await asyncio.gather(*map(one, threads))
    return threads


_PLAIN: Any = Annotated[list[Any], add_messages]


def _delta(state: list[Any], writes: list[list[Any]]) -> list[Any]:
    return [*state, *itertools.chain.from_iterable(writes)]


_DELTA: Any = Annotated[list[Any], DeltaChannel(_delta, snapshot_frequency=SNAPSHOT_FREQUENCY)]

KINDS = {
    "messages": Kind("add_messages, two messages of 1 kB a step", _long(_PLAIN), _drive_long),
    "delta": Kind("the same in a DeltaChannel", _long(_DELTA), _drive_long),
    "agent": Kind("tool calls in a subgraph, a human asked each time", _agent, _drive_agent),
    "many": Kind(f"{THREADS} threads at once, async", _long(_PLAIN), _drive_many, concurrent=True),
}
