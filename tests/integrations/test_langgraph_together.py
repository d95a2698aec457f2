"""Puts that wait together share one commit; what one of them meets is its own affair."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from casckpt import StorageError
from tests.integrations.langgraph_kit import config, ids, make, put

from casckpt.integrations.langgraph import CasckptSaver, together  # isort: skip

Call = Callable[[], Any]
SECONDS_MAX = 20


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[CasckptSaver]:
    with CasckptSaver(str(tmp_path / "store")) as opened:
        yield opened


@contextmanager
def held_up(saver: CasckptSaver) -> Iterator[None]:
    """A put is on its way to the disk all the time."""
    begun, end = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert end.wait(SECONDS_MAX)

    thread = threading.Thread(target=lambda: saver._together.run(slow))
    thread.start()
    assert begun.wait(SECONDS_MAX)
    try:
        yield
    finally:
        end.set()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def at_once(saver: CasckptSaver, calls: list[Call]) -> list[Any]:
    """Ask for all of them while another put is on its way; what each returned or raised."""
    outcomes: list[Any] = [None] * len(calls)

    def attempt(place: int, call: Call) -> None:
        try:
            outcomes[place] = call()
        except Exception as error:  # noqa: BLE001 - it is what we ask for
            outcomes[place] = error

    threads = []
    with held_up(saver):
        for place, call in enumerate(calls):
            threads.append(threading.Thread(target=attempt, args=(place, call)))
            threads[-1].start()
            wait_for(lambda count=place + 1: len(saver._together._waiting) == count)  # type: ignore[misc]
    for thread in threads:
        thread.join(SECONDS_MAX)
    return outcomes


@pytest.fixture
def commits(saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The refs moved in each commit of the engine."""
    counts: list[int] = []
    engine = saver.store._ledger.engine
    commit = engine.commit

    def counted(objects: Any = (), refs: Any = (), **more: Any) -> Any:
        counts.append(len(refs))
        return commit(objects, refs, **more)

    monkeypatch.setattr(engine, "commit", counted)
    return counts


def test_they_share_a_commit(saver: CasckptSaver, commits: list[int]) -> None:
    calls: list[Call] = [lambda n=n: put(saver, "1", {"x": n}, thread=f"t{n}") for n in range(20)]  # type: ignore[misc]
    calls += [
        lambda n=n: saver.put_writes(config(f"t{n}", "1"), [("x", n)], "task")  # type: ignore[misc]
        for n in range(20)
    ]
    outcomes = at_once(saver, calls)
    assert outcomes[:20] == [config(f"t{n}", "1") for n in range(20)]
    assert outcomes[20:] == [None] * 20
    assert len(commits) == 1
    for n in range(20):
        found = saver.get_tuple(config(f"t{n}"))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"x": n}
        assert found.pending_writes == [("task", "x", n)]
    assert list(saver.store.fsck()) == []


def test_a_child_comes_after_its_parent(saver: CasckptSaver, commits: list[int]) -> None:
    """Two of one namespace are not in one commit; the order is that of the asking."""
    chain = [None, "1", "2", "3"]
    calls: list[Call] = [
        lambda n=n, before=before: put(saver, str(n), {"x": [n]}, parent=before)  # type: ignore[misc]
        for n, before in enumerate(chain, 1)
    ]
    at_once(saver, calls)
    assert len(commits) == 4
    assert [c.step for c in saver.store.thread("t").log()] == [3, 2, 1, 0]


def test_each_fails_by_itself(saver: CasckptSaver) -> None:
    put(saver, "1", {"x": 1}, thread="forked")
    put(saver, "2", {"x": 2}, parent="1", thread="forked")
    outcomes = at_once(
        saver,
        [
            lambda: put(saver, "1", {"x": 1}, thread="good"),
            lambda: put(saver, "1", {"x": object()}, thread="bad"),
            # The head goes back to a branch: what a batch does not do.
            lambda: put(saver, "3", {"x": 3}, parent="1", thread="forked"),
            lambda: put(saver, "1", {"x": 1}, thread="good too"),
        ],
    )
    assert [type(outcome) for outcome in outcomes] == [dict, TypeError, dict, dict]
    assert ids(saver.list(config("forked"))) == ["3", "2", "1"]
    assert saver.get_tuple(config("bad")) is None
    assert saver.get_tuple(config("good too")) is not None
    assert next(iter(saver.store.thread("forked").reflog())).kind == "rewind"


