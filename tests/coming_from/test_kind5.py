"""Issue 6, kind 5: a thread checkpoint store (Rust)."""

from datetime import UTC, timedelta

import pytest

import casckpt
from casckpt import Retention
from casckpt.storage.memory import MemoryEngine
from casckpt.testing import EngineConformance


def filled(run):
    return [
        run.save({"n": n}, label="odd" if n % 2 else "even", tags=["third"] if n == 3 else [])
        for n in range(6)
    ]


def test_kind5_metadata_id_thread_created_at_parent_step_label_tags(run):
    first = run.save(0)
    saved = run.save(1, label="planned", tags=["a", "b"])
    assert saved.id != first.id
    assert (saved.thread, saved.parent, saved.step) == ("t", first.id, 1)
    assert saved.created_at.tzinfo is UTC
    assert (saved.label, saved.tags) == ("planned", ("a", "b"))


def test_kind5_metadata_state_size(run):
    small, large = run.save("x"), run.save("x" * 10_000)
    assert small.size < 10
    assert large.size > 10_000


def test_kind5_metadata_custom(run):
    assert run.save(1, meta={"cost": 0.5, "model": "small"}).meta == {"cost": 0.5, "model": "small"}


def test_kind5_save(run):
    assert run.save({"n": 1}).load() == {"n": 1}


def test_kind5_save_with_label(run):
    assert run.save(1, label="planned").label == "planned"


def test_kind5_builder(run):
    wanted = {"label": "planned", "tags": ["a"]}
    wanted["meta"] = {"cost": 1}
    saved = run.save({"n": 1}, **wanted)
    assert (saved.label, saved.tags, saved.meta) == ("planned", ("a",), {"cost": 1})


def test_kind5_load(run):
    saved = filled(run)
    assert run.load(saved[2].id) == run.load("@2") == {"n": 2}


def test_kind5_load_latest(run):
    filled(run)
    assert run.load() == {"n": 5}


def test_kind5_history(run):
    saved = filled(run)
    assert list(run.log(limit=2)) == [saved[5], saved[4]]


def test_kind5_fork(run):
    saved = filled(run)
    trial = run.fork("trial", at=saved[2])
    trial.save("other")
    assert (trial.load("~1"), trial.head.step, run.head) == ({"n": 2}, 3, saved[5])


def test_kind5_rewind(run):
    saved = filled(run)
    assert run.rewind(saved[2]) == run.head == saved[2]


def test_kind5_find_by_tag(store, run):
    saved = filled(run)
    saved[1].tag("third")
    assert list(store.find(tag="third")) == [saved[3], saved[1]]


def test_kind5_find_by_label(store, run):
    saved = filled(run)
    assert list(store.find(label="odd")) == [saved[5], saved[3], saved[1]]


def test_kind5_delete_the_newest(store, run):
    saved = filled(run)
    run.rewind("~1")
    store.gc(grace=0)
    with pytest.raises(casckpt.PrunedError):
        store.checkpoint(saved[5].id)


def test_kind5_delete_the_state_of_another(store, run):
    filled(run)
    run.prune(Retention(keep_last=3))
    store.gc(grace=0)
    with pytest.raises(casckpt.PrunedError):
        run.load("@2")
    assert run.load("@3") == {"n": 3}


def test_kind5_delete_thread(store, run):
    filled(run)
    run.delete()
    assert (run.exists, store.threads()) == (False, [])


def test_kind5_count(store, run):
    filled(run)
    assert run.head.step + 1 == store.stats().checkpoints == 6


def test_kind5_list_threads(store):
    for name in ("b", "a/1", "a/2"):
        store.thread(name).save(0)
    assert [info.name for info in store.threads()] == ["a/1", "a/2", "b"]
    assert [info.name for info in store.threads("a/", limit=1, offset=1)] == ["a/2"]


def test_kind5_current_step(run):
    filled(run)
    assert run.head.step == 5


def test_kind5_config_max_checkpoints_per_thread(place):
    with casckpt.open(place, durability="none", retention=Retention(keep_last=100)) as store:
        run = store.thread("t")
        for number in range(400):
            run.save(number)
        stay = [c.step for c in run.log() if c.pruned is None]
        assert stay[:100] == [*range(399, 299, -1)]
        assert len(stay) < 200


def test_kind5_config_auto_checkpoint_interval(run):
    state = {"n": 0}
    with run.autosave(state, every_steps=5) as auto:
        for number in range(12):
            state["n"] = number
            auto.step()
    assert [c.load()["n"] for c in run.log()] == [11, 9, 4]


def test_kind5_config_auto_checkpoint_interval_in_seconds(run):
    state = {"n": 0}
    with run.autosave(state, every_seconds=3 * 3600) as auto:  # the clock goes on by hours
        for number in range(20):
            state["n"] = number
            auto.step()
    assert 2 < run.summary().checkpoints < 20


def test_kind5_config_compress(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        store.thread("t").save({"text": "the same words again " * 5_000})
        found = store.stats()
        assert found.stored_bytes < found.payload_bytes / 5


def test_kind5_config_ttl(run):
    for number in range(50):
        run.save(number)  # one an hour
    report = run.prune(Retention(ttl=timedelta(hours=10)))
    assert len(report.pruned) >= 40
    with pytest.raises(casckpt.PrunedError):
        run.load("@0")


def test_kind5_in_memory_store():
    with casckpt.open("memory:") as store:
        store.thread("t").save(1)
        assert store.thread("t").load() == 1
    with casckpt.open("memory:") as store:
        assert store.threads() == []


class TestKind5AStoreTraitToImplement(EngineConformance):
    """An engine of one's own passes the suite that is in the package."""

    def new_engine(self):
        class Mine(MemoryEngine):
            pass

        return Mine(self.HEADER)
