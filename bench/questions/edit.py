"""What does a change cost when only the change is given?

A chat of N short messages is saved once. Then, round by round: one message appended, one in
the middle changed, one popped, one top-level key set, each through `with run.edit()` (one
checkpoint each). Beside it: appending to a PersistentList of persistent objects (ZODB), one row
into a SQLite table of messages (a program that knows its schema: no states, no history), and a
bare LMDB commit. After the rounds casckpt's state is loaded whole and compared with a model.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import IoCounter, interleaved
from bench.peers.base import Durability
from bench.peers.floors import LmdbFloor
from bench.questions.common import add_common, footer, numbers, scratch, us_cell
from bench.report import document, human_bytes, table
from bench.verify import same
from bench.workloads import prose

__all__ = ["add_arguments", "all_verified", "render", "run"]

WRITTEN_ROUNDS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--sizes", type=numbers, default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--zodb-max", type=int, default=100_000, metavar="N",
        help="a PersistentList is one record: each append writes all its references",
    )  # fmt: skip
    parser.add_argument("--words", type=int, default=12, help="words of a message")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each size: save once, edit often."""
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    for size in arguments.sizes:
        with scratch(arguments.folder, arguments.durability) as base:
            result, missing = _one_size(size, base, arguments)
            results.append(result)
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "rounds": arguments.rounds,
        "words": arguments.words, "gc": "off while timed", "not_run": missing,
    }  # fmt: skip
    return document("edit", settings, results, ("ZODB", "persistent"))


def _message(rng: random.Random, words: int) -> dict[str, Any]:
    return {"id": f"msg_{rng.getrandbits(64):016x}", "role": "user", "content": prose(rng, words)}


def _one_size(
    size: int, base: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    rng = random.Random(arguments.seed)
    messages = [_message(rng, arguments.words) for _ in range(size)]
    fresh = [_message(rng, arguments.words) for _ in range(8)]
    calls: dict[str, Callable[[int], Any]] = {}
    closers: list[Callable[[], Any]] = []
    checks: list[Callable[[], bool]] = []
    missing: list[str] = []
    for make in (_casckpt, _zodb, _sqlite, _floor):
        if make is _zodb and size > arguments.zodb_max:
            missing.append(f"ZODB above {arguments.zodb_max:,} messages (--zodb-max)")
            continue
        try:
            part, close, check = make(messages, fresh, base, arguments.durability)
        except (ImportError, AttributeError) as error:
            missing.append(f"{make.__name__[1:]}: {error}")
            continue
        calls |= part
        closers.append(close)
        checks.append(check)
    samples = interleaved(calls, arguments.rounds, seed=arguments.seed)
    written = {name: _written(call, arguments.rounds) for name, call in calls.items()}
    ok = all(check() for check in checks)
    for close in closers:
        close()
    return {
        "messages": size,
        "ok": ok,
        "calls": {name: taken.as_json() for name, taken in samples.items()},
        "written_bytes": written,
    }, missing


def _written(call: Callable[[int], Any], begin: int) -> float | None:
    """Bytes handed to write calls, by one of a few more rounds, which are not timed."""
    io = IoCounter()
    before = io.bytes_written()
    for number in range(begin, begin + WRITTEN_ROUNDS):
        call(number)
    after = io.bytes_written()
    io.close()
    return None if before is None or after is None else (after - before) / WRITTEN_ROUNDS


Made = tuple[dict[str, Callable[[int], Any]], Callable[[], Any], Callable[[], bool]]


def _casckpt(messages: list[Any], fresh: list[Any], base: Path, durability: Durability) -> Made:
    import casckpt

    store = casckpt.open(base / "store.casckpt", durability=durability)
    run: Any = store.thread("chat")
    model: dict[str, Any] = {"turn": 0, "messages": list(messages)}
    run.save(model)
    edit = run.edit

    def append(number: int) -> None:
        with edit() as draft:
            draft["messages"].append(fresh[number % 8])
        model["messages"].append(fresh[number % 8])

    def change(number: int) -> None:
        place = (len(messages) // 2 + 7919 * number) % len(messages)
        with edit() as draft:
            draft["messages"][place]["content"] = f"changed {number}"
        model["messages"][place] = {**model["messages"][place], "content": f"changed {number}"}

    def pop(number: int) -> None:  # noqa: ARG001
        with edit() as draft:
            draft["messages"].pop()
        model["messages"].pop()

    def key(number: int) -> None:
        with edit() as draft:
            draft["turn"] = number
        model["turn"] = number

    calls: dict[str, Callable[[int], Any]] = {
        "casckpt append": append, "casckpt change in the middle": change,
        "casckpt pop": pop, "casckpt set a key": key,
    }  # fmt: skip
    return calls, store.close, lambda: same(model, run.load(), plain=True)


def _zodb(messages: list[Any], fresh: list[Any], base: Path, durability: Durability) -> Made:
    from persistent.list import PersistentList
    from persistent.mapping import PersistentMapping

    from bench.peers.zodb_storage import ZodbPeer

    peer = ZodbPeer()
    peer.open(base / "zodb", durability)
    root = peer._connection.root()
    root["messages"] = PersistentList(PersistentMapping(message) for message in messages)
    peer._manager.commit()

    def append(number: int) -> None:
        root["messages"].append(PersistentMapping(fresh[number % 8]))
        peer._manager.commit()

    def change(number: int) -> None:
        place = (len(messages) // 2 + 7919 * number) % len(messages)
        root["messages"][place]["content"] = f"changed {number}"
        peer._manager.commit()

    return (
        {"ZODB PersistentList append": append, "ZODB change in the middle": change},
        peer.close,
        lambda: len(root["messages"]) >= len(messages),
    )


def _sqlite(messages: list[Any], fresh: list[Any], base: Path, durability: Durability) -> Made:
    database = sqlite3.connect(base / "rows.sqlite")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'OFF'}")
    database.execute(
        "CREATE TABLE messages (n INTEGER PRIMARY KEY, id TEXT, role TEXT, content TEXT)"
    )

    def insert(rows: list[Any]) -> None:
        with database:
            database.executemany(
                "INSERT INTO messages (id, role, content) VALUES (:id, :role, :content)", rows
            )

    insert(messages)
    return {"SQLite row": lambda n: insert([fresh[n % 8]])}, database.close, lambda: True


def _floor(messages: list[Any], fresh: list[Any], base: Path, durability: Durability) -> Made:  # noqa: ARG001
    floor = LmdbFloor()
    floor.open(base / "floor", durability)
    rows = [bytes(700), bytes(700)]
    return {"floor-lmdb": lambda _: floor.save("", rows, None)}, floor.close, lambda: True


def render(content: dict[str, Any]) -> str:
    """A row an operation, a column a size; the factor is against the smallest size."""
    results = content["results"]
    first = results[0]["calls"]
    rows = [
        [name, *(us_cell(r["calls"].get(name, {}), first[name]) for r in results)] for name in first
    ]
    sizes = [f"N = {result['messages']:,}" for result in results]
    written = [
        [name, *(human_bytes(r["written_bytes"].get(name)) for r in results)] for name in first
    ]
    return "\n".join(
        [
            f"median (times the same at N = {results[0]['messages']:,})\n",
            table(["operation", *sizes], rows),
            "\nbytes written\n",
            table(["operation", *sizes], written),
            *(f"VOID at {r['messages']}" for r in results if not r["ok"]),
            footer(content),
        ]
    )


def all_verified(content: dict[str, Any]) -> bool:
    """Whether the edited states came back as the models are."""
    return all(result["ok"] for result in content["results"])
