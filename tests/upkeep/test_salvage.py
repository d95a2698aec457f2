"""Salvage: what is whole comes over as it was, what is not is named, the source is only read."""

import random
from datetime import timedelta

import lmdb
import pytest

import casckpt
from casckpt.storage.lmdb import tables
from tests.cli.harness import casckpt as run_cli
from tests.damage.variants import PAGE_BYTES
from tests.exact import same
from tests.upkeep import damage
from tests.upkeep.damage import fill, opened
from tests.upkeep.test_fsck import own_object


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def made(path):
    """The checkpoints of thread a, with their states."""
    with casckpt.open(path, durability="none") as store:
        made = [(c, c.load()) for c in fill(store)]
        store.checkpoint("a@3").tag("later")
        store.thread("c").save([4])
        store.thread("gone").save(1)
        store.thread("gone").delete()
        return made


def salvaged(path, name="new"):
    before = (path / "data.mdb").read_bytes()
    done = casckpt.salvage(path, path.parent / name)
    assert (path / "data.mdb").read_bytes() == before
    store = opened(path.parent / name)
    assert list(store.fsck()) == []
    return done, store


def heads(done):
    return {thread.name: thread.whole for thread in done.threads}


def test_nothing_is_damaged(path, made):
    done, store = salvaged(path)
    with store, opened(path) as old:
        assert heads(done) == {"a": True, "b": True, "c": True}
        assert (done.lost, done.unread, done.without_state) == ((), (), ())
        assert {c.id for c in store.find()} >= {c.id for c in old.find()}
        for listed in old.threads():
            assert [c.id for c in store.thread(listed.name).log()] == [
                c.id for c in old.thread(listed.name).log()
            ]
        for tag in ("t", "later"):
            assert [c.id for c in store.find(tag=tag)] == [c.id for c in old.find(tag=tag)]
        assert [c.id for c in store.find(label="planned")] == [
            c.id for c in old.find(label="planned")
        ]
        assert all(same(store.checkpoint(c.id).load(), state) for c, state in made)


@pytest.mark.usefixtures("made")
def test_keys_come_over(path):
    """Salvage made lists of its own, and left out a kind that was new."""
    with opened(path) as old:
        saved = old.thread("a").save(1, key="k")
        left = old.thread("c").save(2, key="k")
        old.thread("c").save(3)
        old.thread("c").prune(casckpt.Retention(keep_last=1))
    _, store = salvaged(path)
    with store:
        assert store.thread("a").checkpoint(key="k").id == saved.id
        assert store.thread("c").checkpoint(key="k").id == left.id
        assert {c.id for c in store.find(key="k", pruned=True)} == {saved.id, left.id}


def test_the_new_store_is_one_like_others(path, made):
    """It can be saved to, collected and packed."""
    _, store = salvaged(path)
    with store:
        store.gc()
        store.pack()
        assert store.thread("a").load() == made[-1][1]
        store.thread("a").save(1)
        assert list(store.fsck()) == []


@pytest.mark.parametrize("how", [damage.flip, damage.delete])
def test_a_state_in_the_middle(path, made, how):
    """Its record is whole: it is shown as pruned, and those after it keep their ids."""
    with opened(path) as store:
        lost = own_object(store, made[4][0])
    how(path, lost)
    done, store = salvaged(path)
    with store:
        assert done.without_state == (made[4][0].id,)
        assert lost in done.lost
        assert heads(done) == {"a": True, "b": True, "c": True}
        with pytest.raises(casckpt.PrunedError, match="salvaged"):
            store.checkpoint(made[4][0].id).load()
        others = [pair for pair in made if pair != made[4]]
        assert all(same(store.checkpoint(c.id).load(), state) for c, state in others)


def test_the_state_of_a_head(path, made):
    """The thread ends at its newest whole ancestor."""
    with opened(path) as store:
        lost = own_object(store, made[11][0])
    damage.flip(path, lost)
    done, store = salvaged(path)
    with store:
        assert store.thread("a").head.id == made[10][0].id
        assert heads(done) == {"a": False, "b": True, "c": True}


def test_the_record_of_a_head(path, made):
    damage.flip(path, made[11][0].id)
    done, store = salvaged(path)
    with store:
        assert store.thread("a").head.id == made[10][0].id
        assert made[11][0].id in done.lost


