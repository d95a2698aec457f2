"""What a bundle must be, checked object by object as it is read.

Every object has the shape of its kind (docs/format.md), stands once, and behind all that it
refers to; every checkpoint's step, time and jump follow from its parent's; every thread's head
is there. What refers out of the bundle does so only if the bundle has prerequisites.

Not judged here, as by no reader that loads: sizes and counts in references, and where chunks
end (`casckpt fsck --level structure` does).

Invariants: nothing is written. Memory is about 150 bytes an object and 500 a checkpoint.

Imports: errors, ids, format (constants, records), storage (engine interface), history (names,
ancestry, left), upkeep (contents), bundle (layout, stream).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import BinaryIO, NamedTuple

from casckpt.bundle.layout import TIME_NS_MAX, Head
from casckpt.bundle.stream import PAYLOAD_BYTES_IN_ALL_MAX, BundleReader, Entry
from casckpt.errors import CasckptError, CorruptError, InvalidInputError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED, KIND_TAGS
from casckpt.format.records import CheckpointRecord, TagsRecord
from casckpt.history import names
from casckpt.history.ancestry import Point, jump_step
from casckpt.history.left import checked_left
from casckpt.ids import ObjectId
from casckpt.storage.engine import StoredObject
from casckpt.upkeep.contents import references

__all__ = [
    "BundleSummary",
    "Checked",
    "Checker",
    "Outside",
    "Progress",
    "check_all",
    "verify",
]

Progress = Callable[[str, int, int], None]
_TOLD_EVERY = 256
_OF_HISTORY = frozenset({KIND_CHECKPOINT, KIND_PRUNED, KIND_TAGS})


class Outside:
    """What is known of objects that are not in the bundle; this one knows nothing."""

    def missing(self, ids: Collection[ObjectId]) -> Collection[ObjectId]:
        """Those that are not there either."""
        del ids
        return ()

    def point(self, oid: ObjectId) -> Point | None:
        """The point of a checkpoint; None: nothing is known."""
        del oid
        return None


class Checked(NamedTuple):
    """An object that is as it must be."""

    id: ObjectId
    kind: int
    payload: bytes
    children: tuple[ObjectId, ...]
    record: CheckpointRecord | None
    """If it is a checkpoint; of one that was pruned, without state and meta."""
    tags: TagsRecord | None
    """If it holds tags."""


class Checker:
    """Checks one object after the other, then the whole."""

    def __init__(self, head: Head, outside: Outside | None = None) -> None:
        """Begin with the head.

        Raises:
            CorruptError: a thread has a name that none may have.
        """
        self._head = head
        self._outside = outside or Outside()
        self._needed = frozenset(head.prerequisites)
        self._kinds: dict[ObjectId, int] = {}
        self._retagged: set[ObjectId] = set()
        self.pruned = 0
        """Checkpoints whose states do not come along."""
        self.points: dict[ObjectId, Point] = {}
        """The checkpoints of the bundle, in its order."""
        self.tagged: list[tuple[int, ObjectId, TagsRecord]] = []
        """Tags changed later: how many checkpoints stand before them, the object, the tags."""
        for thread in head.threads:
            for name in (thread.name, thread.origin.forked_from):
                if name is not None:
                    _check_name(name)

    def check(self, entry: Entry) -> Checked:
        """One object.

        Raises:
            CorruptError: it is not as it must be.
        """
        if entry.id in self._kinds:
            raise CorruptError(f"object {entry.id.hex()[:16]} stands twice")
        record = tags = None
        if entry.kind == KIND_PRUNED:
            record = checked_left(entry.payload).record
            children = record.parents
            self.pruned += 1
        else:
            children = tuple(references(StoredObject(entry.id, entry.kind, entry.payload)))
            if entry.kind == KIND_CHECKPOINT:
                record = CheckpointRecord.decode(entry.payload)
        self._check_children(entry, children, () if record is None else record.parents)
        if record is not None:
            self.points[entry.id] = self._placed(entry.id, record)
        elif entry.kind == KIND_TAGS:
            tags = TagsRecord.decode(entry.payload)
            self._check_tags(tags)
            self.tagged.append((len(self.points), entry.id, tags))
        self._kinds[entry.id] = entry.kind
        return Checked(entry.id, entry.kind, entry.payload, children, record, tags)

    def finish(self) -> None:
        """The whole; raises CorruptError if the head of a thread is not there, or was pruned."""
        for thread in self._head.threads:
            if thread.head not in self.points and thread.head not in self._needed:
                msg = f"the head of {thread.name} is neither in the bundle nor a prerequisite"
                raise CorruptError(msg)
            if self._kinds.get(thread.head) == KIND_PRUNED:
                raise CorruptError(f"of the head of {thread.name} there is no state")

    def _check_children(
        self, entry: Entry, children: tuple[ObjectId, ...], history: tuple[ObjectId, ...]
    ) -> None:
        beyond = [oid for oid in children if oid not in self._kinds]
        missing = beyond if not self._needed else self._outside.missing(beyond) if beyond else ()
        for oid in missing:
            msg = f"object {entry.id.hex()[:16]} refers to {oid.hex()[:16]}, which is missing"
            raise CorruptError(msg)
        if entry.kind == KIND_TAGS:
            history = children
        for oid in children:
            if self._kinds.get(oid) in _OF_HISTORY and oid not in history:
                msg = f"object {entry.id.hex()[:16]} has a checkpoint where a value belongs"
                raise CorruptError(msg)

    def _placed(self, oid: ObjectId, record: CheckpointRecord) -> Point:
        point = Point(
            oid,
            record.parents[0] if record.parents else None,
            record.jump,
            record.thread,
            record.step,
            record.created_ns,
            record.label,
            record.tags,
            key=record.key,
        )
        if record.created_ns > TIME_NS_MAX:
            raise CorruptError(f"the time of checkpoint {oid.hex()[:16]} is out of range")
        if len(record.parents) > 1:
            raise CorruptError(f"checkpoint {oid.hex()[:16]} has more than one parent")
        if point.parent is None:
            return point
        if point.parent not in self.points and point.parent not in self._needed:
            msg = f"the parent of checkpoint {oid.hex()[:16]} is neither there nor a prerequisite"
            raise CorruptError(msg)
        parent = self._point(point.parent)
        if parent is not None:
            if parent.step != point.step - 1 or parent.created_ns >= point.created_ns:
                raise CorruptError(f"checkpoint {oid.hex()[:16]} does not fit its parent")
            jump = self._jump_for_child(parent)
            if jump is not None and jump != point.jump:
                raise CorruptError(f"the jump of checkpoint {oid.hex()[:16]} leads elsewhere")
        return point

    def _jump_for_child(self, parent: Point) -> ObjectId | None:
        """What the record after `parent` jumps to; None: that is not known."""
        target = jump_step(parent.step + 1)
        if target == parent.step or parent.jump is None:
            return parent.id
        over = self._point(parent.jump)
        return None if over is None else over.jump

    def _point(self, oid: ObjectId) -> Point | None:
        return self.points.get(oid) or self._outside.point(oid)

    def _check_tags(self, tags: TagsRecord) -> None:
        if tags.checkpoint in self._retagged:
            raise CorruptError("tags of one checkpoint stand twice")
        self._retagged.add(tags.checkpoint)
        known = tags.checkpoint in self.points
        if not known and (not self._needed or self._outside.missing([tags.checkpoint])):
            raise CorruptError("tags of a checkpoint that is missing")
        try:
            if names.check_tags(tags.tags) != tags.tags:
                raise CorruptError("tags with one twice")
        except InvalidInputError as error:
            raise CorruptError(f"a tag that is none: {error.message}") from None


def _check_name(name: str) -> None:
    try:
        names.check_thread_name(name)
    except InvalidInputError as error:
        raise CorruptError(f"a thread with a name that is none: {error.message}") from None


class BundleSummary(NamedTuple):
    """What a sound bundle holds."""

    threads: tuple[str, ...]
    heads: tuple[str, ...]
    """Ids, in the order of the threads."""
    prerequisites: tuple[str, ...]
    """Ids of checkpoints that a store must have before it can take the bundle in."""
    checkpoints: int
    pruned: int
    """Of these, those whose states were pruned, and do not come along."""
    objects: int
    payload_bytes: int
    """Of the objects, uncompressed."""
    file_bytes: int


def check_all(reader: BundleReader, checker: Checker, progress: Progress | None) -> None:
    """Read and check a bundle to its end; raises as `verify` does."""
    for number, entry in enumerate(reader.entries(), 1):
        try:
            checker.check(entry)
        except CasckptError as error:
            reader.place(error)
        if progress is not None and not number % _TOLD_EVERY:
            progress("verifying", number, 0)
    try:
        checker.finish()
    except CorruptError as error:
        reader.place(error)


def verify(
    source: BinaryIO,
    *,
    bytes_max: int = PAYLOAD_BYTES_IN_ALL_MAX,
    progress: Progress | None = None,
) -> BundleSummary:
    """Read a bundle through, and check all that can be checked without a store.

    Args:
        source: its bytes, from the first.
        bytes_max: payload bytes it may expand to.
        progress: told the stage and how many objects are done (of 0: unknown).

    Raises:
        InvalidInputError: not a bundle.
        FormatVersionError: of a later version.
        CorruptError: damaged, cut off or forged; `details` has the offset.
        LimitError: it expands to more than `bytes_max`.
    """
    reader = BundleReader(source, bytes_max=bytes_max)
    try:
        checker = Checker(reader.head)
    except CorruptError as error:
        reader.place(error)
    check_all(reader, checker, progress)
    return _summary(reader, checker)


def _summary(reader: BundleReader, checker: Checker) -> BundleSummary:
    """What a reader that has come to the end has read."""
    head, end = reader.head, reader.end
    return BundleSummary(
        threads=tuple(thread.name for thread in head.threads),
        heads=tuple(thread.head.hex() for thread in head.threads),
        prerequisites=tuple(oid.hex() for oid in head.prerequisites),
        checkpoints=len(checker.points),
        pruned=checker.pruned,
        objects=0 if end is None else end.entries,
        payload_bytes=0 if end is None else end.payload_bytes,
        file_bytes=reader.offset,
    )
