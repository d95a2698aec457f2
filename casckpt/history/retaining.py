"""Retention on save: a thread is pruned, a little at a time, as it grows.

It listens to saves. Each thread's states that are still there are remembered as points, the
newest first; every EVERY saves of a thread they are judged, and what goes is marked, in one
commit. What was there before the store was opened is walked WALK_MAX records at a time, so
no save waits for a long history; and where a program saves only a few times before it ends,
the steps that EVERY divides make the turn come all the same.

Invariants: a save is never broken or held up by it: an error goes to the log, and where
another OS thread is at it, it waits for the next turn. What it forgets, or never comes to
see, is pruned by the next `prune`, not lost.

Imports: errors, ids, storage (engine interface), history.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from threading import Lock
from typing import Final

from casckpt.errors import PrunedError
from casckpt.history import notes, pruned, pruning
from casckpt.history.ancestry import Point
from casckpt.history.events import SAVED, Happening
from casckpt.history.ledger import Ledger
from casckpt.history.pruning import Pruning
from casckpt.history.retention import Judged, Moment, Retention, judge, policy_for
from casckpt.history.tags import tags_of
from casckpt.ids import ObjectId

__all__ = ["EVERY", "Retainer", "retain"]

EVERY: Final = 64
"""Saves of a thread from one pruning to the next: so many states more than the policy says."""
WALK_MAX: Final = 256
"""Records of older checkpoints looked at in one turn: some milliseconds."""
THREADS_MAX: Final = 256
"""Threads whose states are remembered."""
_PAGE: Final = 1_024


def retain(ledger: Ledger, policies: Mapping[str, Retention]) -> None:
    """Prune threads as they are saved to, each by the policy with the longest prefix."""
    retainer = Retainer(ledger, policies)
    ledger.events.add(SAVED, retainer, retainer.saved)


class _Line:
    """What is known of a thread."""

    def __init__(self) -> None:
        self.saves = 0
        """Since the last turn."""
        self.top: ObjectId | None = None
        """The head at the last turn."""
        self.states: list[Point] = []
        """The thread's own checkpoints down to `rest` that have their states, newest first."""
        self.rest: Point | None = None
        """The oldest that was looked at; None: all were."""
        self.known: tuple[int | None, int | None] = 0, None
        """What the states agree with: the newest entry of the log of its prunings, and what
        is remembered of gc."""


