"""Taking up: refs that come to point at checkpoints which are stored already.

A row and a head keep a checkpoint with its state. But until they point at it, somebody else may
let go of it, and gc may take it or its state. So whoever moves refs there has the commit look
(`RefUpdate.whole`), as all moves of casckpt do, and takes away the mark of what was pruned and
is still there.

Invariants: as `history.pruned`; nothing is moved if anything of it is gone.

Imports: errors, ids, history (ledger, notes, pruned), storage (engine interface).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from casckpt.errors import PrunedError
from casckpt.history import notes, pruned
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded
from casckpt.ids import ObjectId
from casckpt.storage.engine import MissingObjects, Posting, RefConflict, RefUpdate

__all__ = ["settle", "take"]

T = TypeVar("T")


def take(ledger: Ledger, updates: Iterable[RefUpdate], records: Iterable[ObjectId]) -> None:
    """Move refs to stored things, some of which are the records of checkpoints.

    Raises:
        MissingObjects: something of them was taken meanwhile; nothing was moved.
        RefConflict: a ref was not what was expected.
        PrunedError: a record was taken before.
    """
    ids = set(records)
    refs = [update._replace(whole=update.target is not None) for update in updates]
    ledger.engine.commit(refs=refs, remove=_marks(ledger, ids))
    if late := _marks(ledger, ids):  # marked while they were taken
        ledger.engine.commit(remove=late)


def _marks(ledger: Ledger, records: set[ObjectId]) -> list[Posting]:
    if not ledger.engine.postings_count(notes.PRUNED):
        return []
    return [mark for oid in records for mark in pruned.marks_of(ledger, ledger.ancestry.point(oid))]


def settle(ledger: Ledger, name: str, look: Callable[[], T], act: Callable[[T], None]) -> None:
    """Look and act; again if somebody came in between, until what was seen holds.

    Args:
        ledger: the store.
        name: of the thread, for the error.
        look: finds what is there.
        act: commits; may raise RefConflict and MissingObjects.

    Raises:
        PrunedError: something is gone of what is there all the same.
        StorageError: others were first each time.
    """
    before: object = act
    for _ in range(RETRIES_MAX):
        seen: T | None = None
        try:
            act(seen := look())
        except RefConflict:
            continue
        except MissingObjects as error:
            if seen == before:
                raise pruned.unmet(ledger, error) from None
        except PrunedError:
            if seen == before:
                raise
        else:
            return
        pruned.forget(ledger)
        before = seen
    raise crowded(name)
