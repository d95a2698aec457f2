"""What the last saves have entered in index and lists, before and after it goes to its place."""

from __future__ import annotations

import random
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.errors import CorruptError
from casckpt.storage.engine import Posting
from casckpt.storage.lmdb import index, open_lmdb, posts, young
from casckpt.testing.common import chain, new_object, text

changes = st.lists(
    st.one_of(
        st.integers(1, 7).map(lambda n: ("add", n)),
        st.integers(0, 10**6).map(lambda n: ("remove", n)),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(changes, st.randoms(use_true_random=False), st.sampled_from([0, 4, index.YOUNG_MAX]))
def test_the_index_is_one_set(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, int]],
    rng: random.Random,
    young_max: int,
) -> None:
    place = tmp_path_factory.mktemp("index")
    patch = pytest.MonkeyPatch()
    patch.setattr(index, "YOUNG_MAX", young_max)
    kept: dict[bytes, int] = {}
    with lmdb.open(str(place), max_dbs=1, sync=False) as env:
        table = env.open_db(b"index", dupsort=True, dupfixed=True)
        for seq, (what, number) in enumerate(changes):
            with env.begin(write=True) as txn:
                if what == "add":
                    new = {rng.randbytes(32): 1000 * seq + n for n in range(number)}
                    index.add(txn, table, [index.entry(*item) for item in new.items()])
                    kept |= new
                elif kept:
                    oid = sorted(kept)[number % len(kept)]
                    index.remove(txn, table, oid[:16], kept.pop(oid))
        entries = sorted(index.entry(*item) for item in kept.items())
        with env.begin() as txn, txn.cursor(table) as cursor:
            assert all(index.find(cursor, oid) == seq for oid, seq in kept.items())
            assert not index.find(cursor, rng.randbytes(32))
            assert list(index.scan(cursor, b"", 10**6)) == entries
            after = entries[len(entries) // 2] if entries else b"\x7f"
            rest = [entry for entry in entries if entry > after]
            assert list(index.scan(cursor, after, 3)) == rest[:3]
            assert list(index.since(cursor, after)) == [e for e in entries if e >= after]
    patch.undo()


def test_a_small_commit_touches_one_page_of_the_index_and_one_of_lists(tmp_path: Path) -> None:
    with_lists = [b"time", b"label\0assistant"]
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    for number, item in enumerate(chain(30)):
        engine.commit([item], add=[Posting(name, number, item.id) for name in with_lists])
    here = engine._space
    assert here is not None
    with here.reading() as txn:
        assert txn.stat(here.tables.index)["leaf_pages"] == 1
        assert txn.stat(here.tables.young)["leaf_pages"] == 1
        assert txn.stat(here.tables.young)["overflow_pages"] == 0
        assert txn.stat(here.tables.posts)["entries"] == 0
    engine.close()


def test_lists_are_whole_while_part_of_them_is_young(tmp_path: Path) -> None:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    rng = random.Random(7)
    names = [b"a", b"a\0b", b"c" * 300]
    model: dict[bytes, set[tuple[int, int]]] = {}
    objects = []
    for number in range(150):
        item = new_object(text(number, 30))
        objects.append(item)
        add = [Posting(n, rng.randrange(40), item.id) for n in rng.sample(names, 2)]
        remove = []
        if number % 4 == 3:  # an object of an earlier commit is entered, and one taken out
            old = rng.randrange(number)
            add.append(Posting(b"a", 20, objects[old].id))
            gone = rng.choice([*names, b"none"])
            if model.get(gone):
                rank, at = rng.choice(sorted(model[gone]))
                remove.append(Posting(gone, rank, objects[at].id))
                model[gone].discard((rank, at))
        engine.commit([item], add=add, remove=remove)
        for posting in add:
            at = [o.id for o in objects].index(posting.id)
            model.setdefault(posting.list, set()).add((posting.rank, at))
        if number % 10:
            continue
        assert engine.posting_lists() == sorted(name for name in model if model[name])
        for name, places in model.items():
            inside = sorted(places)
            assert engine.postings_count(name) == len(inside)
            found = engine.postings(name, newest_first=False)
            assert [(p.rank, p.id) for p in found] == [(r, objects[at].id) for r, at in inside]
            assert engine.postings(name) == found[::-1]
            assert (
                engine.postings(name, since=5, until=30, limit=7)
                == [p for p in found[::-1] if 5 <= p.rank < 30][:7]
            )
            some = engine.postings(name, limit=3)
            if some:
                assert engine.postings(name, after=some[-1]) == found[::-1][len(some) :]
    assert [p for p in engine.check() if p.severity == "damage"] == []
    engine.close()


@pytest.mark.parametrize("blob", [b"\0", b"\0\x01a" + bytes(13), b"\0\0" + bytes(14)])
def test_malformed_young_postings_are_named(tmp_path: Path, blob: bytes) -> None:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    here = engine._space
    assert here is not None
    here.write(lambda txn: txn.put(young.KEY, blob, db=here.tables.young))
    with pytest.raises(CorruptError, match="young postings"):
        engine.postings(b"a")
    assert any("young postings" in problem.what for problem in engine.check())
    engine.close()


@pytest.mark.parametrize("twice", ["young", "settled"])
def test_a_posting_twice_is_told(tmp_path: Path, twice: str) -> None:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    item = new_object(b"payload")
    engine.commit([item], add=[Posting(b"a", 7, item.id)])
    assert not [p for p in engine.check() if p.severity == "damage"]
    here = engine._space
    assert here is not None
    place = posts.entry(7, 1)
    if twice == "young":
        here.write(lambda txn: young.add(txn, here.tables, [(b"a", place)]))
    else:
        here.write(lambda txn: txn.put(b"a", place, db=here.tables.posts))
    assert any("posting twice" in p.what for p in engine.check() if p.severity == "damage")
    engine.close()
