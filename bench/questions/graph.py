"""What do real LangGraph graphs cost, by checkpointer?

Four kinds of graph, the same run on each saver: a StateGraph that appends two messages of 1 kB a
step; the same with its messages in a DeltaChannel; a tool-calling agent with subgraphs and an
interrupt at each call; 200 threads at once on an event loop. InMemorySaver keeps nothing and
stands for the graph's own time. Afterwards the store is opened anew, and the values, the next
nodes and the metadata of checkpoints spread over each history are compared across the savers.

Timed are `put` and `put_writes` within the run, `get_state` of a store just opened and again, and
all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import inspect
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from bench.measure import Samples, disk_usage, timed_ns
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import document, human_bytes, human_us, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

SAVERS = ("InMemorySaver", "SqliteSaver", "CasckptSaver")
PACKAGES = ("langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "langchain-core")
LOADS = 10
COMPARED = 12
"""Checkpoints of a history that are compared."""
THREADS_COMPARED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--steps", type=numbers, default=[200, 1000], help="of the long runs")
    parser.add_argument("--turns", type=int, default=100, help="of the agent")
    parser.add_argument("--many", type=int, default=5, help="steps of each of the many threads")
    parser.add_argument("--kinds", default="messages,delta,agent,many", help="of graphs, by comma")
    parser.add_argument("--savers", default=",".join(SAVERS), help="by comma")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each kind of graph, each length, each saver."""
    try:
        kinds = importlib.import_module("bench.graphs").KINDS
    except ImportError as error:
        raise SystemExit(f"LangGraph is not installed: {error}") from None
    results = []
    for name in arguments.kinds.split(","):
        lengths = {"agent": [arguments.turns], "many": [arguments.many]}
        for steps in lengths.get(name, arguments.steps):
            rows: dict[str, Any] = {}
            told: dict[str, Any] = {}
            for saver in arguments.savers.split(","):
                with scratch(arguments.folder, arguments.durability) as base:
                    rows[saver], told[saver] = _run(
                        kinds[name], steps, saver, base / "store", arguments
                    )
            first = next(iter(told.values()))
            for saver, row in rows.items():
                row["ok"] = told[saver] == first
            results.append({"kind": name, "what": kinds[name].what, "steps": steps, "rows": rows})
    settings = {"durability": arguments.durability, "seed": arguments.seed}
    return document("graph", settings, results, PACKAGES)


def _run(
    kind: Any, steps: int, name: str, folder: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Any], Any]:
    """What the run cost, and what can be asked of it afterwards."""
    full = arguments.durability == "full"
    folder.mkdir(parents=True)
    kept: dict[str, Any] = {}
    puts, writes = Samples(), Samples()
    start = 0.0

    def begin(saver: Any) -> Any:
        nonlocal start
        names = ("aput", "aput_writes") if kind.concurrent else ("put", "put_writes")
        for method, samples in zip(names, (puts, writes), strict=True):
            setattr(saver, method, _timed(getattr(saver, method), samples))
        graph = kind.build(saver, steps, arguments.seed)
        start = time.perf_counter()
        return graph

    async def concurrently() -> tuple[list[str], float]:
        async with _async_saver(name, folder, kept, full=full) as saver:
            return await kind.drive(begin(saver), steps), time.perf_counter() - start

    if kind.concurrent:
        threads, total_s = asyncio.run(concurrently())
    else:
        with _saver(name, folder, kept, full=full) as saver:
            threads = kind.drive(begin(saver), steps)
            total_s = time.perf_counter() - start
    with _saver(name, folder, kept, full=full) as saver:
        graph = kind.build(saver, steps, arguments.seed)
        where = {"configurable": {"thread_id": threads[0]}}
        loads = [timed_ns(graph.get_state, where)[0] for _ in range(LOADS + 1)]
        told = [_told(graph, saver, thread) for thread in threads[:: _every(threads)]]
    size = disk_usage(folder).apparent_bytes
    return {
        "total_s": total_s,
        "put": puts.as_json(),
        "put_writes": writes.as_json(),
        "first_load_us": loads[0] / 1e3,
        "load": Samples(loads[1:]).as_json(),
        "bytes": size or None,
    }, told


