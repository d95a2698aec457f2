"""What gc leaves in order, and what it remembers: when something went, and by what."""

import datetime as dt
import random

import pytest

import casckpt
from casckpt.history import collected
from casckpt.history.collected import Run
from casckpt.storage.engine import RefUpdate
from tests.upkeep.damage import Clock, fill, opened


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "disk"])
def store(request, clock, tmp_path):
    path = "memory:" if request.param == "memory" else tmp_path / "store"
    with casckpt.open(path, durability="none", clock=clock) as store:
        yield store


def refused(call):
    with pytest.raises(casckpt.PrunedError) as caught:
        call()
    assert isinstance(caught.value, casckpt.NotFoundError)
    return caught.value


def collect(store, clock, days=30):
    """Everything that only old moves reach is removed; the time it happened."""
    clock.advance(dt.timedelta(days=days))
    at = dt.datetime.fromtimestamp(clock.now_ns // 10**9, dt.UTC)
    assert store.gc().objects_removed
    return at.isoformat()


def test_pruned_says_when_and_by_what(store, clock):
    run = store.thread("t")
    keep = run.save({"a": "x" * 3_000})
    gone = run.save({"b": "y" * 3_000})
    run.rewind(keep)
    view = gone.view()
    at = collect(store, clock)
    fork = store.thread("u")
    calls = [
        gone.load,
        gone.view,
        lambda: gone.meta,
        lambda: gone.tag("x"),
        lambda: run.rewind(gone),
    ]
    calls += [lambda: run.load(gone), lambda: run.load(gone.id), lambda: store.checkpoint(gone.id)]
    calls += [lambda: store.checkpoint(gone.id[:10]), lambda: gone.diff(keep), run.undo]
    for call in calls:
        error = refused(call)
        assert f"collected by gc at {at}" in error.message
        assert gone.id[:10] in error.message
        assert (error.details["collected_at"], error.details["collected_by"]) == (at, "gc")
    # What lay below it went with it; of that only the time is known.
    assert f"last at {at}" in refused(lambda: view["b"]).message
    assert keep.load() == {"a": "x" * 3_000}
    assert fork.head is None
    assert list(store.fsck()) == []


def test_what_never_was_is_not_found(store, clock):
    run = store.thread("t")
    run.save([1])
    run.save([2])
    run.rewind("~1")
    collect(store, clock)
    for revision in ("0" * 64, "0123456789"):
        with pytest.raises(casckpt.NotFoundError) as caught:
            store.checkpoint(revision)
        assert not isinstance(caught.value, casckpt.PrunedError)


def test_each_gc_is_remembered(store, clock):
    run = store.thread("t")
    run.save(0)
    seen = []
    for number in range(1, 4):
        gone = run.save(number)
        run.rewind("@0")
        seen.append((gone, collect(store, clock)))
    assert not store.gc(grace=0).objects_removed
    for gone, at in seen:
        assert f"gc at {at}" in refused(gone.load).message
    first, *_ = runs = collected.runs(store._ledger.engine)
    assert [run.checkpoints for run in runs] == [1, 1, 1]
    assert first.grace_us == 14 * 86_400_000_000


def test_a_dry_run_is_not_remembered(store):
    run = store.thread("t")
    gone = [run.save(number) for number in range(3)][-1]
    run.rewind("@0")
    assert store.gc(dry_run=True, grace=0).objects_removed == 2
    assert collected.runs(store._ledger.engine) == []
    assert gone.load() == 2


def test_memory_is_bounded(store):
    engine = store._ledger.engine
    prefixes = bytes(8 * collected.PREFIXES_MAX)
    before = []
    for number in range(collected.RUNS_MAX + 5):
        collected.remember(engine, before, Run(number, 0, 5_000, 5_000, prefixes))
        before = collected.runs(engine)
    assert len(before) == collected.RUNS_MAX
    assert sum(len(run.prefixes) for run in before) == len(prefixes)
    assert len(engine.ref(collected.REF).info) < 40_000
    assert before[0].time_ns == collected.RUNS_MAX + 4
    assert list(store.fsck()) == []


def test_a_memory_that_cannot_be_read_is_forgotten(store):
    engine = store._ledger.engine
    for info in (
        b"",
        b"\xff",
        b"\x81\x01",
        b"\x81\x85\x01\x02\x03\x04\x41x",
        b"\x81\x85\x20\x02\x03\x04\x40",
    ):
        engine.commit(refs=[RefUpdate(collected.REF, None, info=info)])
        assert collected.runs(engine) == []
        assert collected.find(engine, "00") is None


def test_tags_go_with_their_checkpoint(store, clock):
    run = store.thread("t")
    keep, later = run.save(1, tags=["a"]), run.save(2, tags=["b"])
    later.untag("b")
    keep.untag("a")
    run.rewind(keep)
    collect(store, clock)
    assert [ref.name for ref in store._ledger.engine.refs("tags/")] == [f"tags/{keep.id}"]
    assert keep.tags == ()
    refused(lambda: later.tags if later.load() else None)
    assert list(store.fsck(level="structure")) == []
    collect_nothing = store.gc(grace=0)
    assert collect_nothing.objects_removed <= 1  # the TAGS object that the ref had held
    assert list(store.fsck()) == []


def test_what_is_tagged_stays(store, clock):
    run = store.thread("t")
    first = run.save(1)
    at_save, later, twice = run.save(2, tags=["x"]), run.save(3), run.save(4, tags=["y"])
    later.tag("z")
    twice.untag("y")
    twice.tag("w")
    loose = run.save(5)
    run.rewind(first)
    collect(store, clock)
    assert [c.load() for c in (first, at_save, later, twice)] == [1, 2, 3, 4]
    refused(loose.load)
    assert {c.id for c in store.find(tag="w")} == {twice.id}
    assert list(store.fsck(level="structure")) == []


def test_a_full_store_is_clean_after_gc(store):
    made = fill(store)
    states = {c.id: c.load() for c in store.find()}
    store.thread("a").rewind("@7")
    store.thread("b").delete()
    store.thread("c").save([4])
    store.gc(grace=0)
    assert list(store.fsck(level="structure")) == []
    assert {c.id: c.load() for c in store.thread("a").log()} == {
        c.id: states[c.id] for c in made[:8]
    }
    # Those above step 7 were given a tag when they were saved: it keeps them.
    assert made[11].load() == states[made[11].id]


def test_a_store_that_was_collected_tells_others(tmp_path, clock):
    """The memory lies in the store: another process has it, too."""
    path = tmp_path / "store"
    with casckpt.open(path, durability="none", clock=clock) as store:
        run = store.thread("t")
        run.save(1)
        gone = run.save(2)
        run.rewind("@0")
        at = collect(store, clock)
    with opened(path, read_only=True) as store:
        assert at in refused(lambda: store.checkpoint(gone.id)).message


def test_after_gc_and_pack_nothing_is_untidy(tmp_path):
    """Gc leaves rows that others are stored against; packing makes them needless and takes them."""
    clock = Clock()
    with casckpt.open(tmp_path / "store", durability="none", clock=clock) as store:
        run, noise = store.thread("a"), random.Random(1)
        lines = [f"line {noise.random()}" for _ in range(400)]
        for number in range(20):
            lines[number * 15] = f"changed {noise.random()}"
            run.save({"number": number, "lines": lines})
        run.prune(casckpt.Retention(keep_last=2))
        store.gc(grace=0, pack=False)
        assert store._ledger.engine.stats()["bases_only"]["rows"]
        store.pack()
        assert list(store.fsck()) == []
        assert run.load()["lines"] == lines
