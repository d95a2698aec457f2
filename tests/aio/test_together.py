"""Concurrent saves of an async store: one commit, each its own fate, cancelled or not."""

import asyncio
import threading

import pytest

import casckpt
import casckpt.aio
from casckpt.storage.lmdb.engine import LmdbEngine
from tests.aio.conftest import Gate, reached


@pytest.fixture
def commits(monkeypatch):
    """The number of refs of every commit of the engine."""
    counted = []
    real = LmdbEngine.commit

    def commit(self, objects=(), refs=(), **more):
        counted.append(len(refs))
        return real(self, objects, refs, **more)

    monkeypatch.setattr(LmdbEngine, "commit", commit)
    return counted


def opened(tmp_path):
    return casckpt.aio.open(tmp_path / "store", durability="none")


async def held_up(store):
    """A gate, and the save that waits at it: what is asked for now gathers behind it."""
    store.register(Gate, encode=Gate.encode, decode=Gate.decode)
    gate = Gate()
    task = asyncio.create_task(store.thread("gate").save(gate))
    await reached(gate)
    return gate, task


async def gathered(tasks):
    """Let tasks begin, so that what they ask for is in the queue."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_saves_that_wait_together_share_a_commit(tmp_path, go, commits):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            saves = await gathered(
                [asyncio.create_task(store.thread(f"t{n}").save(n)) for n in range(100)]
            )
            gate.opened.set()
            await task
            saved = await asyncio.gather(*saves)
            assert commits == [1, 100]
            assert [await checkpoint.load() for checkpoint in saved] == list(range(100))

    go(main())


def test_saves_of_one_thread_follow_each_other(tmp_path, go, commits):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            run = store.thread("t")
            saves = await gathered([asyncio.create_task(run.save(n)) for n in range(20)])
            gate.opened.set()
            await task
            assert [saved.step for saved in await asyncio.gather(*saves)] == list(range(20))
            assert len(commits) == 2
            assert [await c.load() for c in await run.log()] == list(range(19, -1, -1))

    go(main())


def test_each_that_shares_a_commit_has_its_own_fate(tmp_path, go):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            run = store.thread("t")
            saves = await gathered(
                [
                    asyncio.create_task(run.save(1, expect=None)),
                    asyncio.create_task(run.save({"a": [object()]})),
                    asyncio.create_task(run.save(3, expect=None)),
                    asyncio.create_task(run.save(4)),
                ]
            )
            gate.opened.set()
            await task
            outcomes = await asyncio.gather(*saves, return_exceptions=True)
            assert outcomes[0].step == 0
            assert isinstance(outcomes[1], casckpt.UnsupportedValueError)
            assert isinstance(outcomes[2], casckpt.ConflictError)
            assert outcomes[3].step == 1
            assert await store.thread("t").load() == 4

    go(main())


def test_moves_keep_their_place_between_saves(tmp_path, go):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            run = store.thread("t")
            asked = await gathered(
                [
                    asyncio.create_task(run.save(0)),
                    asyncio.create_task(run.save(1)),
                    asyncio.create_task(run.rewind("@0")),
                    asyncio.create_task(run.save(2)),
                    asyncio.create_task(run.fork("other")),
                    asyncio.create_task(run.save(3)),
                ]
            )
            gate.opened.set()
            await task
            await asyncio.gather(*asked)
            assert [await c.load() for c in await run.log()] == [3, 2, 0]
            assert await store.thread("other").load() == 2

    go(main())


def test_a_commit_that_fails_is_made_one_by_one(tmp_path, go, commits):
    """Somebody else moves a head between the reading and the commit of a shared one."""

    async def main():
        async with opened(tmp_path) as store:
            plain = await store.run(lambda plain: plain)

            def interfere():
                other = threading.Thread(target=lambda: plain.thread("t").save("another's"))
                other.start()
                other.join()

            gate, task = await held_up(store)
            inner = Gate()
            inner.opened.set()
            inner.actions.append(interfere)
            run = store.thread("t")
            block = store.thread("edited").edit()
            draft = await block.__aenter__()
            draft["list"] = [1, 2]
            saves = await gathered(
                [
                    asyncio.create_task(run.save("mine")),
                    asyncio.create_task(block.__aexit__(None, None, None)),
                    asyncio.create_task(store.thread("u").save(inner)),
                    asyncio.create_task(run.save("last")),
                ]
            )
            gate.opened.set()
            await task
            await asyncio.gather(*saves)
            assert [await c.load() for c in await run.log()] == ["last", "mine", "another's"]
            assert await store.thread("edited").load() == {"list": [1, 2]}
            assert [c.step for c in await store.thread("edited").log()] == [0]
            assert draft.checkpoint == await store.thread("edited").head
            assert commits == [1, 1, 3, 1, 1, 1, 1]  # gate, interference, shared, each alone
            assert not (await store.fsck(level="structure"))

    go(main())


def test_cancelled_while_it_waits_nothing_is_saved(tmp_path, go):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            saves = await gathered(
                [asyncio.create_task(store.thread("t").save(n)) for n in range(3)]
            )
            saves[1].cancel()
            await asyncio.sleep(0)
            gate.opened.set()
            await task
            outcomes = await asyncio.gather(*saves, return_exceptions=True)
            assert isinstance(outcomes[1], asyncio.CancelledError)
            assert [await c.load() for c in await store.thread("t").log()] == [2, 0]

    go(main())


def test_cancelled_once_begun_it_is_saved_all_the_same(tmp_path, go):
    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.opened.set()
            assert (await store.thread("after").save(1)).step == 0
            assert isinstance(await store.thread("gate").load(), Gate)

    go(main())


def test_closing_waits_for_what_was_asked_for(tmp_path, go):
    async def main():
        store = await opened(tmp_path)
        gate, task = await held_up(store)
        save = (await gathered([asyncio.create_task(store.thread("t").save(1))]))[0]
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        with pytest.raises(casckpt.ClosedError):
            await store.thread("t").save(2)
        gate.opened.set()
        await asyncio.gather(task, save, closing)
        async with opened(tmp_path) as store:
            assert await store.thread("t").load() == 1

    go(main())


def test_a_cancelled_opening_leaves_nothing_open(tmp_path, go, monkeypatch):
    began, may_go_on = threading.Event(), threading.Event()
    made = []
    real = casckpt.aio.store.open_store

    def slow(*arguments, **options):
        began.set()
        assert may_go_on.wait(30)
        made.append(real(*arguments, **options))
        return made[0]

    monkeypatch.setattr(casckpt.aio.store, "open_store", slow)

    async def main():
        opening = asyncio.ensure_future(opened(tmp_path)._open())
        assert await asyncio.to_thread(began.wait, 30)
        opening.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert made[0].closed

    go(main())


def test_many_tasks_at_once(tmp_path, go):
    """Twenty tasks save, edit and read in threads of their own and in one they share."""

    async def work(store, number):
        mine, shared = store.thread(f"t{number}"), store.thread("shared")
        for step in range(10):
            await mine.save({"n": number, "steps": list(range(step))})
            await shared.save((number, step))
            async with mine.edit() as draft:
                draft["steps"].append("edited")
            assert (await mine.load())["steps"] == [*range(step), "edited"]

    async def main():
        async with opened(tmp_path) as store:
            await asyncio.gather(*(work(store, number) for number in range(20)))
            shared = [await checkpoint.load() for checkpoint in await store.thread("shared").log()]
            assert sorted(shared) == [(n, step) for n in range(20) for step in range(10)]
            for number in range(20):  # in the order each task asked
                assert [s for n, s in shared if n == number] == list(range(9, -1, -1))
            assert not (await store.fsck())

    go(main())


def test_whatever_breaks_a_shared_commit_nobody_waits_for_ever(tmp_path, go, monkeypatch):
    real = LmdbEngine.commit

    def commit(self, objects=(), refs=(), **more):
        if len(refs) > 1:
            raise MemoryError
        return real(self, objects, refs, **more)

    async def main():
        async with opened(tmp_path) as store:
            gate, task = await held_up(store)
            saves = await gathered(
                [asyncio.create_task(store.thread(f"t{n}").save(n)) for n in range(5)]
            )
            monkeypatch.setattr(LmdbEngine, "commit", commit)
            gate.opened.set()
            await task
            assert [saved.step for saved in await asyncio.gather(*saves)] == [0] * 5

    go(main())
