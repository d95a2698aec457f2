"""The LMDB engine against the memory engine: the same requests, the same answers."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from casckpt.storage.engine import (
    ABSENT,
    ANY,
    Engine,
    MissingObjects,
    NewObject,
    Posting,
    RefConflict,
    RefUpdate,
)
from casckpt.storage.lmdb import open_lmdb
from casckpt.storage.memory import MemoryEngine
from casckpt.testing.common import new_object, text

NAMES = ["a", "b", "b/c"]
LISTS = [b"x", b"x\0y"]


def universe() -> list[NewObject]:
    """Twenty objects: each the child or base of some later ones."""
    objects: list[NewObject] = []
    for n in range(20):
        children = objects[n // 2 : n // 2 + n % 3]
        base = objects[n - 2] if n > 2 else None
        objects.append(new_object(text(n % 2, 200) + b"%d" % n, children, base, kind=1 + n % 3))
    return objects


OBJECTS = universe()
some_object = st.sampled_from(OBJECTS)
postings = st.builds(
    lambda name, rank, item: Posting(name, rank, item.id),
    st.sampled_from(LISTS), st.integers(0, 5), some_object,
)  # fmt: skip


class Twins(RuleBasedStateMachine):
    """Two engines that must agree."""

    @initialize(young=st.sampled_from([(0, 0), (3, 60), (80, 1920)]))
    def begin(self, young: tuple[int, int]) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("casckpt.storage.lmdb.index.YOUNG_MAX", young[0])
        self.patch.setattr("casckpt.storage.lmdb.young.YOUNG_BYTES_MAX", young[1])
        self.place = tempfile.TemporaryDirectory()
        disk = open_lmdb(Path(self.place.name, "s"), b"header", durability="none")
        self.twins: list[Engine] = [MemoryEngine(b"header"), disk]
        self.seen: list = [ABSENT, ANY]
        self.clock = 0

    def teardown(self) -> None:
        for engine in self.twins:
            engine.close()
        self.place.cleanup()
        self.patch.undo()

    def both(self, call: object) -> object:
        """The common answer, or the common refusal."""
        answers = []
        for engine in self.twins:
            try:
                answers.append(call(engine))
            except (MissingObjects, RefConflict) as error:
                answers.append(error)
        one, two = answers
        assert isinstance(one, Exception) == isinstance(two, Exception), answers
        if not isinstance(one, Exception):
            assert one == two
        elif type(one) is type(two):  # where both reasons hold, either may be told
            assert vars(one) == vars(two)
        return one

    @rule(
        items=st.lists(some_object, max_size=4),
        closed=st.booleans(),
        name=st.sampled_from(NAMES),
        expect=st.integers(0, 50),
        log=st.sampled_from([None, b"note"]),
        delete=st.booleans(),
        add=st.lists(postings, max_size=2),
        remove=st.lists(postings, max_size=1),
    )
    def commit(self, items, closed, name, expect, log, delete, add, remove) -> None:
        if closed:  # with all they need
            wanted: set[bytes] = {item.id for item in items}
            for item in reversed(OBJECTS):
                if item.id in wanted:
                    wanted.update(item.children)
            items = [item for item in OBJECTS if item.id in wanted]
        self.clock += 1
        target = items[-1].id if items and not delete else None
        updates = [
            RefUpdate(name, target, self.seen[expect % len(self.seen)], b"", log, self.clock)
        ]
        answer = self.both(lambda e: e.commit(items, updates, add=add, remove=remove))
        if isinstance(answer, list):
            self.seen.extend(answer)

    @rule(keep=st.integers(0, 10) | st.none(), roots=st.lists(some_object, max_size=2))
    def collect(self, keep, roots) -> None:
        log_keep = None if keep is None else timedelta(microseconds=keep) / 1000

        def gc(engine: Engine) -> object:
            report = engine.gc(
                lambda: [item.id for item in roots], log_keep=log_keep, now_ns=self.clock
            )
            return report.objects_live, report.objects_removed, report.kinds_removed

        self.both(gc)

    @rule(
        name=st.sampled_from(LISTS),
        since=st.none() | st.integers(0, 6),
        until=st.none() | st.integers(0, 6),
        newest_first=st.booleans(),
        after=st.none() | postings,
        limit=st.none() | st.integers(0, 5),
    )
    def find(self, name, since, until, newest_first, after, limit) -> None:
        self.both(
            lambda e: e.postings(
                name,
                since=since,
                until=until,
                newest_first=newest_first,
                after=after,
                limit=limit,
            )
        )

    @rule(before=st.none() | st.integers(0, 30), limit=st.none() | st.integers(0, 5))
    def look_back(self, before, limit) -> None:
        self.both(lambda e: e.log(before=before, limit=limit))

    @invariant()
    def the_same(self) -> None:
        if not hasattr(self, "twins"):
            return
        ids = [item.id for item in OBJECTS]
        self.both(lambda e: [e.ref(name) for name in NAMES])
        self.both(lambda e: e.refs())
        self.both(lambda e: e.read(ids))
        self.both(lambda e: e.missing(ids))
        self.both(lambda e: set(e.objects()))
        self.both(lambda e: list(e.objects(kind=2)))
        self.both(lambda e: e.posting_lists())
        self.both(lambda e: [e.postings_count(name) for name in LISTS])
        self.both(lambda e: [p for p in e.check() if p.severity == "damage"])
        self.both(lambda e: [e.stats()[key] for key in ("objects", "payload_bytes")] and None)


Twins.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestTwins = Twins.TestCase