@pytest.mark.parametrize("collected", [False, True])
def test_pruned_stay_pruned(path, made, collected):
    """Those marked to lose their states, and those that have lost them."""
    assert made
    with opened(path) as store:
        own = {c.id for c in store.thread("b").log()} - {c.id for c, _ in made}
        store.thread("b").prune(casckpt.Retention(keep_last=1))
        pruned = {c.id for c in store.find(pruned=True)} - {c.id for c in store.find()}
        assert len(pruned & own) == 2
        if collected:
            store.gc(grace=timedelta(0))
    done, store = salvaged(path)
    with store:
        assert set(done.without_state) == pruned
        assert heads(done) == {"a": True, "b": True, "c": True}
        for id in pruned:
            with pytest.raises(casckpt.PrunedError):
                store.checkpoint(id).load()
        assert pruned <= {c.id for c in store.find(pruned=True)}


@pytest.mark.parametrize("table", ["index", "posts", "young"])
def test_lost_indexes(path, made, table):
    """Nothing leads to a row any more: rows name each other."""
    empty(path, table)
    done, store = salvaged(path)
    with store:
        assert heads(done) == {"a": True, "b": True, "c": True}
        assert all(same(store.checkpoint(c.id).load(), state) for c, state in made)


def empty(path, table):
    with lmdb.open(str(path), max_dbs=tables.COUNT_MAX) as env:
        db = env.open_db(table.encode(), create=False)
        with env.begin(write=True) as txn:
            txn.drop(db, delete=False)


def test_refs_that_cannot_be_read(path, made):
    """Threads are known by their checkpoints, and end at the newest of these."""
    with lmdb.open(str(path), max_dbs=tables.COUNT_MAX) as env:
        db = env.open_db(b"refs", create=False)
        with env.begin(write=True) as txn:
            txn.put(b"a", b"short", db=db)
    done, store = salvaged(path)
    with store:
        assert any(text.startswith("refs: ") for text in done.unread)
        assert store.thread("a").head.id == made[11][0].id
        assert store.thread("c").load() == [4]


def test_damage_anywhere_in_the_rows(path, made):
    """Whatever row is hurt: what comes over is right, and sound."""
    with damage.rows_of(path) as txn:
        rows = dict(txn.cursor())
    rng = random.Random(5)
    for number, key in enumerate(rng.sample(sorted(rows), 6)):
        hurt = bytearray(rows[key])
        hurt[rng.randrange(len(hurt))] ^= 1 << rng.randrange(8)
        with damage.rows_of(path) as txn:
            txn.put(key, bytes(hurt))
        _, store = salvaged(path, f"new{number}")
        with store:
            known = {checkpoint.id: state for checkpoint, state in made}
            for checkpoint in store.find():
                if checkpoint.id in known:
                    assert same(checkpoint.load(), known[checkpoint.id])
        with damage.rows_of(path) as txn:
            txn.put(key, rows[key])


def test_what_is_refused(path, made, tmp_path):
    assert made
    (tmp_path / "there").mkdir()
    with pytest.raises(casckpt.InvalidInputError, match="there already"):
        casckpt.salvage(path, tmp_path / "there")
    with pytest.raises(casckpt.NotAStoreError):
        casckpt.salvage(tmp_path / "nowhere", tmp_path / "new")
    data = path / "data.mdb"
    data.write_bytes(data.read_bytes()[: 3 * PAGE_BYTES])
    with pytest.raises(casckpt.CorruptError):
        casckpt.salvage(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_on_the_command_line(path, made, tmp_path):
    new = str(tmp_path / "new")
    done = run_cli(["-s", str(path), "fsck", "--salvage", new])
    assert done.exit_code == 0, done.output
    assert "salvaged 3 of 3 threads" in done.output
    damage.flip(path, made[11][0].id)
    done = run_cli(["-s", str(path), "fsck", "--salvage", new + "2"])
    assert done.exit_code == 5
    assert f"thread a ends at {made[10][0].id[:16]}, was at {made[11][0].id[:16]}" in done.output
    done = run_cli(["-s", str(path), "fsck", "--salvage", new + "3", "--json"])
    assert done.exit_code == 5
    assert made[11][0].id in done.output
