"""`casckpt.aio`: the same store, awaited."""

import asyncio
import inspect
import threading
from contextvars import ContextVar

import pytest

import casckpt
import casckpt.aio
from tests.aio.conftest import Gate, reached


def opened(path, **options):
    return casckpt.aio.open(path, durability="none", **options)


@pytest.fixture(params=["memory", "lmdb"])
def place(request, tmp_path):
    return "memory:" if request.param == "memory" else tmp_path / "store"


def test_the_main_road(place, go):
    async def main():
        async with opened(place) as store:
            run = store.thread("support/alice")
            assert not await run.exists
            assert await run.head is None
            first = await run.save({"messages": ["hi"], "n": 1}, label="planned", tags=["a"])
            second = await run.save({"messages": ["hi", "ho"], "n": 1}, meta={"cost": 2})
            assert await run.load() == {"messages": ["hi", "ho"], "n": 1}
            assert await run.load("~1", path="messages[0]") == "hi"
            assert await run.head == second == await store.checkpoint("support/alice")
            assert (second.parent, second.step, first.label) == (first.id, 1, "planned")
            assert await first.tags == ("a",)
            assert await second.meta == {"cost": 2}
            assert await first.root != await second.root
            assert await second.size > await first.size
            assert [str(c.path) for c in await first.diff(second)] == [
                str(c.path) for c in await store.diff(first, second)
            ]
            assert [c.id async for c in run.log()] == [second.id, first.id]
            assert await store.find(label="planned") == [first]
            fork = await run.fork("other", first)
            assert (await fork.load())["messages"] == ["hi"]
            assert await (await fork.checkpoint()).is_ancestor_of(second)
            assert await (await fork.head).common_ancestor(second) == first
            assert await run.rewind("~1") == first
            assert await run.undo() == second
            assert await second.ancestor(0) == first
            await (await second.tag("x", "y")).untag("x")
            assert await second.tags == ("y",)
            assert [m.kind for m in await run.reflog()] == ["undo", "rewind", "save", "save"]
            assert [info.name for info in await store.threads()] == ["other", "support/alice"]
            assert (await run.view())["messages"][-1] == "ho"
            await fork.delete()
            assert not await fork.exists
            assert not (await store.fsck())
            assert (await store.stats()).checkpoints == 2
            assert not store.closed
        assert store.closed

    go(main())


def test_it_is_awaitable_as_well_as_a_block(tmp_path, go):
    async def main():
        store = await opened(tmp_path / "store")
        await store.thread("t").save(1)
        await store.close()
        await store.close()
        async with opened(tmp_path / "store", create=False) as store:
            assert await store.thread("t").load() == 1
        with pytest.raises(casckpt.NotAStoreError):
            await casckpt.aio.open(tmp_path / "nowhere", create=False)

    go(main())


def test_long_values_as_files(place, go):
    async def main():
        async with opened(place) as store:
            run = store.thread("t")
            saved = await run.save({"x": casckpt.Stream([b"ab" * 50_000])})
            with await run.open(path="x") as file:
                file.seek(-3, 2)
                assert file.read() == b"bab"
            assert (await saved.open("x")).read(4) == b"abab"

    go(main())


def test_bundles(tmp_path, go):
    async def main():
        async with opened("memory:") as here, opened("memory:") as there:
            await here.thread("t").save({"n": 1})
            await here.bundles.create(tmp_path / "t.bundle", ["t"])
            assert list((await here.bundles.verify(tmp_path / "t.bundle")).threads) == ["t"]
            await there.bundles.unbundle(tmp_path / "t.bundle", prefix="from/")
            assert await there.thread("from/t").load() == {"n": 1}

    go(main())


@pytest.mark.parametrize("name", ["Store", "Thread", "Checkpoint"])
def test_it_has_what_the_plain_one_has_and_takes_what_that_takes(name):
    plain, awaited = getattr(casckpt, name), getattr(casckpt.aio, name)
    public = {key for key in vars(plain) if not key.startswith("_")}
    # A batch belongs to an OS thread: Store.run gives it one.
    missing = public - set(vars(awaited)) - {"batch"}
    assert not missing
    for key in public & set(vars(awaited)):
        theirs, ours = vars(plain)[key], vars(awaited)[key]
        assert isinstance(theirs, property) == isinstance(ours, property), key
        if inspect.isfunction(theirs):
            assert _parameters(theirs) == _parameters(ours), key


