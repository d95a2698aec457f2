"""Somebody else lets go, and gc takes it, between a look of the saver and its commit.

Rows and heads never come to point at a checkpoint whose state is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, ids, put

from casckpt import PrunedError, Retention  # isort: skip

STRICT = Retention(keep_last=0, max_age=timedelta(0), keep_tagged=False)


def value(n: int) -> dict[str, Any]:
    """A state that is an object of its own."""
    return {"x": [n] * 300, "text": "".join(map(str, range(n * 10_000, n * 10_000 + 3_000)))}


@pytest.fixture(params=[False, True], ids=["bare", "written"])
def thread(saver: Any, request: pytest.FixtureRequest) -> Any:
    """Checkpoints 0 to 8, each of a run of its own, with what a task wrote or without."""
    for n in range(9):
        parent = str(n - 1) if n else None
        put(saver, str(n), value(n), parent=parent, run_id=f"r{n}")
        if request.param:
            saver.put_writes(config(id=str(n)), [("x", n)], "task")
    return saver.store.thread("t")


@pytest.fixture
def between(saver: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bool]]:
    """What is to happen before the next commit of the saver."""
    engine = saver.store._ledger.engine
    real = engine.commit

    def prepare(*runs: str, everything: bool = False) -> list[bool]:
        told: list[bool] = []

        def commit(*args: Any, **more: Any) -> Any:
            if not told:
                told.append(True)
                if everything:
                    saver.delete_thread("t")
                saver.delete_for_runs(runs)
                saver.store.prune(STRICT)
                saver.store.gc(grace=0)
            return real(*args, **more)

        monkeypatch.setattr(engine, "commit", commit)
        return told

    return prepare


def check(saver: Any, thread: str, expected: str) -> None:
    """These checkpoints are there, and whole."""
    found = list(saver.list(config(thread)))
    assert ids(found) == list(expected)
    for each in found:
        assert each.checkpoint["channel_values"] == value(int(each.checkpoint["id"]))
        written = [write[2] for write in each.pending_writes]
        assert written in ([], [int(each.checkpoint["id"])])
    for id in set("0123456789").difference(expected):
        assert saver.get_tuple(config(thread, id)) is None
    if expected:
        assert saver.store.thread(thread).load()["x"]
    assert saver.store.fsck(level="data").ok


@pytest.mark.usefixtures("thread")
def test_a_copy(saver: Any, between: Any) -> None:
    told = between("r3", "r6")
    saver.copy_thread("t", "u")
    assert told
    check(saver, "u", "8754210")
    put(saver, "9", value(9), parent="8", thread="u")
    saver.put_writes(config("u", "9"), [("x", 9)], "task")
    check(saver, "u", "98754210")


@pytest.mark.usefixtures("thread")
def test_a_copy_of_what_is_deleted_meanwhile(saver: Any, between: Any) -> None:
    told = between(everything=True)
    saver.copy_thread("t", "u")
    assert told
    assert list(saver.list(None)) == []
    assert list(saver.store.threads()) == []
    check(saver, "u", "")


@pytest.mark.usefixtures("thread")
def test_a_copy_onto_a_thread_that_is_there(saver: Any, between: Any) -> None:
    put(saver, "0", value(0), thread="u")
    saver.put_writes(config("u", "0"), [("x", 0)], "task")
    told = between("r8", "r7")
    saver.copy_thread("t", "u")
    assert told
    check(saver, "u", "6543210")
    assert saver.store.thread("u").load() == value(6)


def test_the_head_goes_back_to_what_is_left(saver: Any, thread: Any, between: Any) -> None:
    told = between("r7", "r6")
    saver.delete_for_runs(["r8"])
    assert told
    check(saver, "t", "543210")
    assert thread.load() == value(5)


@pytest.mark.usefixtures("thread")
def test_a_prune(saver: Any, between: Any) -> None:
    told = between("r7", "r6")
    saver.prune(["t"], keep_last=3)
    assert told
    check(saver, "t", "854")


def test_a_fork_of_casckpts(saver: Any, thread: Any, between: Any) -> None:
    """Its first put takes what it has inherited up; what is pruned of that is not there."""
    thread.fork("u")
    told = between("r3", "r6")
    put(saver, "9", value(9), parent="8", thread="u")
    assert told
    assert ids(saver.list(config("u"))) == list("98754210")
    for each in saver.list(config("u")):
        assert each.checkpoint["channel_values"] == value(int(each.checkpoint["id"]))
    assert saver.store.fsck(level="data").ok


def test_what_is_only_pruned_is_taken_up(saver: Any, thread: Any) -> None:
    """A fork of casckpt's inherits what no row holds any more; once it has rows, they hold it."""
    thread.fork("u")
    saver.delete_for_runs(["r3"])
    (first, *_) = saver.store.prune(STRICT)
    assert first.pruned
    put(saver, "9", value(9), parent="8", thread="u")
    saver.store.gc(grace=0)
    assert ids(saver.list(config("u"))) == list("9876543210")
    found = saver.get_tuple(config("u", "3"))
    assert found.checkpoint["channel_values"] == value(3)


@pytest.mark.usefixtures("thread")
def test_what_is_damaged_is_told(saver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone although rows point at it is nobody's race."""
    from casckpt.storage.engine import MissingObjects

    row = next(saver._catalogue.rows(saver._reader.row(config()).space))

    def commit(*_: Any, **__: Any) -> Any:
        raise MissingObjects([row.record])

    monkeypatch.setattr(saver.store._ledger.engine, "commit", commit)
    with pytest.raises(PrunedError):
        saver.copy_thread("t", "u")


def test_in_a_batch_of_ones_own(saver: Any, thread: Any, between: Any) -> None:
    thread.fork("u")
    told = between("r3", "r6")
    with pytest.raises(PrunedError), saver.store.batch():
        put(saver, "9", value(9), parent="8", thread="u")
    assert told
    assert ids(saver.list(config("u"))) == list("8754210")
    put(saver, "9", value(9), parent="8", thread="u")
    assert ids(saver.list(config("u"))) == list("98754210")
