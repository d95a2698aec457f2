"""Making a bundle: what goes into it, and in which order.

Of each thread: the checkpoints that the other side does not have, oldest first; before each,
the objects of its state and meta that are not in the bundle yet; behind each, its tags, if
they were changed after it was saved. What the other side has is told by checkpoints: it has
their histories, and all that those refer to. Of a pruned checkpoint goes what is left of it.

Invariants: the same threads, in the same state, give the same bytes. Memory is one block and
about 150 bytes an object.

Imports: errors, ids, format (constants, records), storage (engine interface), vault, history,
upkeep (contents), bundle (layout, stream, verify).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from casckpt.bundle.layout import BundledThread, Head
from casckpt.bundle.stream import BundleWriter
from casckpt.bundle.verify import Progress
from casckpt.errors import CorruptError, NotFoundError, PrunedError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED, KIND_TAGS
from casckpt.format.records import CheckpointRecord
from casckpt.history import names, notes
from casckpt.history.collected import gone
from casckpt.history.ledger import Ledger
from casckpt.history.left import left_of
from casckpt.history.listing import near_threads
from casckpt.history.notes import ThreadOrigin
from casckpt.ids import ObjectId
from casckpt.storage.engine import StoredObject
from casckpt.upkeep.contents import references
from casckpt.vault import verified

__all__ = ["BundleReport", "create"]

_PAGE = 256


class BundleReport(NamedTuple):
    """What was written into a bundle."""

    threads: tuple[str, ...]
    checkpoints: int
    objects: int
    prerequisites: tuple[str, ...]
    """Ids of checkpoints that a store must have before it can take the bundle in."""
    pruned: int
    """Checkpoints whose states were pruned, and do not go along."""
    payload_bytes: int
    """Of the objects, uncompressed."""
    file_bytes: int


@dataclass
class _Plan:
    threads: list[BundledThread]
    checkpoints: list[ObjectId] = field(default_factory=list)
    """Parents before children."""
    prerequisites: set[ObjectId] = field(default_factory=set)
    moved_tags: dict[ObjectId, ObjectId] = field(default_factory=dict)
    """Checkpoint -> the object with its tags, where they were changed."""


def create(
    ledger: Ledger,
    target: BinaryIO,
    threads: Iterable[str] | None = None,
    *,
    prefix: str = "",
    have: Iterable[ObjectId] = (),
    progress: Progress | None = None,
) -> BundleReport:
    """Write a bundle.

    Args:
        ledger: the store.
        target: where to; written from here on, never sought in.
        threads: names; None: all that begin with `prefix`.
        prefix: see `threads`.
        have: what the other side has: ids of checkpoints (and of tags); those that are not
            stored here tell nothing.
        progress: told the stage, and how many checkpoints are done of how many.

    Raises:
        NotFoundError: no such thread, or none at all.
        PrunedError: something of a history is gone.
    """
    plan = _plan(ledger, _chosen(ledger, threads, prefix), frozenset(have))
    head = Head(tuple(plan.threads), _sorted(plan.prerequisites))
    writer = BundleWriter(target, head)
    walk = _Walk(ledger)
    walk.skip(plan.prerequisites)
    total = len(plan.checkpoints)
    for done, oid in enumerate(plan.checkpoints, 1):
        for stored in walk.new(oid):
            writer.put(stored.kind, stored.payload)
        tags = plan.moved_tags.pop(oid, None)
        if tags is not None:
            writer.put(KIND_TAGS, walk.read(tags).payload)
        if progress is not None:
            progress("bundling", done, total)
    for _, tags in sorted(plan.moved_tags.items()):
        writer.put(KIND_TAGS, walk.read(tags).payload)
    writer.finish()
    return BundleReport(
        threads=tuple(thread.name for thread in plan.threads),
        checkpoints=writer.checkpoints,
        objects=writer.entries,
        prerequisites=tuple(oid.hex() for oid in head.prerequisites),
        pruned=walk.pruned,
        payload_bytes=writer.payload_bytes,
        file_bytes=writer.written_bytes,
    )


def _sorted(ids: set[ObjectId]) -> tuple[ObjectId, ...]:
    return tuple(sorted(ids))


def _chosen(ledger: Ledger, threads: Iterable[str] | None, prefix: str) -> list[BundledThread]:
    if threads is None:
        wanted = list(_all(ledger, prefix))
    else:
        wanted = sorted({names.check_thread_name(name) for name in threads}, key=str.encode)
    chosen = []
    for name in wanted:
        ref = ledger.ref(name)
        if ref is None or ref.target is None:
            near = near_threads(ledger, name)
            raise NotFoundError(f"no thread {name}", thread=name, candidates=near)
        chosen.append(BundledThread(name, ref.target, ThreadOrigin.decode(ref.info)))
    if not chosen:
        raise NotFoundError("there is no thread to bundle", prefix=prefix)
    return chosen


def _all(ledger: Ledger, prefix: str) -> Iterator[str]:
    after: str | None = None
    while page := ledger.engine.refs(notes.thread_ref(prefix), after=after, limit=_PAGE):
        yield from (notes.thread_name(ref.name) for ref in page)
        after = page[-1].name


def _plan(ledger: Ledger, threads: list[BundledThread], have: frozenset[ObjectId]) -> _Plan:
    plan = _Plan(threads)
    theirs = _histories(ledger, have)
    planned: set[ObjectId] = set()
    for thread in threads:
        line = []
        oid: ObjectId | None = thread.head
        while oid is not None and oid not in planned:
            if oid in theirs:
                plan.prerequisites.add(oid)
                break
            line.append(oid)
            oid = ledger.ancestry.point(oid).parent
        plan.checkpoints += reversed(line)
        planned.update(line)
    reached = (
        planned if not plan.prerequisites else planned | _histories(ledger, plan.prerequisites)
    )
    plan.moved_tags = {
        checkpoint: tags
        for checkpoint, tags in _moved_tags(ledger)
        if checkpoint in reached and tags not in have
    }
    return plan


def _histories(ledger: Ledger, heads: Iterable[ObjectId]) -> set[ObjectId]:
    """The checkpoints among `heads` that are stored here, and all before them."""
    known: set[ObjectId] = set()
    for head in heads:
        oid: ObjectId | None = head
        while oid is not None and oid not in known:
            try:
                point = ledger.ancestry.point(oid)
            except (PrunedError, CorruptError):  # not stored here, or not a checkpoint
                break
            known.add(oid)
            oid = point.parent
    return known


def _moved_tags(ledger: Ledger) -> Iterator[tuple[ObjectId, ObjectId]]:
    after: str | None = None
    while page := ledger.engine.refs(notes.TAGS, after=after, limit=_PAGE):
        for ref in page:
            if ref.target is not None:
                yield ObjectId(bytes.fromhex(ref.name.removeprefix(notes.TAGS))), ref.target
        after = page[-1].name


class _Walk:
    """Reads what checkpoints refer to, each object once, children first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._engine = ledger.engine
        self._seen: set[ObjectId] = set()
        self.pruned = 0

    def skip(self, checkpoints: Iterable[ObjectId]) -> None:
        """Take what these refer to (but not their histories) for known."""
        for oid in checkpoints:
            for _ in self.new(oid):
                pass
        self.pruned = 0

    def new(self, checkpoint: ObjectId) -> Iterator[StoredObject]:
        """A checkpoint's objects that were not given yet, then the checkpoint itself."""
        stack: list[tuple[StoredObject, Iterator[StoredObject]]] = []
        self._seen.add(checkpoint)
        left = left_of(self._ledger, self._ledger.ancestry.point(checkpoint))
        if left is not None:
            self.pruned += 1
            yield StoredObject(checkpoint, KIND_PRUNED, left)
            return
        top = self.read(checkpoint)
        stack.append((top, self._below(top)))
        while stack:
            here, below = stack[-1]
            child = next(below, None)
            if child is None:
                stack.pop()
                yield here
            elif child.id not in self._seen:
                self._seen.add(child.id)
                stack.append((child, self._below(child)))

    def read(self, oid: ObjectId) -> StoredObject:
        """One object, verified."""
        return self._read([oid])[0]

    def _below(self, stored: StoredObject) -> Iterator[StoredObject]:
        """The children that are new; of a checkpoint not its parents."""
        ids = references(stored)
        if stored.kind == KIND_CHECKPOINT:
            parents = CheckpointRecord.decode(stored.payload).parents
            ids = [oid for oid in ids if oid not in parents]
        new = [oid for oid in ids if oid not in self._seen]
        for start in range(0, len(new), _PAGE):
            yield from self._read(new[start : start + _PAGE])

    def _read(self, oids: list[ObjectId]) -> list[StoredObject]:
        found = []
        for oid, stored in zip(oids, self._engine.read(oids), strict=True):
            if stored is None:
                raise gone(self._engine, oid)
            verified(oid, stored)
            found.append(stored)
        return found
