"""open(retention=): threads are pruned as they are saved to."""

from __future__ import annotations

from datetime import timedelta

import pytest

import casckpt
from casckpt import Retention
from casckpt.history import pruned, retaining

LAST = Retention(keep_last=10)
EVERY = retaining.EVERY


def fill(thread, count, **more):
    for _ in range(count):
        head = thread.head
        thread.save({"n": 0 if head is None else head.step + 1}, **more)


def kept(thread):
    steps = []
    for checkpoint in thread.log():
        if checkpoint.pruned is None:
            assert checkpoint.load() == {"n": checkpoint.step}
            steps.append(checkpoint.step)
    return steps


@pytest.fixture
def reopen(tmp_path, clock):
    def reopen(**more):
        return casckpt.open(tmp_path / "s", durability="none", clock=clock, **more)

    return reopen


def test_a_thread_keeps_what_the_policy_says_and_what_came_since(place, clock):
    with casckpt.open(place(), durability="none", clock=clock, retention=LAST) as store:
        run = store.thread("a")
        for count in (EVERY - 1, 1, EVERY, 5 * EVERY, 7):
            fill(run, count)
            steps, head = kept(run), run.head.step
            assert steps[:10] == list(range(head, head - 10, -1))[: len(steps)]
            assert len(steps) < 10 + EVERY
        assert run.checkpoint("@3").pruned.why == "keep_last=10"
        assert store.gc(grace=0, pack=False).objects_replaced > 6 * EVERY
        assert not list(store.fsck())
        fill(run, EVERY)
        assert len(kept(run)) < 10 + EVERY


def test_programs_that_save_once_take_their_turns_too(reopen):
    for _ in range(2 * EVERY + 3):
        with reopen(retention=LAST) as store:
            fill(store.thread("a"), 1)
    with reopen() as store:
        assert len(kept(store.thread("a"))) == 10 + 3


def test_what_was_there_before_is_come_to_by_and_by(reopen, monkeypatch):
    monkeypatch.setattr(retaining, "WALK_MAX", 32)
    with reopen() as store:
        fill(store.thread("a"), 4 * EVERY)
        store.thread("a").checkpoint("@7").tag("golden")
    with reopen(retention=LAST) as store:
        before = len(kept(store.thread("a")))
        for _ in range(10):
            fill(store.thread("a"), EVERY)
            now = len(kept(store.thread("a")))
            assert now <= before + EVERY
            before = now
        assert kept(store.thread("a"))[10:] == [7]


def test_each_thread_has_its_policy(place, clock):
    policies = {"": LAST, "logs/": Retention(max_count=2), "logs/all": Retention()}
    with casckpt.open(place(), durability="none", clock=clock, retention=policies) as store:
        for name in ("a", "logs/x", "logs/all"):
            fill(store.thread(name), EVERY)
        assert [len(kept(store.thread(n))) for n in ("a", "logs/x", "logs/all")] == [10, 2, EVERY]


def test_heads_and_tags_and_what_applications_hold_stay(place, clock):
    from casckpt.storage.engine import RefUpdate

    with casckpt.open(place(), durability="none", clock=clock, retention=LAST) as store:
        run = store.thread("a")
        fill(run, 20)
        run.fork("b", at="@4")
        run.checkpoint("@5").tag("golden")
        held = bytes.fromhex(run.checkpoint("@6").id)
        store._ledger.engine.commit(refs=[RefUpdate("app/me", held)])
        fill(run, 2 * EVERY)
        assert kept(run)[-3:] == [6, 5, 4]
        assert store.thread("b").load() == {"n": 4}
        fill(store.thread("b"), 1)
        fill(run, 2 * EVERY)
        assert kept(run)[-2:] == [6, 5]


def test_a_rewound_thread_goes_on(place, clock):
    with casckpt.open(place(), durability="none", clock=clock, retention=LAST) as store:
        run = store.thread("a")
        fill(run, EVERY)
        run.rewind("~5")
        fill(run, 2 * EVERY)
        head = run.head.step
        assert kept(run)[:10] == list(range(head, head - 10, -1))
        assert len(kept(run)) < 10 + EVERY


