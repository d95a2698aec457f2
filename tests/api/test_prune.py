"""Pruning: what a policy lets go is gone for readers, its record stays, and it can come back."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

import casckpt
import casckpt.exchange
from casckpt import Retention
from casckpt.history import pruned, pruning

LAST = Retention(keep_last=1)
DAY = timedelta(days=1)


@pytest.fixture
def run(store):
    """Ten states; step 4 is tagged."""
    run = store.thread("a")
    for step in range(10):
        run.save({"n": step}, label=f"l{step % 3}", tags=["keep"] if step == 4 else [])
    return run


def steps(checkpoints):
    return [checkpoint.step for checkpoint in checkpoints]


def readable(thread):
    """The steps of a thread's history whose states can be read, which must be the right ones."""
    found = []
    for checkpoint in thread.log():
        try:
            state = checkpoint.load()
        except casckpt.PrunedError:
            assert checkpoint.pruned is not None
        else:
            assert checkpoint.pruned is None
            assert state == {"n": checkpoint.step}
            found.append(checkpoint.step)
    return found


def test_what_no_rule_keeps_is_pruned(run):
    report = run.prune(LAST)
    assert steps(v.checkpoint for v in report.kept) == [9, 4]
    assert steps(v.checkpoint for v in report.pruned) == [8, 7, 6, 5, 3, 2, 1, 0]
    assert readable(run) == [9, 4]
    assert steps(run.log()) == list(range(9, -1, -1))


def test_a_dry_run_says_the_same_and_does_nothing(run):
    dry = run.prune(LAST, dry_run=True)
    assert readable(run) == list(range(9, -1, -1))
    wet = run.prune(LAST)
    ids = [[v.checkpoint.id for v in report.pruned] for report in (dry, wet)]
    assert ids[0] == ids[1]
    assert (dry.dry_run, wet.dry_run) == (True, False)


def test_the_error_says_when_and_why(run, clock):
    clock.advance(DAY)
    report = run.prune(LAST)
    with pytest.raises(casckpt.PrunedError, match=r"a@8.*keep_last=1.*unprune") as caught:
        run.load("~1")
    details = caught.value.details
    assert details["pruned_by"] == "keep_last=1"
    assert details["pruned_at"] == report.time.isoformat(timespec="seconds")
    assert details["recoverable"]
    known = run.checkpoint("~1").pruned
    assert (known.at, known.why, known.collected) == (report.time, "keep_last=1", False)
    for read in (lambda c: c.view(), lambda c: c.diff(run.head), run.head.diff):
        with pytest.raises(casckpt.PrunedError, match="a@8"):
            read(run.checkpoint("~1"))


def test_the_record_stays(run):
    before = run.checkpoint("~2")
    facts = [before.id, before.parent, before.label, before.created_at, before.size, before.meta]
    run.prune(LAST)
    after = run.checkpoint("~2")
    assert facts == [
        *(after.id, after.parent, after.label, after.created_at),
        *(after.size, after.meta),
    ]
    assert run.checkpoint("@3").ancestor(1) == run.checkpoint("@1")
    assert run.checkpoint(":l0").step == 9
    assert run.checkpoint(":l1").step == 7, "names mean what they meant"


def test_find_leaves_out_what_was_pruned(run, store):
    run.prune(LAST)
    assert steps(store.find()) == [9, 4]
    assert steps(store.find(thread="a", label="l0")) == [9]
    assert steps(store.find(label="l0", pruned=True)) == [9, 6, 3, 0]
    assert steps(store.find(meta={"x": 1}, pruned=True)) == []


def test_unprune_takes_back_one_pruning_after_the_other(run, clock):
    run.prune(Retention(keep_last=5))
    clock.advance(DAY)
    run.prune(LAST)
    assert readable(run) == [9, 4]
    assert sorted(steps(run.unprune())) == [5, 6, 7, 8]
    assert readable(run) == [9, 8, 7, 6, 5, 4]
    assert sorted(steps(run.unprune())) == [0, 1, 2, 3]
    assert readable(run) == list(range(9, -1, -1))
    with pytest.raises(casckpt.NotFoundError, match="nothing was pruned of a"):
        run.unprune()
    run.prune(LAST)
    assert readable(run) == [9, 4]


