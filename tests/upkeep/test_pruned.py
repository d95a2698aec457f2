"""Pruned checkpoints and upkeep: damage to what is left is found, counts are right, gc decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

import casckpt
from casckpt import Retention
from casckpt.storage.lmdb import index, tables
from casckpt.storage.lmdb.caches import Payloads
from tests.api.conftest import Clock


@pytest.fixture
def store(tmp_path):
    with casckpt.open(tmp_path / "s", durability="none", clock=Clock()) as store:
        run = store.thread("a")
        for number in range(40):
            run.save({"text": [f"{number} {n} " * 30 for n in range(60)]}, label="x", meta={"n": 1})
        run.prune(Retention(keep_last=2))
        yield store


def test_stats_count_what_is_left(store):
    before = store.stats()
    report = store.gc(grace=0, pack=False)
    after = store.stats()
    assert (report.objects_replaced, before.checkpoints, after.checkpoints) == (38, 40, 2)
    assert after.kinds["pruned"].objects == 38
    assert after.stored_bytes < before.stored_bytes / 2
    assert after.states_bytes == sum(c.size for c in store.find())


def test_meta_goes_with_the_state(store):
    checkpoint = store.checkpoint("a@3")
    assert checkpoint.meta == {"n": 1}
    store.gc(grace=0)
    checkpoint = store.checkpoint("a@3")
    for read in (lambda: checkpoint.meta, lambda: checkpoint.root, checkpoint.load):
        with pytest.raises(casckpt.PrunedError, match="pruned"):
            read()
    assert checkpoint.size > 1_000
    assert [c.step for c in store.find(meta={"n": 1}, pruned=True)] == [39, 38]


def test_a_damaged_head_is_found_and_named(store):
    store.gc(grace=0, pack=False)
    space = store._ledger.engine._space
    oid = bytes.fromhex(store.checkpoint("a@20").id)

    def damage(txn):
        with txn.cursor(space.tables.index) as finder:
            key = tables.number_key(index.find(finder, oid))
        row = bytearray(txn.get(key, db=space.tables.rows))
        row[-20] ^= 1
        txn.put(key, bytes(row), db=space.tables.rows)

    space.write(damage)
    space.payloads = Payloads()
    store._ledger.forget()
    report = store.fsck()
    assert not report.ok
    assert any(found.id and oid.hex().startswith(found.id[:32]) for found in report)
    assert store.thread("a").load()["text"][0].startswith("39 0")


def test_the_grace_is_counted_from_the_pruning(store):
    clock = store._ledger.clock
    clock.advance(timedelta(days=3))
    assert store.gc(grace=timedelta(days=4)).objects_replaced == 0
    assert store.thread("a").checkpoint("@0").pruned.collected is False
    assert store.gc(grace=timedelta(days=2)).objects_replaced == 38
    with pytest.raises(casckpt.NotFoundError, match="nothing was pruned"):
        store.thread("a").unprune()


def test_what_is_already_collected_does_not_come_back(store):
    store.gc(grace=timedelta(days=-0))
    run = store.thread("a")
    for move in (lambda: run.fork("b", at="@3"), lambda: run.rewind("@3")):
        with pytest.raises(casckpt.PrunedError, match="has been collected"):
            move()
    assert run.head.step == 39
    assert not store.thread("b").exists


def test_a_mark_outlives_the_memory_of_when_and_why(store):
    """A young head keeps what it points at; the log of prunings is forgotten meanwhile."""
    run = store.thread("a")
    clock = store._ledger.clock
    clock.advance(timedelta(days=30))
    target = bytes.fromhex(run.checkpoint("@7").id)
    from casckpt.storage.engine import RefUpdate

    store._ledger.engine.commit(refs=[RefUpdate("app/me", target)])
    assert store.gc(grace=timedelta(days=1)).objects_replaced == 37
    pruned = run.checkpoint("@7").pruned
    assert (pruned.at, pruned.why, pruned.collected) == (None, "", False)
    with pytest.raises(casckpt.PrunedError, match="a@7"):
        run.load("@7")
    store._ledger.engine.commit(refs=[RefUpdate("app/me", None)])
    assert store.gc(grace=timedelta(days=1)).objects_replaced == 1
    assert not list(store.fsck())


def test_gc_decides_by_prunings_too(store):
    from casckpt.upkeep.garbage import let_go

    ledger = store._ledger
    assert let_go(ledger, after=0, before_ns=ledger.clock()) == 38
