"""Figures that can be checked by hand."""

import json

import casckpt
from tests.upkeep.damage import fill


def test_states_written_whole():
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        empty = store.stats()
        assert (empty.checkpoints, empty.states_bytes, empty.dedup_factor) == (0, 0, 1.0)
        saved = [run.save({"text": "x" * 50_000, "number": number}) for number in range(20)]
        found = store.stats()
        assert found.states_bytes == sum(c.size for c in saved)
        assert found.states_bytes > 20 * 50_000
        assert (found.threads, found.checkpoints) == (1, 20)
        assert found.dedup_factor == found.states_bytes / found.stored_bytes > 10


def test_objects_are_counted_once(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        fill(store)
        found = store.stats()
        assert found.threads == 3
        assert found.kinds["checkpoint"].objects == found.checkpoints == 16
        for figure in ("objects", "payload_bytes"):
            assert getattr(found, figure) == sum(getattr(k, figure) for k in found.kinds.values())
        assert found.stored_bytes < found.payload_bytes < found.states_bytes
        assert (
            0 <= found.free_bytes < found.file_bytes == (tmp_path / "store/data.mdb").stat().st_size
        )


def test_as_json():
    with casckpt.open("memory:") as store:
        fill(store)
        found = store.stats()
        fields = json.loads(json.dumps(found.to_dict()))
    assert fields["states_bytes"] == found.states_bytes
    assert fields["kinds"]["checkpoint"]["objects"] == 16
    assert fields["dedup_factor"] == round(found.dedup_factor, 2)


def test_what_the_whole_store_holds():
    now = iter(range(10**9, 10**12, 10**9))
    with casckpt.open("memory:", clock=lambda: next(now)) as store:
        empty = store.stats()
        assert (empty.first, empty.begun, empty.labels) == (None, None, {})
        assert not empty.span
        assert json.loads(json.dumps(empty.to_dict()))["updated"] is None
        run = store.thread("t")
        first = run.save(0, label="a", tags=["x"])
        run.save(1, label="b")
        store.thread("u").save(2, label="b", tags=["y", "x"])
        last = run.save(3, label="b")
        first.untag("x").tag("z")
        found = store.stats()
        assert found.labels == {"b": 3, "a": 1}
        assert found.tags == {"y": 1, "x": 1, "z": 1}
        assert (found.first, found.last) == (first.id, last.id)
        assert (found.begun, found.updated) == (first.created_at, last.created_at)
        assert found.span == last.created_at - first.created_at
        run.prune(casckpt.Retention(keep_last=1, keep_tagged=False))
        assert (store.stats().checkpoints, store.stats().pruned) == (4, 2)
        store.gc(grace=0)
        after = store.stats()
        assert (after.checkpoints, after.pruned, after.labels) == (2, 2, {"b": 3, "a": 1})
        assert json.loads(json.dumps(after.to_dict()))["first"] == first.id
