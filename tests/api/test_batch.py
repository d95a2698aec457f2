"""store.batch(): many saves, one commit."""

from __future__ import annotations

import threading

import pytest

import casckpt
from casckpt import ConflictError, InvalidInputError
from casckpt.history.ancestry import Ancestry


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path):
    path = "memory:" if request.param == "memory" else tmp_path / "s.casckpt"
    with casckpt.open(path, durability="none") as opened:
        yield opened


def commits(store, monkeypatch):
    """Counts the commits of the engine below."""
    engine = store._ledger.engine
    counted = []
    real = type(engine).commit

    def commit(self, *args, **kwargs):
        counted.append(1)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(engine), "commit", commit)
    return counted


def test_many_saves_are_one_commit(store, monkeypatch):
    run = store.thread("a")
    run.save({"n": 0})
    counted = commits(store, monkeypatch)
    with store.batch():
        for n in range(1, 50):
            run.save({"n": n, "text": "x" * 3000}, label=f"l{n % 3}", tags=["t"])
        other = store.thread("b").save([1, 2, 3])
        assert run.load() == {"n": 49, "text": "x" * 3000}
        assert run.load("~3")["n"] == 46
        assert run.head.step == 49
    assert len(counted) == 1
    assert [c.load()["n"] for c in run.log(limit=3)] == [49, 48, 47]
    assert store.checkpoint("b").id == other.id
    assert sum(1 for _ in store.find(tag="t")) == 49
    assert sum(1 for _ in store.find(label="l1")) == 17
    assert list(store.fsck()) == []
    run.save({"n": 50})
    assert run.head.step == 50


def test_an_exception_saves_nothing(store):
    run = store.thread("a")
    head = run.save({"messages": ["x" * 500] * 40})
    with pytest.raises(RuntimeError, match="mine"), store.batch():  # noqa: PT012 - as users write it
        run.save({"messages": ["y" * 500] * 40})
        store.thread("new").save(1)
        raise RuntimeError("mine")
    assert run.head == head
    assert not store.thread("new").exists
    # What was remembered of the lost save must not be taken for stored.
    saved = run.save({"messages": ["y" * 500] * 41})
    assert run.load() == {"messages": ["y" * 500] * 41}
    assert saved.parent == head.id
    assert list(store.fsck()) == []


def test_others_see_it_when_it_ends(store):
    run = store.thread("a")
    run.save(0)
    seen = []

    def look():
        seen.append(store.thread("a").load())

    with store.batch():
        run.save(1)
        looking = threading.Thread(target=look)
        looking.start()
        looking.join()
    look()
    assert seen == [0, 1]


def test_a_head_moved_by_others_is_a_conflict(store):
    run = store.thread("a")
    first = run.save(0)

    def elsewhere():
        store.thread("a").save("theirs")

    with pytest.raises(ConflictError) as caught, store.batch():  # noqa: PT012 - the end raises
        run.save("mine")
        run.save("mine too")
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
    assert caught.value.details["expected"] == first.id
    assert caught.value.details["actual"] == run.head.id
    assert run.load() == "theirs"


def test_expect_and_edit_work_inside(store):
    run = store.thread("a")
    with store.batch():
        first = run.save([1], expect=None)
        with pytest.raises(ConflictError):
            run.save([2], expect=None)
        with run.edit() as draft:
            draft.append(2)
        run.save([1, 2, 3], expect=draft.checkpoint)
    assert run.load() == [1, 2, 3]
    assert run.load("~2") == [1]
    assert store.checkpoint(first.id).load() == [1]
    assert list(store.fsck()) == []


def test_what_is_no_save_is_refused(store):
    run = store.thread("a")
    run.save(0)
    run.save(1)
    with store.batch():
        for move in (
            lambda: run.fork("b"),
            lambda: run.rewind("~1"),
            run.undo,
            run.delete,
            lambda: run.head.tag("x"),
            store.gc,
            store.batch().__enter__,
        ):
            with pytest.raises(InvalidInputError):
                move()
        run.save(2)
    assert run.load() == 2
    run.undo()
    assert run.load() == 1


def test_an_empty_batch_is_no_commit(store, monkeypatch):
    counted = commits(store, monkeypatch)
    with store.batch():
        pass
    assert not counted


def test_after_a_batch_parents_are_known(store, monkeypatch):
    """Neither a batch nor what comes after it reads a parent's record that was just written."""
    runs = [store.thread(f"t{number}") for number in range(5)]
    for run in runs:
        run.save({"n": 0})
    read = []
    real = Ancestry.record
    monkeypatch.setattr(
        Ancestry, "record", lambda self, oid: (read.append(oid), real(self, oid))[1]
    )
    with store.batch():
        for run in runs:
            run.save({"n": 1})
    for run in runs:
        assert run.save({"n": 2}).step == 2
    assert not read


def test_what_a_failed_batch_saved_is_unknown(store):
    run = store.thread("t")
    run.save({"n": 0})
    ids = []

    def save():
        ids.append(run.save({"n": 1}).id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.batch():
        save()
    with pytest.raises(casckpt.NotFoundError):
        store.checkpoint(ids[0])
    assert run.save({"n": 1}).step == 1


def test_a_batch_that_ends_in_another_os_thread_holds_nothing_back_afterwards(store):
    # As where a framework runs the two halves of a generator in two threads of a pool.
    run = store.thread("a")
    batch = store.batch()
    batch.__enter__()
    run.save("inside")
    mine = store.batch()

    def end():
        with mine:
            store.thread("b").save("of the other thread")
            batch.__exit__(None, None, None)
            store.thread("b").save("still held back")

    def seen():
        found.append([store.thread(name).load() for name in ("a", "b")])

    found = []
    for work in (end, seen):
        other = threading.Thread(target=work)
        other.start()
        other.join()
        run.save("after")
    assert found == [["after", "still held back"]]
    with store.batch():
        run.save("another")
    assert run.load() == "another"
    assert [c.load() for c in run.log()] == ["another", "after", "after", "inside"]


def test_a_save_that_comes_too_late_for_its_batch_is_refused(store):
    batch = store.batch()
    batch.__enter__()
    late = store._ledger.books.engine
    batch.__exit__(None, None, None)
    with pytest.raises(InvalidInputError, match="over"):
        late.commit([], [])
