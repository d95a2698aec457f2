"""What do fork, rewind, undo and tag cost, whatever the history?

A thread of N checkpoints; then, round by round: a fork from somewhere in it, a tag and its
removal, a rewind by one and the undo of it. Beside it a bare LMDB commit of one row, a branch in git, and the copy
of all rows of a thread, which is how a table of states is forked.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import Samples, quiet_gc, timed_ns
from bench.peers.base import PEERS, Unavailable, make
from bench.peers.floors import LmdbFloor
from bench.peers.sqlite_rows import PickleSqlitePeer
from bench.questions.common import add_common, footer, numbers, scratch, us_cell
from bench.report import document, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

BATCH = 2000
COPY = "SQLite fork: copy the rows"
COPIED_ROWS_MAX = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--sizes", type=numbers, default=[10, 300, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=100)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each length of history."""
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    for size in arguments.sizes:
        with scratch(arguments.folder, arguments.durability) as base:
            result, missing = _one_size(size, base, arguments)
            results.append(result)
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "rounds": arguments.rounds,
        "gc": "off while timed", "not_run": missing,
    }  # fmt: skip
    return document("refs", settings, results, ("pygit2",))


def _one_size(
    size: int, base: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    import casckpt

    with casckpt.open(base / "store.casckpt", durability="none") as store:
        for begin in range(0, size, BATCH):
            with store.batch():
                for number in range(begin, min(begin + BATCH, size)):
                    store.thread("run").save({"n": number}, label="step")
    peers, missing = _others(size, base, arguments.durability)
    store = casckpt.open(base / "store.casckpt", durability=arguments.durability)
    run = store.thread("run")
    rng = random.Random(arguments.seed)
    places = [rng.randrange(size) for _ in range(arguments.rounds)]
    head: Any = run.head

    def fork(number: int) -> None:
        run.fork(f"fork/{number}", at=f"@{places[number]}")

    steps: list[tuple[str, Callable[[int], Any]]] = [
        ("casckpt fork", fork),
        ("casckpt tag", lambda _: head.tag("mark")),
        ("casckpt untag", lambda _: head.untag("mark")),
        ("casckpt rewind", lambda _: run.rewind("~1")),
        ("casckpt undo", lambda _: run.undo()),
        *peers.items(),
    ]
    samples = {name: Samples() for name, _ in steps}
    with quiet_gc() as collect:
        for number in range(arguments.rounds):
            for name, call in steps:
                if name != COPY or number * size <= COPIED_ROWS_MAX:
                    samples[name].add(timed_ns(call, number)[0])
            collect()
    ok = (
        run.head == head
        and run.load() == {"n": size - 1}
        and all(store.thread(f"fork/{n}").load() == {"n": place} for n, place in enumerate(places))
    )
    store.close()
    return {
        "checkpoints": size,
        "ok": ok,
        "calls": {name: taken.as_json() for name, taken in samples.items()},
    }, missing


def _others(
    size: int, base: Path, durability: Any
) -> tuple[dict[str, Callable[[int], Any]], list[str]]:
    calls: dict[str, Callable[[int], Any]] = {}
    floor = LmdbFloor()
    floor.open(base / "floor", durability)
    calls["bare commit of a row"] = lambda _: floor.save("", [bytes(200)], None)
    rows = PickleSqlitePeer()
    rows.open(base / "rows", durability)
    with rows._db:
        rows._db.executemany(
            "INSERT INTO steps VALUES ('run', ?, 'step', ?)",
            ((number, rows._dumps({"n": number})) for number in range(size)),
        )

    def copy(number: int) -> None:
        with rows._db:
            rows._db.execute(
                "INSERT INTO steps SELECT ?, step, label, state FROM steps WHERE thread = 'run'",
                (f"fork/{number}",),
            )

    calls[COPY] = copy
    missing: list[str] = []
    try:
        git: Any = make("git-file")
    except Unavailable as error:
        assert "git-file" in PEERS
        return calls, [str(error)]
    git.open(base / "git", durability)
    for number in range(min(size, 300)):  # a branch does not look at the history
        git.save("run", {"n": number}, "step")
    commit = git.repo[git._commits["run"][0]]
    calls["git branch"] = lambda n: git.repo.branches.local.create(f"fork-{n}", commit)
    return calls, missing


def render(content: dict[str, Any]) -> str:
    """A row an operation, a column a length; times a bare commit."""
    results = content["results"]
    rows = [
        [name, *(us_cell(r["calls"].get(name, {}), r["calls"]["bare commit of a row"]) for r in results)]
        for name in results[0]["calls"]
    ]  # fmt: skip
    sizes = [f"{result['checkpoints']:,} checkpoints" for result in results]
    return "\n".join(
        [
            "median (times a bare commit of one row)\n",
            table(["operation", *sizes], rows),
            *(f"VOID at {r['checkpoints']}" for r in results if not r["ok"]),
            footer(content),
        ]
    )


def all_verified(content: dict[str, Any]) -> bool:
    """Whether forks and heads are where they should be."""
    return all(result["ok"] for result in content["results"])
