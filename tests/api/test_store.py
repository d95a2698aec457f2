"""What a store does as a whole: opening, listing, finding, registering, upkeep."""

import dataclasses
import datetime as dt
import os
from pathlib import Path

import pytest

import casckpt


@dataclasses.dataclass
class Plan:
    goal: str
    steps: list


class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees


def test_opening(disk):
    with casckpt.open(disk) as store:
        assert store.path == str(disk)
        assert not store.closed
        assert repr(store) == f"<Store {str(disk)!r}>"
        store.thread("t").save(1)
    assert repr(store) == f"<Store {str(disk)!r} closed>"
    with casckpt.open(os.fsencode(disk), create=False) as store:
        assert store.thread("t").load() == 1
    with casckpt.open(str(disk), durability="relaxed") as store:
        store.thread("t").save(2)
        store.sync()
    with pytest.raises(casckpt.InvalidInputError):
        casckpt.open(disk, durability="most")


def test_memory_is_always_new():
    with casckpt.open("memory:") as one, casckpt.open("memory:") as two:
        one.thread("t").save(1)
        assert not two.thread("t").exists
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(casckpt.NotAStoreError):
            casckpt.open("memory:", **options)


def test_threads_in_pages(store):
    names = sorted([f"a/{n:02}" for n in range(30)] + ["b", "ä", "z"], key=str.encode)
    for name in reversed(names):
        store.thread(name).save(name)
    assert [info.name for info in store.threads()] == names
    page, seen = store.threads(limit=7), []
    while page:
        seen += [info.name for info in page]
        page = store.threads(limit=7, after=page[-1].name)
    assert seen == names
    assert [info.name for info in store.threads("a/1")] == [f"a/1{n}" for n in range(10)]
    assert store.threads("nothing") == []
    for bad in (-1, "3", 1.0):
        with pytest.raises(casckpt.InvalidInputError):
            store.threads(limit=bad)


def test_what_a_thread_is_listed_with(store, clock):
    run = store.thread("t")
    first = run.save(0)
    clock.advance(dt.timedelta(days=1))
    second = run.save(1)
    clock.advance(dt.timedelta(days=1))
    fork = run.fork("u", at=first)
    clock.advance(dt.timedelta(days=1))
    run.rewind(first)
    (t, u) = store.threads()
    assert (t.head, t.step, t.created) == (first, 0, first.created_at)
    assert t.updated > second.created_at + dt.timedelta(days=1)
    assert (u.name, u.head, u.forked_from, u.forked_at) == (fork.name, first, "t", first.id)
    assert u.created == u.updated > second.created_at


def test_find_forgets_deleted_threads_but_not_what_forks_share(store):
    run = store.thread("t")
    points = [run.save(n, label="x") for n in range(6)]
    fork = run.fork("u", at="@2")
    own = fork.save("own", label="x")
    run.rewind("@4")
    assert list(store.find(label="x")) == [own, *points[::-1]]  # rewound away, too
    run.delete()
    assert list(store.find(label="x")) == [own, *points[2::-1]]
    assert list(store.find(prefix="t")) == points[2::-1]
    assert list(store.find(thread="u")) == [own, *points[2::-1]]
    with pytest.raises(casckpt.NotFoundError):
        store.find(thread="t")
    run.undo()
    assert list(store.find(prefix="t")) == points[::-1]


def test_find_refuses_what_it_cannot_mean(store):
    for wrong in (
        {"since": dt.datetime(2026, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"until": 3},
        {"limit": -1},
        {"label": ""},
        {"tag": 3},
        {"thread": "a~1"},
        {"prefix": 3},
        {"meta": {1: 2}},
    ):
        with pytest.raises(casckpt.InvalidInputError):
            store.find(**wrong)


def test_meta_is_found_by_type_and_value(store):
    run = store.thread("t")
    points = {repr(v): run.save(0, meta={"v": v}) for v in (1, 1.0, True, "1", None, [1], {})}
    for value, checkpoint in points.items():
        assert list(store.find(meta={"v": checkpoint.meta["v"]})) == [checkpoint], value
    assert list(store.find(meta={"w": None})) == []
    assert len(list(store.find(meta={}))) == len(points)


def test_classes_come_back_if_they_are_known(disk):
    plan = Plan("book", [1, 2])
    with casckpt.open(disk, types=[Plan]) as store:
        store.register(Celsius, name="celsius", encode=lambda c: c.degrees, decode=Celsius)
        saved = store.thread("t").save({"plan": plan, "t": Celsius(21.5)})
        assert saved.load("plan") == plan
        assert saved.load("t").degrees == 21.5
    with casckpt.open(disk) as store:
        record = store.checkpoint(saved.id).load("plan")
        assert isinstance(record, casckpt.Record)
        assert record["goal"] == "book"
        again = store.thread("u").save({"plan": record, "t": store.checkpoint(saved.id).load("t")})
        assert again.root == store.checkpoint(saved.id).root
    with casckpt.open(disk, allow=[__name__]) as store:
        assert store.checkpoint(saved.id).load("plan") == plan


def test_gc_keeps_what_is_tagged_and_what_can_be_undone(store, clock):
    run = store.thread("t")
    for n in range(6):
        run.save(["x" * 2_000, n], tags=["given"] if n == 2 else [])
    later, plain = run.checkpoint("@4").tag("golden"), run.head
    run.rewind("@0")
    assert store.gc().objects_removed == 0
    clock.advance(dt.timedelta(days=60))
    run.save("new")
    report = store.gc()
    assert report.objects_removed > 0
    assert report.bytes_removed > 0
    # What is tagged stays, with its history.
    assert later.load() == ["x" * 2_000, 4]
    assert [c.step for c in run.log(at=later)] == [4, 3, 2, 1, 0]
    with pytest.raises(casckpt.PrunedError):
        plain.load()
    later.untag("golden")
    clock.advance(dt.timedelta(days=60))
    store.gc()
    assert [c.step for c in store.find(tag="given")] == [2]
    with pytest.raises(casckpt.PrunedError):
        later.load()
    run.checkpoint("@0")
    store.find(tag="given")
    assert list(store.fsck()) == []


@pytest.mark.parametrize("grace", [-1, "1 day", dt.timedelta(days=-1), None])
def test_gc_refuses_a_grace_that_is_none(store, grace):
    with pytest.raises(casckpt.InvalidInputError):
        store.gc(grace=grace)


def test_stats_count(store):
    run = store.thread("t")
    for n in range(5):
        run.save({"text": "x" * 5_000, "n": n})
    run.fork("u")
    stats = store.stats()
    assert (stats.threads, stats.checkpoints) == (2, 5)
    assert stats.objects == sum(kind.objects for kind in stats.kinds.values())
    assert stats.kinds["checkpoint"].objects == 5
    assert stats.kinds["value"].objects == 1  # the text, once
    assert stats.payload_bytes > 5_000


def test_a_folder_whose_name_is_not_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/store-\xff"))
    with casckpt.open(path) as store:
        saved = store.thread("t").save({"n": 1})
    with casckpt.open(path) as store:
        store.compact()
        assert store.thread("t").head == saved
        assert list(store.fsck()) == []
    with casckpt.open(path, read_only=True) as store:
        assert store.thread("t").load() == {"n": 1}
