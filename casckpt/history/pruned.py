"""Pruned checkpoints: which they are, when and why; marking them, and taking that back.

Pruning has two steps. First a checkpoint is *marked*: it is in the posting list `pruned`, and
the log of the ref `prune/THREAD` says when and why. From then on its state is not read any
more, but it is still there. Then, when the mark is older than gc's grace, gc replaces the
record by what is left of it without its state (`format.records.PrunedRecord`), with when and
why beside it, and drops the mark.

Who moves a thread to a marked checkpoint takes it up again: it loses its mark. Who marks
looks afterwards whether somebody moved there meanwhile. So a head is never marked for long. And
no thread moves to what gc has replaced: the commit of the move fails (`RefUpdate.whole`), and the
move is told (`unmet`).

Invariants: a mark and the log entry that tells of it are one commit. The log is a memory, as
of gc's runs: what is forgotten of it makes an error say less, and nothing else.

Imports: errors, ids, format (records), storage (engine interface), history (ancestry,
collected, ledger, notes, times).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError, NotFoundError, PrunedError
from casckpt.format.records import CheckpointRecord, PruneNote
from casckpt.history import collected, notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.notes import Note
from casckpt.history.times import from_ns
from casckpt.ids import ObjectId
from casckpt.storage.engine import (
    LogEntry,
    MissingObjects,
    Posting,
    RefConflict,
    RefUpdate,
)

__all__ = [
    "MARKS_MAX",
    "Run",
    "catch_up",
    "count_of",
    "error",
    "forget",
    "is_final",
    "is_marked",
    "mark",
    "marked",
    "marks_of",
    "note_of",
    "record",
    "refuse",
    "revive",
    "run_of",
    "runs",
    "unmet",
    "unprune",
]

MARKS_MAX: Final = 1_024
"""Checkpoints marked in one commit: some milliseconds during which nobody else writes."""
PREFIX_BYTES: Final = 8
"""Kept of an id in the log: enough to tell those of one run apart."""
_PAGE: Final = 1_024


class Run(NamedTuple):
    """One entry of the log of a thread's prunings."""

    number: int
    time_ns: int
    why: str
    since_ns: int
    until_ns: int
    """The marked ones were created since the one and until before the other."""
    prefixes: frozenset[bytes]
    """How their ids begin."""


def record(ledger: Ledger, point: Point) -> CheckpointRecord:
    """The whole record of a checkpoint, to read its state.

    Raises:
        PrunedError: the state was pruned, or everything has been collected.
        CorruptError: damaged.
    """
    point = _now(ledger, point)
    if point.left is not None or is_marked(ledger, point):
        raise error(ledger, point)
    return ledger.ancestry.record(point.id)


def catch_up(ledger: Ledger) -> None:
    """Forget what is remembered of checkpoints if gc has run since, in whatever process."""
    version = collected.version(ledger.engine)
    ancestry = ledger.ancestry
    if ancestry.gc_seen != version:
        forget(ledger)
        ancestry.gc_seen = version


def forget(ledger: Ledger) -> None:
    """Forget what is remembered of checkpoints, for gc may be at work: it tells at its end."""
    ledger.ancestry.forget()
    ledger.vault.forget()


def _now(ledger: Ledger, point: Point) -> Point:
    """The point as the last gc has left it; raises PrunedError if it has left nothing."""
    if point.left is not None:
        return point
    catch_up(ledger)
    return ledger.ancestry.point(point.id)


def is_marked(ledger: Ledger, point: Point) -> bool:
    """Whether it is marked; one that gc has seen to is not."""
    if not ledger.engine.postings_count(notes.PRUNED):
        return False  # as a rule, and told in a third of the time
    return _posting(point) in ledger.engine.postings(
        notes.PRUNED, since=point.created_ns, until=point.created_ns + 1
    )


def marked(
    ledger: Ledger, since_ns: int | None = None, until_ns: int | None = None
) -> Iterator[Posting]:
    """All marks, the newest checkpoint first; of those created since, until before."""
    page: list[Posting] = []
    while True:
        page = ledger.engine.postings(
            notes.PRUNED,
            since=since_ns,
            until=until_ns,
            after=page[-1] if page else None,
            limit=_PAGE,
        )
        yield from page
        if len(page) < _PAGE:
            return


def note_of(ledger: Ledger, point: Point) -> PruneNote | None:
    """When and why a checkpoint was pruned; None: it was not."""
    with suppress(PrunedError):
        point = _now(ledger, point)
    if point.left is not None:
        return point.left
    if not is_marked(ledger, point):
        return None
    for run in runs(ledger, point.thread):
        if point.id[:PREFIX_BYTES] in run.prefixes:
            return PruneNote(run.time_ns, run.why, None)
    return PruneNote(None, "", None)


def error(ledger: Ledger, point: Point) -> PrunedError:
    """The error for a checkpoint whose state was pruned."""
    name = f"{point.thread}@{point.step} ({point.id.hex()[:16]})"
    note = note_of(ledger, point) or PruneNote(None, "", None)
    when = None if note.time_ns is None else from_ns(note.time_ns).isoformat(timespec="seconds")
    text = f"the state of {name} was pruned" + (f" at {when}" if when else "")
    text += f" ({note.why})" if note.why else ""
    if point.left is None:
        text += "; until gc takes it, unprune brings it back "
        text += f"('casckpt prune --undo {point.thread}')"
    else:
        text += " and has been collected; its record is what is left"
    return PrunedError(
        text,
        object=point.id.hex(),
        thread=point.thread,
        step=point.step,
        pruned_at=when,
        pruned_by=note.why or None,
        recoverable=point.left is None,
    )


