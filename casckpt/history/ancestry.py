"""Ancestry: who came before whom, in O(log n) reads of records.

Every record names its parent and one ancestor further back, its `jump`. Jumps follow the
skew-binary numbers (E. W. Myers, "An applicative random-access stack", 1983): a record of
step s jumps back by the smallest term of s written as a greedy sum of 1, 3, 7, 15, ... So
where a jump leads depends on the step alone, any ancestor is reached in O(log n) jumps, and
two lines of history that meet can be compared jump by jump. No index is needed, on any engine.

Invariants: a record's parent has step - 1, its jump has `jump_step(step)`; what is read is
checked against that, so a forged store can fail a walk but never make it endless. Times grow
along a history.

Imports: errors, ids, format (records, constants), vault.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple

from casckpt.errors import CorruptError
from casckpt.format.constants import KIND_CHECKPOINT
from casckpt.format.records import CheckpointRecord
from casckpt.ids import ObjectId
from casckpt.vault import Vault

__all__ = ["Ancestry", "Node", "jump_step"]

CACHE_NODES = 16_384
"""Nodes kept decoded: some 8 MB."""


class Node(NamedTuple):
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

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._cache: OrderedDict[ObjectId, Node] = OrderedDict()
        self._lock = Lock()

    def record(self, oid: ObjectId) -> CheckpointRecord:
        """The whole record.

        Raises:
            PrunedError: it is not stored (any more).
            CorruptError: damaged, or not a checkpoint.
        """
        return CheckpointRecord.decode(self._vault.get(oid, KIND_CHECKPOINT))

    def node(self, oid: ObjectId) -> Node:
        """The record without state and meta; raises as `record` does."""
        node = self._cache.get(oid)
        if node is None:
            node = _node(oid, self.record(oid))
            with self._lock:
                self._cache[oid] = node
                if len(self._cache) > CACHE_NODES:
                    self._cache.popitem(last=False)
        return node

    def nodes(self, oids: list[ObjectId]) -> list[Node]:
        """Several nodes, read together; raises as `record` does."""
        payloads = self._vault.get_many(oids, KIND_CHECKPOINT)
        return [
            _node(oid, CheckpointRecord.decode(payload))
            for oid, payload in zip(oids, payloads, strict=True)
        ]

    def forget(self) -> None:
        """Empty the cache (after gc, so that what was collected is seen to be gone)."""
        with self._lock:
            self._cache.clear()

    def parent(self, node: Node) -> Node | None:
        """The node before this one; None for the first."""
        if node.parent is None:
            return None
        return self._at(node, node.parent, node.step - 1)

    def walk(self, node: Node | None) -> Iterator[Node]:
        """The node and all before it, newest first."""
        while node is not None:
            yield node
            node = self.parent(node)

    def jump_for_child(self, parent: Node) -> ObjectId:
        """What a new record after `parent` jumps to."""
        target = jump_step(parent.step + 1)
        if target == parent.step or parent.jump is None:
            return parent.id
        over = self._jump(parent)
        if over.jump is None or jump_step(over.step) != target:
            raise _broken(over)
        return over.jump

    def ancestor(self, node: Node, step: int) -> Node | None:
        """The ancestor with that step (the node itself included); None if it has none."""
        if step < 0 or step > node.step:
            return None
        while node.step > step:
            far = jump_step(node.step) < step
            node = self._parent(node) if far else self._jump(node)
        return node

    def is_ancestor(self, old: Node, new: Node) -> bool:
        """Whether `old` is `new` or lies in its history."""
        if old.step > new.step or old.created_ns > new.created_ns:
            return False
        found = self.ancestor(new, old.step)
        return found is not None and found.id == old.id

    def common_ancestor(self, one: Node, two: Node) -> Node | None:
        """The newest checkpoint that both have in their histories; None if there is none."""
        step = min(one.step, two.step)
        left, right = self.ancestor(one, step), self.ancestor(two, step)
        while left is not None and right is not None and left.id != right.id:
            if left.jump != right.jump and left.jump is not None and right.jump is not None:
                left, right = self._jump(left), self._jump(right)
            else:
                left, right = self.parent(left), self.parent(right)
        return left if right is not None else None

    def newest_before(self, node: Node, until_ns: int) -> Node | None:
        """The newest of the node's history with created_ns < until_ns; None if there is none."""
        while node.created_ns >= until_ns:
            if node.parent is None:
                return None
            jump = self._jump(node)
            node = jump if jump.created_ns >= until_ns else self._parent(node)
        return node

    def _jump(self, node: Node) -> Node:
        if node.jump is None:
            raise _broken(node)
        return self._at(node, node.jump, jump_step(node.step))

    def _parent(self, node: Node) -> Node:
        parent = self.parent(node)
        if parent is None:
            raise _broken(node)
        return parent

    def _at(self, node: Node, oid: ObjectId, step: int) -> Node:
        found = self.node(oid)
        if found.step != step or found.created_ns >= node.created_ns:
            raise _broken(node)
        return found


def _node(oid: ObjectId, record: CheckpointRecord) -> Node:
    return Node(
        oid,
        record.parents[0] if record.parents else None,
        record.jump,
        record.thread,
        record.step,
        record.created_ns,
        record.label,
        record.tags,
    )


def _broken(node: Node) -> CorruptError:
    return CorruptError(
        f"checkpoint {node.id.hex()[:16]} (step {node.step}) does not fit its parent or jump",
        object=node.id.hex(),
    )
