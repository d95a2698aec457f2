"""Ancestry: who came before whom, in O(log n) reads of records.

Every record names its parent and one ancestor further back, its `jump`. Jumps follow the
skew-binary numbers (E. W. Myers, "An applicative random-access stack", 1983): a record of
step s jumps back by the smallest term of s written as a greedy sum of 1, 3, 7, 15, ... So
where a jump leads depends on the step alone, any ancestor is reached in O(log n) jumps, and
two lines of history that meet can be compared jump by jump. No index is needed, on any engine.

Invariants: a record's parent has step - 1, its jump has `jump_step(step)`; what is read is
checked against that, so a forged store can fail a walk but never make it endless. Times grow
along a history.

Imports: errors, ids, format (records, constants), vault, history (lost).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import NamedTuple

from casckpt.errors import CorruptError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_NAMES, KIND_PRUNED
from casckpt.format.records import CheckpointRecord, PrunedRecord, PruneNote
from casckpt.history.lost import Lost
from casckpt.ids import ObjectId
from casckpt.vault import Vault

__all__ = ["Ancestry", "Point", "jump_step"]

CACHE_POINTS = 16_384
"""Points kept decoded: some 8 MB."""


class Point(NamedTuple):
    """A checkpoint's record without its state and meta: what history is made of."""

    id: ObjectId
    parent: ObjectId | None
    jump: ObjectId | None
    thread: str
    step: int
    created_ns: int
    label: str | None
    tags: tuple[str, ...]
    """As given at save."""
    left: PruneNote | None = None
    """Of one whose state is gone for good: what was noted of that."""
    key: str | None = None
    """The id that the caller gave."""


def jump_step(step: int) -> int:
    """The step of the record that a record of `step` (at least 1) jumps to."""
    rest = step
    while True:
        term = (1 << (rest + 1).bit_length() - 1) - 1  # the greatest 2**k - 1 <= rest
        rest -= term
        if not rest:
            return step - term


