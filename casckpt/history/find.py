"""Finding checkpoints: by thread, label, tag, key, meta and time, newest first, as a stream.

There are two sources: the history of a checkpoint, walked back, or a posting list (of a tag,
a label, or of all checkpoints by time). The shortest that holds every answer is read, and
what it gives is tested for the rest.

Invariants: both sources give the same answers in the same order. No transaction is open
while the reader of the stream pauses: lists are read a page at a time.

Imports: errors, ids, storage (engine interface), history (ancestry, keys, ledger, lost, meta,
names, notes, pruned, states, tags, times).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from casckpt.errors import CorruptError, InvalidInputError, PrunedError
from casckpt.history import keys, names, notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.lost import Lost
from casckpt.history.meta import check_meta, matches
from casckpt.history.pruned import catch_up, is_marked
from casckpt.history.states import load_meta
from casckpt.history.tags import tags_of
from casckpt.history.times import to_ns
from casckpt.storage.engine import Posting

__all__ = ["Query", "asked", "check_limit", "check_offset", "find", "heads", "page_of"]

T = TypeVar("T")

_PAGE: Final = 64
_PAGE_MAX: Final = 1_024
_RANK_MAX: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; None: anything."""

    prefix: str | None = None
    """Beginning of the name of the thread it was saved in."""
    label: str | None = None
    tag: str | None = None
    key: str | None = None
    meta: Mapping[str, Any] | None = None
    """Facts it must have, of identical type and value."""
    since_ns: int | None = None
    """Not older than this."""
    until_ns: int | None = None
    """Older than this."""
    pruned: bool = True
    """Those whose states were pruned, too."""


def asked(
    *,
    prefix: str | None = None,
    label: str | None = None,
    tag: str | None = None,
    key: str | None = None,
    meta: Mapping[str, Any] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    pruned: bool = True,
) -> Query:
    """A query as somebody asks for it; raises InvalidInputError if it can be none."""
    if not isinstance(prefix, str | None):
        raise InvalidInputError(f"a prefix is a str, not {type(prefix).__name__}")
    return Query(
        prefix=prefix,
        label=names.check_label(label),
        tag=None if tag is None else names.check_tag(tag),
        key=names.check_key(key),
        meta=None if meta is None else check_meta(meta),
        since_ns=to_ns(since, "since"),
        until_ns=to_ns(until, "until"),
        pruned=pruned,
    )


def find(
    ledger: Ledger,
    query: Query,
    *,
    at: Point | None = None,
    limit: int | None = None,
    after: Point | None = None,
    offset: int = 0,
) -> Iterator[Point]:
    """The checkpoints that fit, newest first.

    What is damaged does not hide the others: when they have all been read, or the limit is
    reached, CorruptError says what could not be.

    Args:
        ledger: the store.
        query: what they must be.
        at: only this one and its history; None: of the whole store, but nothing that only
            deleted threads have.
        limit: no more than so many.
        after: only what comes behind this one in the order of answers; it need not be one.
        offset: pass over so many.
    """
    catch_up(ledger)
    lost = Lost()
    if query.key is not None:
        source = _with_key(ledger, query, query.key, at, after, lost)
    elif at is not None:
        source = _in_history(ledger, query, at, after, lost)
    else:
        source = _in_store(ledger, query, after, lost)
    fitting = (p for p in source if _fits_or_lost(ledger, query, p, lost))
    return _told(page_of(fitting, limit, offset), lost)


def _told(points: Iterator[Point], lost: Lost) -> Iterator[Point]:
    yield from points
    lost.tell()


def _fits_or_lost(ledger: Ledger, query: Query, point: Point, lost: Lost) -> bool:
    try:
        return _fits(ledger, query, point)
    except CorruptError as error:
        lost.add(error)
        return False


def page_of(items: Iterator[T], limit: int | None, offset: int) -> Iterator[T]:
    """So many of them, behind so many; however large the numbers are.

    Raises:
        InvalidInputError: no limit, or no offset.
    """
    first, count = check_offset(offset), check_limit(limit)
    stop = None if count is None else min(first + count, sys.maxsize)
    return islice(items, min(first, sys.maxsize), stop)


def check_limit(limit: int | None) -> int | None:
    """The limit itself; raises InvalidInputError if it is none."""
    if limit is not None and (type(limit) is not int or limit < 0):
        raise InvalidInputError(f"a limit is a number from 0 on, not {limit!r}")
    return limit


def check_offset(offset: int) -> int:
    """The offset itself; raises InvalidInputError if it is none."""
    if type(offset) is not int or offset < 0:
        raise InvalidInputError(f"an offset is a number from 0 on, not {offset!r}")
    return offset


def heads(ledger: Ledger) -> Iterator[Point]:
    """The heads of all threads, in order of their names."""
    after: str | None = None
    while page := ledger.engine.refs(notes.THREADS, after=after, limit=_PAGE_MAX):
        targets = [ref.target for ref in page if ref.target is not None]
        yield from ledger.ancestry.points(targets)
        after = page[-1].name