@pytest.mark.parametrize("error", [StorageError, RuntimeError])
def test_if_the_commit_fails_each_is_tried_alone(
    saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    engine = saver.store._ledger.engine
    commit = engine.commit

    def refuse(objects: Any = (), refs: Any = (), **more: Any) -> Any:
        if len(refs) > 2 or any("full" in update.name for update in refs):
            raise error("no space left")
        return commit(objects, refs, **more)

    monkeypatch.setattr(engine, "commit", refuse)
    calls: list[Call] = [
        lambda name=name: put(saver, "1", {"x": 1}, thread=name)  # type: ignore[misc]
        for name in ("a", "full", "b")
    ]
    outcomes = at_once(saver, calls)
    assert [type(outcome) for outcome in outcomes] == [dict, error, dict]
    assert saver.get_tuple(config("b")) is not None
    assert saver.get_tuple(config("full")) is None


def test_inside_of_a_batch_of_ones_own(saver: CasckptSaver, commits: list[int]) -> None:
    with saver.store.batch():
        put(saver, "1", {"x": 1}, thread="a")
        put(saver, "1", {"x": 1}, thread="b")
        assert commits == []
    assert len(commits) == 1
    assert saver.get_tuple(config("b")) is not None


def test_async(saver: CasckptSaver, commits: list[int]) -> None:
    async def many() -> list[Any]:
        puts = [
            saver.aput(config(f"t{n}"), make("1", {"x": n}), {"source": "loop"}, {"x": 1})
            for n in range(50)
        ]
        return await asyncio.gather(*puts)

    assert asyncio.run(many()) == [config(f"t{n}", "1") for n in range(50)]
    assert len(commits) < 25
    assert len(ids(saver.list(None))) == 50


def test_a_put_that_is_cancelled_is_finished(saver: CasckptSaver) -> None:
    async def cancelled() -> None:
        with held_up(saver):
            task = asyncio.create_task(
                saver.aput(config(), make("1", {"x": 1}), {"source": "loop"}, {"x": 1})
            )
            while not saver._together._waiting:  # noqa: ASYNC110 - another OS thread is awaited
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    wait_for(lambda: not saver._together._busy)
    assert ids(saver.list(config())) == ["1"]


def test_nobody_is_left_waiting(saver: CasckptSaver) -> None:
    """Many OS threads, each put alone or together as it happens."""

    def work(who: int) -> None:
        parent: str | None = None
        for n in range(10):
            put(saver, str(n), {"x": n}, parent=parent, thread=f"t{who}")
            parent = str(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_MAX)
    assert not saver._together._busy
    assert all(not thread.is_alive() for thread in threads)
    for n in range(8):
        assert [c.step for c in saver.store.thread(f"t{n}").log()] == list(reversed(range(10)))


def writing(saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    """What a task wrote, waiting for the checkpoint behind it for as long as it takes."""
    monkeypatch.setattr(together, "LINGER_SECONDS", SECONDS_MAX)
    staged = threading.Event()
    write = saver._putter.put_writes

    def told(*args: Any) -> None:
        write(*args)
        staged.set()

    monkeypatch.setattr(saver._putter, "put_writes", told)
    thread = threading.Thread(target=lambda: saver.put_writes(config("t", "1"), [("x", 5)], "task"))
    thread.start()
    assert staged.wait(SECONDS_MAX)
    return thread


def test_what_a_task_wrote_waits_for_its_checkpoint(
    saver: CasckptSaver, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(saver, "1", {"x": 1})
    commits.clear()
    began = time.monotonic()
    thread = writing(saver, monkeypatch)
    put(saver, "2", {"x": 2}, parent="1")
    thread.join(SECONDS_MAX)
    assert time.monotonic() - began < SECONDS_MAX / 2, "the put has ended the waiting"
    assert len(commits) == 1
    assert saver.get_tuple(config("t", "1")).pending_writes == [("task", "x", 5)]  # type: ignore[union-attr]
    assert saver.get_tuple(config("t")).checkpoint["channel_values"] == {"x": 2}  # type: ignore[union-attr]
    assert not saver._together._busy


def test_a_checkpoint_that_fails_takes_nothing_with_it(
    saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(saver, "1", {"x": 1})
    thread = writing(saver, monkeypatch)
    with pytest.raises(TypeError):
        put(saver, "2", {"x": lambda: None}, parent="1")
    thread.join(SECONDS_MAX)
    assert saver.get_tuple(config("t", "1")).pending_writes == [("task", "x", 5)]  # type: ignore[union-attr]


def test_nobody_is_waited_for_in_vain_again_and_again(
    saver: CasckptSaver, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no checkpoint came, it is waited for again after one put, then two, four ..."""
    put(saver, "1", {"x": 1})
    monkeypatch.setattr(together, "LINGER_SECONDS", 0.001)
    lingered: list[int] = []
    joined = saver._together._joined

    def counted(limit: int) -> Any:
        lingered.append(number)
        return joined(limit)

    monkeypatch.setattr(saver._together, "_joined", counted)
    commits.clear()
    for number in range(300):
        saver.put_writes(config("t", "1"), [("x", number)], f"task {number}")
    assert lingered == [0, 2, 5, 10, 19, 36, 69, 134, 199, 264]
    assert len(commits) == 300


def test_nothing_is_waited_for_behind_an_interrupt(
    saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_limit: int) -> Any:
        raise AssertionError("it was waited for")

    put(saver, "1", {"x": 1})
    monkeypatch.setattr(saver._together, "_joined", never)
    saver.put_writes(config("t", "1"), [("__interrupt__", "may I")], "task")
    saver.put_writes(config("t", "1"), [("__resume__", "yes"), ("__error__", "no")], "task 2")
    monkeypatch.undo()
    assert len(saver.get_tuple(config("t", "1")).pending_writes) == 3  # type: ignore[union-attr, arg-type]


def test_who_waits_carries_on(saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No OS thread is begun for it, and each is carried out once."""

    def never() -> None:
        raise AssertionError("an OS thread was begun")

    monkeypatch.setattr(saver._together, "_begin", never)
    calls: list[Call] = [
        lambda n=n: put(saver, str(n), {"x": [n]}, parent=str(n - 1) if n > 1 else None)  # type: ignore[misc]
        for n in range(1, 6)
    ]
    assert [type(outcome) for outcome in at_once(saver, calls)] == [dict] * 5
    assert [c.step for c in saver.store.thread("t").log()] == [4, 3, 2, 1, 0]
    assert not saver._together._busy


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, where a shell has begun the tests in the background, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_the_main_thread_carries_out_nothing_for_others(saver: CasckptSaver) -> None:
    """Ctrl-C comes to it: while it waits, what it asked for is left to others."""
    with held_up(saver):
        main = threading.main_thread().ident
        threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            put(saver, "1", {"x": 1})
    wait_for(lambda: not saver._together._busy)
    assert ids(saver.list(config())) == ["1"]


def test_who_is_interrupted_hears_of_it(
    saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_limit: int) -> Any:
        raise KeyboardInterrupt

    put(saver, "1", {"x": 1})
    with monkeypatch.context() as patch:
        patch.setattr(saver._together, "_joined", interrupted)
        with pytest.raises(KeyboardInterrupt):
            saver.put_writes(config("t", "1"), [("x", 5)], "task")
    put(saver, "2", {"x": 2}, parent="1")
    assert saver.get_tuple(config("t", "1")).pending_writes == [("task", "x", 5)]  # type: ignore[union-attr]
