"""The lists that checkpoints are found by, compared with the checkpoints themselves.

A checkpoint is in the list of all times, of its label and of the tags it has now, once each,
at the time it was saved; and in that of its key, at the place of its thread. Everything in the lists follows from the objects, so what is wrong
can be put right.

Invariants: what others save or tag meanwhile is not taken for a fault: each fault is looked
at again, by itself, before it is told. Memory: half a megabyte, whatever the store's size; only
where something is wrong, some 10 kB more for each place, at most 300 bytes a checkpoint.

Imports: errors, ids, format (constants), storage (engine interface), history (ancestry, keys, ledger, notes,
tags).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from casckpt.errors import CorruptError, PrunedError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED
from casckpt.history import keys, notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.tags import tags_of
from casckpt.ids import ObjectId
from casckpt.storage.engine import Posting
from casckpt.upkeep.report import Progress

__all__ = ["Faults", "checkpoints", "compare", "readable"]

_PAGE: Final = 1_024
_RANK_MAX: Final = (1 << 64) - 1
_PARTS: Final = 1 << 16
"""Of a million checkpoints, some 30 postings fall into each: that is what one fault costs."""


class Faults(NamedTuple):
    """What is wrong with the lists."""

    missing: list[Posting]
    """Checkpoints that should be in a list and are not."""
    surplus: list[Posting]
    """Places in a list that no checkpoint asks for."""


def compare(ledger: Ledger, progress: Progress | None = None) -> Faults:
    """What the lists have too little and too much.

    Raises:
        CorruptError: the lists themselves cannot be read.
    """
    sums = _Sums()
    for posting, sign in _both(ledger, progress):
        sums.add(posting, sign)
    differ = sums.differ()
    if not differ:
        return Faults([], [])
    surplus: set[Posting] = set()
    missing = []
    for posting, sign in _both(ledger, progress):
        if _place(posting)[0] not in differ:
            continue
        if sign > 0:
            surplus.add(posting)
        elif posting in surplus:
            surplus.remove(posting)
        else:
            missing.append(posting)
    return Faults(
        sorted(posting for posting in missing if _is_missing(ledger, posting)),
        sorted(posting for posting in surplus if _is_surplus(ledger, posting)),
    )


class _Sums:
    """Which part of the postings differs, without keeping any: equal parts have equal sums.

    Each posting falls into one of many parts by its hash, which is secret to the process; what
    is in the lists is added there, what belongs there is taken off.
    """

    def __init__(self) -> None:
        self._sums = array("Q", bytes(8 * _PARTS))

    def add(self, posting: Posting, sign: int) -> None:
        """Add it (`sign` 1) or take it off (-1)."""
        part, number = _place(posting)
        self._sums[part] = (self._sums[part] + sign * number) & _RANK_MAX

    def differ(self) -> frozenset[int]:
        """The parts that do not come out even."""
        return frozenset(part for part, total in enumerate(self._sums) if total)


def _place(posting: Posting) -> tuple[int, int]:
    """The part that a posting falls into, and the number it counts for there."""
    number = hash(posting.list + posting.rank.to_bytes(8, "big") + posting.id)
    return number % _PARTS, number


def _both(ledger: Ledger, progress: Progress | None) -> Iterator[tuple[Posting, int]]:
    """What is in the lists, with 1, then what belongs there, with -1.

    The lists first: what is saved after that is in neither, or asks for one look more.
    """
    for posting in _all_postings(ledger):
        yield posting, 1
    for done, point in enumerate(checkpoints(ledger), 1):
        try:
            wanted = _wanted(ledger, point)
        except (CorruptError, PrunedError):
            continue  # its tags are damaged: that is told elsewhere
        for posting in wanted:
            yield posting, -1
        if progress is not None and not done % _PAGE:
            progress("postings", done, 0)


def checkpoints(ledger: Ledger) -> Iterator[Point]:
    """All stored checkpoints that can be read, pruned ones last, newest first."""
    engine = ledger.engine
    ids = chain(engine.objects(KIND_CHECKPOINT), engine.objects(KIND_PRUNED))
    while page := list(islice(ids, _PAGE)):
        try:
            yield from ledger.ancestry.points(page)
        except (CorruptError, PrunedError):
            for oid in page:
                point = _point(ledger, oid)
                if point is not None:
                    yield point


def _point(ledger: Ledger, oid: ObjectId) -> Point | None:
    try:
        return ledger.ancestry.point(oid)
    except (CorruptError, PrunedError):
        return None


def _wanted(ledger: Ledger, point: Point) -> list[Posting]:
    """The places where a checkpoint must be found."""
    lists = [notes.TIMES, *map(notes.tag_list, tags_of(ledger, point))]
    if point.label is not None:
        lists.append(notes.label_list(point.label))
    found = [Posting(name, point.created_ns, point.id) for name in lists]
    return found + keys.postings(point.id, point.thread, point.key)


def _all_postings(ledger: Ledger) -> Iterator[Posting]:
    after: bytes | None = None
    while found := ledger.engine.posting_lists(after=after, limit=_PAGE):
        for name in found:
            if name != notes.PRUNED:  # somebody's wish, and no fact of the objects
                yield from readable(ledger, name)
        after = found[-1]


def readable(ledger: Ledger, name: bytes) -> Iterator[Posting]:
    """The list `name`, oldest first, without the places whose object is damaged.

    Raises:
        CorruptError: the list itself cannot be read.
    """
    since, limit, passed = 0, _PAGE, 0
    after: Posting | None = None
    while since <= _RANK_MAX:
        try:
            page = ledger.engine.postings(
                name, newest_first=False, since=since, after=after, limit=limit
            )
        except CorruptError:
            if limit == 1:
                passed += 1
                if passed > ledger.engine.postings_count(name):
                    raise  # no place is to blame, but the list
                since, after = _damaged_rank(ledger, name, since, after) + 1, None
            limit = max(limit // 2, 1)
            continue
        yield from page
        if len(page) < limit:
            return
        after, limit = page[-1], min(2 * limit, _PAGE)


def _damaged_rank(ledger: Ledger, name: bytes, since: int, after: Posting | None) -> int:
    """The rank of the next place in a list, which cannot be read."""
    low, high = since, _RANK_MAX
    while low < high:
        middle = (low + high) // 2
        try:
            ledger.engine.postings(
                name, newest_first=False, since=since, until=middle + 1, after=after, limit=1
            )
        except CorruptError:
            high = middle
        else:
            low = middle + 1
    return low


def _is_missing(ledger: Ledger, posting: Posting) -> bool:
    rank = posting.rank
    if posting in ledger.engine.postings(posting.list, since=rank, until=rank + 1):
        return False
    point = _point(ledger, posting.id)
    return point is not None and posting in _wanted(ledger, point)


def _is_surplus(ledger: Ledger, posting: Posting) -> bool:
    try:
        (stored,) = ledger.engine.read([posting.id])
        if stored is None:
            return False  # gone by now; gc has seen to its places
        if stored.kind not in {KIND_CHECKPOINT, KIND_PRUNED}:
            return True
        return posting not in _wanted(ledger, ledger.ancestry.point(posting.id))
    except (CorruptError, PrunedError):
        return False  # what is damaged cannot say where it belongs
