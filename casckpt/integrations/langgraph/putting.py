"""Putting: LangGraph's checkpoints and pending writes into a store.

The state is the channel values (`channels`); LangGraph's metadata are the record's meta, beside
versions and the like under "langgraph".

Invariants: one put is one commit: objects, record, row in the catalogue, and the move of the
casckpt thread's head. The head is what was put last; where that is no child of the head, the
move is logged as a rewind, so that `undo` and the reflog know the branch that was left.

Imports: errors, ids, format.constants, history (ancestry, events, ledger, meta, names,
notes, placing, pruned, states), storage (engine interface), tree.parts, vault, integrations.langgraph
(catalogue, channels, forms, given, keys, lists, proofs, rivals).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from casckpt.errors import CasckptError, LimitError, PrunedError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.history import names, notes, pruned
from casckpt.history.events import SAVED
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.meta import check_meta
from casckpt.history.placing import Content, Placed, place
from casckpt.history.states import put_meta
from casckpt.ids import ObjectId
from casckpt.integrations.langgraph.catalogue import FACTS, Catalogue, Row, TaskWrites
from casckpt.integrations.langgraph.channels import REST, Channels, Parent
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.given import NewCheckpoint, NewWrites
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.lists import Lists
from casckpt.integrations.langgraph.proofs import Left, Proofs
from casckpt.integrations.langgraph.rivals import check_no_rival
from casckpt.storage.engine import MissingObjects, Ref, RefConflict, RefUpdate
from casckpt.tree.parts import PartBuilder
from casckpt.vault import Draft

__all__ = ["Putter", "head_move"]


class Putter:
    """Writes into one store."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        proofs: Proofs,
        *,
        refuse_silent_forks: bool = False,
    ) -> None:
        self._ledger = ledger
        self._refuses = refuse_silent_forks
        self._catalogue = catalogue
        self._proofs = proofs

    # --- checkpoints -------------------------------------------------------------------------

    def put(self, new: NewCheckpoint, forms: Forms) -> None:
        """Store a checkpoint; one of the same id is replaced.

        Raises:
            ConflictError: another run was first, and silent forks are refused.
            TypeError: a value that the serializer does not know.
            StorageError: disk full, read-only and the like.
        """
        self._catalogue.adopt(new.space)
        for attempt in range(3):
            parent = self._parent(new, fresh=attempt > 0)
            lists = Lists(forms, self._proofs, new.space.thread_id)
            try:
                return self._put(new, forms, parent, lists)
            except (LimitError, UnsupportedValueError, RecursionError):
                return self._put(new, forms, Parent(parent.point), None)
            except MissingObjects as error:
                if attempt == 2:
                    raise PrunedError("collected by gc while it was written") from error
                lists.forget()
                pruned.forget(self._ledger)
        return None

    def _parent(self, new: NewCheckpoint, *, fresh: bool) -> Parent:
        if new.parent_id is None:
            return Parent()
        row = self._catalogue.row(new.space, new.parent_id)
        if row is None:
            return Parent()
        try:
            point = self._ledger.ancestry.point(row.record)
            left = self._proofs.get(new.space.name, point.id)
            if left is not None and not fresh:
                return Parent(point, None, left, left.versions, left.seen)
            record = self._ledger.ancestry.record(row.record)
            facts = self._catalogue.meta(record).get(FACTS, {})
        except PrunedError:
            return Parent()
        if fresh:  # gc took part of its state: use nothing of it
            return Parent(point)
        seen, versions = facts.get("versions_seen", {}), facts.get("channel_versions", {})
        return Parent(point, record, None, versions, seen)

    def _put(self, new: NewCheckpoint, forms: Forms, parent: Parent, lists: Lists | None) -> None:
        ledger = self._ledger
        began = ledger.events.begin(SAVED)
        draft = ledger.vault.draft()
        rest, meta = _facts(new, forms)
        channels = Channels(new, forms, parent, lists)
        settled = channels.put(draft, ledger, rest)
        written = put_meta(draft, ledger.codec, meta)
        now_ns = max(ledger.clock(), 0) if new.created_ns is None else new.created_ns
        content = Content(settled, written, _label(new, parent))
        name = new.space.name
        placed = place(draft, ledger.ancestry, parent.point, content, thread=name, time_ns=now_ns)
        run_id = new.metadata.get("run_id")
        row = Row(
            *(new.space, new.checkpoint["id"], placed.id, new.parent_id),
            run_id if type(run_id) is str else None,
        )
        self._commit(draft, row, placed, new.metadata.get("source"))
        ledger.tell(SAVED, name, ledger.ancestry.keep(*placed), began)
        checkpoint = new.checkpoint
        seen = {
            node: dict(versions) for node, versions in checkpoint.get("versions_seen", {}).items()
        }
        versions = dict(checkpoint.get("channel_versions", {}))
        left = Left(
            placed.id, settled.own or placed.id, versions, seen, channels.lists, channels.made
        )
        self._proofs.keep(name, left)
        if lists is not None:
            lists.keep()

    def _commit(self, draft: Draft, row: Row, placed: Placed, source: Any) -> None:
        ledger, name = self._ledger, row.space.name
        stale = self._catalogue.stale(row)
        ref = ledger.ref(name)
        for _ in range(RETRIES_MAX):
            if self._refuses:
                check_no_rival(ledger, self._catalogue, row, source, ref)
            parent = next(iter(placed.record.parents), None)
            move = head_move(ledger, ref, name, row.record, parent)
            try:
                draft.commit([move, *row.updates(), *stale], add=placed.postings)
            except RefConflict as error:
                ref = error.actual
            else:
                return
        raise crowded(name)

    # --- pending writes ----------------------------------------------------------------------

    def put_writes(self, new: NewWrites, forms: Forms) -> None:
        """Store what a task wrote; raises TypeError for what the serializer does not know."""
        lists = Lists(forms, self._proofs, new.space.thread_id)
        try:
            self._put_writes(new, lists.stored)
        except LimitError:  # too deep for a tree: kept as bytes
            self._put_writes(new, lambda _, value: forms.closed(value))
        except MissingObjects:  # gc took part of a list that began alike
            lists.forget()
            self._put_writes(new, lambda _, value: forms.stored(value))
        else:
            lists.keep()

    def _put_writes(self, new: NewWrites, form: Callable[[str, Any], Any]) -> None:
        stored = tuple((index, name, form(name, value)) for index, name, value in new.writes)
        task = TaskWrites(new.task_id, new.task_path, stored)
        self.put_task(new.space, new.checkpoint_id, task, replace=new.replace)

    def put_task(self, space: Space, checkpoint_id: str, new: TaskWrites, *, replace: bool) -> None:
        """Add what a task wrote: where it wrote something already, that stays, or is replaced.

        The checkpoint need not be there yet. Values may be parts.

        Raises:
            MissingObjects: what a part was to be made of is gone.
        """
        ledger = self._ledger
        self._catalogue.adopt(space)
        name = space.task(checkpoint_id, new.task_id)
        for _ in range(RETRIES_MAX):
            ref = ledger.engine.ref(name)
            writes = {write[0]: write for write in new.writes}
            base = None
            if ref is not None and ref.target is not None:
                base = ref.target
                stored = {write[0]: write for write in self._catalogue.task(base).writes}
                writes = {**stored, **writes} if replace else {**writes, **stored}
            merged = new._replace(writes=tuple(writes[index] for index in sorted(writes)))
            draft = ledger.vault.draft()
            built = PartBuilder(draft, ledger.codec).build_parts(merged.value())
            oid = draft.put(c.KIND_VALUE, built.data, built.links, base)
            try:
                draft.commit([RefUpdate(name, oid, expect=expected(ref))])
            except RefConflict:
                continue
            return
        raise crowded(space.name)


