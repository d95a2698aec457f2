"""Pruning a thread: which of its states a policy lets go, and marking them.

A checkpoint belongs to the thread that it was saved in, whoever else has it in his history;
so a thread's policy never takes what a fork shares with its origin. What any thread stands
at stays, and so does what an application's ref holds.

Invariants: time does not run backwards: it is the clock's, or that of the thread's head if
that is later. Judging reads; only `carry_out` writes.

Imports: errors, ids, storage (engine interface), history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from casckpt.errors import PrunedError
from casckpt.history import notes, pruned
from casckpt.history.ancestry import Point
from casckpt.history.events import PRUNED
from casckpt.history.ledger import Ledger
from casckpt.history.notes import ThreadOrigin
from casckpt.history.retention import Judged, Moment, Retention, judge
from casckpt.history.tags import tags_of
from casckpt.ids import ObjectId

__all__ = ["Holds", "Pruning", "carry_out", "first_step", "held", "moment", "plan", "unmarked"]

_PAGE = 1_024


class Holds(NamedTuple):
    """What no policy takes."""

    log: int
    """The newest entry of the log before anything else was read."""
    held: dict[ObjectId, str]
    """Where threads stand, and what applications hold; with the reason."""


class Pruning(NamedTuple):
    """What is to become of the states of a thread."""

    thread: str
    head: Point
    judged: list[tuple[Point, Judged]]
    """Those that it has now, newest first."""
    now_ns: int
    log: int
    """The newest entry of the log before this was found out."""


def held(ledger: Ledger) -> Holds:
    """What no policy takes, now; reads all refs."""
    newest = ledger.engine.log(limit=1)
    found: dict[ObjectId, str] = {}
    for prefix in (notes.APPS, notes.THREADS):
        after: str | None = None
        while page := ledger.engine.refs(prefix, after=after, limit=_PAGE):
            for ref in page:
                if ref.target is not None:
                    what = "head" if prefix == notes.THREADS else "held by"
                    found[ref.target] = f"{what} {ref.name.removeprefix(notes.THREADS)}"
            after = page[-1].name
    return Holds(newest[0].number if newest else 0, found)


def plan(ledger: Ledger, thread: str, policy: Retention, holds: Holds) -> Pruning | None:
    """What a policy says of a thread; None: the thread has no checkpoint."""
    pruned.catch_up(ledger)
    head = ledger.head(thread)
    if head is None:
        return None
    points = list(unmarked(ledger, thread, ledger.ancestry.walk(head)))
    now_ns = max(ledger.clock(), head.created_ns)
    found = judge(
        policy,
        [moment(ledger, point) for point in points],
        now_ns=now_ns,
        first_step=first_step(ledger, thread),
        held={**holds.held, head.id: f"head {thread}"},
    )
    return Pruning(thread, head, list(zip(points, found, strict=True)), now_ns, holds.log)


def unmarked(ledger: Ledger, thread: str, line: Iterator[Point]) -> Iterator[Point]:
    """Those of a line of history that were saved in the thread and have their states."""
    for page in _pages(line, _PAGE):
        span = page[-1].created_ns, page[0].created_ns + 1
        gone = {posting.id for posting in pruned.marked(ledger, *span)}
        for point in page:
            if point.thread == thread and point.left is None and point.id not in gone:
                yield point


def moment(ledger: Ledger, point: Point) -> Moment:
    """What a policy looks at."""
    return Moment(point.id, point.step, point.created_ns, point.label, tags_of(ledger, point))


def first_step(ledger: Ledger, thread: str) -> int:
    """The step of a thread's own first checkpoint."""
    ref = ledger.ref(thread)
    origin = None if ref is None else ThreadOrigin.decode(ref.info)
    if origin is not None and origin.forked_at is not None:
        with suppress(PrunedError):
            return ledger.ancestry.point(origin.forked_at).step + 1
    return 0


def carry_out(ledger: Ledger, planned: Pruning, why: str) -> list[Point]:
    """Mark what is to go; what was marked, newest first."""
    began = ledger.events.begin(PRUNED)
    going = [point for point, judged in planned.judged if not judged.kept]
    done: list[Point] = []
    for some in _pages(going, pruned.MARKS_MAX):
        done += pruned.mark(ledger, planned.thread, some, why, planned.now_ns)
    done = _without_taken_up(ledger, done, planned.log)
    if done:
        ledger.tell(PRUNED, planned.thread, planned.head, began, count=len(done), policy=why)
    return done


def _pages(points: Iterable[Point], size: int) -> Iterator[list[Point]]:
    line = iter(points)
    while page := list(islice(line, size)):
        yield page


def _without_taken_up(ledger: Ledger, done: list[Point], log: int) -> list[Point]:
    """Those that no thread has moved to since; the others lose their marks."""
    moved: set[ObjectId] = set()
    before: int | None = None
    while page := ledger.engine.log(before=before, limit=_PAGE):
        moved.update(entry.new for entry in page if entry.number > log and entry.new is not None)
        if page[-1].number <= log:
            break
        before = page[-1].number
    if not moved.isdisjoint(point.id for point in done):
        for point in done:
            if point.id in moved:
                pruned.revive(ledger, point)
        done = [point for point in done if point.id not in moved]
    return done