def test_more_than_fits_one_commit_is_one_pruning(run, monkeypatch):
    monkeypatch.setattr(pruned, "MARKS_MAX", 3)
    run.prune(LAST)
    assert readable(run) == [9, 4]
    assert len(run.unprune()) == 8
    assert readable(run) == list(range(9, -1, -1))


def test_heads_of_other_threads_stay(run):
    fork = run.fork("b", at="@2")
    run.prune(LAST)
    assert readable(run) == [9, 4, 2]
    fork.save({"n": 3})
    assert readable(fork) == [3, 2]
    run.prune(LAST)
    assert readable(fork) == [3], "what it stood at belongs to the thread it was saved in"


def test_a_fork_takes_only_what_is_its_own(run):
    fork = run.fork("b", at="@5")
    for step in range(6, 9):
        fork.save({"n": step})
    report = fork.prune(Retention(max_count=0, keep_tagged=False))
    assert steps(v.checkpoint for v in report.pruned) == [7, 6]
    assert readable(run) == list(range(9, -1, -1))
    assert readable(fork) == [8, 5, 4, 3, 2, 1, 0]


def test_keep_first_begins_where_the_thread_does(run):
    fork = run.fork("b", at="@5")
    for step in range(6, 12):
        fork.save({"n": step})
    report = fork.prune(Retention(keep_first=2))
    assert steps(v.checkpoint for v in report.kept) == [11, 7, 6]


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed after the move"])
@pytest.mark.parametrize("how", ["fork", "rewind", "undo"])
def test_moving_to_a_pruned_checkpoint_takes_it_up_again(run, monkeypatch, how, killed):
    """In one commit: gc would take the state of a head that is still marked."""
    if killed:
        monkeypatch.setattr(pruned, "revive", lambda *_: None)
    run.prune(LAST)
    if how == "fork":
        assert run.fork("b", at="~1").load() == {"n": 8}
    elif how == "rewind":
        run.rewind("~1")
        assert run.load() == {"n": 8}
    else:
        run.undo()
        assert run.load() == {"n": 8}
    assert run.checkpoint("@8").pruned is None


def test_a_fork_made_while_pruning_keeps_its_head(run, monkeypatch):
    """It looks before the marks are there, and moves after they are; or the other way round."""
    real = pruned.mark

    def mark(ledger, thread, points, *rest):
        monkeypatch.setattr(pruned, "mark", real)
        run.fork("b", at="@3")
        return real(ledger, thread, points, *rest)

    monkeypatch.setattr(pruned, "mark", mark)
    report = run.prune(LAST)
    assert 3 not in steps(v.checkpoint for v in report.pruned)
    assert readable(run) == [9, 4, 3]


def test_applications_hold_what_their_refs_point_at(run, store):
    from casckpt.storage.engine import RefUpdate

    ledger = store._ledger
    target = bytes.fromhex(run.checkpoint("@6").id)
    ledger.engine.commit(refs=[RefUpdate("app/me/x", target)])
    report = run.prune(LAST)
    assert readable(run) == [9, 6, 4]
    assert [v.reasons for v in report.kept][1] == ("held by app/me/x",)
    assert pruning.held(ledger).held[target] == "held by app/me/x"


def test_time_never_runs_backwards(run, clock):
    """A clock that was set back makes nothing younger than it was at the head."""
    clock.advance(-10 * DAY)
    report = run.prune(Retention(max_age=timedelta(microseconds=4)), dry_run=True)
    assert steps(v.checkpoint for v in report.kept) == [9, 8, 7, 6, 5, 4]


def test_tags_given_later_keep_and_removed_ones_do_not(run):
    run.checkpoint("@2").tag("later")
    run.checkpoint("@4").untag("keep")
    run.prune(LAST)
    assert readable(run) == [9, 2]
    run.prune(Retention(keep_last=1, keep_tagged=["other"]))
    assert readable(run) == [9]