def test_what_a_batch_saves_counts_when_it_ends(place, clock):
    with casckpt.open(place(), durability="none", clock=clock, retention=LAST) as store:
        with store.batch():
            fill(store.thread("a"), 2 * EVERY)
            fill(store.thread("b"), 3)
        assert len(kept(store.thread("a"))) == 10
        assert len(kept(store.thread("b"))) == 3


def test_a_save_is_never_broken_by_it(place, clock, monkeypatch, caplog):
    monkeypatch.setattr(pruned, "mark", lambda *_: 1 / 0)
    with casckpt.open(place(), durability="none", clock=clock, retention=LAST) as store:
        fill(store.thread("a"), EVERY + 1)
        assert len(kept(store.thread("a"))) == EVERY + 1
    assert "ZeroDivisionError" in caplog.text


def test_ages_are_those_of_the_clock(place, clock):
    policy = Retention(max_age=timedelta(hours=1))
    with casckpt.open(place(), durability="none", clock=clock, retention=policy) as store:
        fill(store.thread("a"), EVERY)
        assert len(kept(store.thread("a"))) == EVERY
        clock.advance(timedelta(hours=2))
        fill(store.thread("a"), EVERY)
        assert len(kept(store.thread("a"))) == EVERY


def test_the_store_is_freed_when_it_is_dropped(place, clock):
    import weakref

    store = casckpt.open(place(), durability="none", clock=clock, retention=LAST)
    ledger = weakref.ref(store._ledger)
    fill(store.thread("a"), 1)
    store.close()
    del store
    assert ledger() is None


def test_what_is_no_policy_is_refused(tmp_path):
    with pytest.raises(casckpt.InvalidInputError, match="policy"):
        casckpt.open(tmp_path / "s", retention=20)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("what", ["tag", "head"])
def test_what_only_the_tags_of_newer_ones_push_out_is_looked_at_too(
    place, clock, monkeypatch, what
):
    monkeypatch.setattr(retaining, "EVERY", 2)
    policy = Retention(keep_last=1, keep_labels=True, max_count=2)
    with casckpt.open(place(), durability="none", clock=clock, retention=policy) as store:
        run = store.thread("a")
        run.save({"n": 0}, label="plan", tags=["golden"] if what == "tag" else [])
        if what == "head":
            run.fork("b")
        fill(run, 1, tags=["seen"])
        fill(run, 2)
        assert kept(run) == [3, 1, 0]
        assert not run.prune(policy, dry_run=True).pruned


def test_a_tagged_head_counts(place, clock, monkeypatch):
    monkeypatch.setattr(retaining, "EVERY", 2)
    policy = Retention(keep_labels=True, max_count=1)
    with casckpt.open(place(), durability="none", clock=clock, retention=policy) as store:
        run = store.thread("a")
        fill(run, 1, label="plan")
        fill(run, 1, tags=["golden"])
        assert kept(run) == [1]


@pytest.mark.parametrize("collected", [False, True])
def test_what_somebody_else_has_pruned_does_not_count(place, clock, monkeypatch, collected):
    monkeypatch.setattr(retaining, "EVERY", 2)
    policy = Retention(keep_last=4)
    with casckpt.open(place(), durability="none", clock=clock, retention=policy) as store:
        run = store.thread("a")
        run.save({"n": 0}, label="plan")
        fill(run, 3)
        run.prune(Retention(keep_last=1, keep_labels=True))
        assert kept(run) == [3, 0]
        if collected:
            store.gc(grace=0)
        fill(run, 2)
        assert kept(run) == [5, 4, 3, 0], "these are the last four that have their states"
        assert run.checkpoint("@1").pruned.why == "keep_last=1 keep_labels"
        if not collected:
            assert len(run.unprune()) == 2
            fill(run, 2)
            assert kept(run) == [7, 6, 5, 4], "what came back counts again"
        assert not list(store.fsck())
