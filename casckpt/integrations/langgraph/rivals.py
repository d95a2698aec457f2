"""Rivals: two runs that go on from one checkpoint at once, without knowing of each other.

Every saver lets both do so, and the thread has two branches of which LangGraph goes on with
one. A saver that refuses silent forks lets the first through and tells the second.

A branch that is asked for is none of these: replaying from an older checkpoint, `update_state`
and copies put a checkpoint of another source first, and what follows it has no rival.

Invariants: asked between reading a thread's ref and the commit that moves it, the answer
holds, for every put moves that ref.

Imports: errors, history.ledger, storage (engine interface), integrations.langgraph.catalogue.
"""

from __future__ import annotations

from typing import Any, Final

from casckpt.errors import ConflictError, PrunedError
from casckpt.history.ledger import Ledger
from casckpt.integrations.langgraph.catalogue import FACTS, Catalogue, Row
from casckpt.storage.engine import Ref

__all__ = ["check_no_rival"]

_ASKED_FOR: Final = frozenset({"fork", "update"})
"""Sources of checkpoints that begin a branch on purpose."""


def check_no_rival(
    ledger: Ledger, catalogue: Catalogue, row: Row, source: Any, ref: Ref | None
) -> None:
    """Refuse a checkpoint that is about to be put if its parent has another child already.

    Args:
        ledger: of the store.
        catalogue: its rows.
        row: the new checkpoint's.
        source: what its metadata say of where it comes from.
        ref: the thread's, as it was read.

    Raises:
        ConflictError: it has; `details` has the ids of parent and child.
    """
    if source in _ASKED_FOR:
        return
    rival = _newer(catalogue, row) or _last_put(ledger, catalogue, row, ref)
    if rival is None:
        return
    space = row.space
    after = f"checkpoint {row.parent_id}" if row.parent_id else "its beginning"
    raise ConflictError(
        f"another run has gone on with the thread {space.name} from {after} (checkpoint {rival}):"
        " read the state again and go on from there, or fork",
        thread=space.name,
        parent=row.parent_id,
        child=rival,
    )


def _newer(catalogue: Catalogue, row: Row) -> str | None:
    """A child of the same parent, among the checkpoints with greater ids than the parent's."""
    for other in catalogue.rows(row.space):
        if row.parent_id is not None and other.checkpoint_id.encode() <= row.parent_id.encode():
            return None
        if other.checkpoint_id == row.checkpoint_id:
            continue  # put again
        if other.parent_id == row.parent_id or row.parent_id is None:
            return other.checkpoint_id
    return None


def _last_put(ledger: Ledger, catalogue: Catalogue, row: Row, ref: Ref | None) -> str | None:
    """The checkpoint put last, if it is a child of the same parent: clocks may differ."""
    if ref is None or ref.target is None:
        return None
    try:
        facts = catalogue.meta(ledger.ancestry.record(ref.target)).get(FACTS)
    except PrunedError:
        return None
    if type(facts) is not dict or facts.get("parent_id") != row.parent_id:
        return None
    there = str(facts.get("id"))
    if there == row.checkpoint_id or catalogue.row(row.space, there) is None:
        return None
    return there
