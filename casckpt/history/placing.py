"""Placing: a checkpoint put behind any parent, for whoever moves refs by rules of his own.

`Ledger.append` puts one behind a thread's head. What builds on a store may want another parent,
and refs of its own moved in the same commit: it places the record in a draft, and commits that
with its moves and with the postings by which checkpoints are found.

Invariants: step and jump follow from the parent; times grow along a history.

Imports: ids, format (constants, records), storage (engine interface), vault, history (ancestry, keys,
notes, states).
"""

from __future__ import annotations

from typing import NamedTuple

from casckpt.format.constants import KIND_CHECKPOINT
from casckpt.format.records import CheckpointRecord
from casckpt.history import keys, notes
from casckpt.history.ancestry import Ancestry, Point
from casckpt.history.states import Settled
from casckpt.ids import ObjectId
from casckpt.storage.engine import Posting
from casckpt.vault import Draft

__all__ = ["Content", "Placed", "place"]


class Content(NamedTuple):
    """What a checkpoint says, wherever it stands."""

    root: Settled
    meta: Settled
    label: str | None = None
    tags: tuple[str, ...] = ()
    key: str | None = None


class Placed(NamedTuple):
    """A record in a draft."""

    id: ObjectId
    record: CheckpointRecord

    @property
    def postings(self) -> list[Posting]:
        """By what it is found; to be committed with it."""
        lists = [notes.TIMES, *map(notes.tag_list, self.record.tags)]
        if self.record.label is not None:
            lists.append(notes.label_list(self.record.label))
        found = [Posting(name, self.record.created_ns, self.id) for name in lists]
        return found + keys.postings(self.id, self.record.thread, self.record.key)


def place(
    draft: Draft,
    ancestry: Ancestry,
    parent: Point | None,
    content: Content,
    *,
    thread: str,
    time_ns: int,
    base: ObjectId | None = None,
) -> Placed:
    """Put the record of a checkpoint into a draft.

    Args:
        draft: has the content's objects already.
        ancestry: of the store.
        parent: None: it is the first of its history.
        content: checked by the caller.
        thread: the thread that it is saved in.
        time_ns: when; never before its parent.
        base: a record that it resembles, if that is not its parent.
    """
    record = CheckpointRecord(
        parents=() if parent is None else (parent.id,),
        jump=None if parent is None else ancestry.jump_for_child(parent),
        thread=thread,
        step=0 if parent is None else parent.step + 1,
        created_ns=time_ns if parent is None else max(parent.created_ns + 1, time_ns),
        label=content.label,
        tags=content.tags,
        meta=content.meta.data,
        root=content.root.data,
        key=content.key,
    )
    children = (*content.root.links, *content.meta.links, *record.parents)
    base = base or (None if parent is None else parent.id)
    return Placed(draft.put(KIND_CHECKPOINT, record.encode(), children, base), record)
