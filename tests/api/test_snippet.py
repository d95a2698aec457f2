"""The snippet of the library's specification, line by line, and what it promises."""

from datetime import UTC, datetime, timedelta

import pytest

import casckpt


def conversation(step):
    messages = [{"role": "user", "content": f"message {n}"} for n in range(step + 1)]
    return {"messages": messages, "step": step}


@pytest.fixture
def opened(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = casckpt.open("agents.casckpt" if place() != "memory:" else "memory:")
    run = store.thread("support/alice")
    for step in range(17):
        run.save(conversation(step))
    plan = run.save(conversation(17), label="planned", tags=["green"], meta={"cost": 0.02})
    for step in range(18, 21):
        run.save(conversation(step))
    yield store, run, plan
    store.close()


def test_loading(opened):
    _, run, plan = opened
    state = run.load()
    assert state == conversation(20)
    assert state is not run.load()
    assert run.load("~2") == conversation(18)
    assert run.load("@17") == run.load(":planned") == run.load(plan.id[:8]) == conversation(17)
    assert run.load(path=["messages", -1, "content"]) == "message 20"
    view = run.view()
    assert view["messages"][-1]["content"] == "message 20"
    assert len(view["messages"]) == 21


def test_the_log(opened):
    _, run, plan = opened
    seen = []
    for c in run.log(limit=20):
        assert len(c.id) == 64
        assert c.thread == "support/alice"
        assert c.created_at.tzinfo is UTC
        assert c.load() == conversation(c.step)
        assert c.view()["step"] == c.step
        assert bool(list(c.diff(plan))) == (c != plan)
        seen.append((c.step, c.label, c.tags, c.meta))
    assert [s[0] for s in seen] == list(range(20, 0, -1))
    assert seen[3] == (17, "planned", ("green",), {"cost": 0.02})
    first = run.checkpoint("@0")
    assert first.parent is None
    assert run.checkpoint("@1").parent == first.id


def test_moving_and_comparing(opened):
    store, run, plan = opened
    state = run.load()
    trial = run.fork("support/alice-b", at=":planned")
    assert trial.head == plan
    run.rewind("~3")
    assert run.head == plan
    run.undo()
    assert [move.kind for move in run.reflog(limit=3)] == ["undo", "rewind", "save"]
    with pytest.raises(casckpt.ConflictError):
        run.save(state, expect=plan)
    changes = list(store.diff(plan, run.head))
    assert {change.op for change in changes} == {"add", "replace"}
    assert {change.path[0] for change in changes} == {"messages", "step"}
    (step,) = [change for change in changes if change.path == ("step",)]
    assert (step.op, step.old, step.new) == ("replace", 17, 20)


def test_finding(opened):
    store, run, plan = opened
    run.fork("support/alice-b", at=":planned")
    assert store.checkpoint("support/alice~2").step == 18
    assert store.checkpoint("support/alice:planned") == plan
    assert store.checkpoint(plan.id[:8]) == plan
    found = store.find(
        thread="support/alice",
        prefix="support/",
        label="planned",
        tag="green",
        meta={"cost": 0.02},
        since=plan.created_at,
        until=datetime.now(UTC) + timedelta(seconds=1),
        limit=10,
    )
    assert list(found) == [plan]
    plan.tag("golden")
    assert list(store.find(tag="golden")) == [plan]
    plan.untag("golden")
    assert list(store.find(tag="golden")) == []
    infos = store.threads(prefix="support/")
    assert [(t.name, t.head, t.step, t.forked_from) for t in infos] == [
        ("support/alice", run.head, 20, None),
        ("support/alice-b", plan, 17, "support/alice"),
    ]
    assert infos[0].created <= infos[0].updated <= infos[1].updated


def test_the_end(opened):
    store, run, _ = opened
    trial = run.fork("support/alice-b", at=":planned")
    run.delete()
    assert store.gc(dry_run=True).objects_removed == 0
    assert store.gc(grace=timedelta(0), dry_run=True).objects_removed > 0
    assert store.gc().objects_removed == 0
    assert store.gc(grace=0).objects_removed > 0
    assert trial.load() == conversation(17)
    assert list(store.fsck()) == []
    assert store.stats().checkpoints == 18
