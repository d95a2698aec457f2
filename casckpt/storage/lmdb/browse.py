"""Going through all rows, and finding ids by their beginning.

Invariants: a read transaction per slice, none open at a yield. What is stored meanwhile is
not seen, what is removed meanwhile is left out.

Imports: errors, ids, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.engine import StoredObject
from casckpt.storage.lmdb import index, objects, tables
from casckpt.storage.lmdb.space import Space
from casckpt.storage.lmdb.tables import expect_onward, number_key

__all__ = ["SLICE", "descend", "ids", "ids_with_prefix", "indexed", "survivors"]

SLICE: Final = 512
"""Rows in one read transaction: about a millisecond when their heads are read."""


PAGE: Final = 4096
"""Index entries in one read transaction: the same."""


def descend(txn: Any, table: Any, below: int | None, limit: int) -> list[tuple[int, bytes]]:
    """Up to `limit` rows, newest first, with seqs smaller than `below` (None: from the last)."""
    found = []
    with txn.cursor(table) as cursor:
        if below is None:
            there = cursor.last()
        else:
            there = cursor.prev() if cursor.set_range(number_key(below)) else cursor.last()
        if there:
            for key, value in cursor.iterprev():
                found.append((int.from_bytes(key, "big"), value))
                if len(found) == limit:
                    break
    if found and below is not None:
        expect_onward("rows", -found[-1][0], -below)
    return found


def indexed(space: Space) -> Callable[[int], bool]:
    """Whether the index leads to a row, as far as it did when this was called."""
    with space.reading() as txn:
        low, top = tables.span(txn, space.tables)
    flags = tables.flags(low, top)
    after = b""
    more = True
    while more:
        with space.reading() as txn, txn.cursor(space.tables.index) as cursor:
            page = index.scan(cursor, after, PAGE)
        for entry in page:
            seq = int.from_bytes(entry[index.PREFIX_BYTES :], "big")
            if low <= seq <= top:
                flags[seq - low] = 1
        more = len(page) == PAGE
        after = page[-1] if page else b""
    return lambda seq: low <= seq <= top and bool(flags[seq - low])


def ids(space: Space, kind: int | None) -> Iterator[ObjectId]:
    """Ids of all objects of a kind, newest first; see `Engine.objects`."""
    below: int | None = None
    while True:
        found = []
        with space.reading() as txn:
            slice_ = descend(txn, space.tables.rows, below, SLICE)
            finder = txn.cursor(space.tables.index)
            for seq, row in slice_:
                if kind is None or (row and row[0] >> 4 == kind):
                    oid = _stored(space, txn, finder, seq)
                    if oid is not None:
                        found.append(oid)
        yield from found
        if len(slice_) < SLICE:
            return
        below = slice_[-1][0]


def survivors(space: Space) -> Iterator[tuple[StoredObject, bool]]:
    """See `LmdbEngine.survivors`."""
    after = 0
    while True:
        found = []
        with space.reading() as txn, txn.cursor(space.tables.rows) as cursor:
            finder = txn.cursor(space.tables.index)
            there = cursor.set_range(number_key(after))
            keys = islice(cursor.iternext(keys=True, values=False), SLICE) if there else ()
            seqs = [int.from_bytes(key, "big") for key in keys]
            if seqs:
                expect_onward("rows", seqs[-1], after - 1)
            for seq in seqs:
                try:
                    known = objects.load(txn, space.tables, space.payloads, seq)
                except CorruptError:
                    continue
                if known is not None:
                    stored = StoredObject(known.id, known.kind, known.payload)
                    found.append((stored, index.find(finder, known.id) == seq))
        yield from found
        if len(seqs) < SLICE:
            return
        after = seqs[-1] + 1


def ids_with_prefix(space: Space, prefix: str, limit: int) -> list[ObjectId]:
    """See `Engine.ids_with_prefix`."""
    found: list[ObjectId] = []
    low = bytes.fromhex((prefix + "0" * (len(prefix) % 2))[: 2 * index.PREFIX_BYTES])
    with space.reading() as txn, txn.cursor(space.tables.index) as cursor:
        for value in index.since(cursor, low):
            spelled = value[: index.PREFIX_BYTES].hex()
            if not spelled.startswith(prefix[: len(spelled)]) or len(found) >= limit:
                break
            seq = int.from_bytes(value[index.PREFIX_BYTES :], "big")
            known = objects.load(txn, space.tables, space.payloads, seq)
            if known is not None and known.id.hex().startswith(prefix):
                found.append(known.id)
    return found


def _stored(space: Space, txn: Any, finder: Any, seq: int) -> ObjectId | None:
    """The id of a row, if the index leads to it."""
    try:
        known = objects.load(txn, space.tables, space.payloads, seq)
    except CorruptError:
        return None  # nobody knows its id; `check` tells of it
    if known is None or index.find(finder, known.id) != seq:
        return None
    return known.id
