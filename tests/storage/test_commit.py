"""Commits on LMDB: what changes between plan and transaction, long ones, what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lmdb
import pytest

from casckpt.errors import StorageError
from casckpt.storage.engine import ABSENT, MissingObjects, Posting, RefConflict, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, commit, leases, open_lmdb, plan, space, tables
from casckpt.testing.common import chain, new_object, noise, text

DEAD = b"999999999|1|0|another boot"


@pytest.fixture(name="engine")
def engine_(tmp_path: Path) -> Iterator[LmdbEngine]:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    yield engine
    assert not list(engine.check())
    engine.close()


def planned(engine: LmdbEngine, new: list, refs: list, **more: Any) -> plan.Plan:
    rest = {"uses": [], "add": [], "remove": [], **more}
    return plan.plan(engine._space, new, refs, **rest)


def collect(engine: LmdbEngine) -> None:
    engine.gc(lambda: (), log_keep=timedelta(0), now_ns=1)


def depths(engine: LmdbEngine) -> dict[int, int]:
    return engine.stats()["depths"]


def meta(engine: LmdbEngine) -> dict[bytes, bytes]:
    with engine._space.reading() as txn:
        return dict(txn.cursor(engine._space.tables.meta))


def test_versions_are_deltas_up_to_the_limit(engine: LmdbEngine) -> None:
    item = None
    for step in range(70):
        item = new_object(text(1, 1500) + b" %d" % step, base=item)
        engine.commit([item])
    assert depths(engine) == {n: 3 if n < 4 else 2 for n in range(33)}


def test_a_base_that_was_swept_is_done_without(engine: LmdbEngine) -> None:
    old, new = chain(2)
    new = new._replace(children=())
    engine.commit([old])
    waiting = planned(engine, [new], [RefUpdate("r", new.id)])
    assert waiting.items[0].base == old.id
    collect(engine)
    commit.carry_out(engine._space, waiting)
    assert engine.read([new.id])[0].payload == new.payload
    assert depths(engine) == {0: 1}


def test_a_duplicate_that_was_swept_is_stored_again(engine: LmdbEngine) -> None:
    item = new_object(text(1))
    engine.commit([item])
    waiting = planned(engine, [item], [RefUpdate("r", item.id)])
    collect(engine)
    assert engine.missing([item.id])
    commit.carry_out(engine._space, waiting)
    assert not engine.missing([item.id])


def test_a_child_that_was_swept_stops_the_commit(engine: LmdbEngine) -> None:
    child, parent = chain(2)
    engine.commit([child])
    waiting = planned(engine, [parent], [RefUpdate("r", parent.id)])
    collect(engine)
    with pytest.raises(MissingObjects) as caught:
        commit.carry_out(engine._space, waiting)
    assert caught.value.ids == {child.id}
    assert engine.ref("r") is None


def test_somebody_else_was_first(engine: LmdbEngine) -> None:
    """The same object, and a base that is now stored another way."""
    first, second, third = chain(3)
    waiting = planned(engine, [first, second, third], [RefUpdate("r", third.id)])
    engine.commit([new_object(text(9)), first, second._replace(base=None)])
    commit.carry_out(engine._space, waiting)
    assert engine.stats()["objects"] == 4
    for item in (first, second, third):
        assert engine.read([item.id])[0].payload == item.payload


def test_an_ordinary_save_leaves_meta_alone(engine: LmdbEngine) -> None:
    before = meta(engine)
    ref = ABSENT
    for number, item in enumerate(chain(5)):
        [ref] = engine.commit(
            [item], [RefUpdate("r", item.id, ref, log=None)], add=[Posting(b"t", number, item.id)]
        )
    assert meta(engine) == before
    engine.commit(refs=[RefUpdate("s", ref.target, log=b"")])
    assert meta(engine) == before
    engine.commit(refs=[RefUpdate("t", ref.target)])  # to an old object, and not logged
    assert len(meta(engine)) == len(before) + 1
    collect(engine)
    assert meta(engine).keys() == before.keys() | {b"upkeep"}


# long commits


@pytest.fixture(name="parts")
def parts_(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "PART_BYTES_MAX", 10_000)


def long() -> list:
    leaves = [new_object(noise(4000) + b"%d" % n) for n in range(12)]
    return [*leaves, new_object(b"top", leaves)]


@pytest.mark.usefixtures("parts")
def test_a_long_commit_takes_several_transactions(engine: LmdbEngine) -> None:
    before = engine._space.env.info()["last_txnid"]
    objects = long()
    engine.commit(objects, [RefUpdate("r", objects[-1].id)], add=[Posting(b"t", 1, objects[0].id)])
    assert engine._space.env.info()["last_txnid"] == before + 6
    assert not engine.missing([item.id for item in objects])
    assert not [key for key in meta(engine) if key.startswith(b"lease")]


@pytest.mark.usefixtures("parts")
def test_a_long_commit_that_fails_leaves_only_garbage(engine: LmdbEngine) -> None:
    objects = long()
    engine.commit([objects[0]], [RefUpdate("r", objects[0].id)])
    with pytest.raises(RefConflict):
        engine.commit(objects, [RefUpdate("r", objects[-1].id, ABSENT)])
    assert not [key for key in meta(engine) if key.startswith(b"lease")]
    collect(engine)
    assert list(engine.objects()) == [objects[0].id]


@pytest.mark.usefixtures("parts")
def test_gc_respects_a_long_commit_while_its_process_lives(engine: LmdbEngine) -> None:
    objects = long()
    waiting = planned(engine, objects, [RefUpdate("r", objects[-1].id)])
    work = commit._Work(engine._space, waiting)
    parts = commit._parts(waiting.items)
    work.write(parts[0], last=False)
    collect(engine)
    assert engine.stats()["objects"] == 2
    work.write(parts[1], last=False)
    [lease] = [key for key in meta(engine) if key.startswith(b"lease")]
    engine._space.write(lambda txn: txn.put(lease, DEAD, db=engine._space.tables.meta))
    collect(engine)
    assert engine.stats()["objects"] == 0
    assert not [key for key in meta(engine) if key.startswith(b"lease")]
    work.write(parts[2], last=False)  # it was not dead after all
    with pytest.raises(MissingObjects):
        work.write(waiting.items[-1:], last=True)


@pytest.mark.parametrize("lost", [False, True])
def test_a_long_commit_that_begins_with_what_is_stored(engine: LmdbEngine, lost: bool) -> None:
    """Its lease begins with the first row; if that is lost, a swept base is not relied on."""
    stored, *rest = chain(3)
    base = new_object(rest[0].payload)
    last = new_object(rest[1].payload, [], base)
    engine.commit([stored])
    waiting = planned(engine, [stored, base, last], [RefUpdate("r", last.id)])
    work = commit._Work(engine._space, waiting)
    work.write(waiting.items[:1], last=False)
    work.write(waiting.items[1:2], last=False)
    [lease] = [key for key in meta(engine) if key.startswith(b"lease")]
    if lost:
        engine._space.write(lambda txn: txn.delete(lease, db=engine._space.tables.meta))
    collect(engine)
    assert engine.stats()["objects"] == (0 if lost else 1)
    work.write(waiting.items[2:], last=True)
    engine._space.payloads = type(engine._space.payloads)()
    [read] = engine.read([last.id])
    assert read.payload == last.payload
    assert depths(engine) == ({0: 1} if lost else {0: 1, 1: 1})


# gc's sign


def test_one_gc_at_a_time(engine: LmdbEngine) -> None:
    def again() -> tuple:
        with pytest.raises(StorageError, match="another gc"):
            engine.gc(lambda: ())
        return ()

    engine.gc(again)
    engine.gc(lambda: ())


def test_the_sign_of_a_dead_gc_is_no_hindrance(engine: LmdbEngine) -> None:
    here = engine._space
    here.write(lambda txn: txn.put(leases.GC, DEAD, db=here.tables.meta))
    engine.gc(lambda: ())
    assert leases.GC not in meta(engine)


def test_a_gc_that_was_taken_for_dead_stops(engine: LmdbEngine) -> None:
    here = engine._space
    engine.commit(chain(5))

    def rob() -> tuple:
        here.write(lambda txn: txn.put(leases.GC, DEAD, db=here.tables.meta))
        return ()

    with pytest.raises(StorageError, match="this one stops"):
        engine.gc(rob)
    assert engine.stats()["objects"] == 5
    assert meta(engine)[leases.GC] == DEAD
    engine.gc(lambda: ())
    assert engine.stats()["objects"] == 0


def test_signs() -> None:
    assert leases.is_alive(leases.owner())
    pid, _, rest = leases.owner().partition(b"|")
    assert not leases.is_alive(b"1|" + rest)
    assert not leases.is_alive(pid + b"|5|" + rest.partition(b"|")[2])
    for sign in (b"", b"x", DEAD, b"-1|||", b"\xff" * 9, pid):
        assert not leases.is_alive(sign)


# what it costs


def test_bytes_at_rest(engine: LmdbEngine) -> None:
    """Index and postings are as small as was measured when they were chosen."""
    objects = [new_object(b"%d" % n) for n in range(20_000)]
    for begin in range(0, len(objects), 100):
        part = objects[begin : begin + 100]
        add = [Posting(b"time", begin + n, item.id) for n, item in enumerate(part)]
        engine.commit(part, add=add)
    sizes = engine.stats()["tables"]
    assert sizes["index"] / len(objects) < 33
    assert sizes["posts"] / len(objects) < 15
    assert sizes["rows"] / len(objects) < 40


def test_a_paused_reader_holds_no_transaction(engine: LmdbEngine) -> None:
    engine.commit(chain(2000), add=[])
    for iterator in (engine.objects(), engine.check()):
        next(iterator, None)
        assert engine._space.gate.inside == 0
        assert engine._space.env.readers().count("\n") <= 2


def test_a_panicking_environment_is_opened_anew(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDB refuses all further work if it could not write its root page; the file is sound."""
    real, calls = space.Space._write_once, []

    def panic(self: space.Space, work: Any) -> Any:
        calls.append(1)
        if len(calls) in {1, 3, 4}:
            raise lmdb.PanicError("x")
        return real(self, work)

    monkeypatch.setattr(space.Space, "_write_once", panic)
    item = new_object(b"x")
    before = engine._space.env
    engine.commit([item])
    assert engine._space.env is not before
    assert not engine.missing([item.id])
    with pytest.raises(StorageError):
        engine.commit([new_object(b"y")])
    engine.commit([new_object(b"y")])


def test_seqs_end_somewhere(engine: LmdbEngine) -> None:
    here = engine._space
    state = tables.State(1, tables.SEQ_MAX - 1, 0, 0)
    here.write(lambda txn: tables.put_state(txn, here.tables, state))
    engine.commit([new_object(b"x")])
    with pytest.raises(StorageError, match="row numbers"):
        engine.commit([new_object(b"y")])


def test_short_payloads_hang_on_short_chains(engine: LmdbEngine) -> None:
    """A delta that saves little is not worth a link: short records of long histories."""
    item = None
    for step in range(40):
        item = new_object(text(1, 60) + noise(32 * step + 32)[-32:], base=item)
        engine.commit([item])
    assert max(depths(engine)) <= 8
    assert len(depths(engine)) > 1
