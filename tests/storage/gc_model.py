"""Writers, gc and packing on one store, interleaved at random, one transaction at a time.

A universe of a few dozen objects (children and bases among the earlier ones, so that deltas,
shared children and dedup hits on garbage are common) is stored, referred to, dropped and
stored again, while a gc creeps forward a row or two a step, is abandoned and begun again.
Packing creeps along in the same way, a few rows a block; now and then one of the two is taken
for dead and the other begins. Some objects are in two parts; now and then it is decided that one
loses the second, with its first child, when gc comes by. What the refs reach must be readable at any moment; what they do not reach must be gone
after a quiet gc.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from casckpt.errors import StorageError
from casckpt.ids import CUT, PARTED, ObjectId
from casckpt.storage.engine import MissingObjects, NewObject, Posting, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, commit, files, pack, plan, sweep
from casckpt.storage.lmdb.caches import Payloads
from casckpt.testing.common import new_object, text
from casckpt.testing.replacing import left_of

OBJECTS = 32
REFS = ("a", "b", "c")
DEAD_SIGN = b"999999999|1|0|another boot"


def universe(rng: random.Random) -> list[NewObject]:
    """Objects, children first; those of one family resemble each other."""
    objects: list[NewObject] = []
    families: dict[int, list[NewObject]] = {}
    for number in range(OBJECTS):
        family = rng.randrange(3)
        elder = families.get(family, [])
        base = rng.choice(elder[-2:]) if elder and rng.random() < 0.8 else None
        children: list[NewObject] = []
        if objects and rng.random() < 0.8:
            children = rng.sample(objects, min(len(objects), rng.randrange(1, 5)))
            if base is not None and rng.random() < 0.7:  # begin as the base does
                known = {item.id: item for item in objects}
                children = [known[oid] for oid in base.children] + children
        payload = text(family, 300) + b" %d" % number
        if rng.random() < 0.5:
            payload = b"\x83\x42%02d" % number + payload
            item = new_object(payload, children, base, kind=PARTED)
        else:
            item = new_object(payload, children, base)
        objects.append(item)
        families.setdefault(family, []).append(item)
    return objects


class World:
    """One store, its model, its writers and its gc."""

    def __init__(self, place: Path, template: Path, seed: int) -> None:
        shutil.copytree(template, place)
        self.engine = LmdbEngine(place, read_only=False, durability="none")
        self.space = self.engine._space
        self.rng = random.Random(seed)
        self.objects = universe(self.rng)
        self.by_id = {item.id: item for item in self.objects}
        self.refs: dict[str, ObjectId] = {}
        self.posted: set[Posting] = set()
        self.plans: list[plan.Plan] = []
        self.long_done = 0
        self.long: tuple[commit._Work, list, int] | None = None
        self.gc = None
        self.collector: sweep.Collector | None = None
        self.packing = None
        self.packer: pack.Packer | None = None
        self.rows_packed = 0
        self.unwanted: set[ObjectId] = set()
        """Objects that are to lose their second part."""
        for _ in range(4):
            self.prune()
        self.rows_replaced = 0
        self.whole: dict[str, tuple[ObjectId, int]] = {}
        """Targets of refs that were whole when they were looked at last."""

    def run(self, steps: int) -> None:
        actions = [
            (self.save, 4),
            (self.prepare, 2),
            (self.publish, 3),
            (self.long_commit, 3),
            (self.drop, 2),
            (self.take_up, 2),
            (self.prune, 1.5),
            (self.gc_step, 14),
            (self.gc_crash, 0.3),
            (self.pack_step, 10),
            (self.pack_crash, 0.3),
            (self.steal, 0.2),
        ]
        try:
            for _ in range(steps):
                [action] = self.rng.choices(*zip(*actions, strict=True))
                action()
                if self.rng.random() < 0.4:
                    self.check()
            self.settle()
        finally:
            for work in (self.gc, self.packing):
                if work is not None:
                    work.close()
            self.engine.close()

    # writers

    def closure(self, oid: ObjectId) -> list[NewObject]:
        """The object and all it needs, children first."""
        wanted, todo = set(), [oid]
        while todo:
            oid = todo.pop()
            if oid not in wanted:
                wanted.add(oid)
                todo += self.by_id[oid].children
        return [item for item in self.objects if item.id in wanted]

    def request(self) -> dict:
        """What some writer wants to commit."""
        item = self.rng.choice(self.objects)
        # A writer that trusts what it knows sends one object; a cautious one sends all.
        objects = [item] if self.rng.random() < 0.5 else self.closure(item.id)
        name = self.rng.choice(REFS)
        log = b"" if self.rng.random() < 0.2 else None
        posting = Posting(b"p", self.rng.randrange(4), item.id)
        return {
            "new": objects,
            "refs": [RefUpdate(name, item.id, log=log)],
            "add": [posting],
            "uses": list(item.children),
            "remove": [],
        }

    def done(self, planned: plan.Plan) -> None:
        for update in planned.refs:
            if update.target is None:
                self.refs.pop(update.name, None)
            else:
                self.refs[update.name] = update.target
        self.posted.update(planned.add)

    def save(self) -> None:
        self.prepare()
        self.publish(-1)

    def prepare(self) -> None:
        """The first half of a commit."""
        with suppress(MissingObjects):
            self.plans.append(plan.plan(self.space, **self.request()))

    def publish(self, at: int | None = None) -> None:
        """The second half, perhaps much later."""
        if not self.plans:
            return
        planned = self.plans.pop(self.rng.randrange(len(self.plans)) if at is None else at)
        with suppress(MissingObjects):
            commit.carry_out(self.space, planned)
            self.done(planned)

    def long_commit(self) -> None:
        """One transaction of a commit of several; gc may step in between."""
        if self.long is None:
            if self.plans:
                planned = self.plans.pop()
                parts = [[item] for item in planned.items]
                self.long = commit._Work(self.space, planned), parts, 0
            return
        work, parts, at = self.long
        last = at == len(parts) - 1
        try:
            work.write(parts[at], last=last)
        except MissingObjects:
            work.give_up()
            self.long = None
            return
        self.long = None if last else (work, parts, at + 1)
        if last:
            self.done(work.plan)
            self.long_done += 1

    def drop(self) -> None:
        name = self.rng.choice(REFS)
        log = b"" if self.rng.random() < 0.3 else None
        self.engine.commit(refs=[RefUpdate(name, None, log=log)])
        self.refs.pop(name, None)

    def take_up(self) -> None:
        """A ref moves to whatever is stored, garbage too: a rewind, an undo."""
        item, name = self.rng.choice(self.objects), self.rng.choice(REFS)
        log = b"" if self.rng.random() < 0.5 else None
        with suppress(MissingObjects):
            self.engine.commit(refs=[RefUpdate(name, item.id, log=log)])
            self.refs[name] = item.id

    def prune(self) -> None:
        parted = [item.id for item in self.objects if item.kind == PARTED]
        self.unwanted.add(self.rng.choice(parted))

    def left(self) -> list[NewObject]:
        return [left_of(self.by_id[oid]) for oid in sorted(self.unwanted)]

    # gc

    def gc_step(self) -> None:
        if self.gc is None:
            self.collector = sweep.Collector(
                self.space, lambda: (), dry_run=False, keep_since_ns=1 << 63, replace=self.left
            )
            self.gc = self.collector.steps()
        before = self.collector.replaced
        try:
            if next(self.gc, None) is None:
                self.gc = None
            self.rows_replaced += self.collector.replaced - before
        except StorageError:  # packing is at work, or has taken over
            self.gc = None

    def gc_crash(self) -> None:
        """Its process dies: the sign stays."""
        if self.gc is not None:
            self.collector._end = lambda _txn: None
            self.gc.close()
            self.gc = None
            self.leave_sign()

    def pack_step(self) -> None:
        if self.packing is None:
            self.packer = pack.Packer(self.space, keep=self.rng.randrange(8), seconds_max=None)
            self.packing = self.packer.steps()
        before = self.packer.packed
        try:
            if next(self.packing, None) is None:
                self.packing = None
        except StorageError:  # gc is at work, or has taken over
            self.packing = None
        self.rows_packed += self.packer.packed - before

    def pack_crash(self) -> None:
        if self.packing is not None:
            self.packer._end = lambda _txn: None
            self.packing.close()
            self.packing = None
            self.leave_sign()

    def leave_sign(self) -> None:
        """A sign of somebody who is dead."""
        meta = self.space.tables.meta
        self.space.write(lambda txn: txn.put(b"gc", DEAD_SIGN, db=meta))

    def steal(self) -> None:
        """Who is at work is taken for dead, though alive."""
        if self.gc is not None or self.packing is not None:
            self.leave_sign()

    def quiet_gc(self) -> None:
        self.engine.gc(lambda: (), log_keep=timedelta(0), now_ns=1 << 62, replace=self.left)

    # what must be true

    def reachable(self) -> dict[ObjectId, int]:
        """What the refs reach, through what there is: ids with kinds."""
        found: dict[ObjectId, int] = {}
        todo = [*self.refs.values()]
        while todo:
            page = [oid for oid in dict.fromkeys(todo) if oid not in found]
            todo = []
            for oid, stored in zip(page, self.engine.read(page), strict=True):
                assert stored is not None, "a reachable object is gone"
                whole = self.by_id[oid]
                found[oid] = stored.kind
                if stored.kind == CUT:
                    assert oid in self.unwanted, "nobody wanted that to go"
                    whole = left_of(whole)
                assert stored.payload == whole.payload
                todo += whole.children
        return found

    def check(self) -> None:
        if self.rng.random() < 0.7:
            blocks = self.space.payloads.blocks
            self.space.payloads = Payloads()  # memory must not hide what is lost
            if self.rng.random() < 0.5:
                self.space.payloads.blocks = blocks  # nor mislead
        kinds = self.reachable()
        for name in REFS:
            ref = self.engine.ref(name)
            assert (ref.target if ref else None) == self.refs.get(name)
            if ref and ref.target and self.whole.get(name) == (ref.target, ref.version):
                assert kinds[ref.target] != CUT, "a target has lost its second part"
        self.whole = {
            name: (ref.target, ref.version)
            for name in REFS
            if (ref := self.engine.ref(name)) and ref.target and kinds[ref.target] != CUT
        }
        found = self.engine.postings(b"p")
        assert set(found) <= self.posted, "a posting has come to mean another object"
        damage = [p for p in self.engine.check() if p.severity == "damage"]
        assert not damage

    def settle(self) -> None:
        """Nobody writes: gc must leave what is reachable, and nothing else."""
        while self.gc is not None:
            self.gc_step()
        while self.packing is not None:
            self.pack_step()
        while self.long is not None:
            self.long_commit()
        self.check()
        if self.rng.random() < 0.5:
            self.engine.pack()
        self.quiet_gc()
        self.check()
        left = set(self.engine.objects())
        kinds = self.reachable()
        assert left == kinds.keys(), "garbage is left"
        for oid in kinds.keys() & self.unwanted - set(self.refs.values()):
            assert kinds[oid] == CUT, "a second part is left"
        assert not list(self.engine.check())
        self.engine.commit(refs=[RefUpdate(name, None) for name in REFS])
        self.refs.clear()
        self.quiet_gc()
        assert self.engine.stats()["stored_bytes"] == 0
        assert self.engine.postings_count(b"p") == 0


def template(place: Path) -> Path:
    """An empty store to copy."""
    files.create(place, b"header")
    (place / files.LOCK).unlink(missing_ok=True)
    return place
