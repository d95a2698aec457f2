"""Postings: ordered lists of objects, to find them by.

One key a list, sorted duplicates of a fixed size: rank 8 B, seq 6 B. Those of the last saves
are still young (`young`), and what is read here has both. A posting knows its
object by seq only; the id comes from the row's bytes, and the index must map that id back
to the same seq. Otherwise gc has been there: postings keep nothing alive and are purged
after the rows.

Invariants: a seq is never used twice, so a posting never comes to mean another object.

Imports: ids, the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.engine import Posting
from casckpt.storage.limits import RANK_MAX
from casckpt.storage.lmdb import index, objects, young
from casckpt.storage.lmdb.caches import Payloads
from casckpt.storage.lmdb.tables import SEQ_MAX, Tables, expect_onward

__all__ = [
    "ENTRY_BYTES",
    "add",
    "add_new",
    "bounds",
    "count",
    "doubled",
    "entry",
    "names",
    "page",
    "remove",
    "walk",
]

ENTRY_BYTES: Final = 14


def entry(rank: int, seq: int) -> bytes:
    """A place in a list."""
    return rank.to_bytes(8, "big") + seq.to_bytes(6, "big")


def add_new(txn: Any, tables: Tables, postings: Sequence[tuple[bytes, bytes]]) -> None:
    """Enter postings (list, place) of objects that are stored in this very transaction."""
    for name, places in young.add(txn, tables, postings).items():
        for value in places:
            _put(txn, tables, name, value)


def add(txn: Any, tables: Tables, name: bytes, value: bytes) -> None:
    """Enter a posting of an object that may have been stored earlier, unless it is there."""
    if value not in young.read(txn, tables).get(name, ()):
        _put(txn, tables, name, value)


def _put(txn: Any, tables: Tables, name: bytes, value: bytes) -> None:
    # Appending keeps pages full where a list grows at its end, as lists by time do;
    # LMDB refuses if it is not the end.
    if not txn.put(name, value, db=tables.posts, append=True):
        txn.put(name, value, db=tables.posts)


def remove(txn: Any, tables: Tables, name: bytes, value: bytes) -> None:
    """Take a posting out, if it is there."""
    if not young.remove(txn, tables, name, value):
        txn.delete(name, value, db=tables.posts)


def count(txn: Any, tables: Tables, name: bytes) -> int:
    """How long the list is."""
    recent = len(young.read(txn, tables).get(name, ()))
    with txn.cursor(tables.posts) as cursor:
        return recent + (int(cursor.count()) if cursor.set_key(name) else 0)


def names(
    txn: Any, tables: Tables, prefix: bytes, after: bytes | None, limit: int | None
) -> list[bytes]:
    """Names of lists; see `Engine.posting_lists`."""
    found: list[bytes] = []
    start = prefix if after is None else max(prefix, after + b"\0")
    recent = {name for name in young.read(txn, tables) if name >= start and name.startswith(prefix)}
    with txn.cursor(tables.posts) as cursor:
        there = cursor.set_range(start) if start else cursor.first()
        while there:
            key = cursor.key()
            if not key.startswith(prefix) or (limit is not None and len(found) >= limit):
                break
            found.append(key)
            there = cursor.next_nodup()
    if found:
        expect_onward("posts", found[-1], after)
    return sorted(recent.union(found))[:limit]


def bounds(
    since: int | None, until: int | None, after: tuple[int, int] | None, *, newest_first: bool
) -> tuple[bytes, bytes] | None:
    """First and last entry of a range of a list, both included; None: empty.

    Args:
        since: lowest rank.
        until: first rank not wanted.
        after: rank and seq of the entry behind which to begin; seq 0 if that is not known
            (then its whole rank is wanted).
        newest_first: the direction, for `after`.
    """
    low, high = (since or 0, 0), (RANK_MAX, SEQ_MAX)
    if until is not None:
        high = (until - 1, SEQ_MAX)
    if after is not None:
        rank, seq = after
        if newest_first:
            high = min(high, (rank, seq - 1) if seq else (rank, SEQ_MAX))
        else:
            low = max(low, (rank, seq + 1) if seq else (rank, 0))
    if low > high or low[0] > RANK_MAX or high[0] < 0:
        return None
    return entry(max(low[0], 0), low[1]), entry(min(high[0], RANK_MAX), high[1])


def page(
    txn: Any,
    tables: Tables,
    cache: Payloads,
    name: bytes,
    limits: tuple[bytes, bytes],
    *,
    newest_first: bool,
    limit: int,
    damaged: Callable[[CorruptError], None] | None = None,
) -> tuple[list[Posting], bytes | None]:
    """Up to `limit` entries of a list between two places, those of gone objects left out.

    And those of damaged ones, if `damaged` is told of them.

    Returns them, and the place of the last entry looked at (None: there are no more).
    """
    low, high = limits
    found: list[Posting] = []
    recent = [value for value in young.read(txn, tables).get(name, ()) if low <= value <= high]
    if newest_first:
        recent.reverse()
    value = None
    with txn.cursor(tables.posts) as cursor, txn.cursor(tables.index) as finder:
        settled = _between(cursor, name, low, high, newest_first=newest_first)
        values = merge(recent, settled, reverse=newest_first)
        for value in islice(values, limit):
            try:
                oid = _object(txn, tables, cache, finder, value)
            except CorruptError as error:
                if damaged is None:
                    raise
                damaged(error)
                oid = None
            if oid is not None:
                found.append(Posting(name, int.from_bytes(value[:8], "big"), oid))
            limit -= 1
    return found, None if limit else value


def _between(
    cursor: Any, name: bytes, low: bytes, high: bytes, *, newest_first: bool
) -> Iterator[bytes]:
    there = cursor.set_key(name) and _seek(cursor, name, low, high, newest_first=newest_first)
    step = cursor.prev_dup if newest_first else cursor.next_dup
    while there:
        value = cursor.value()
        if not low <= value <= high:
            return
        yield value
        there = step()


def _seek(cursor: Any, name: bytes, low: bytes, high: bytes, *, newest_first: bool) -> bool:
    if not newest_first:
        return bool(cursor.set_range_dup(name, low))
    if cursor.set_range_dup(name, high):
        return cursor.value() == high or bool(cursor.prev_dup())
    return bool(cursor.set_key(name) and cursor.last_dup())


def walk(
    txn: Any, tables: Tables, place: tuple[bytes, bytes] | None, limit: int
) -> tuple[list[tuple[bytes, bytes]], tuple[bytes, bytes] | None]:
    """About `limit` entries of all lists behind `place` (None: from the first), with names.

    Returns them, and where to go on (None: there are no more). The last ones are those that
    are young; what ceases to be so meanwhile may be left out, or come twice.
    """
    found: list[tuple[bytes, bytes]] = []
    with txn.cursor(tables.posts) as cursor:
        if place is None:
            there = cursor.first()
        else:
            there = cursor.set_range_dup(*place)
            if there and cursor.value() == place[1]:
                there = cursor.next()
            elif not there and cursor.set_range(place[0]):
                # Behind the list's last entry, or the list is gone.
                there = cursor.next_nodup() if cursor.key() == place[0] else True
        if there:
            for item in cursor:
                found.append(item)
                if len(found) == limit:
                    expect_onward("posts", item, place)
                    return found, item
    for name, places in young.read(txn, tables).items():
        found += [(name, value) for value in places]
    return found, None


def doubled(txn: Any, tables: Tables) -> list[bytes]:
    """Lists with a young posting that is there once more, young or not: none, if all is well."""
    recent = young.read(txn, tables).items()
    with txn.cursor(tables.posts) as cursor:
        return [
            name
            for name, places in recent
            if len({*places}) < len(places) or any(cursor.set_key_dup(name, p) for p in places)
        ]


def _object(
    txn: Any, tables: Tables, cache: Payloads, finder: Any, value: bytes
) -> ObjectId | None:
    """The object of a posting; None if gc has removed it or is about to."""
    if len(value) != ENTRY_BYTES:
        raise CorruptError("a posting is malformed")
    seq = int.from_bytes(value[8:], "big")
    known = objects.load(txn, tables, cache, seq)
    if known is None or index.find(finder, known.id) != seq:
        return None
    return known.id
