"""How fast is a checkpoint found among very many?

`--count` small checkpoints over `--threads` threads, a common label on most, a rare one on one
in a thousand, a rare tag. Then each query many times. Beside it the same questions to a SQLite
table with the right indexes (no states), and to LangGraph's SqliteSaver.list, which has no
index for them (fewer checkpoints: `--langgraph-count`). Answers are checked against a model.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bench.measure import interleaved
from bench.peers.base import Unavailable, make
from bench.questions.common import add_common, footer, scratch
from bench.report import document, human_us, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

RARE_EVERY = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    parser.add_argument("--count", type=int, default=100_000, help="checkpoints")
    parser.add_argument("--threads", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--langgraph-count", type=int, default=2000, metavar="N")


class _Saved(NamedTuple):
    id: str
    thread: str
    step: int
    label: str
    created: Any


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fill, then ask."""
    import casckpt

    with scratch(arguments.folder) as base:
        with casckpt.open(base / "store.casckpt", durability="none") as store:
            saved = _fill(store, arguments)
        missing: list[str] = []
        with casckpt.open(base / "store.casckpt") as store:
            asked = _questions(store, saved)
            wrong = [name for name, (call, right) in asked.items() if call(0) != right]
            calls: dict[str, Callable[[int], Any]] = {n: call for n, (call, _) in asked.items()}
            calls |= _sqlite(base, saved)
            samples = interleaved(calls, arguments.rounds, seed=arguments.seed)
        others = _langgraph(base, arguments, missing)
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "count": arguments.count,
        "threads": arguments.threads, "langgraph_count": arguments.langgraph_count,
        "gc": "off while timed", "not_run": missing,
    }  # fmt: skip
    taken = {name: value.as_json() for name, value in samples.items()}
    return document("find", settings, {"calls": taken | others, "wrong": wrong})


def _fill(store: Any, arguments: argparse.Namespace) -> list[_Saved]:
    rng = random.Random(arguments.seed)
    saved = []
    steps = [0] * arguments.threads
    for number in range(arguments.count):
        place = rng.randrange(arguments.threads)
        rare = number % RARE_EVERY == RARE_EVERY // 2
        label = "planned" if rare else "step"
        made = store.thread(f"org{place % 10}/agent{place}").save(
            {"n": number}, label=label, tags=["golden"] if rare else [], meta={"cost": number % 7}
        )
        saved.append(_Saved(made.id, made.thread, steps[place], label, made.created_at))
        steps[place] += 1
        if number % 5000 == 0 and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{number} saved")
    return saved


