"""Checkpoints from elsewhere, put into a store with the times they had.

States are built as any save builds them, many to a commit; the threads move last. So what ends
early, or is malformed somewhere, leaves objects that no thread has, for gc, and nothing else.

Invariants: the same checkpoints come out with the same ids. Times grow along a history. Memory
is one commit, what saves remember of last states, and some 300 bytes a checkpoint. What the
ledger remembers meanwhile is what came, not what is stored (a state may have been pruned here, or
the commit may fail): whoever takes in lets it forget, at the end and on an error.

Imports: casckpt, errors, ids, format, history, storage (engine interface), vault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from casckpt.errors import InvalidInputError, PrunedError, StorageError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED
from casckpt.format.records import CheckpointRecord, PruneNote, TagsRecord
from casckpt.history import keys, names, pruned
from casckpt.history import meta as metas
from casckpt.history.ancestry import Point
from casckpt.history.graft import Grafted, NewThread, check, graft, owner, postings
from casckpt.history.ledger import Ledger
from casckpt.history.left import checked_left
from casckpt.history.notes import ThreadOrigin
from casckpt.history.states import Guides, load, put_meta, put_state
from casckpt.ids import ObjectId
from casckpt.storage.batch import BatchEngine
from casckpt.storage.engine import MissingObjects, Posting

__all__ = ["Come", "Grafter"]

_BATCH_BYTES: Final = 4 << 20
_BATCH_OBJECTS: Final = 500
_STATES_MAX: Final = 4
"""Last states kept whole, for changes to be made to them."""


class Come(NamedTuple):
    """A checkpoint as it came."""

    thread: str
    state: Any
    parent: ObjectId | None
    created_ns: int | None
    """None: now."""
    label: str | None = None
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] | None = None
    key: str | None = None


class Grafter:
    """Stores checkpoints one after the other, then moves threads to them."""

    def __init__(self, ledger: Ledger) -> None:
        if ledger.engine.read_only:
            raise StorageError("the store was opened read-only")
        if isinstance(ledger.engine, BatchEngine):
            msg = "checkpoints are not taken in inside a batch: before it, or after it"
            raise InvalidInputError(msg)
        self._ledger = ledger
        self._draft = ledger.vault.draft()
        self._lists: list[Posting] = []
        self._bytes = 0
        self._guides = Guides()
        self._states: dict[ObjectId, Any] = {}
        self._tagged: list[Point] = []
        self._keyed: list[Point] = []
        """Those with a key that are in no list yet."""
        self._places: dict[ObjectId, int] = {}

    @property
    def checkpoints(self) -> int:
        """How many came."""
        return len(self._places)

    def add(
        self, come: Come, *, exactly: bool = False, agree: Callable[[ObjectId], None] | None = None
    ) -> ObjectId:
        """Store a checkpoint; its parent was added before, or is in the store.

        Args:
            come: the checkpoint.
            exactly: refuse a time that is not later than the parent's, instead of moving it.
            agree: told the id before anything is stored; may raise.

        Raises:
            NotFoundError: there is no such parent.
            InvalidInputError: a name, a tag, a key or meta that may not be.
            UnsupportedValueError: a state that cannot be stored.
        """
        ledger = self._ledger
        names.check_thread_name(come.thread)
        names.check_key(come.key)
        label, tags = names.check_label(come.label), names.check_tags(come.tags)
        facts = metas.check_meta(come.meta)
        parent = None if come.parent is None else ledger.ancestry.point(come.parent)
        if come.key is not None and parent is not None:
            self._check_key(come.key, come.thread, parent)
        before = len(self._draft.objects)
        root = put_state(self._draft, ledger.codec, come.state, self._guides.get(come.thread))
        meta = put_meta(self._draft, ledger.codec, facts)
        record = CheckpointRecord(
            parents=() if parent is None else (parent.id,),
            jump=None if parent is None else ledger.ancestry.jump_for_child(parent),
            thread=come.thread,
            step=0 if parent is None else parent.step + 1,
            created_ns=self._time(come, parent, exactly=exactly),
            label=label,
            tags=tags,
            meta=meta.data,
            root=root.data,
            key=come.key,
        )
        children = (*root.links, *meta.links, *record.parents)
        oid = self._draft.put(KIND_CHECKPOINT, record.encode(), children, come.parent)
        if agree is not None:
            agree(oid)
        new = islice(self._draft.objects.values(), before, None)
        self._bytes += sum(len(item.payload) for item in new)
        self._states[oid] = come.state
        if len(self._states) > _STATES_MAX:
            del self._states[next(iter(self._states))]
        self._placed(oid, record)
        self._guides.keep(come.thread, root.guided(oid, None))
        return oid

    def add_left(self, payload: bytes) -> ObjectId:
        """Store what is left of a pruned checkpoint (`checked_left`), its parent before it."""
        left = checked_left(payload)
        record = left.record
        base = record.parents[0] if record.parents else None
        oid = self._draft.put(KIND_PRUNED, payload, record.parents, base)
        self._placed(oid, record, left.note)
        return oid

    def state(self, checkpoint: ObjectId) -> Any:
        """The state of a checkpoint; not to be changed."""
        if checkpoint in self._states:
            return self._states[checkpoint]
        self._flush()
        ledger = self._ledger
        return load(ledger.vault, ledger.codec, ledger.ancestry.record(checkpoint).root, ())

    def finish(
        self,
        threads: Iterable[tuple[str, ObjectId, ThreadOrigin]],
        retagged: Iterable[TagsRecord] = (),
        *,
        overwrite: bool = False,
    ) -> list[Grafted]:
        """Move the threads to their heads.

        Args:
            threads: name, head and origin of each.
            retagged: tags changed later.
            overwrite: also threads that have gone another way.

        Raises:
            ConflictError: a thread has gone another way; none was moved.
            PrunedError: the state of a head was pruned here, and is gone for good.
        """
        self._flush()
        wanted = list(threads)
        find = owner(self._places, [head for _, head, _ in wanted])
        tagged: list[list[Point]] = [[] for _ in wanted]
        later: list[list[TagsRecord]] = [[] for _ in wanted]
        for point in self._tagged if wanted else ():
            tagged[find(point.id)].append(point)
        for tags in retagged if wanted else ():
            later[find(tags.checkpoint)].append(tags)
        try:
            for name, head, _ in wanted:
                check(self._ledger, name, head, overwrite=overwrite)
            return [
                graft(self._ledger, NewThread(*thread, born, moved), overwrite=overwrite)
                for thread, born, moved in zip(wanted, tagged, later, strict=True)
            ]
        except PrunedError as error:
            if pruned.is_final(error):
                raise
            raise _collected() from error

    def _check_key(self, key: str, thread: str, parent: Point) -> None:
        books = self._ledger.books
        books = books._replace(keyed=[*books.keyed, *self._keyed])
        found = keys.owned(books, key, thread, parent)
        if found is not None:
            raise InvalidInputError(
                f"the thread {thread} has the key {key!r} twice: at step {found.step}, too", key=key
            )

    def _time(self, come: Come, parent: Point | None, *, exactly: bool) -> int:
        earliest = 0 if parent is None else parent.created_ns + 1
        if come.created_ns is None:
            return max(self._ledger.clock(), earliest)
        if come.created_ns >= earliest:
            return come.created_ns
        if exactly:
            raise InvalidInputError("its time is not later than that of its parent")
        return earliest

    def _placed(
        self, oid: ObjectId, record: CheckpointRecord, left: PruneNote | None = None
    ) -> None:
        point = self._ledger.ancestry.keep(oid, record, left)
        if record.tags:
            self._tagged.append(point)
        if record.key is not None:
            self._keyed.append(point)
        self._lists += postings(oid, record)
        self._places.setdefault(oid, len(self._places) + 1)
        if self._bytes >= _BATCH_BYTES or len(self._draft.objects) >= _BATCH_OBJECTS:
            self._flush()

    def _flush(self) -> None:
        if not self._draft.objects:
            return
        try:
            self._draft.commit(add=self._lists)
        except MissingObjects as error:
            self._ledger.forget()
            raise _collected() from error
        self._draft = self._ledger.vault.draft()
        self._lists, self._bytes = [], 0
        self._keyed = []


def _collected() -> StorageError:
    return StorageError("gc removes what is being taken in: try again when it is done")
