"""What does a real LangGraph graph cost, with SqliteSaver, with DeltaChannel too?

A graph of one node that appends an assistant message and a tool result at every step, compiled
with SqliteSaver: once with plain channels, once with the message list as a DeltaChannel (which
needs the graph to be edited). The same states are then saved by casckpt and by SqliteSaver's
`put` alone, so that the graph's own time can be told apart.
"""

from __future__ import annotations

import argparse
import itertools
import operator
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

from bench.measure import Samples, disk_usage, timed_ns
from bench.peers.base import make
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import document, human_bytes, human_us, table
from bench.traces import fresh
from bench.verify import same
from bench.workloads import SYSTEM_PROMPT, chat_messages

__all__ = ["add_arguments", "all_verified", "render", "run"]

SNAPSHOT_FREQUENCY = 100
"""DeltaChannel's own default at the time of writing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--steps", type=numbers, default=[100, 300], help="steps of a run")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each kind of graph, each number of steps."""
    results = []
    for steps in arguments.steps:
        with scratch(arguments.folder, arguments.durability) as base:
            rows = {
                "graph, SqliteSaver": _graph(steps, base / "plain", arguments, delta=False),
                "graph, SqliteSaver, DeltaChannel": _graph(
                    steps, base / "delta", arguments, delta=True
                ),
                "put alone, SqliteSaver": _alone(
                    "langgraph-sqlite", steps, base / "put", arguments
                ),
                "save alone, casckpt": _alone("casckpt", steps, base / "casckpt", arguments),
            }
        results.append({"steps": steps, "rows": rows})
    settings = {
        "durability": arguments.durability, "seed": arguments.seed,
        "snapshot_frequency": SNAPSHOT_FREQUENCY, "langgraph_durability": "sync",
    }  # fmt: skip
    packages = ("langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite")
    return document("graph", settings, results, packages)


def _turns(steps: int, seed: int) -> list[list[Any]]:
    # "speaker", not "role": DeltaChannel turns dicts that look like messages into objects.
    stream = ({"speaker": m.pop("role"), **m} for m in chat_messages(seed))
    return [list(itertools.islice(stream, 2)) for _ in range(steps)]


def _appended(state: list[Any], writes: list[list[Any]]) -> list[Any]:
    return [*state, *itertools.chain.from_iterable(writes)]


def _schema(*, delta: bool) -> Any:
    if delta:
        from langgraph.channels import DeltaChannel

        kind: Any = Annotated[
            list[Any], DeltaChannel(_appended, snapshot_frequency=SNAPSHOT_FREQUENCY)
        ]
    else:
        kind = Annotated[list[Any], operator.add]
    return TypedDict("State", {"system": str, "turn": int, "messages": kind})  # type: ignore[operator]


def _graph(
    steps: int, folder: Path, arguments: argparse.Namespace, *, delta: bool
) -> dict[str, Any]:
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    folder.mkdir(parents=True)
    turns = _turns(steps, arguments.seed)

    def agent(state: Any) -> dict[str, Any]:
        return {"turn": state["turn"] + 1, "messages": fresh(turns[state["turn"]], plain=True)}

    database = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
    saver = SqliteSaver(database)
    saver.setup()
    full = arguments.durability == "full"
    database.execute(f"PRAGMA synchronous={'FULL' if full else 'OFF'}")
    puts, writes = Samples(), Samples()
    saver.put = _timing(saver.put, puts)
    saver.put_writes = _timing(saver.put_writes, writes)
    builder = StateGraph(_schema(delta=delta))
    builder.add_node("agent", agent)
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", lambda s: END if s["turn"] >= steps else "agent")
    graph = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "run"}, "recursion_limit": steps + 10}
    start = time.perf_counter()
    graph.invoke({"system": SYSTEM_PROMPT, "turn": 0, "messages": []}, config, durability="sync")
    total_s = time.perf_counter() - start
    loads = Samples([timed_ns(graph.get_state, config)[0] for _ in range(10)])
    values = graph.get_state(config).values
    database.close()
    expected = list(itertools.chain.from_iterable(turns))
    return {
        "total_s": total_s,
        "put": puts.as_json(),
        "put_writes": writes.as_json(),
        "load": loads.as_json(),
        "bytes": disk_usage(folder).apparent_bytes,
        "ok": same(expected, values["messages"], plain=True) and values["turn"] == steps,
    }


def _timing(call: Callable[..., Any], samples: Samples) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter_ns()
        try:
            return call(*args, **kwargs)
        finally:
            samples.add(time.perf_counter_ns() - start)

    return timed


def _alone(name: str, steps: int, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    peer = make(name)
    peer.open(folder, arguments.durability)
    saves, state = Samples(), {"system": SYSTEM_PROMPT, "turn": 0, "messages": list[Any]()}
    start = time.perf_counter()
    for number, turn in enumerate(_turns(steps, arguments.seed), 1):
        state = {**state, "turn": number, "messages": [*state["messages"], *turn]}  # type: ignore[misc]
        prepared = peer.prepare("run", fresh(state, plain=True), "agent")
        saves.add(timed_ns(peer.save, "run", prepared, "agent")[0])
    total_s = time.perf_counter() - start
    loads = Samples([timed_ns(peer.load_latest, "run")[0] for _ in range(10)])
    ok = same(state, peer.load_latest("run"), plain=True)
    peer.close()
    size = peer.size()
    return {
        "total_s": total_s, "put": saves.as_json(), "put_writes": {}, "load": loads.as_json(),
        "bytes": size.apparent_bytes if size else None, "ok": ok,
    }  # fmt: skip


def render(content: dict[str, Any]) -> str:
    """A row a kind of run."""
    parts = []
    for result in content["results"]:
        rows = [
            [
                name, f"{r['total_s']:.2f} s", human_us(r["put"]["median_us"]),
                human_us(r["put"]["p99_us"]), human_us(r["put_writes"].get("median_us")),
                human_us(r["load"]["median_us"]), human_bytes(r["bytes"]),
            ]
            for name, r in result["rows"].items()
        ]  # fmt: skip
        header = ["run", "total", "put median", "put p99", "put_writes", "load", "on disk"]
        parts += [f"{result['steps']} steps of two messages\n", table(header, rows)]
        parts += [f"VOID: {name}" for name, r in result["rows"].items() if not r["ok"]] + [""]
    return "\n".join([*parts, footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every run ended in the right state."""
    return all(r["ok"] for result in content["results"] for r in result["rows"].values())
