"""Young postings: those of the last saves, side by side in one value.

A posting belongs at the end of its list, and each list has a page of its own or two: a save
with a label would dirty five pages for thirty bytes. So the postings of new objects wait in
a table that has one value, until it has YOUNG_BYTES_MAX; then all go to their lists.

::

    length of the list's name 2 B, name, rank 8 B, seq 6 B; again and again

Invariants: a posting is here or in its list, never in both.

Imports: errors, tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.storage.lmdb.tables import Tables

__all__ = ["YOUNG_BYTES_MAX", "add", "read", "remove"]

KEY: Final = b"p"
YOUNG_BYTES_MAX: Final = 1920
"""A longer value would get a page of its own."""
_PLACE_BYTES: Final = 14

Places = dict[bytes, list[bytes]]
"""Lists by name; places in order."""


def read(txn: Any, tables: Tables) -> Places:
    """All of them; not to be changed.

    Raises:
        CorruptError: no such value can have been written.
    """
    blob = txn.get(KEY, db=tables.young)
    return _parse(bytes(blob)) if blob else {}


@lru_cache(maxsize=16)
def _parse(blob: bytes) -> Places:
    found: Places = {}
    at = 0
    while at < len(blob):
        name_at = at + 2
        place_at = name_at + int.from_bytes(blob[at:name_at], "big")
        at = place_at + _PLACE_BYTES
        if place_at == name_at or at > len(blob):
            raise CorruptError("the young postings are malformed")
        found.setdefault(blob[name_at:place_at], []).append(blob[place_at:at])
    for places in found.values():
        places.sort()
    return found


def add(txn: Any, tables: Tables, postings: Sequence[tuple[bytes, bytes]]) -> Places:
    """Enter postings, lists' names and places; returns those that are now to go to their lists."""
    if not postings:
        return {}
    blob = bytes(txn.get(KEY, db=tables.young) or b"") + b"".join(
        [len(name).to_bytes(2, "big") + name + place for name, place in postings]
    )
    if len(blob) <= YOUNG_BYTES_MAX:
        txn.put(KEY, blob, db=tables.young)
        return {}
    txn.delete(KEY, db=tables.young)
    return _parse(blob)


def remove(txn: Any, tables: Tables, name: bytes, place: bytes) -> bool:
    """Take a posting out; False: it is not here."""
    found = read(txn, tables)
    if place not in found.get(name, ()):
        return False
    left = [
        (other, each)
        for other, places in found.items()
        for each in places
        if (other, each) != (name, place)
    ]
    txn.delete(KEY, db=tables.young)
    add(txn, tables, left)
    return True
