"""Moves of a thread's head other than saves: fork, rewind, delete, and undo of all of them.

Saves are not in the log, because a record says what it came after and when. So where a
thread has been is told by two things together: a *position* is (p, h), the number of the log
entry that moved the thread last (0: none) and its head. If h is where entry p moved to, the
last move was p, and before it was (p.previous, p.old); else it was a save, and before it was
(p, parent of h). The reflog walks positions from the newest back.

Undo goes to the position before the current one, and is itself logged, with the position it
went to; as long as nothing else happens, the next undo goes on from there. After anything
else it starts anew: undo then undoes that, then the undo before it, as in Emacs.

A thread that moves to a pruned checkpoint takes it up again, as long as its state is there.

Imports: errors, ids, storage (engine interface), history (ancestry, events, ledger, names,
notes, pruned).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from casckpt.errors import ConflictError, CorruptError, NotFoundError, PrunedError
from casckpt.history import names, notes, pruned
from casckpt.history.ancestry import Point
from casckpt.history.events import DELETED, FORKED, REWOUND
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.ids import ObjectId
from casckpt.storage.engine import (
    LogEntry,
    MissingObjects,
    Ref,
    RefConflict,
    RefUpdate,
)

__all__ = ["Move", "delete", "fork", "head_moves_ago", "moves", "rewind", "undo"]


class Move(NamedTuple):
    """One line of a thread's reflog."""

    moves_ago: int
    """0 is the newest; `THREAD@{n}` names where the head stood before the newest n moves."""
    kind: str
    """save, fork, import, rewind, delete, undo."""
    old: ObjectId | None
    new: ObjectId | None
    time_ns: int
    number: int | None
    """Number of the log entry; a save has none."""
    message: str
    """For people: the label of a save, the thread a fork came from."""
    position: str = ""
    """What no later move changes: "N" or "N:ID", log entry and head after this move."""


class _Position(NamedTuple):
    entry: int
    head: ObjectId | None


def fork(ledger: Ledger, origin: str, name: str, at: Point) -> Point:
    """Begin the thread `name` at a checkpoint that is already stored.

    Raises:
        ConflictError: there is a thread of that name.
        PrunedError: the checkpoint is gone, or its state is.
    """
    began = ledger.events.begin(FORKED)
    names.check_thread_name(name)
    pruned.refuse(ledger, at)
    now_ns = ledger.clock()

    def choose(ref: Ref | None) -> RefUpdate:
        if ref is not None and ref.target is not None:
            raise ConflictError(
                f"there is a thread {name} already; delete it first, or choose another name",
                expected=None,
                actual=ref.target.hex(),
            )
        info = ThreadOrigin(now_ns, at.id, origin).encode()
        move = _logged(ledger, ref, name, Note("fork", (origin,)), target=at.id, info=info)
        return move._replace(time_ns=now_ns)

    _move(ledger, name, choose)
    pruned.revive(ledger, at)
    last = ledger.guides.get(origin)
    if last is not None:
        ledger.guides.keep(name, last._replace(ref=None))
    ledger.tell(FORKED, name, at, began, origin=origin)
    return at


def rewind(ledger: Ledger, name: str, find: Callable[[Point], Point]) -> Point:
    """Move the head of a thread to the checkpoint that `find` finds, given the head.

    Raises:
        NotFoundError: the thread has no checkpoint.
        PrunedError: the checkpoint is gone, or its state is.
    """
    began = ledger.events.begin(REWOUND)
    target: Point | None = None
    head: ObjectId | None = None

    def choose(ref: Ref | None) -> RefUpdate | None:
        nonlocal target, head
        ref, head = _alive(ref, name)
        target = find(ledger.ancestry.point(head))
        if target.id == head:
            return None
        pruned.refuse(ledger, target)
        return _logged(ledger, ref, name, Note("rewind"), target=target.id, info=ref.info)

    _move(ledger, name, choose)
    if target is None or head is None:
        raise crowded(name)
    pruned.revive(ledger, target)
    if target.id != head:
        ledger.tell(REWOUND, name, target, began, old=head.hex())
    return target