def test_all_threads_by_prefix(store):
    for name in ("a/x", "a/y", "b"):
        for step in range(4):
            store.thread(name).save({"n": step})
    reports = store.prune({"": Retention(keep_last=3), "a/": LAST})
    assert [(r.thread, len(r.pruned)) for r in reports] == [("a/x", 3), ("a/y", 3), ("b", 1)]
    assert store.prune({"c": LAST}) == []
    assert [r.thread for r in store.prune(LAST, prefix="b", dry_run=True)] == ["b"]
    assert readable(store.thread("a/x")) == [3]


def test_pruning_is_refused_inside_a_batch(run, store):
    with pytest.raises(casckpt.InvalidInputError, match="batch"), store.batch():
        run.prune(LAST)
    assert readable(run) == list(range(9, -1, -1))


def test_pruning_twice_finds_nothing_more(run):
    run.prune(LAST)
    report = run.prune(LAST)
    assert (len(report.kept), report.pruned) == (2, ())


def test_a_report_as_json(run):
    fields = run.prune(LAST, dry_run=True).to_dict()
    assert (fields["thread"], fields["policy"], fields["dry_run"]) == ("a", "keep_last=1", True)
    assert fields["kept"][1] == {
        "id": run.checkpoint("@4").id,
        "step": 4,
        "reasons": ["tag keep"],
    }


def test_an_event_tells_of_it(run, store):
    told = []
    store.on("pruned", told.append)
    run.prune(LAST, dry_run=True)
    run.prune(LAST)
    run.prune(LAST)
    (event,) = told
    assert (event.thread, event.checkpoint.step) == ("a", 9)
    assert event.details == {"count": 8, "policy": "keep_last=1"}


def test_bad_calls(run, store):
    with pytest.raises(casckpt.NotFoundError, match="no thread nobody"):
        store.thread("nobody").prune(LAST)
    with pytest.raises(casckpt.InvalidInputError, match="a policy is a"):
        run.prune(20)
    with pytest.raises(casckpt.InvalidInputError, match="prefixes"):
        store.prune({1: LAST})
    with pytest.raises(casckpt.InvalidInputError, match="a policy is a"):
        store.prune({"a": 3})


def test_a_store_with_marks_is_sound(run, store):
    run.prune(LAST)
    for level in ("books", "data", "structure"):
        assert not list(store.fsck(level=level))
    assert store.reindex() == 0
    assert readable(run) == [9, 4], "reindex leaves marks alone"


def test_what_another_handle_has_collected_is_not_pruned_again(tmp_path):
    with (
        casckpt.open(tmp_path / "s", durability="none") as one,
        casckpt.open(tmp_path / "s", durability="none") as other,
    ):
        run = one.thread("a")
        for number in range(6):
            run.save(number, label="plan" if not number else None)
        assert len(list(run.log())) == 6
        other.thread("a").prune(Retention(keep_last=1, keep_labels=True))
        other.gc(grace=0)
        assert not run.prune(Retention(keep_last=3)).pruned
        assert not one.prune({"": Retention(max_count=2)})[0].pruned
        assert [c.step for c in run.log() if c.pruned is None] == [5, 0]


def bundled(store):
    store.bundles.create(file := io.BytesIO(), ["a"])
    return file.getvalue()


def exported(store):
    casckpt.exchange.export_jsonl(store, file := io.BytesIO(), ["a"])
    return file.getvalue()


@pytest.mark.parametrize(
    "look", [bundled, exported, casckpt.Store.stats, lambda store: store.thread("a").summary()]
)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_another_handle_has_collected_is_known_to_be(tmp_path, look, times):
    with (
        casckpt.open(tmp_path / "s", durability="none") as one,
        casckpt.open(tmp_path / "s", durability="none") as other,
    ):
        run = one.thread("a")
        for number in range(6):
            run.save({"n": number})
        assert [run.load(c) for c in run.log()]
        look(one)
        other.thread("a").prune(Retention(keep_last=2))
        for _ in range(times):
            other.gc(grace=0)
        assert look(one) == look(other)
        with pytest.raises(casckpt.PrunedError):
            run.load("@0")
