"""The index: from an id to the seq of its row.

One key, b"i", with sorted duplicates of a fixed size: 16 bytes of the id, 6 of the seq. That
packs 27 B an object where a plain table needs 46 (measured; there is no header an entry).
16 bytes are enough to find a row; whoever reads it verifies the whole id.

Invariants: at most one entry for a prefix; an entry's row exists, and so do the rows of all
its children. A row without an entry serves only as a base (`sweep`).

Imports: ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["ENTRY_BYTES", "KEY", "PREFIX_BYTES", "entry", "find", "remove", "scan"]

KEY: Final = b"i"
PREFIX_BYTES: Final = 16
ENTRY_BYTES: Final = PREFIX_BYTES + 6


def entry(oid: bytes, seq: int) -> bytes:
    """The index entry of an object."""
    return oid[:PREFIX_BYTES] + seq.to_bytes(6, "big")


def find(cursor: Any, oid: bytes) -> int:
    """The seq of an object's row; 0: not stored.

    Args:
        cursor: of the index.
        oid: the id, or its first 16 bytes.
    """
    prefix = oid[:PREFIX_BYTES]
    if cursor.set_range_dup(KEY, prefix):
        value = cursor.value()
        if value.startswith(prefix):
            return int.from_bytes(value[PREFIX_BYTES:], "big")
    return 0


def remove(txn: Any, table: Any, prefix: bytes, seq: int) -> None:
    """Remove an entry, if it is there."""
    txn.delete(KEY, entry(prefix, seq), db=table)


def scan(cursor: Any, after: bytes, limit: int) -> Iterator[bytes]:
    """Up to `limit` entries in byte order that come after the entry `after` (b"": from first)."""
    if not cursor.set_range_dup(KEY, after or b"\0"):
        return
    for value in cursor.iternext_dup():
        if value == after:
            continue
        yield value
        limit -= 1
        if not limit:
            return
