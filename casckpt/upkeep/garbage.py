"""How many checkpoints have been let go, by the log of moves alone.

Rewinds and deletions are in the log, and the steps of the two checkpoints that an entry names
tell how many lay between. Only moves that have become too old to be undone since the last gc
count: what they let go is what the next gc may remove.

An estimate: other threads, forks and tags may still hold what one thread let go. It is rather
high than low, and gc moves the line from which is counted, so nobody looks twice for what is not
there.

Invariants: reads a few dozen entries and records at most, whatever the length of the log.

Imports: errors, ids, history (ledger, notes, pruned), storage (engine interface).
"""

from __future__ import annotations

from typing import Final

from casckpt.errors import CorruptError, NotFoundError
from casckpt.history import notes, pruned
from casckpt.history.ledger import Ledger
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.ids import ObjectId
from casckpt.storage.engine import LogEntry

__all__ = ["let_go"]

SAMPLE: Final = 16
"""Entries looked at; what they let go stands for the others."""


def let_go(ledger: Ledger, *, after: int, before_ns: int) -> int:
    """About how many checkpoints the moves between have let go.

    Args:
        ledger: the store.
        after: only log entries of a higher number.
        before_ns: only entries older than this.
    """
    last = _last_before(ledger, after, before_ns)
    count = last - after
    if count <= 0:
        return 0
    found = 0
    numbers = [after + 1 + (count - 1) * n // SAMPLE for n in range(SAMPLE)]
    sample = range(after + 1, last + 1) if count <= SAMPLE else numbers
    for number in sample:
        entry = ledger.engine.log_entry(number)  # None: of a ref that gc forgot
        found += 0 if entry is None else _let_go_by(ledger, entry)
    return max(found * count // len(sample), 0)


def _last_before(ledger: Ledger, after: int, before_ns: int) -> int:
    """The number of the newest entry older than that; times grow with numbers, or nearly so."""
    newest = ledger.engine.log(limit=1)
    low, high = after, newest[0].number if newest else 0
    while low < high:
        middle = (low + high + 1) // 2
        entries = ledger.engine.log(before=middle + 1, limit=1)
        if entries and entries[0].number > low and entries[0].time_ns >= before_ns:
            high = entries[0].number - 1
        elif not entries or entries[0].number <= low:
            low = middle  # none there
        else:
            low = middle
    return low


def _let_go_by(ledger: Ledger, entry: LogEntry) -> int:
    """How many more a move lets go than it takes back."""
    if entry.name.startswith(notes.PRUNES):
        return pruned.count_of(entry)
    if not entry.name.startswith(notes.THREADS):
        return 0  # tags, or refs of others: not known
    try:
        note = Note.decode(entry.note)
    except CorruptError:
        return 0
    if entry.old is None and note.kind != "undo":
        return 0  # a fork
    old, new = _step(ledger, entry.old), _step(ledger, entry.new)
    if entry.new is None:
        new = _forked_at(ledger, note)
    return old - new


def _forked_at(ledger: Ledger, note: Note) -> int:
    """The step at which a deleted thread was forked; -1: it was not."""
    match note:
        case Note("delete", (bytes(info), *_)):
            try:
                return _step(ledger, ThreadOrigin.decode(info).forked_at)
            except CorruptError:
                return -1
    return -1


def _step(ledger: Ledger, oid: ObjectId | None) -> int:
    """A checkpoint's step; -1: there is none, or it is gone."""
    if oid is None:
        return -1
    try:
        return ledger.ancestry.point(oid).step
    except (CorruptError, NotFoundError):
        return -1