def _questions(store: Any, saved: list[_Saved]) -> dict[str, tuple[Callable[[int], Any], Any]]:
    """Each query with the ids that are the right answer."""
    newest = saved[::-1]
    one = newest[len(newest) // 3]
    middle = saved[len(saved) // 2]
    until = middle.created + timedelta(microseconds=1)
    history = [s for s in newest if s.thread == one.thread]

    def ids(found: Any) -> list[str]:
        return [checkpoint.id for checkpoint in found]

    def first(*conditions: Callable[[_Saved], bool], limit: int = 10) -> list[str]:
        return [s.id for s in newest if all(c(s) for c in conditions)][:limit]

    run = store.thread(one.thread)
    prefix = one.thread.split("/")[0] + "/"
    return {
        "find(label=rare, limit=10)": (
            lambda _: ids(store.find(label="planned", limit=10)),
            first(lambda s: s.label == "planned"),
        ),
        "find(label=common, limit=10)": (
            lambda _: ids(store.find(label="step", limit=10)),
            first(lambda s: s.label == "step"),
        ),
        "find(tag=rare, limit=10)": (
            lambda _: ids(store.find(tag="golden", limit=10)),
            first(lambda s: s.label == "planned"),
        ),
        "find(until=middle, limit=10)": (
            lambda _: ids(store.find(until=until, limit=10)),
            first(lambda s: s.created < until),
        ),
        "find(prefix=tenth, label=common, limit=10)": (
            lambda _: ids(store.find(prefix=prefix, label="step", limit=10)),
            first(lambda s: s.thread.startswith(prefix), lambda s: s.label == "step"),
        ),
        "find(thread=one, label=common, limit=10)": (
            lambda _: ids(store.find(thread=one.thread, label="step", limit=10)),
            [s.id for s in history if s.label == "step"][:10],
        ),
        "find(meta=one in seven, limit=10)": (
            lambda _: ids(store.find(meta={"cost": 3}, limit=10)),
            [s.id for n, s in reversed(list(enumerate(saved))) if n % 7 == 3][:10],
        ),
        "log page of 20": (lambda _: ids(run.log(limit=20)), [s.id for s in history][:20]),
        "checkpoint(thread@step)": (
            lambda _: store.checkpoint(f"{one.thread}@{one.step}").id, one.id,
        ),
        "checkpoint(id prefix)": (lambda _: store.checkpoint(one.id[:12]).id, one.id),
        "threads(limit=20)": (
            lambda _: [t.name for t in store.threads(limit=20)],
            sorted({s.thread for s in saved})[:20],
        ),
    }  # fmt: skip


def _sqlite(base: Path, saved: list[_Saved]) -> dict[str, Callable[[int], Any]]:
    database = sqlite3.connect(base / "index.sqlite")
    database.execute(
        "CREATE TABLE c (id TEXT, thread TEXT, step INTEGER, label TEXT, created TEXT)"
    )
    database.executemany(
        "INSERT INTO c VALUES (?, ?, ?, ?, ?)", ((*s[:4], s.created.isoformat()) for s in saved)
    )
    database.execute("CREATE INDEX by_label ON c (label, created)")
    database.execute("CREATE INDEX by_thread ON c (thread, step)")
    database.commit()

    def ask(sql: str, *values: Any) -> Callable[[int], Any]:
        return lambda _: database.execute(sql, values).fetchall()

    return {
        "SQLite with an index: label": ask(
            "SELECT * FROM c WHERE label = ? ORDER BY created DESC LIMIT 10", "planned"
        ),
        "SQLite with an index: page of 20": ask(
            "SELECT * FROM c WHERE thread = ? ORDER BY step DESC LIMIT 20", saved[0].thread
        ),
    }


def _langgraph(base: Path, arguments: argparse.Namespace, missing: list[str]) -> dict[str, Any]:
    try:
        peer: Any = make("langgraph-sqlite")
    except Unavailable as error:
        missing.append(str(error))
        return {}
    count = arguments.langgraph_count
    peer.open(base / "langgraph", "none")
    for number in range(count):
        label = "planned" if number % RARE_EVERY == RARE_EVERY // 2 else "step"
        peer.save("run", peer.prepare("run", {"n": number}, label), label)
    config = {"configurable": {"thread_id": "run"}}
    samples = interleaved(
        {
            f"SqliteSaver.list: label, of {count:,}": lambda _: list(
                peer.saver.list(None, filter={"label": "planned"}, limit=10)
            ),
            f"SqliteSaver.list: page of 20, of {count:,}": lambda _: list(
                peer.saver.list(config, limit=20)
            ),
        },
        arguments.rounds,
    )
    peer.close()
    return {name: taken.as_json() for name, taken in samples.items()}


def render(content: dict[str, Any]) -> str:
    """A row a query."""
    result = content["results"]
    rows = [
        [name, human_us(s["median_us"]), human_us(s["p99_us"])]
        for name, s in result["calls"].items()
    ]
    settings = content["settings"]
    lines = [
        f"{settings['count']:,} checkpoints in {settings['threads']:,} threads\n",
        table(["query", "median", "p99"], rows),
        *(f"VOID: {name}" for name in result["wrong"]),
        footer(content),
    ]
    return "\n".join(lines)


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every query found what it should."""
    return not content["results"]["wrong"]