def _every(threads: list[str]) -> int:
    return max(1, len(threads) // THREADS_COMPARED)


def _told(graph: Any, saver: Any, thread: str) -> list[Any]:
    """States spread over a thread's history, without what LangGraph draws at random."""
    where: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    ids = _ids(saver, thread)
    chosen = {*ids[:: max(1, len(ids) // COMPARED)], ids[0], ids[-1]}
    told: list[Any] = [len(ids)]
    for id in sorted(chosen):
        state = graph.get_state({"configurable": {**where["configurable"], "checkpoint_id": id}})
        metadata = {key: state.metadata.get(key) for key in ("source", "step")}
        asked = [one.value for task in state.tasks for one in task.interrupts]
        told.append((state.values, state.next, metadata, asked, bool(state.parent_config)))
    return told


def _ids(saver: Any, thread: str) -> list[str]:
    """The checkpoints of a thread, oldest first; without reading all their states for it."""
    if hasattr(saver, "conn"):
        query = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
        return sorted(row[0] for row in saver.conn.execute(query, (thread,)))
    if hasattr(saver, "store"):
        return sorted(c.meta["langgraph"]["id"] for c in saver.store.thread(thread).log())
    return sorted(saver.storage[thread][""])


def _timed(call: Callable[..., Any], samples: Samples) -> Callable[..., Any]:
    """The same call, timed; LangGraph looks at its signature."""

    @functools.wraps(call)
    def plain(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter_ns()
        try:
            return call(*args, **kwargs)
        finally:
            samples.add(time.perf_counter_ns() - start)

    @functools.wraps(call)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter_ns()
        try:
            return await call(*args, **kwargs)
        finally:
            samples.add(time.perf_counter_ns() - start)

    return awaited if inspect.iscoroutinefunction(call) else plain


@contextmanager
def _saver(name: str, folder: Path, kept: dict[str, Any], *, full: bool) -> Iterator[Any]:
    """A saver of this name, opened as its documentation says."""
    if name == "CasckptSaver":
        import casckpt
        from casckpt.integrations.langgraph import CasckptSaver

        with casckpt.open(folder / "casckpt", durability="full" if full else "none") as store:
            yield CasckptSaver(store)
    elif name == "InMemorySaver":
        from langgraph.checkpoint.memory import InMemorySaver

        yield kept.setdefault("saver", InMemorySaver())
    else:
        from langgraph.checkpoint.sqlite import SqliteSaver

        database = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
        saver = SqliteSaver(database)
        saver.setup()
        database.execute(f"PRAGMA synchronous={'FULL' if full else 'OFF'}")
        try:
            yield saver
        finally:
            database.close()


@asynccontextmanager
async def _async_saver(
    name: str, folder: Path, kept: dict[str, Any], *, full: bool
) -> AsyncIterator[Any]:
    """The same, for the async methods."""
    if name != "SqliteSaver":
        with _saver(name, folder, kept, full=full) as saver:
            yield saver
        return
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(folder / "checkpoints.sqlite")) as saver:
        await saver.setup()
        await saver.conn.execute(f"PRAGMA synchronous={'FULL' if full else 'OFF'}")
        yield saver


def render(content: dict[str, Any]) -> str:
    """A table a kind and length, a row a saver."""
    parts = []
    for result in content["results"]:
        rows = [
            [
                name, f"{r['total_s']:.2f} s", human_us(r["put"]["median_us"]),
                human_us(r["put"]["p99_us"]), human_us(r["put_writes"].get("median_us")),
                human_us(r["first_load_us"]), human_us(r["load"]["median_us"]),
                human_bytes(r["bytes"]),
            ]
            for name, r in result["rows"].items()
        ]  # fmt: skip
        header = [
            "saver",
            "total",
            "put",
            "p99",
            "put_writes",
            "get_state, first",
            "again",
            "on disk",
        ]
        parts += [f"{result['kind']}: {result['what']}; {result['steps']} steps\n"]
        parts += [table(header, rows)]
        parts += [f"VOID: {name}" for name, r in result["rows"].items() if not r["ok"]] + [""]
    return "\n".join([*parts, footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every saver told the same of every run."""
    return all(r["ok"] for result in content["results"] for r in result["rows"].values())
