"""Issue 6, kind 2: an agent checkpoint manager with replay."""

from datetime import timedelta

import pytest

import casckpt
from casckpt import Retention


class Agent:
    def __init__(self, kind="support"):
        self.kind, self.status, self.messages, self.client = kind, "idle", [], object()

    def __snapshot__(self):
        return {"kind": self.kind, "status": self.status, "messages": self.messages}

    @classmethod
    def __restore__(cls, state):
        agent = cls(state["kind"])
        agent.status, agent.messages = state["status"], state["messages"]
        return agent


@pytest.fixture
def bob(store):
    return store.thread("users/bob/run-1")


def stay(run):
    return [c.step for c in run.log() if c.pruned is None]


def test_kind2_save_and_restore_of_live_objects(bob):
    agent = Agent()
    agent.messages.append("Hi")
    saved = bob.save(agent)
    agent.messages.append("more")
    back = bob.load(saved.id, into=Agent)
    assert type(back) is Agent
    assert (back.kind, back.messages) == ("support", ["Hi"])
    assert back.client is not agent.client


def test_kind2_in_memory_with_max_checkpoints():
    with casckpt.open("memory:", retention=Retention(keep_last=3)) as store:
        run = store.thread("t")
        for number in range(50):
            run.save(number)
        run.prune(Retention(keep_last=3))
        assert stay(run) == [49, 48, 47]


def test_kind2_on_disk_with_a_maximum_for_users(tmp_path):
    policy = {"users/": Retention(keep_last=2)}
    with casckpt.open(tmp_path / "s", durability="none", retention=policy) as store:
        for number in range(200):
            store.thread("users/bob").save(number)
            store.thread("system").save(number)
        assert 2 <= len(stay(store.thread("users/bob"))) < 200
        assert stay(store.thread("users/bob"))[:2] == [199, 198]
        assert len(stay(store.thread("system"))) == 200
        for number in range(4):
            assert store.thread("users/bob").load(f"~{min(number, 1)}") == 199 - min(number, 1)


def test_kind2_custom_storage():
    from casckpt.testing import EngineConformance

    assert [name for name in dir(EngineConformance) if name.startswith("test_")]


def test_kind2_automatic_checkpoint_on_every_state_change(bob):
    agent = Agent()
    with bob.autosave(agent) as auto:
        auto.step()
        agent.status = "planning"
        auto.step()
        auto.step()
    assert [c.load(into=Agent).status for c in bob.log()] == ["planning", "idle"]


def test_kind2_list_by_user_with_limit_and_offset(store, bob):
    saved = [bob.save(number) for number in range(3)]
    saved.append(store.thread("users/bob/run-2").save(3))
    store.thread("users/bobby/run").save(4)
    found = list(store.find(prefix="users/bob/", limit=2, offset=1))
    assert found == [saved[2], saved[1]]
    assert list(store.find(prefix="users/bob/", after=found[-1])) == [saved[0]]


def test_kind2_restore_to_a_point_and_retry(bob):
    saved = [bob.save({"n": number}) for number in range(5)]
    point = saved[2].created_at + timedelta(minutes=1)
    found = next(bob.log(until=point, limit=1))
    assert found == saved[2]
    retry = bob.fork("users/bob/retry", at=found)
    retry.save({"n": "again"})
    bob.rewind(found)
    assert (retry.load("~1"), bob.load()) == ({"n": 2}, {"n": 2})
    assert bob.undo() == saved[4]


def test_kind2_compare_two_changed_fields(bob):
    one = bob.save({"status": "idle", "n": 1, "same": 0})
    two = bob.save({"status": "busy", "n": 2, "same": 0})
    assert sorted(str(c.path) for c in one.diff(two)) == ["('n',)", "('status',)"]


def test_kind2_compare_two_old_and_new_status(bob):
    one, two = bob.save({"status": "idle"}), bob.save({"status": "busy"})
    (change,) = one.diff(two, path="status")
    assert (change.old, change.new) == ("idle", "busy")


def test_kind2_filter_by_status_agent_type_and_user(store, bob):
    wanted = bob.save(1, label="failed", meta={"agent": "support"})
    bob.save(2, label="done", meta={"agent": "support"})
    bob.save(3, label="failed", meta={"agent": "coder"})
    store.thread("users/ann/run").save(4, label="failed", meta={"agent": "support"})
    found = store.find(prefix="users/bob/", label="failed", meta={"agent": "support"})
    assert list(found) == [wanted]


def test_kind2_clear_user_history(store, bob):
    bob.save(1)
    store.thread("users/bob/run-2").save(2)
    kept = store.thread("users/ann/run").save(3)
    for info in store.threads("users/bob/"):
        store.thread(info.name).delete()
    store.gc(grace=0)
    assert list(store.find()) == [kept]
    assert store.stats().checkpoints == 1


def test_kind2_cleanup_old_checkpoints_by_max_age_days(store, bob):
    for number in range(100):
        bob.save(number)  # one an hour
    (report,) = store.prune(Retention(max_age=timedelta(days=2)), prefix="users/bob/")
    assert len(report.pruned) == 100 - len(stay(bob))
    assert 24 <= len(stay(bob)) <= 48
    store.gc(grace=0)
    assert bob.checkpoint("@0").pruned.collected


def test_kind2_event_checkpoint_saved(store, bob):
    heard = []
    store.on("saved", lambda event: heard.append((event.thread, event.checkpoint.step)))
    bob.save(1)
    assert heard == [("users/bob/run-1", 0)]


def test_kind2_event_checkpoint_restored(store, bob):
    heard = []
    store.on("loaded", lambda event: heard.append(event.checkpoint))
    saved = bob.save(1)
    bob.load()
    assert heard == [saved]


def test_kind2_checkpoints_before_and_after_workflow_steps(store):
    run = store.thread("jobs/nightly")
    with run.workflow("nightly") as wf:
        wf.step("fetch", lambda: "text")
        wf.step("count", len, "text")
    labels = [c.label for c in run.log()]
    assert labels == ["finished", "count", "fetch", "started"]
    assert run.checkpoint(":count").parent == run.checkpoint(":fetch").id


def test_kind2_a_workflow_resumed_from_a_checkpoint_id(store):
    run, calls = store.thread("jobs/nightly"), []

    def job(at=None):
        with run.workflow("nightly", at=at) as wf:
            for name in ("one", "two", "three"):
                wf.step(name, calls.append, name)
            return wf.thread.name

    job()
    id = run.checkpoint(":one").id
    assert job(at=id) != run.name
    assert calls == ["one", "two", "three", "two", "three"]
