"""What lists say of threads: one as a whole, and one move of its head.

Imports: checkpoint, history (ledger, listing, moves, times).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from casckpt.checkpoint import Checkpoint
from casckpt.history import moves
from casckpt.history.ledger import Ledger
from casckpt.history.listing import Listed
from casckpt.history.times import from_ns

__all__ = ["Move", "ThreadInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadInfo:
    """A thread, as `Store.threads` lists it."""

    name: str
    head: Checkpoint
    step: int
    """That of the head."""
    created: datetime
    """When it was forked, or first saved to."""
    updated: datetime
    """When its head last moved."""
    forked_from: str | None
    """The name of the thread it was forked from."""
    forked_at: str | None
    """The id of the checkpoint it was forked at."""

    @classmethod
    def of(cls, ledger: Ledger, listed: Listed) -> ThreadInfo:
        """A thread as history lists it."""
        return cls(
            name=listed.name,
            head=Checkpoint(ledger, listed.head),
            step=listed.head.step,
            created=from_ns(listed.origin.created_ns),
            updated=from_ns(listed.updated_ns),
            forked_from=listed.origin.forked_from,
            forked_at=listed.origin.forked_at.hex() if listed.origin.forked_at else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of a thread's reflog."""

    moves_ago: int
    """0 is the newest; before the newest n moves the head was at `THREAD@{n}`."""
    kind: str
    """save, fork, import, rewind, delete or undo."""
    old: str | None
    """The id of the head before; None: there was no such thread."""
    new: str | None
    """The id of the head after; None: the thread was gone."""
    time: datetime
    message: str
    """For people: the label of a save, the thread that a fork came from."""
    number: int | None
    """That of the store's log; saves have none, for their records tell."""
    position: str
    """Where it stands in the reflog, whatever comes later: for `reflog(after=)`."""

    @classmethod
    def of(cls, move: moves.Move) -> Move:
        """A move as history has it."""
        return cls(
            moves_ago=move.moves_ago,
            kind=move.kind,
            old=None if move.old is None else move.old.hex(),
            new=None if move.new is None else move.new.hex(),
            time=from_ns(move.time_ns),
            message=move.message,
            number=move.number,
            position=move.position,
        )