def _fits(ledger: Ledger, query: Query, point: Point) -> bool:
    return (
        (query.label is None or point.label == query.label)
        and (query.prefix is None or point.thread.startswith(query.prefix))
        and (query.tag is None or query.tag in tags_of(ledger, point))
        and (
            query.meta is None
            or (
                point.left is None  # of what is left of a pruned one, the meta is not
                and matches(
                    load_meta(ledger.vault, ledger.codec, ledger.ancestry.record(point.id)),
                    query.meta,
                )
            )
        )
        and (query.pruned or (point.left is None and not is_marked(ledger, point)))
    )


def _lists(ledger: Ledger, query: Query) -> list[tuple[int, bytes]]:
    """The posting lists that hold every answer, the shortest first."""
    lists = []
    if query.tag is not None:
        lists.append(notes.tag_list(query.tag))
    if query.label is not None:
        lists.append(notes.label_list(query.label))
    return sorted((ledger.engine.postings_count(name), name) for name in lists)


def _in_history(
    ledger: Ledger, query: Query, start: Point, after: Point | None, lost: Lost
) -> Iterator[Point]:
    at: Point | None = start
    if after is not None:
        # Times grow along a history, so this is its parent, if it lies in it.
        at = ledger.ancestry.newest_before(start, after.created_ns)
    if at is None:
        return
    lists = _lists(ledger, query)
    if lists and lists[0][0] < at.step:
        yield from _listed_in_history(ledger, query, lists[0][1], at, lost)
        return
    until_ns = query.until_ns
    newest = at if until_ns is None else ledger.ancestry.newest_before(at, until_ns)
    for point in ledger.ancestry.walk(newest, lost=lost):
        if query.since_ns is not None and point.created_ns < query.since_ns:
            return
        yield point


def _listed_in_history(
    ledger: Ledger, query: Query, name: bytes, at: Point, lost: Lost
) -> Iterator[Point]:
    until_ns = at.created_ns + 1
    if query.until_ns is not None:
        until_ns = min(until_ns, query.until_ns)
    # Answers come in the order of the history: each is an ancestor of the one before.
    for point in _listed(ledger, name, query.since_ns, until_ns, lost):
        try:
            if not ledger.ancestry.is_ancestor(point, at):
                continue
        except CorruptError as error:
            lost.add(error)
            continue
        at = point
        yield point


def _with_key(
    ledger: Ledger, query: Query, key: str, at: Point | None, after: Point | None, lost: Lost
) -> Iterator[Point]:
    """Those with a key: few as a rule, and listed by thread, so they are put in order here."""
    found = keys.keyed(ledger.books, key, damaged=lost.add)
    alive = _Alive(ledger)
    for point in sorted(found, key=lambda p: (p.created_ns, p.id), reverse=True):
        if after is not None and (point.created_ns, point.id) >= (after.created_ns, after.id):
            continue
        if query.since_ns is not None and point.created_ns < query.since_ns:
            return
        if query.until_ns is not None and point.created_ns >= query.until_ns:
            continue
        try:
            there = alive.has(point) if at is None else ledger.ancestry.is_ancestor(point, at)
        except CorruptError as error:
            lost.add(error)
            continue
        if there:
            yield point


def _in_store(ledger: Ledger, query: Query, after: Point | None, lost: Lost) -> Iterator[Point]:
    lists = _lists(ledger, query)
    name = lists[0][1] if lists else notes.TIMES
    alive = _Alive(ledger)
    begin = None if after is None else Posting(name, after.created_ns, after.id)
    for point in _listed(ledger, name, query.since_ns, query.until_ns, lost, begin):
        try:
            if not alive.has(point):
                continue
        except CorruptError as error:
            lost.add(error)
            continue
        yield point


def _listed(
    ledger: Ledger,
    name: bytes,
    since_ns: int | None,
    until_ns: int | None,
    lost: Lost,
    begin: Posting | None = None,
) -> Iterator[Point]:
    since = None if since_ns is None else min(max(since_ns, 0), _RANK_MAX)
    until = None if until_ns is None else min(max(until_ns, 0), _RANK_MAX)
    page: list[Posting] = []
    size = _PAGE
    while True:
        before, after = set(page), page[-1] if page else begin
        page = ledger.engine.postings(
            name, since=since, until=until, after=after, limit=size, damaged=lost.add
        )
        if not page:
            return
        for posting in page:
            # An engine may repeat itself where gc took the place it was to go on from.
            if posting in before:
                continue
            try:
                point = ledger.ancestry.point(posting.id)
            except PrunedError:
                continue  # gc took it after the page was read
            except CorruptError as error:
                lost.add(error)
                continue
            yield point
        size = min(2 * size, _PAGE_MAX)


class _Alive:
    """Whether a checkpoint's thread still exists, or a thread that has it in its history."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._threads: dict[str, bool] = {}
        self._heads: list[Point] | None = None

    def has(self, point: Point) -> bool:
        alive = self._threads.get(point.thread)
        if alive is None:
            ref = self._ledger.ref(point.thread)
            alive = self._threads[point.thread] = ref is not None and ref.target is not None
        if alive:
            return True
        if self._heads is None:
            self._heads = list(heads(self._ledger))
        is_ancestor = self._ledger.ancestry.is_ancestor
        return any(is_ancestor(point, head) for head in self._heads)
