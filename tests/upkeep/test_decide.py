"""When upkeep pays: the rules, and the estimate of what was let go."""

import datetime as dt

import pytest

import casckpt
from casckpt.storage.engine import Tally
from casckpt.upkeep import decide, garbage
from casckpt.upkeep.garbage import let_go
from tests.upkeep.damage import Clock

LATE_NS = 1 << 62


@pytest.fixture
def store():
    with casckpt.open("memory:", clock=Clock()) as store:
        yield store


def lost(store, *, after=0, before_ns=LATE_NS):
    return let_go(store._ledger, after=after, before_ns=before_ns)


def saved(store, name, count):
    run = store.thread(name)
    with store.batch():
        for number in range(count):
            run.save(number)
    return run


@pytest.mark.parametrize(
    ("tally", "checkpoints", "run"),
    [
        (Tally(), 0, False),
        (Tally(), 499, False),
        (Tally(), 500, True),
        (Tally(objects=100_000), 1_999, False),
        (Tally(objects=100_000), 2_000, True),
        (Tally(stored_since_gc=49_999), 0, False),
        (Tally(stored_since_gc=50_000), 0, True),
        (Tally(stored_since_gc=50_000, objects_after_gc=50_001), 0, False),
        (Tally(stored_since_gc=60_000, objects_after_gc=60_000), 0, True),
    ],
)
def test_gc_pays(tally, checkpoints, run):
    decision = decide.gc_decision(tally, checkpoints)
    assert (decision.what, decision.run) == ("gc", run)
    assert str(decision).startswith(f"gc: {'yes' if run else 'no'}: ")


@pytest.mark.parametrize(
    ("tally", "run"),
    [
        (Tally(), False),
        (Tally(stored_since_pack=2_000, hot_bytes=(8 << 20) - 1, objects=9_999), False),
        (Tally(stored_since_pack=2_000, hot_bytes=8 << 20, objects=9_999), True),
        (Tally(stored_since_pack=1_024, hot_bytes=80 << 20, objects=9_999), False),
        (Tally(stored_since_pack=20_000, objects=20_000), True),
        (Tally(stored_since_pack=20_000, objects=19_999), False),
        (Tally(stored_since_pack=20_000, objects=1_000_000), True),
        (Tally(stored_since_pack=19_999, hot_bytes=8 << 20, objects=1_000_000), False),
        (Tally(unused_bytes=8 << 20), True),
    ],
)
def test_packing_pays(tally, run):
    assert decide.pack_decision(tally)[:2] == ("pack", run)


def test_compacting_pays():
    mb = 1 << 20
    for free, file, run in ((15, 16, False), (16, 33, False), (16, 32, True), (100, 150, True)):
        tally = Tally(free_bytes=free * mb, file_bytes=file * mb)
        assert decide.compact_decision(tally)[:2] == ("compact", run)


def test_what_rewinds_and_deletions_let_go(store):
    run = saved(store, "a", 30)
    assert lost(store) == 0
    run.rewind("@9")
    assert lost(store) == 20
    fork = run.fork("b", at="@4")
    assert lost(store) == 20
    with store.batch():
        for number in range(7):
            fork.save(["own", number])
    fork.delete()
    assert lost(store) == 27
    saved(store, "c", 11).delete()
    assert lost(store) == 38
    store.checkpoint("a").tag("x")
    assert lost(store) == 38
    run.undo()  # of the rewind
    assert lost(store) == 18
    run.undo()  # of a save
    assert lost(store) == 19
    assert lost(store, after=1) == 0
    assert lost(store, after=99) == 0


def test_only_what_is_too_old_to_be_undone_counts(store):
    clock = store._ledger.clock
    run = saved(store, "a", 30)
    edges = []
    for step in (20, 12, 3):
        run.rewind(f"@{step}")
        edges.append(clock.now_ns + 1)
        clock.advance(dt.timedelta(days=1))
    assert [lost(store, before_ns=edge) for edge in (0, *edges)] == [0, 9, 17, 26]
    assert lost(store, after=1, before_ns=edges[1]) == 8
    store._ledger.engine._log.pop(2)  # gc forgets the log of refs it forgets
    assert [lost(store, before_ns=edge) for edge in (0, *edges)] == [0, 9, 9, 18]


def test_a_few_moves_stand_for_many(store, monkeypatch):
    monkeypatch.setattr(garbage, "SAMPLE", 5)
    asked = []
    step = garbage._let_go_by
    monkeypatch.setattr(garbage, "_let_go_by", lambda *a: asked.append(0) or step(*a))
    for number in range(40):
        saved(store, f"t/{number}", 3).delete()
    assert lost(store) == 120
    assert len(asked) == 5
