"""Issue 6, kind 1: a repository of checkpoint models."""

import asyncio

import pytest
from pydantic import BaseModel

import casckpt
import casckpt.aio
from casckpt.storage.memory import MemoryEngine


class Values(BaseModel):
    messages: list[str] = []
    step: int = 0


@pytest.fixture
def session(store):
    store.register(Values)
    return store.thread("ns/s-1")


def test_kind1_a_checkpoint_has_id_ts_values_version_and_parent_id(session):
    first = session.save(Values())
    second = session.save(Values(messages=["Hi"]))
    assert len(second.id) == 64
    assert second.created_at > first.created_at
    assert second.load() == Values(messages=["Hi"])
    assert type(second.load()) is Values
    assert (first.step, second.step, first.parent, second.parent) == (0, 1, None, first.id)


def test_kind1_namespace(store, session):
    session.save(1)
    store.thread("other/s-1").save(2)
    assert [c.load() for c in store.find(prefix="ns/")] == [1]
    assert [info.name for info in store.threads("ns/")] == ["ns/s-1"]


def test_kind1_metadata_session_id_and_task_id(store, session):
    facts = {"session_id": "s-1", "task_id": "t-7"}
    saved = session.save(1, meta=facts)
    assert saved.meta == facts
    assert list(store.find(meta={"task_id": "t-7"})) == [saved]


def test_kind1_create(session):
    assert not session.exists
    session.save(Values())
    assert session.exists


def test_kind1_empty(session):
    assert session.head is None
    with session.edit() as draft:
        assert draft == {}
        draft["n"] = 1
    assert session.load() == {"n": 1}


def test_kind1_copy(session):
    session.save({"messages": ["Hi"]})
    copy = session.load()
    copy["messages"].append("mine alone")
    assert session.load() == {"messages": ["Hi"]}
    other = session.fork("ns/s-1-copy")
    other.save(copy)
    assert session.load() == {"messages": ["Hi"]}


def test_kind1_put_with_an_id_of_your_own(session):
    saved = session.save(1, key="cp-1")
    assert session.save(1, key="cp-1") == saved
    with pytest.raises(casckpt.ConflictError):
        session.save(2, key="cp-1")


def test_kind1_get(store, session):
    saved = session.save(1, key="cp-1")
    assert store.checkpoint(saved.id) == session.checkpoint(key="cp-1") == saved
    with pytest.raises(casckpt.NotFoundError):
        session.checkpoint(key="cp-2")


def test_kind1_list(store, session):
    saved = [session.save(number) for number in range(5)]
    assert list(store.find()) == saved[::-1]
    assert list(store.find(limit=2, after=saved[3])) == [saved[2], saved[1]]


def test_kind1_get_by_session(store, session):
    saved = [session.save(number, meta={"session_id": "s-1"}) for number in range(2)]
    store.thread("ns/s-2").save(9, meta={"session_id": "s-2"})
    assert list(session.log()) == list(store.find(meta={"session_id": "s-1"})) == saved[::-1]


def test_kind1_delete_by_session(store, session):
    session.save(1)
    kept = store.thread("ns/s-2").save(2)
    session.delete()
    assert list(store.find()) == [kept]
    store.gc(grace=0)
    assert store.stats().checkpoints == 1


def test_kind1_sync_and_async(place):
    async def main():
        async with casckpt.aio.open(place, durability="none") as store:
            run = store.thread("s-1")
            saved = await run.save({"n": 1}, key="cp-1")
            assert await run.checkpoint(key="cp-1") == saved
            assert await run.load() == {"n": 1}
            assert await store.find() == [saved]
            await run.delete()

    asyncio.run(main())


def test_kind1_versions_compared(session):
    first, second = session.save({"n": 1}), session.save({"n": 2})
    assert first.step < second.step
    assert first.is_ancestor_of(second)
    assert not second.is_ancestor_of(first)
    assert [str(c) for c in first.diff(second)] == ["~ n: 1 -> 2"]


def test_kind1_versions_bumped(session):
    first = session.save(1)
    second = session.save(2, expect=first)
    assert second.step == first.step + 1
    with pytest.raises(casckpt.ConflictError) as caught:
        session.save("of an old version", expect=first)
    assert caught.value.details["actual"] == second.id


def test_kind1_storage_plugged_in():
    made = []

    def engine(path, header):
        made.append((path, MemoryEngine(header)))
        return made[-1][1]

    with casckpt.open("mine://there", engine=engine) as store:
        saved = store.thread("t").save([1] * 9_000)
        assert store.path == "mine://there"
        assert not made[0][1].missing([bytes.fromhex(saved.id)])
    with casckpt.open("mine://there", engine=engine, retention=casckpt.Retention(keep_last=1)) as s:
        s.thread("t").save(1)

    async def main():
        async with casckpt.aio.open("mine://there", engine=engine) as store:
            await store.thread("t").save(1)

    asyncio.run(main())
    assert len(made) == 3


@pytest.mark.parametrize(
    "given", [{"create": False}, {"read_only": True}, {"durability": "none"}], ids=str
)
def test_kind1_storage_plugged_in_knows_its_own_options(given):
    with pytest.raises(casckpt.InvalidInputError, match="engine= takes no"):
        casckpt.open("x", engine=lambda _, header: MemoryEngine(header), **given)


def test_kind1_storage_plugged_in_that_holds_something_else_is_closed():
    engine = MemoryEngine(b"something else")
    with pytest.raises(casckpt.NotAStoreError):
        casckpt.open("x", engine=lambda *_: engine)
    with pytest.raises(casckpt.ClosedError):
        engine.header()