def is_final(error: PrunedError) -> bool:
    """Whether it tells that a state is gone for good, and the record is there."""
    return error.details.get("recoverable") is False


def runs(ledger: Ledger, thread: str) -> Iterator[Run]:
    """The prunings of a thread that were not taken back, newest first, as far as they are known."""
    ref = ledger.engine.ref(notes.prunes_ref(thread))
    number = 0 if ref is None else ref.last_log
    undone: set[int] = set()
    while number:
        entry = ledger.engine.log_entry(number)
        if entry is None or entry.previous >= number:
            return  # forgotten, or damaged: fsck tells
        note = Note.decode(entry.note)
        if note.kind == "unprune":
            undone.update(fact for fact in note.facts if type(fact) is int)
        elif number not in undone:
            run = run_of(number, entry.time_ns, note)
            if run is not None:
                yield run
        number = entry.previous


def run_of(number: int, time_ns: int, note: Note) -> Run | None:
    """What an entry of the log says of a pruning; None: it is none."""
    match note:
        case Note("prune", (str(why), int(since), int(until), bytes(joined))):
            prefixes = {
                joined[at : at + PREFIX_BYTES] for at in range(0, len(joined), PREFIX_BYTES)
            }
            return Run(number, time_ns, why, since, until, frozenset(prefixes))
    return None


def count_of(entry: LogEntry) -> int:
    """How many checkpoints an entry of the log has marked."""
    try:
        run = run_of(entry.number, entry.time_ns, Note.decode(entry.note))
    except CorruptError:
        return 0
    return 0 if run is None else len(run.prefixes)


def mark(ledger: Ledger, thread: str, points: list[Point], why: str, now_ns: int) -> list[Point]:
    """Mark checkpoints of a thread, at most MARKS_MAX of them; those that could be.

    Raises:
        StorageError: read-only, disk full.
    """
    wanted = points
    while wanted:
        joined = b"".join(point.id[:PREFIX_BYTES] for point in wanted)
        times = [point.created_ns for point in wanted]
        facts = (why, min(times), max(times) + 1, joined)
        try:
            _log(ledger, thread, Note("prune", facts), now_ns, add=[_posting(p) for p in wanted])
        except MissingObjects as missing:  # rewound away, and collected meanwhile
            wanted = [point for point in wanted if point.id not in missing.ids]
        else:
            return wanted
    return []


def unprune(ledger: Ledger, thread: str) -> list[ObjectId]:
    """Take back the newest pruning of a thread that was not taken back; what has its state again.

    Raises:
        NotFoundError: there is none, or it is forgotten.
        PrunedError: gc has collected all of it.
    """
    found = list(runs(ledger, thread))
    if not found:
        raise NotFoundError(f"nothing was pruned of {thread} that is still known", thread=thread)
    # What was too much for one commit has the same time.
    newest = [run for run in found if (run.time_ns, run.why) == (found[0].time_ns, found[0].why)]
    back: list[Posting] = []
    for run in newest:
        back += [
            posting
            for posting in marked(ledger, run.since_ns, run.until_ns)
            if posting.id[:PREFIX_BYTES] in run.prefixes
        ]
    if not back:
        when = from_ns(found[0].time_ns).isoformat(timespec="seconds")
        msg = f"what was pruned of {thread} at {when} has been collected by gc"
        raise PrunedError(msg, thread=thread, pruned_at=when, pruned_by=found[0].why)
    facts: tuple[Any, ...] = tuple(run.number for run in newest)
    _log(ledger, thread, Note("unprune", facts), ledger.clock(), remove=back)
    return [posting.id for posting in back]


def refuse(ledger: Ledger, point: Point) -> None:
    """Raise PrunedError if the state of a checkpoint is gone for good."""
    point = _now(ledger, point)
    if point.left is not None:
        raise error(ledger, point)


def unmet(ledger: Ledger, missing: MissingObjects) -> PrunedError:
    """The error for a move to what gc has taken, or the state of which, since it was looked at."""
    forget(ledger)
    for oid in missing.ids:
        with suppress(PrunedError, CorruptError):
            point = ledger.ancestry.point(oid)
            if point.left is not None:
                return error(ledger, point)
    return collected.gone(ledger.engine, *missing.ids)


def marks_of(ledger: Ledger, point: Point) -> list[Posting]:
    """The mark that a checkpoint loses in the commit by which a thread moves to it, if it has one."""
    return [_posting(point)] if is_marked(ledger, point) else []


def revive(ledger: Ledger, point: Point) -> None:
    """Take up again a checkpoint that was marked while a thread moved to it."""
    marks = marks_of(ledger, point)
    if marks:
        ledger.engine.commit(remove=marks)


def _posting(point: Point) -> Posting:
    return Posting(notes.PRUNED, point.created_ns, point.id)


def _log(ledger: Ledger, thread: str, note: Note, now_ns: int, **postings: Any) -> None:
    name = notes.prunes_ref(thread)
    ref = ledger.engine.ref(name)
    for _ in range(RETRIES_MAX):
        move = RefUpdate(name, None, expected(ref), log=note.encode(), time_ns=now_ns)
        try:
            ledger.engine.commit(refs=[move], **postings)
        except RefConflict as conflict:
            ref = conflict.actual
        else:
            return
    raise crowded(thread)
