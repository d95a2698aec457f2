"""Rows that gc replaces, and writers who took them for a base.

Each race that is too rare for the model test, by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casckpt.ids import CUT, object_id
from casckpt.storage.engine import NewObject, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, caches, commit, open_lmdb, plan, sweep
from casckpt.storage.lmdb import row as rows
from casckpt.storage.lmdb.index import find
from casckpt.testing.common import new_object
from casckpt.testing.replacing import left_of, parted

LINE: list[NewObject] = []
for _number in range(6):
    _own = new_object(b"own %d" % _number)
    LINE += [_own, parted(_number, [_own, *LINE[-1:]], LINE[-1] if LINE else None)]
OLD = LINE[-3]


@pytest.fixture(name="engine")
def engine_(tmp_path: Path) -> Iterator[LmdbEngine]:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    engine.commit(LINE, [RefUpdate("r", LINE[-1].id)])
    yield engine
    engine.close()


def collect(engine: LmdbEngine, until: str | None = None) -> Iterator[str]:
    """Run gc that replaces all of the line but its last; stops before the step `until`."""
    steps = sweep.Collector(
        engine._space,
        tuple,
        dry_run=False,
        keep_since_ns=1 << 63,
        replace=lambda: [left_of(item) for item in LINE[1:-2:2]],
    ).steps()
    for step in steps:
        if step == until:
            break
    return steps


def is_sound(engine: LmdbEngine, new: NewObject) -> bool:
    """Whether a new object and what was replaced can be read, with no memory of before."""
    engine._space.payloads = caches.Payloads()
    stored, old = engine.read([new.id, OLD.id])
    assert stored is not None
    assert old is not None
    return stored.payload == new.payload and old.kind == CUT and not list(engine.check())


def head(engine: LmdbEngine, item: NewObject) -> rows.Head:
    here = engine._space
    with here.reading() as txn, txn.cursor(here.tables.index) as finder:
        seq = find(finder, item.id)
        return rows.parse(seq, txn.get(seq.to_bytes(8, "big"), db=here.tables.rows))


def like(item: NewObject) -> NewObject:
    """An object that is stored as a delta against another one."""
    return new_object(item.payload + b"!", [LINE[-1]], item)


def planned(engine: LmdbEngine, new: NewObject) -> plan.Plan:
    update = [RefUpdate("s", new.id)]
    return plan.plan(engine._space, [new], update, uses=(), add=(), remove=())


def test_a_base_replaced_between_plan_and_commit_is_none(engine: LmdbEngine) -> None:
    new = like(OLD)
    work = planned(engine, new)
    assert work.items[0].base == OLD.id
    list(collect(engine))
    commit.carry_out(engine._space, work)
    assert is_sound(engine, new)


def test_and_if_nobody_looked_it_would_be_noticed(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canary."""
    monkeypatch.setattr(commit._Attempt, "_is_as_planned", lambda *_: True)
    with pytest.raises(Exception, match=r"decode|children|match"):
        assert test_a_base_replaced_between_plan_and_commit_is_none(engine) or "match"


def test_what_another_process_remembers_is_no_base(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not hear that a row was replaced."""
    monkeypatch.setattr(caches.Payloads, "drop", lambda *_: None)
    engine.read([item.id for item in LINE])
    list(collect(engine))
    new = like(OLD)
    commit.carry_out(engine._space, planned(engine, new))
    assert is_sound(engine, new)


@pytest.mark.parametrize("until", ["sweep", "tighten", "purge"])
def test_what_is_left_of_an_object_is_no_base(engine: LmdbEngine, until: str) -> None:
    """It may come to lie as a delta against something else."""
    steps = collect(engine, until)
    new = like(left_of(OLD))
    commit.carry_out(engine._space, planned(engine, new))
    list(steps)
    assert is_sound(engine, new)


def test_a_history_of_what_is_left_is_stored_small(engine: LmdbEngine) -> None:
    """Each against the one before, which holds the id that it names."""
    whole = [head(engine, item) for item in LINE[1:-2:2]]
    list(collect(engine))
    left = [head(engine, item) for item in LINE[1:-2:2]]
    assert [h.depth for h in left] == [0, 1, 2, 3, 4], "small, against the one before"
    assert [len(h.own) for h in left] == [0, 1, 1, 1, 1]
    assert all(b.size < a.size / 4 for a, b in zip(whole, left, strict=True))
    assert head(engine, LINE[-1]).depth <= 5


def test_a_delta_is_moved_to_the_nearest_that_stays(engine: LmdbEngine) -> None:
    """So that it stays small, and no deeper than it says."""
    before = head(engine, LINE[-1])
    middle: Callable[[], list[NewObject]] = lambda: [left_of(LINE[7]), left_of(LINE[9])]  # noqa: E731
    engine.gc(tuple, replace=middle)
    after = head(engine, LINE[-1])
    here = engine._space
    with here.reading() as txn, txn.cursor(here.tables.index) as finder:
        assert after.base == find(finder, LINE[5].id)
    assert 0 < after.depth < before.depth
    assert not list(engine.check())


def test_what_another_process_remembers_does_not_mislead_it(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies as a delta against a replaced row is read right, though the old one is known."""
    monkeypatch.setattr(caches.Payloads, "drop", lambda *_: None)
    known = [item.id for item in LINE[1::4]]
    engine._space.payloads = caches.Payloads()
    engine.read(known)
    with engine._space.payloads._lock:
        entries = engine._space.payloads._entries
        for seq in [seq for seq, entry in entries.items() if entry.id not in known]:
            del entries[seq]
    list(collect(engine))
    for stored, item in zip(engine.read([i.id for i in LINE[1::2]]), LINE[1::2], strict=True):
        assert stored is not None
        assert object_id(stored.kind, stored.payload) == item.id