def delete(ledger: Ledger, name: str) -> None:
    """Delete a thread: its head, not its checkpoints; raises NotFoundError."""
    began = ledger.events.begin(DELETED)
    head: ObjectId | None = None

    def choose(ref: Ref | None) -> RefUpdate:
        nonlocal head
        ref, head = _alive(ref, name)
        return _logged(ledger, ref, name, Note("delete", (ref.info,)), target=None, info=ref.info)

    _move(ledger, name, choose)
    ledger.tell(DELETED, name, None, began, old=head.hex() if head else None)


def undo(ledger: Ledger, name: str) -> Point | None:
    """Undo the thread's last move; the head afterwards, None if the thread is gone by that.

    Raises:
        NotFoundError: nothing is left to undo.
        PrunedError: what was there before has been collected, or its state has.
    """
    began = ledger.events.begin(REWOUND) or ledger.events.begin(DELETED)
    head: ObjectId | None = None
    target: ObjectId | None = None

    def choose(ref: Ref | None) -> RefUpdate:
        nonlocal head, target
        if ref is None:
            raise NotFoundError(f"nothing to undo: there never was a thread {name}", thread=name)
        head = ref.target
        now = _Position(ref.last_log, head)
        newest = _entry(ledger, name, ref.last_log)
        if newest is not None and newest.new == ref.target:
            note = Note.decode(newest.note)
            if note.kind == "undo":
                now = _Position(_undone_to(note), ref.target)
        if now == (0, None):
            raise NotFoundError(f"nothing left to undo in {name}", thread=name)
        before, entry = _before(ledger, name, now)
        info = ref.info
        if entry is not None and entry.note:
            note = Note.decode(entry.note)
            if note.kind == "delete" and note.facts and type(note.facts[0]) is bytes:
                info = note.facts[0]
        target = before.head
        if target is not None:
            pruned.refuse(ledger, ledger.ancestry.point(target))
        return _logged(ledger, ref, name, Note("undo", (before.entry,)), target=target, info=info)

    _move(ledger, name, choose)
    point = None if target is None else ledger.ancestry.point(target)
    if point is not None:
        pruned.revive(ledger, point)
    kind = REWOUND if point is not None else DELETED
    ledger.tell(kind, name, point, began, old=head.hex() if head else None, undo=True)
    return point


def moves(ledger: Ledger, name: str, after: str | None = None) -> Iterator[Move]:
    """The reflog of a thread, newest first: saves and logged moves.

    Args:
        ledger: the store.
        name: the thread's.
        after: only those behind the move with this position.

    Raises:
        NotFoundError: there never was such a thread or move, or gc has forgotten it.
    """
    pruned.catch_up(ledger)
    ref = ledger.ref(name)
    if ref is None:
        raise NotFoundError(f"no thread {name}", thread=name)
    found = _moves(ledger, name, _Position(ref.last_log, ref.target))
    if after is not None and not any(move.position == after for move in found):
        msg = f"{name} has no move with the position {after!r} in its reflog"
        raise NotFoundError(msg, thread=name, position=after)
    return found


def _moves(ledger: Ledger, name: str, now: _Position) -> Iterator[Move]:
    ago = 0
    while now != (0, None):
        try:
            before, entry = _before(ledger, name, now)
        except PrunedError:
            # Collected, and with it how it was saved: go on behind the entry before it.
            try:
                skipped = _entry(ledger, name, now.entry)
            except PrunedError:
                return  # gc has forgotten the thread since: there is no more to tell
            now = _Position(now.entry, skipped.new if skipped is not None else None)
            continue
        if entry is not None:
            note = Note.decode(entry.note)
            time_ns, number, kind, message = entry.time_ns, entry.number, note.kind, _message(note)
        else:
            assert now.head is not None  # noqa: S101 - a position with neither is the end
            saved = ledger.ancestry.point(now.head)
            time_ns, number, kind, message = saved.created_ns, None, "save", saved.label or ""
        yield Move(ago, kind, before.head, now.head, time_ns, number, message, _spelled(now))
        ago += 1
        now = before


def _spelled(position: _Position) -> str:
    head = "" if position.head is None else f":{position.head.hex()}"
    return f"{position.entry}{head}"


