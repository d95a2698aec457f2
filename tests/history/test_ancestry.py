"""Ancestors against the obvious way: walking parents."""

import random

import pytest

from casckpt.errors import CorruptError, PrunedError
from casckpt.format.constants import KIND_CHECKPOINT
from casckpt.format.records import CheckpointRecord
from casckpt.history.ancestry import Ancestry, jump_step
from casckpt.ids import object_id


class Shelf:
    """A vault of a dict, that counts what is read."""

    def __init__(self):
        self.payloads = {}
        self.reads = 0

    def read(self, oids):
        self.reads += len(oids)
        if not set(oids) <= self.payloads.keys():
            raise PrunedError("gone")
        return [(KIND_CHECKPOINT, self.payloads[oid]) for oid in oids]


class World:
    """Checkpoints grown at random places, with the parents known."""

    def __init__(self):
        self.shelf = Shelf()
        self.ancestry = Ancestry(self.shelf)
        self.parents = {}
        self.clock = 0

    def grow(self, parent=None, **forged):
        """A new checkpoint after `parent`, some time later."""
        self.clock += random.choice([1, 5, 100])
        fields = {
            "parents": (parent.id,) if parent else (),
            "jump": self.ancestry.jump_for_child(parent) if parent else None,
            "thread": "t",
            "step": parent.step + 1 if parent else 0,
            "created_ns": self.clock,
            "label": None,
            "tags": (),
            "meta": b"\xa0",
            "root": str(self.clock).encode(),
        }
        payload = CheckpointRecord(**fields | forged).encode()
        oid = object_id(KIND_CHECKPOINT, payload)
        self.shelf.payloads[oid] = payload
        self.parents[oid] = parent.id if parent else None
        return self.ancestry.point(oid)

    def line(self, oid):
        """The checkpoint and all before it, newest first."""
        ids = []
        while oid is not None:
            ids.append(oid)
            oid = self.parents[oid]
        return ids


@pytest.fixture
def forest():
    random.seed(20261120)
    world = World()
    points = [world.grow()]
    for _ in range(300):
        # Mostly on from the newest, sometimes a fork, rarely a new root.
        odds = random.random()
        parent = points[-1] if odds < 0.8 else random.choice(points) if odds < 0.98 else None
        points.append(world.grow(parent))
    return world, points


def test_walk_and_ancestor_at_each_step(forest):
    world, points = forest
    for point in points:
        line = world.line(point.id)
        assert [n.id for n in world.ancestry.walk(point)] == line
        for step, oid in enumerate(reversed(line)):
            assert world.ancestry.ancestor(point, step).id == oid
        assert world.ancestry.ancestor(point, point.step + 1) is None
        assert world.ancestry.ancestor(point, -1) is None


def test_is_ancestor_and_common_ancestor(forest):
    world, points = forest
    for _ in range(3_000):
        one, two = random.choice(points), random.choice(points)
        line = world.line(two.id)
        assert world.ancestry.is_ancestor(one, two) == (one.id in line)
        common = next((oid for oid in world.line(one.id) if oid in set(line)), None)
        found = world.ancestry.common_ancestor(one, two)
        assert (found.id if found else None) == common


def test_newest_before_a_time(forest):
    world, points = forest
    for _ in range(500):
        point, until_ns = random.choice(points), random.randrange(world.clock + 2)
        line = map(world.ancestry.point, world.line(point.id))
        expected = next((n for n in line if n.created_ns < until_ns), None)
        assert world.ancestry.newest_before(point, until_ns) == expected


def test_the_jump_is_the_rule_of_myers():
    """As the paper has it, with depths of jumps compared; ours is its closed form."""
    jumps = {0: 0}
    for depth in range(1, 5_000):
        parent = depth - 1
        over = jumps[parent]
        equal = parent - over == over - jumps[over]
        jumps[depth] = jumps[over] if equal and parent else parent
        assert jump_step(depth) == jumps[depth]


def test_a_long_history_is_walked_in_few_reads():
    world = World()
    point = world.grow()
    for _ in range(5_000):
        point = world.grow(point)
    for search in (
        lambda: world.ancestry.ancestor(point, 17),
        lambda: world.ancestry.newest_before(point, 4_000),
        lambda: world.ancestry.common_ancestor(point, world.ancestry.ancestor(point, 2_500)),
    ):
        world.ancestry.forget()
        world.shelf.reads = 0
        assert search() is not None
        assert world.shelf.reads <= 4 * 13  # log2(5,000) < 13


def test_forged_records_fail_and_never_loop():
    world = World()
    first = world.grow()
    second = world.grow(first)
    forged = [
        world.grow(second, step=7),
        world.grow(second, jump=second.id, step=3),
        world.grow(second, created_ns=0),
        world.grow(second, parents=(first.id,)),
    ]
    for point in forged:
        with pytest.raises(CorruptError):
            list(world.ancestry.walk(point))
    with pytest.raises(CorruptError):
        world.ancestry.ancestor(world.grow(second, jump=second.id, step=3), 0)


def test_a_missing_ancestor_is_pruned():
    world = World()
    first = world.grow()
    second = world.grow(first)
    del world.shelf.payloads[first.id]
    world.ancestry.forget()
    walk = world.ancestry.walk(second)
    assert next(walk) == second
    with pytest.raises(PrunedError):
        next(walk)
