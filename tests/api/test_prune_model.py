"""Random histories with forks, tags, prunings and gcs, against a plain model.

After pruning and gc every state that was kept loads exactly, and every pruned one raises
PrunedError; the history is whole, and fsck finds nothing.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

import casckpt
from casckpt import Retention
from tests.api.conftest import Clock

POLICIES = [
    Retention(keep_last=1),
    Retention(keep_last=3, keep_labels=True),
    Retention(keep_first=2, keep_every=timedelta(microseconds=40)),
    Retention(max_count=4),
    Retention(max_age=timedelta(microseconds=60), keep_tagged=False),
    Retention(keep_last=2) | Retention(keep_labels=["plan"], keep_tagged=["best"]),
]
DAY = timedelta(days=1)


class World:
    """A store and what must be true of it."""

    def __init__(self, store, clock, seed):
        self.store, self.clock, self.rng = store, clock, random.Random(seed)
        self.states = {}
        self.pruned = {}
        """Ids, with the time of the pruning."""
        self.parents = {}

    def thread(self):
        return self.store.thread(self.rng.choice([t.name for t in self.store.threads()] or ["a"]))

    def save(self):
        thread = self.thread()
        for _ in range(self.rng.randrange(1, 9)):
            head = thread.head
            state = [*self.states[head.id], "more"] if head else []
            if self.rng.random() < 0.2:
                state = ["x" * self.rng.randrange(3000)] * self.rng.randrange(1, 9)
            label = self.rng.choice([None, None, "plan", "done"])
            tags = ["best"] if self.rng.random() < 0.1 else []
            saved = thread.save(state, label=label, tags=tags)
            self.states[saved.id] = state
            self.parents[saved.id] = head.id if head else None

    def any(self):
        return self.store.checkpoint(self.rng.choice(sorted(self.states)))

    def fork(self):
        if not self.states:
            return
        origin, name = self.any(), f"f{len(self.store.threads())}"
        collected = origin.pruned is not None and origin.pruned.collected
        if collected:
            with pytest.raises(casckpt.PrunedError):
                self.store.thread("a").fork(name, origin)
        elif not self.store.thread(name).exists:
            self.store.thread("a").fork(name, origin)
            self.pruned.pop(origin.id, None)

    def tag(self):
        if self.states:
            self.any().tag("best") if self.rng.random() < 0.5 else self.any().untag("best")

    def prune(self):
        if self.states:
            report = self.thread().prune(self.rng.choice(POLICIES))
            heads = {info.head.id for info in self.store.threads()}
            for verdict in report.pruned:
                assert verdict.checkpoint.thread == report.thread
                assert verdict.checkpoint.id not in heads
                self.pruned[verdict.checkpoint.id] = report.time

    def unprune(self):
        try:
            back = self.thread().unprune()
        except casckpt.NotFoundError:
            return
        for checkpoint in back:
            del self.pruned[checkpoint.id]

    def gc(self):
        self.store.gc(grace=self.rng.choice([0, timedelta(microseconds=80), DAY]))

    def pack(self):
        self.store.pack()

    def check(self):
        for info in self.store.threads():
            at = info.head.id
            for checkpoint in info.head and self.store.thread(info.name).log():
                assert checkpoint.id == at
                assert checkpoint.parent == self.parents[at]
                at = self.parents[at]
                self.check_state(checkpoint)
            assert at is None, "the history is whole"
        assert not list(self.store.fsck())

    def check_state(self, checkpoint):
        if checkpoint.id in self.pruned:
            assert checkpoint.pruned is not None
            with pytest.raises(casckpt.PrunedError, match="was pruned"):
                checkpoint.load()
        else:
            assert checkpoint.pruned is None
            assert checkpoint.load() == self.states[checkpoint.id]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_loads_and_what_is_pruned_does_not(place, seed):
    clock = Clock()
    with casckpt.open(place(), durability="none", clock=clock) as store:
        world = World(store, clock, seed)
        actions = [
            world.save,
            world.fork,
            world.tag,
            world.prune,
            world.unprune,
            world.gc,
            world.pack,
        ]
        for _ in range(40):
            world.rng.choices(actions, [6, 2, 1, 3, 1, 2, 0.5])[0]()
            world.check()
        world.prune()
        store.gc(grace=0)
        world.check()
        heads = {info.head.id for info in store.threads()}
        for oid in world.pruned.keys() - heads:
            try:
                left = store.checkpoint(oid)
            except casckpt.NotFoundError:
                continue  # rewound away
            assert left.pruned.collected
        for level in ("books", "data", "structure"):
            assert not list(store.fsck(level=level))
        assert store.reindex() == 0
