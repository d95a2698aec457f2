"""A store to be packed: four chains of records, written in turns, and a look at its rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from casckpt.storage.engine import NewObject, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, open_lmdb, row, tables
from casckpt.storage.lmdb.caches import Payloads
from casckpt.testing.common import chain, new_object, text

CHAINS = 4
LENGTH = 20


def lines() -> list[list[NewObject]]:
    """Chains of records, each with a leaf of its own and one of all chains."""
    common = new_object(text(99, 500))
    found = []
    for number in range(CHAINS):
        objects = [common]
        for step, record in enumerate(chain(LENGTH, number)):
            leaf = new_object(text(number, 300) + b" leaf %d" % step)
            before = objects[-1:] if step else []
            objects.append(leaf)
            objects.append(new_object(record.payload, [common, leaf, *before], *before))
        found.append(objects)
    return found


LINES = lines()
EVERY = [item for line in LINES for item in line]


def filled(path: Path) -> LmdbEngine:
    """The chains, written in turns; a ref at the end of each."""
    engine = open_lmdb(path, b"header", durability="none")
    for at in range(0, len(LINES[0]), 2):
        for number, line in enumerate(LINES):
            items = line[: at + 1] if not at else line[at - 1 : at + 1]
            engine.commit(items, [RefUpdate(f"r{number}", items[-1].id)])
    return engine


def forget(engine: LmdbEngine) -> None:
    """As another process would see it."""
    engine._space.payloads = Payloads()


def expect_all(engine: LmdbEngine, items: list[NewObject] = EVERY) -> None:
    forget(engine)
    for item, stored in zip(items, engine.read([item.id for item in items]), strict=True):
        assert stored is not None
        assert stored.payload == item.payload


def collect(engine: LmdbEngine) -> int:
    return engine.gc(lambda: (), log_keep=timedelta(0), now_ns=1 << 62).objects_removed


def rows(engine: LmdbEngine) -> dict[int, row.Head]:
    with engine._space.reading() as txn, txn.cursor(engine._space.tables.rows) as cursor:
        heads = {int.from_bytes(key, "big"): value for key, value in cursor}
    return {seq: row.parse(seq, value) for seq, value in heads.items()}


def write(engine: LmdbEngine, work: Callable[[Any, tables.Tables], object]) -> None:
    engine._space.write(lambda txn: work(txn, engine._space.tables))
    forget(engine)
