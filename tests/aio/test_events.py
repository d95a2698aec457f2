"""Events of an async store come to the event loop, in order."""

import asyncio
import threading

import pytest

import casckpt
import casckpt.aio


def test_listeners_are_told_on_the_loop(go):
    async def main():
        async with casckpt.aio.open("memory:") as store:
            heard, loaded = [], asyncio.Event()

            @store.on("saved")
            def listener(event):
                heard.append((event.checkpoint.step, threading.current_thread()))

            @store.on("saved")
            async def reader(event):
                assert await event.checkpoint.load() == event.checkpoint.step
                if event.checkpoint.step == 9:
                    loaded.set()

            run = store.thread("t")
            await asyncio.gather(*(run.save(number) for number in range(10)))
            await asyncio.wait_for(loaded.wait(), 30)
            assert heard == [(number, threading.current_thread()) for number in range(10)]
            store.off("saved", listener)
            store.off("saved", reader)
            await run.save(10)
            assert len(heard) == 10
            with pytest.raises(casckpt.InvalidInputError):
                store.off("saved", listener)
            with pytest.raises(casckpt.InvalidInputError):
                store.on("saved", 3)

    go(main())


def test_a_listener_that_fails_is_logged(go, caplog):
    async def main():
        async with casckpt.aio.open("memory:") as store:
            store.on("saved", lambda _: 1 / 0)
            await store.thread("t").save(1)
            await asyncio.sleep(0.01)

    go(main())
    assert "ZeroDivisionError" in caplog.text