def head_moves_ago(ledger: Ledger, name: str, ref: Ref, count: int) -> ObjectId | None:
    """Where the head of a thread stood before its newest `count` moves.

    Runs of saves are jumped over. None: the thread did not exist then.

    Raises:
        NotFoundError: it never made so many moves.
    """
    now, left = _Position(ref.last_log, ref.target), count
    while left:
        if now == (0, None):
            raise NotFoundError(f"{name} has made {count - left} moves, not {count}", thread=name)
        entry = _entry(ledger, name, now.entry)
        base = entry.new if entry is not None else None
        if now.head is not None and now.head != base:
            head = ledger.ancestry.point(now.head)
            base_step = -1 if base is None else ledger.ancestry.point(base).step
            saves = min(left, head.step - base_step)
            if saves < 1:
                raise CorruptError("the log of a thread does not lead to where it stands")
            past = ledger.ancestry.ancestor(head, head.step - saves)
            now = _Position(now.entry, None if past is None else past.id)
            left -= saves
        else:
            now, _ = _before(ledger, name, now)
            left -= 1
    return now.head


def _before(ledger: Ledger, name: str, now: _Position) -> tuple[_Position, LogEntry | None]:
    """The position before this one, and the log entry of the move between (None: a save)."""
    entry = _entry(ledger, name, now.entry)
    if entry is not None and entry.new == now.head:
        return _Position(entry.previous, entry.old), entry
    if now.head is None:
        raise CorruptError("the log of a thread does not lead to where it stands")
    return _Position(now.entry, ledger.ancestry.point(now.head).parent), None


def _entry(ledger: Ledger, name: str, number: int) -> LogEntry | None:
    """An entry of the log of a thread; raises PrunedError if gc has forgotten it."""
    if not number:
        return None
    entry = ledger.engine.log_entry(number)
    if entry is None:
        if not _leads_to(ledger, name, number):
            raise PrunedError(f"gc has forgotten the reflog of {name} meanwhile", thread=name)
        raise CorruptError(f"entry {number} of the log is missing")
    if entry.previous >= number:
        raise CorruptError("the log of a thread runs in a circle")
    return entry


def _leads_to(ledger: Ledger, name: str, number: int) -> bool:
    """Whether the log of a thread, as it is now, has an entry of this number.

    Gc forgets threads that were deleted long ago, the newest entries first; afterwards one of
    that name may have begun anew.
    """
    ref = ledger.ref(name)
    at = 0 if ref is None else ref.last_log
    while at > number:
        entry = ledger.engine.log_entry(at)
        if entry is None or entry.previous >= at:
            break
        at = entry.previous
    return at == number


def _undone_to(note: Note) -> int:
    match note.facts:
        case (int(number), *_) if number >= 0:
            return number
    raise CorruptError("the note of an undo is malformed")


def _message(note: Note) -> str:
    match note:
        case Note("fork", (str(origin), *_)):
            return f"from {origin}"
    return ""


def _alive(ref: Ref | None, name: str) -> tuple[Ref, ObjectId]:
    if ref is None or ref.target is None:
        raise NotFoundError(f"no thread {name}", thread=name)
    return ref, ref.target


def _logged(
    ledger: Ledger, ref: Ref | None, name: str, note: Note, *, target: ObjectId | None, info: bytes
) -> RefUpdate:
    return RefUpdate(
        notes.thread_ref(name),
        target,
        expect=expected(ref),
        info=info,
        log=note.encode(),
        time_ns=ledger.clock(),
        whole=True,
    )


def _move(ledger: Ledger, name: str, choose: Callable[[Ref | None], RefUpdate | None]) -> None:
    """Read the ref, choose where it goes, move it; again if it moved in between."""
    ref = ledger.ref(name)
    for _ in range(RETRIES_MAX):
        try:
            update = choose(ref)
        except PrunedError:
            # Perhaps only because the head moved and gc passed since the ref was read.
            before, ref = ref, ledger.ref(name)
            if ref == before:
                raise
            continue
        if update is None:
            return
        point = None if update.target is None else ledger.ancestry.point(update.target)
        marks = [] if point is None else pruned.marks_of(ledger, point)
        try:
            ledger.engine.commit(refs=[update], remove=marks)
        except RefConflict as error:
            ref = error.actual
        except MissingObjects as error:
            raise pruned.unmet(ledger, error) from None
        else:
            return
    raise crowded(name)
