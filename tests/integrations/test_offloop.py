"""Work off the loop: order, cancellation, threads that end."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import Any

import pytest

import casckpt
from casckpt.integrations import offloop
from casckpt.integrations.offloop import dismiss, reading, writing


def writers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("casckpt-writes")]


def test_writes_keep_the_order_of_their_calls_and_the_loop_goes_on() -> None:
    done: list[int] = []
    gate = threading.Event()

    async def main() -> None:
        with casckpt.open("memory:") as store:
            first = asyncio.create_task(writing(store, lambda: gate.wait(30)))
            rest = [
                asyncio.create_task(writing(store, lambda n=n: done.append(n))) for n in range(20)
            ]
            await asyncio.sleep(0.01)
            assert await reading(lambda: "read") == "read"
            assert done == []
            gate.set()
            await asyncio.gather(first, *rest)
            dismiss(store)

    asyncio.run(main())
    assert done == list(range(20))


def test_a_cancelled_write_is_carried_out_before_the_cancellation_is_raised() -> None:
    gate, done = threading.Event(), []

    async def main() -> None:
        with casckpt.open("memory:") as store:
            blocked = asyncio.create_task(writing(store, lambda: gate.wait(30)))
            task = asyncio.create_task(writing(store, lambda: done.append("written")))
            await asyncio.sleep(0)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0.01)
                assert not task.done()
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert done == ["written"]
            assert await blocked
            dismiss(store)

    asyncio.run(main())


def test_the_error_of_a_cancelled_write_is_not_lost() -> None:
    gate = threading.Event()

    def fail() -> None:
        assert gate.wait(30)
        raise OSError("full")

    async def main() -> None:
        with casckpt.open("memory:") as store:
            task = asyncio.create_task(writing(store, fail))
            await asyncio.sleep(0)
            task.cancel()
            gate.set()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert isinstance(caught.value.__cause__, OSError)
            with pytest.raises(OSError, match="full"):
                await writing(store, fail)
            dismiss(store)

    asyncio.run(main())


def test_a_dropped_store_keeps_no_thread() -> None:
    before = len(writers())

    async def main() -> None:
        store = casckpt.open("memory:")
        await writing(store, store.sync)
        assert len(writers()) == before + 1
        store.close()

    asyncio.run(main())
    gc.collect()
    for thread in writers()[before:]:
        thread.join(10)
    assert len(writers()) == before


def test_an_os_fork_gets_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with casckpt.open("memory:") as store:
            here: Any = offloop._writer(store)
            with monkeypatch.context() as child:
                child.setattr(offloop.os, "getpid", lambda: -1)
                there = offloop._writer(store)
            assert there is not here
            here.shutdown()
            assert offloop._writers[store][0] == -1 != os.getpid()

    asyncio.run(main())
