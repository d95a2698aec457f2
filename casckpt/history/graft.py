"""Grafting: checkpoints that came from elsewhere become threads here.

Their objects are stored already; what is left is to move a thread's ref, and the refs of tags
that were changed after their checkpoints were saved, in one commit.

Invariants: a head moves forward only, from what it was to a checkpoint that has it in its
history, unless the caller says otherwise; every such move is in the reflog and can be undone.
Tags that were changed here and there are put together: a mark is never lost.

Imports: errors, ids, format (records, constants), storage (engine interface), vault, history.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from casckpt.errors import ConflictError
from casckpt.format.constants import KIND_TAGS, TAGS_MAX
from casckpt.format.records import CheckpointRecord, TagsRecord
from casckpt.history import keys, names, notes, pruned
from casckpt.history.ancestry import Point
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.ids import ObjectId
from casckpt.storage.engine import MissingObjects, Posting, Ref, RefConflict, RefUpdate
from casckpt.vault import Draft

__all__ = ["Grafted", "How", "NewThread", "check", "graft", "owner", "postings"]

How = Literal["new", "forward", "overwritten", "unchanged", "ahead"]
"""What became of a thread: it was not there; its head moved forward; it moved elsewhere; it was
there already; its head here comes after the one that came."""


class Grafted(NamedTuple):
    """A thread that was grafted."""

    name: str
    how: How
    old: ObjectId | None
    head: ObjectId
    """Where the thread is now."""


KIND: Final = "import"
"""What the reflog calls such a move."""


class NewThread(NamedTuple):
    """A thread as it came; its checkpoints are stored, and their `postings`, too."""

    name: str
    head: ObjectId
    origin: ThreadOrigin
    """Where it comes from, if it is new here."""
    tagged: Sequence[Point] = ()
    """Checkpoints that were saved with tags."""
    retagged: Sequence[TagsRecord] = ()
    """Tags changed later."""


def postings(oid: ObjectId, record: CheckpointRecord) -> list[Posting]:
    """The lists that a checkpoint is found by, but for tags: these would keep it from gc."""
    lists = [notes.TIMES]
    if record.label is not None:
        lists.append(notes.label_list(record.label))
    found = [Posting(name, record.created_ns, oid) for name in lists]
    return found + keys.postings(oid, record.thread, record.key)


def graft(ledger: Ledger, new: NewThread, *, overwrite: bool = False) -> Grafted:
    """Make a thread's head a checkpoint that is stored already.

    Args:
        ledger: the store.
        new: the thread.
        overwrite: move a head that is not in the history of the new one, too; and let tags
            that came replace those that were changed here.

    Raises:
        ConflictError: the thread is elsewhere, and may not be overwritten.
        PrunedError: gc has taken something meanwhile, or the head's state was pruned here.
    """
    name = names.check_thread_name(new.name)
    point = ledger.ancestry.point(new.head)
    pruned.refuse(ledger, point)
    for _ in range(RETRIES_MAX):
        ref = ledger.ref(name)
        how = _how(ledger, name, ref, point, overwrite=overwrite)
        move = None
        if how in {"new", "forward", "overwritten"}:
            alive = ref is not None and ref.target is not None
            move = RefUpdate(
                notes.thread_ref(name),
                new.head,
                expect=expected(ref),
                info=ref.info if alive and ref else new.origin.encode(),
                log=Note(KIND).encode(),
                time_ns=ledger.clock(),
                whole=True,
            )
        retagging = _Retagging(ledger)
        for tagged in new.tagged:
            retagging.born(tagged)
        for tags in new.retagged:
            retagging.take(tags, overwrite=overwrite)
        try:
            if move is None:
                retagging.commit([])
            else:
                retagging.commit([move], taken_up=pruned.marks_of(ledger, point))
        except RefConflict:
            continue
        except MissingObjects as error:
            raise pruned.unmet(ledger, error) from None
        if move is not None:
            pruned.revive(ledger, point)
        old = None if ref is None else ref.target
        return Grafted(name, how, old, new.head if move is not None or old is None else old)
    raise crowded(name)


def owner(places: Mapping[ObjectId, int], heads: Sequence[ObjectId]) -> Callable[[ObjectId], int]:
    """Says with which of some threads what belongs to a checkpoint goes: the first to reach it.

    Args:
        places: where checkpoints stand in what came, from 1; missing: they were here before.
        heads: of the threads.
    """
    ends = sorted((places.get(head, 0), number) for number, head in enumerate(heads))

    def find(checkpoint: ObjectId) -> int:
        place = bisect_left(ends, (places.get(checkpoint, 0), 0))
        return ends[min(place, len(ends) - 1)][1]

    return find


def check(ledger: Ledger, name: str, head: ObjectId, *, overwrite: bool = False) -> How:
    """What `graft` would do, now; raises as it does."""
    return _how(ledger, name, ledger.ref(name), ledger.ancestry.point(head), overwrite=overwrite)


def _how(ledger: Ledger, name: str, ref: Ref | None, new: Point, *, overwrite: bool) -> How:
    if ref is None or ref.target is None:
        return "new"
    if ref.target == new.id:
        return "unchanged"
    old = ledger.ancestry.point(ref.target)
    if ledger.ancestry.is_ancestor(old, new):
        return "forward"
    if overwrite:
        return "overwritten"
    if ledger.ancestry.is_ancestor(new, old):
        return "ahead"
    raise ConflictError(
        f"the thread {name} is there already, and has gone another way: overwrite it (it can be"
        " undone), or choose another name",
        thread=name,
        expected=new.id.hex(),
        actual=ref.target.hex(),
    )


class _Retagging:
    """Tags that came from elsewhere, put together with those here."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._draft: Draft = ledger.vault.draft()
        self._moves: list[RefUpdate] = []
        self._add: list[Posting] = []
        self._remove: list[Posting] = []

    def born(self, point: Point) -> None:
        """A checkpoint that was saved with tags: they hold unless they were changed here."""
        if self._ledger.engine.ref(notes.tags_ref(point.id)) is None:
            self._add += _postings(point, point.tags)

    def take(self, came: TagsRecord, *, overwrite: bool) -> None:
        """One checkpoint's."""
        ledger = self._ledger
        point = ledger.ancestry.point(came.checkpoint)
        name = notes.tags_ref(came.checkpoint)
        ref = ledger.engine.ref(name)
        old, new = point.tags, came.tags
        if ref is not None and ref.target is not None:
            old = TagsRecord.decode(ledger.vault.get(ref.target, KIND_TAGS)).tags
            if not overwrite:
                # Marks of both sides, as far as there is room.
                new = tuple(dict.fromkeys((*old, *new)))[:TAGS_MAX]
        if old == new:
            return
        payload = TagsRecord(point.id, new).encode()
        oid = self._draft.put(KIND_TAGS, payload, (point.id,) if new else ())
        self._moves.append(
            RefUpdate(
                name,
                oid,
                expect=expected(ref),
                log=Note("tag", tuple(t for t in new if t not in old)).encode(),
                time_ns=ledger.clock(),
            )
        )
        self._add += _postings(point, [t for t in new if t not in old])
        self._remove += _postings(point, [t for t in old if t not in new])

    def commit(self, moves: list[RefUpdate], *, taken_up: Sequence[Posting] = ()) -> None:
        """Carry it out, with other moves, and with the marks of pruned checkpoints taken off."""
        # What was given when it was saved may have been taken away since.
        taken = set(self._remove)
        add = [posting for posting in self._add if posting not in taken]
        if moves or self._moves or add:
            self._draft.commit([*moves, *self._moves], add=add, remove=[*self._remove, *taken_up])


def _postings(point: Point, tags: Iterable[str]) -> list[Posting]:
    return [Posting(notes.tag_list(tag), point.created_ns, point.id) for tag in tags]