def _parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


def test_errors_come_to_those_who_wait(place, go):
    async def main():
        async with opened(place) as store:
            run = store.thread("t")
            with pytest.raises(casckpt.NotFoundError):
                await run.load()
            with pytest.raises(casckpt.UnsupportedValueError, match=r"a"):
                await run.save({"a": object()})
            with pytest.raises(casckpt.InvalidInputError):
                await run.save(1, tags="one")
            await run.save(1)
            with pytest.raises(casckpt.ConflictError):
                await run.save(2, expect=None)
            with pytest.raises(casckpt.InvalidInputError):
                store.thread("a//b")
            with pytest.raises(casckpt.InvalidInputError):
                async with run.edit():
                    pass
        with pytest.raises(casckpt.ClosedError):
            await run.save(3)
        with pytest.raises(casckpt.ClosedError):
            await run.load()

    go(main())


def test_edits(place, go):
    async def change(run, meanwhile):
        async with run.edit() as draft:
            draft["messages"].append("b")
            await meanwhile()

    async def main():
        async with opened(place) as store:
            run = store.thread("t")
            async with run.edit(label="begun") as draft:
                draft["messages"] = ["a"]
            assert isinstance(draft.checkpoint, casckpt.aio.Checkpoint)
            assert draft.checkpoint == await run.head
            with pytest.raises(ZeroDivisionError):
                await change(run, lambda: 1 / 0)
            assert await run.load() == {"messages": ["a"]}
            with pytest.raises(casckpt.ConflictError):
                await change(run, lambda: run.save("another's"))
            assert await run.load() == "another's"

    go(main())


def test_lists_are_read_by_pages_and_can_be_left(place, go):
    async def main():
        async with opened(place) as store:
            run = store.thread("t")
            await asyncio.gather(*(run.save(n) for n in range(150)))
            listing = run.log()
            steps = [checkpoint.step async for checkpoint in listing]
            assert steps == list(range(149, -1, -1))
            assert [checkpoint.step for checkpoint in await listing] == steps
            async for checkpoint in listing:
                if checkpoint.step < 70:
                    break
            with pytest.raises(casckpt.NotFoundError):
                await store.thread("none").log()

    go(main())


def test_a_function_runs_in_one_go(place, go):
    def both(store):
        with store.batch():
            store.thread("a").save(1)
            store.thread("b").save(2)
        return store.thread("a").load() + store.thread("b").load()

    async def main():
        async with opened(place) as store:
            assert await store.run(both) == 3

    go(main())


def test_work_sees_the_context_of_who_asked(go):
    who = ContextVar("who", default="nobody")

    async def main():
        async with opened("memory:") as store:
            who.set("me")
            assert await store.run(lambda _: who.get()) == "me"

    go(main())


def test_nothing_runs_in_the_thread_of_the_loop(go):
    seen = []

    def encode(_):
        seen.append(threading.current_thread())
        return 0

    def decode(_):
        seen.append(threading.current_thread())
        return Gate()

    async def main():
        async with opened("memory:") as store:
            store.register(Gate, encode=encode, decode=decode)
            await store.thread("t").save(Gate())
            await store.thread("t").load()

    go(main())
    assert len(seen) >= 2
    assert threading.main_thread() not in seen


def test_the_loop_goes_on_while_a_save_is_held_up(go):
    async def main():
        async with opened("memory:") as store:
            store.register(Gate, encode=Gate.encode, decode=Gate.decode)
            await store.thread("a").save("there")
            gate = Gate()
            held = asyncio.create_task(store.thread("b").save(gate))
            await reached(gate)
            assert await store.thread("a").load() == "there"
            assert not held.done()
            gate.opened.set()
            assert (await held).step == 0

    go(main())


@pytest.mark.parametrize("readers", [0, -1, 1.5, "2", True, None])
def test_readers_are_counted_from_one(readers):
    async def opened():
        await casckpt.aio.open("memory:", readers=readers)

    with pytest.raises(casckpt.InvalidInputError, match="readers= takes a number from 1"):
        asyncio.run(opened())
