"""How the books are compared: lists by sums, the log by numbers; in little memory."""

import random
import tracemalloc

import lmdb
import pytest

import casckpt
from casckpt.history import notes
from casckpt.storage.engine import ANY, RefUpdate
from casckpt.upkeep import books, postings
from tests.upkeep.damage import fill, opened


@pytest.fixture
def path(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        fill(store)
    return tmp_path / "store"


def test_any_faults_in_the_lists_are_found(path):
    """As by comparing everything with everything, which is what one part for all comes to."""
    with opened(path) as store:
        engine = store._ledger.engine
        there = sorted(postings._all_postings(store._ledger))
        for seed in range(12):
            noise = random.Random(seed)
            gone = noise.sample(there, noise.randrange(len(there) // 2))
            spurious = [
                noise.choice(there)._replace(rank=noise.getrandbits(63))
                for _ in range(noise.randrange(5))
            ]
            spurious.append(noise.choice(there)._replace(list=notes.label_list("other")))
            engine.commit(add=spurious, remove=gone)
            faults = postings.compare(store._ledger)
            assert faults == (sorted(gone), sorted({*spurious}))
            assert faults == compared_as_one(store)
            engine.commit(add=gone, remove=spurious)
        assert postings.compare(store._ledger) == ([], [])


def compared_as_one(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "_PARTS", 1)
        return postings.compare(store._ledger)


def test_two_faults_do_not_make_up_for_each_other(path):
    """One place instead of another, also where Python takes the two ranks' hashes for equal."""
    with opened(path) as store:
        engine = store._ledger.engine
        times = engine.postings(notes.TIMES)
        for one, other in (
            (times[0], times[0]._replace(rank=times[0].rank + (1 << 61) - 1)),
            (times[0], times[0]._replace(rank=times[1].rank)),
            (times[1], times[1]._replace(list=notes.TIMES + b"\0")),
        ):
            engine.commit(add=[other], remove=[one])
            assert postings.compare(store._ledger) == ([one], [other])
            engine.commit(add=[one], remove=[other])


def test_a_sound_store_takes_little_memory(tmp_path, monkeypatch):
    """Postings kept as objects would be 2 MB."""
    monkeypatch.setattr(postings, "_PAGE", 64)
    with casckpt.open(tmp_path / "store", durability="none") as store:
        with store.batch():
            for number in range(3_000):
                store.thread(f"t{number % 50}").save(number, label="l", tags=["t"])
        assert postings.compare(store._ledger) == ([], [])  # whatever is remembered is by now
        tracemalloc.start()
        try:
            assert postings.compare(store._ledger) == ([], [])
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 1_350_000, peak_bytes


def test_entries_of_the_log_that_are_missing(path):
    """One that another follows, and one that a ref names."""
    with opened(path) as store:
        run = store.thread("a")
        for _ in range(4):
            run.rewind("~1")
        engine = store._ledger.engine
        newest = engine.ref("thread/a").last_log
        older = engine.log_entry(newest).previous
        kept = engine.log_entry(older).previous
        assert list(books.log(store._ledger)) == []
    with lmdb.open(str(path), max_dbs=8) as env:
        log = env.open_db(b"log")
        with env.begin(write=True, db=log) as txn:
            for number in (newest, kept):
                assert txn.delete(number.to_bytes(8, "big"))
    with opened(path) as store:
        assert [found.what for found in books.log(store._ledger)] == [
            f"log entry {number} of 'thread/a' is missing" for number in (kept, newest)
        ]


def test_logs_that_cross(path):
    """Entries of many refs in turn, some of them deleted: none is missed."""
    with opened(path) as store:
        target = store._ledger.engine.ref("thread/c").target
        note = store._ledger.engine.log(limit=1)[0].note
        for number in range(60):
            name = f"app/test/{number % 7}"
            gone = number % 11 == 10
            update = RefUpdate(name, None if gone else target, expect=ANY, log=note)
            store._ledger.engine.commit(refs=[update])
        assert list(books.log(store._ledger)) == []