class Retainer:
    """Prunes the threads of one open store."""

    def __init__(self, ledger: Ledger, policies: Mapping[str, Retention]) -> None:
        self._ledger = weakref.ref(ledger)
        self._policies = dict(policies)
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._lock = Lock()
        self._led_to: dict[ObjectId, set[str]] = {}
        """Checkpoints that logged moves have led to, with the refs that were moved."""
        self._log_seen = 0

    def saved(self, told: Happening) -> None:
        """A checkpoint was saved."""
        point, ledger = told.point, self._ledger()
        if point is None or ledger is None or not self._lock.acquire(blocking=False):
            return
        try:
            line = self._lines.get(point.thread)
            if line is None:
                line = self._lines[point.thread] = _Line()
                if len(self._lines) > THREADS_MAX:
                    self._lines.popitem(last=False)
            line.saves += 1
            if line.saves >= EVERY or not (point.step + 1) % EVERY:
                self._lines.move_to_end(point.thread)
                line.saves = 0
                policy = policy_for(self._policies, point.thread)
                if policy is not None:
                    self._turn(ledger, line, point, policy)
        finally:
            self._lock.release()

    def _turn(self, ledger: Ledger, line: _Line, head: Point, policy: Retention) -> None:
        pruned.catch_up(ledger)
        logged, collected = _prunings(ledger, head.thread), ledger.ancestry.gc_seen
        if line.known != (logged, collected):
            line.top = None  # somebody has pruned, taken that back, or collected: look anew
            line.known = logged, collected
        self._look(ledger, line, head)
        now_ns = max(ledger.clock(), head.created_ns)
        log, judged = self._judged(ledger, line, head, policy, now_ns)
        pairs = list(zip(line.states, judged, strict=True))
        if all(one.kept for one in judged):
            return
        planned = Pruning(head.thread, head, pairs, now_ns, log)
        gone = {point.id for point in pruning.carry_out(ledger, planned, str(policy))}
        line.states = [point for point in line.states if point.id not in gone]
        line.known = _prunings(ledger, head.thread, behind=logged), collected

    def _judged(
        self, ledger: Ledger, line: _Line, head: Point, policy: Retention, now_ns: int
    ) -> tuple[int, list[Judged]]:
        """What becomes of its states, and the newest entry of the log before that was found out.

        Tags and refs take a look each, so only those are looked up that may have to go. What
        stays because of that may push others out, whose turn it is then.
        """
        first = pruning.first_step(ledger, head.thread)
        moments = [Moment(p.id, p.step, p.created_ns, p.label, ()) for p in line.states]
        held = {head.id}
        changed = bool(ledger.engine.refs(notes.TAGS, limit=1))
        looked_up: set[ObjectId] = set()
        log: int | None = None
        while True:
            judged = judge(policy, moments, now_ns=now_ns, first_step=first)
            going = {one.moment.id for one in judged if not one.kept} - looked_up
            if not going:
                break
            looked_up |= going
            newest, found = self._held(ledger, going)
            log = newest if log is None else log
            held |= found.keys()
            for at, point in enumerate(line.states):
                if point.id in going:
                    tags = tags_of(ledger, point) if changed else point.tags
                    moments[at] = moments[at]._replace(tags=tags)
        return log or 0, [one._replace(kept=one.kept or one.moment.id in held) for one in judged]

    def _look(self, ledger: Ledger, line: _Line, head: Point) -> None:
        """Add what was saved since the last turn, and some of what is older."""
        fresh: list[Point] = []
        met = False
        walk = ledger.ancestry.walk(head)
        for point in islice(walk, EVERY + WALK_MAX):
            met = point.id == line.top
            if met:
                break
            fresh.append(point)
        states = list(pruning.unmarked(ledger, head.thread, iter(fresh)))
        if met:
            line.states = states + line.states
        else:  # the first turn, or the head was moved elsewhere
            line.states, line.rest = states, fresh[-1] if fresh else None
        line.top = head.id
        if met and line.rest is not None:
            older = list(islice(_before(ledger, line.rest), WALK_MAX))
            line.states += pruning.unmarked(ledger, head.thread, iter(older))
            line.rest = older[-1] if older else None

    def _held(self, ledger: Ledger, oids: set[ObjectId]) -> tuple[int, dict[ObjectId, str]]:
        """The newest log entry, and which of these some ref points at.

        A thread's head that another thread has saved is known from the log, for only logged
        moves lead there.
        """
        newest, before = self._log_seen, None
        more = True
        while more:
            page = ledger.engine.log(before=before, limit=_PAGE)
            for entry in page:
                if entry.number <= self._log_seen:
                    break
                newest = max(newest, entry.number)
                if entry.new is not None:
                    self._led_to.setdefault(entry.new, set()).add(entry.name)
            more = len(page) == _PAGE and page[-1].number > self._log_seen
            before = page[-1].number if page else None
        self._log_seen = newest
        found: dict[ObjectId, str] = {}
        for oid in oids:
            for name in self._led_to.get(oid, ()):
                ref = ledger.engine.ref(name)
                if ref is not None and ref.target == oid:
                    found[oid] = f"head {name.removeprefix(notes.THREADS)}"
        if ledger.engine.refs(notes.APPS, limit=1):
            held = pruning.held(ledger).held
            found |= {oid: held[oid] for oid in oids if oid in held}
        return newest, found


def _prunings(ledger: Ledger, thread: str, behind: int | None = None) -> int | None:
    """The newest entry of the log of a thread's prunings; None: it does not come next `behind`."""
    ref = ledger.engine.ref(notes.prunes_ref(thread))
    number = 0 if ref is None else ref.last_log
    if behind is not None and number != behind:
        entry = ledger.engine.log_entry(number)
        if entry is None or entry.previous != behind:
            return None
    return number


def _before(ledger: Ledger, point: Point) -> Iterator[Point]:
    """What lies before a checkpoint, as far as it is there."""
    walk = ledger.ancestry.walk(point)
    next(walk)
    try:
        yield from walk
    except PrunedError:
        return