def head_move(
    ledger: Ledger, ref: Ref | None, name: str, target: ObjectId, parent: ObjectId | None
) -> RefUpdate:
    """The move of a thread's head to a checkpoint with this parent; logged unless it is a save."""
    alive = ref is not None and ref.target is not None
    head = ref.target if ref is not None else None
    now_ns = max(ledger.clock(), 0)
    info = ref.info if alive and ref is not None else notes.ThreadOrigin(now_ns).encode()
    log = None if head == parent else notes.Note("rewind").encode()
    return RefUpdate(
        notes.thread_ref(name), target, expect=expected(ref), info=info, log=log, time_ns=now_ns
    )


def _facts(new: NewCheckpoint, forms: Forms) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes into the state because meta does not take it, and the meta."""
    more = {key: value for key, value in new.checkpoint.items() if key != "channel_values"}
    facts = _opened(more, forms)
    metadata = _opened(dict(new.metadata), forms)
    own: dict[str, Any] = {
        "thread_id": new.space.thread_id,
        "checkpoint_ns": new.space.checkpoint_ns,
        "parent_id": new.parent_id,
    }
    if FACTS not in metadata and not own.keys() & facts.keys():
        meta = {**metadata, FACTS: {**facts, **own}}
        if _is_meta(meta):
            return {}, meta
    own |= {"id": new.checkpoint["id"], REST: True}
    kept = {k: v for k, v in metadata.items() if k != FACTS and _is_meta({k: v})}
    rest = {k: v for k, v in metadata.items() if k not in kept}
    meta = {**kept, FACTS: own}
    if not _is_meta(meta):
        meta, rest = {FACTS: own}, metadata
    return {"metadata": rest, "checkpoint": facts}, meta


def _opened(value: dict[str, Any], forms: Forms) -> dict[str, Any]:
    found = forms.clear.stored(value)
    assert type(found) is dict  # noqa: S101 - what is stored for a dict is one
    return found


def _is_meta(meta: dict[str, Any]) -> bool:
    try:
        check_meta(meta)
    except CasckptError:
        return False
    return True


def _label(new: NewCheckpoint, parent: Parent) -> str | None:
    """The nodes that ran in a step of the loop; else where the checkpoint comes from."""
    source = new.metadata.get("source")
    nodes = [
        node
        for node, seen in new.checkpoint.get("versions_seen", {}).items()
        if not node.startswith("__") and seen != parent.seen.get(node)
    ]
    for label in (",".join(sorted(nodes)) if source == "loop" else None, source):
        try:
            if label and names.check_label(label):
                return str(label)
        except CasckptError:
            continue
    return None
