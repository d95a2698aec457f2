"""Issue 6, kind 4: session files."""

import json

import pytest

import casckpt
from casckpt import Retention, exchange


def test_kind4_reason_and_stage(store, run):
    saved = run.save(1, label="error", meta={"stage": "act"})
    run.save(2, label="manual", meta={"stage": "act"})
    assert (saved.label, saved.meta["stage"]) == ("error", "act")
    assert list(store.find(label="error", meta={"stage": "act"})) == [saved]


def test_kind4_reference_to_a_parent_session(store):
    monday = store.thread("monday")
    head = monday.save(1)
    tuesday = monday.fork("tuesday")
    tuesday.save(2)
    (info,) = store.threads("tuesday")
    assert (info.forked_from, info.forked_at) == ("monday", head.id)
    assert tuesday.head.common_ancestor(monday.head) == head


def test_kind4_atomic_write(store, run):
    head = run.save({"n": 1})
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save({"n": 2, "long": "x" * 100_000, "bad": object()})
    assert (run.head, run.load(), store.stats().checkpoints) == (head, {"n": 1}, 1)
    with pytest.raises(casckpt.UnsupportedValueError), store.batch():
        run.save([run.save(2), object()])
    assert run.head == head


def test_kind4_only_the_last_n_are_kept(place):
    policy = Retention(keep_last=3)
    with casckpt.open(place, durability="none", retention=policy) as store:
        run = store.thread("t")
        for number in range(200):
            run.save(number)
        stay = [c.step for c in run.log() if c.pruned is None]
        assert stay[:3] == [199, 198, 197]
        assert len(stay) < 50
        run.prune(policy)
        assert [c.step for c in run.log() if c.pruned is None] == [199, 198, 197]


def test_kind4_rollback(run):
    first, last = run.save(1), run.save(2)
    assert run.rewind("~1") == first
    assert run.undo() == last


def test_kind4_progress_in_the_state(run):
    run.save({"progress": {"done": 3, "of": 9}, "messages": ["x"] * 10_000})
    assert run.load(path="progress.done") == 3
    assert run.view()["progress"]["of"] == 9


def test_kind4_errors_are_handled_gracefully(run):
    with pytest.raises(casckpt.CasckptError) as caught:
        run.load()
    assert caught.value.code == "not-found"
    run.save(1)
    with pytest.raises(casckpt.CasckptError, match=r"\$?bad") as caught:
        run.save({"bad": object()})
    assert caught.value.code == "unsupported-value"
    assert run.load() == 1


def test_kind4_an_exception_is_kept_with_the_state(run):
    with pytest.raises(ZeroDivisionError), run.autosave({"n": 1}):
        raise ZeroDivisionError("of the agent")
    assert (run.head.label, run.load()) == ("failed", {"n": 1})
    assert "of the agent" in str(run.head.meta)


def test_kind4_import_of_their_files(tmp_path, store):
    folder = tmp_path / "monday"
    folder.mkdir()
    for number, (reason, stage) in enumerate([("manual", "plan"), ("error", "act")]):
        fields = {
            "timestamp": f"2026-11-21T0{number}:00:00Z",
            "reason": reason,
            "stage": stage,
            "state": {"done": number},
        }
        (folder / f"{number}.json").write_text(json.dumps(fields))
    (folder / "broken.json").write_text("{")
    done = exchange.import_session_files(store, folder)
    assert (done.checkpoints, [skipped.where for skipped in done.skipped]) == (2, ["broken.json"])
    run = store.thread("monday")
    assert [(c.label, c.meta["stage"]) for c in run.log()] == [("error", "act"), ("manual", "plan")]
