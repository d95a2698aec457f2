"""The index: from an id to the seq of its row.

Two keys with sorted duplicates of a fixed size: 16 bytes of the id, 6 of the seq. That packs
27 B an object where a plain table needs 46 (measured; there is no header an entry). 16 bytes
are enough to find a row; whoever reads it verifies the whole id.

Ids come in no order, so every entry dirties a page of its own. New entries therefore go to a
second, short list, `YOUNG`, which lies in the page of the keys itself; when that is full, all
of it goes to `KEY` at one go.

Invariants: at most one entry for a prefix, in one of the lists; an entry's row exists, and so
do the rows of all its children. A row without an entry serves only as a base (`sweep`).

Imports: ids, tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import dropwhile, islice
from typing import Any, Final

from casckpt.storage.lmdb.tables import expect_onward

__all__ = [
    "ENTRY_BYTES",
    "KEY",
    "PREFIX_BYTES",
    "YOUNG",
    "YOUNG_MAX",
    "add",
    "entry",
    "find",
    "remove",
    "scan",
    "since",
]

KEY: Final = b"i"
YOUNG: Final = b"y"
YOUNG_MAX: Final = 80
"""So long LMDB keeps the list inside the page (2 KB); a longer one would get pages of its own."""
PREFIX_BYTES: Final = 16
ENTRY_BYTES: Final = PREFIX_BYTES + 6


def entry(oid: bytes, seq: int) -> bytes:
    """The index entry of an object."""
    return oid[:PREFIX_BYTES] + seq.to_bytes(6, "big")


def add(txn: Any, table: Any, entries: Sequence[bytes]) -> None:
    """Enter new objects."""
    with txn.cursor(table) as cursor:
        young = cursor.count() if cursor.set_key(YOUNG) else 0
        if young + len(entries) <= YOUNG_MAX:
            for value in entries:
                cursor.put(YOUNG, value)
            return
        settled = sorted([*_values(cursor, YOUNG, b"\0"), *entries])
        if young and cursor.set_key(YOUNG):
            cursor.delete(dupdata=True)
        cursor.putmulti([(KEY, value) for value in settled])


def find(cursor: Any, oid: bytes) -> int:
    """The seq of an object's row; 0: not stored.

    Args:
        cursor: of the index.
        oid: the id, or its first 16 bytes.
    """
    prefix = oid[:PREFIX_BYTES]
    for key in (KEY, YOUNG):
        if cursor.set_range_dup(key, prefix):
            value = cursor.value()
            if value.startswith(prefix):
                return int.from_bytes(value[PREFIX_BYTES:], "big")
    return 0


def remove(txn: Any, table: Any, prefix: bytes, seq: int) -> None:
    """Remove an entry, if it is there."""
    value = entry(prefix, seq)
    if not txn.delete(KEY, value, db=table):
        txn.delete(YOUNG, value, db=table)


def since(cursor: Any, low: bytes) -> Iterator[bytes]:
    """The entries from `low` on, in byte order; while the transaction lasts."""
    young = list(_values(cursor, YOUNG, low))  # a cursor has one place only
    return merge(_values(cursor, KEY, low), young)


def scan(cursor: Any, after: bytes, limit: int) -> list[bytes]:
    """Up to `limit` entries in byte order that come after the entry `after` (b"": from first)."""
    found = list(islice(dropwhile(after.__eq__, since(cursor, after or b"\0")), limit))
    if found:
        expect_onward("index", found[-1], after)
    return found


def _values(cursor: Any, key: bytes, low: bytes) -> Iterator[bytes]:
    return cursor.iternext_dup() if cursor.set_range_dup(key, low) else iter(())