class Ancestry:
    """Walks over checkpoint records. Safe to use from several OS threads."""

    def __init__(self, vault: Vault, *, below: Ancestry | None = None) -> None:
        """Walk over the records in a vault.

        Args:
            vault: where they are.
            below: one whose points are stored in this vault as well.
        """
        self._vault = vault
        self._below: Mapping[ObjectId, Point] = {} if below is None else below.cached
        self._cache: OrderedDict[ObjectId, Point] = OrderedDict()
        self._last: tuple[ObjectId, CheckpointRecord] | None = None
        """The record asked for last: who looks for a head asks for its state next."""
        self.gc_seen: int | None = None
        """For `pruned.catch_up`: the version of what is remembered of gc, when it looked last."""
        self._lock = Lock()

    def record(self, oid: ObjectId) -> CheckpointRecord:
        """The whole record.

        Raises:
            PrunedError: it is not stored (any more), or its state is not.
            CorruptError: damaged, or not a checkpoint.
        """
        last = self._last
        if last is None or last[0] != oid:
            record = CheckpointRecord.decode(self._vault.get(oid, KIND_CHECKPOINT))
            last = self._last = oid, record
        return last[1]

    def point(self, oid: ObjectId) -> Point:
        """The record without state and meta, which may be gone.

        Raises:
            PrunedError: nothing is left of it.
            CorruptError: damaged, or not a checkpoint.
        """
        point = self._cache.get(oid) or self._below.get(oid)
        if point is None:
            ((kind, payload),) = self._vault.read((oid,))
            if kind == KIND_CHECKPOINT:
                record = CheckpointRecord.decode(payload)
                self._last = oid, record
                return self.keep(oid, record)
            point = _decoded(oid, kind, payload)
            self._keep(point)
        return point

    def keep(self, oid: ObjectId, record: CheckpointRecord, left: PruneNote | None = None) -> Point:
        """The point of a record that is at hand."""
        point = _point(oid, record, left)
        self._keep(point)
        return point

    @property
    def cached(self) -> Mapping[ObjectId, Point]:
        """The points at hand."""
        return self._cache

    def keep_all(self, other: Ancestry) -> None:
        """All points that another has at hand."""
        for point in other.cached.values():
            self._keep(point)

    def _keep(self, point: Point) -> None:
        with self._lock:
            self._cache[point.id] = point
            if len(self._cache) > CACHE_POINTS:
                self._cache.popitem(last=False)

    def points(self, oids: list[ObjectId]) -> list[Point]:
        """Several points, read together; raises as `point` does."""
        return [
            _decoded(oid, *entry) for oid, entry in zip(oids, self._vault.read(oids), strict=True)
        ]

    def forget(self) -> None:
        """Empty the cache (after gc, so that what was collected is seen to be gone)."""
        with self._lock:
            self._cache.clear()
            self._last = None

    def parent(self, point: Point) -> Point | None:
        """The point before this one; None for the first."""
        if point.parent is None:
            return None
        return self._at(point, point.parent, point.step - 1)

    def walk(self, point: Point | None, *, lost: Lost | None = None) -> Iterator[Point]:
        """The point and all before it, newest first.

        Args:
            point: where it begins.
            lost: told of a record that cannot be read; then the walk goes on with the nearest
                older one that a newer one jumps to. None: it raises.

        Raises:
            CorruptError: a record cannot be read, and there is nobody to tell.
        """
        jumps: list[tuple[int, ObjectId]] = []
        """Where points walked over jump to, the newest last: jumps nest."""
        while point is not None:
            yield point
            if lost is None:
                point = self.parent(point)
                continue
            while jumps and jumps[-1][0] >= point.step:
                jumps.pop()
            if point.jump is not None:
                target = jump_step(point.step)
                if target < point.step - 1 and (not jumps or jumps[-1][0] < target):
                    jumps.append((target, point.jump))
            newer = point
            try:
                point = self.parent(newer)
            except CorruptError as error:
                lost.add(error)
                point = self._beyond(newer, jumps, lost)

    def _beyond(self, point: Point, jumps: list[tuple[int, ObjectId]], lost: Lost) -> Point | None:
        """The nearest point older than the parent that can be read; None: none is known."""
        while jumps:
            step, oid = jumps.pop()
            try:
                found = self._at(point, oid, step)
            except CorruptError as error:
                lost.add(error)
                continue
            if point.step - step > 2:
                msg = f"no way leads to the checkpoints of steps {step + 1} to {point.step - 1}"
                lost.add(CorruptError(f"{msg} of {point.thread}"))
            return found
        msg = f"no way leads from step {point.step} of {point.thread} to those before it"
        lost.add(CorruptError(msg))
        return None

    def jump_for_child(self, parent: Point) -> ObjectId:
        """What a new record after `parent` jumps to."""
        target = jump_step(parent.step + 1)
        if target == parent.step or parent.jump is None:
            return parent.id
        over = self._jump(parent)
        if over.jump is None or jump_step(over.step) != target:
            raise _broken(over)
        return over.jump

    def ancestor(self, point: Point, step: int) -> Point | None:
        """The ancestor with that step (the point itself included); None if it has none."""
        if step < 0 or step > point.step:
            return None
        while point.step > step:
            target = jump_step(point.step)
            if target < step:
                point = self._parent(point)
            elif point.jump is None:
                raise _broken(point)
            else:
                point = self._at(point, point.jump, target)
        return point

    def is_ancestor(self, old: Point, new: Point) -> bool:
        """Whether `old` is `new` or lies in its history."""
        if old.step > new.step or old.created_ns > new.created_ns:
            return False
        found = self.ancestor(new, old.step)
        return found is not None and found.id == old.id

    def common_ancestor(self, one: Point, two: Point) -> Point | None:
        """The newest checkpoint that both have in their histories; None if there is none."""
        step = min(one.step, two.step)
        left, right = self.ancestor(one, step), self.ancestor(two, step)
        while left is not None and right is not None and left.id != right.id:
            if left.jump != right.jump and left.jump is not None and right.jump is not None:
                left, right = self._jump(left), self._jump(right)
            else:
                left, right = self.parent(left), self.parent(right)
        return left if right is not None else None

    def newest_before(self, point: Point, until_ns: int) -> Point | None:
        """The newest of the point's history with created_ns < until_ns; None if there is none."""
        while point.created_ns >= until_ns:
            if point.parent is None:
                return None
            jump = self._jump(point)
            point = jump if jump.created_ns >= until_ns else self._parent(point)
        return point

    def _jump(self, point: Point) -> Point:
        if point.jump is None:
            raise _broken(point)
        return self._at(point, point.jump, jump_step(point.step))

    def _parent(self, point: Point) -> Point:
        parent = self.parent(point)
        if parent is None:
            raise _broken(point)
        return parent

    def _at(self, point: Point, oid: ObjectId, step: int) -> Point:
        found = self.point(oid)
        if found.step != step or found.created_ns >= point.created_ns:
            raise _broken(point)
        return found


def _decoded(oid: ObjectId, kind: int, payload: bytes) -> Point:
    if kind == KIND_PRUNED:
        left = PrunedRecord.decode(payload)
        return _point(oid, left.record, left.note)
    if kind != KIND_CHECKPOINT:
        what = KIND_NAMES.get(kind, str(kind))
        msg = f"object {oid.hex()[:16]} is a {what} where a checkpoint belongs"
        raise CorruptError(msg, object=oid.hex())
    return _point(oid, CheckpointRecord.decode(payload))


def _point(oid: ObjectId, record: CheckpointRecord, left: PruneNote | None = None) -> Point:
    return Point(
        oid,
        record.parents[0] if record.parents else None,
        record.jump,
        record.thread,
        record.step,
        record.created_ns,
        record.label,
        record.tags,
        left,
        record.key,
    )


def _broken(point: Point) -> CorruptError:
    return CorruptError(
        f"checkpoint {point.id.hex()[:16]} (step {point.step}) does not fit its parent or jump",
        object=point.id.hex(),
    )
