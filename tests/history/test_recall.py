"""A store just opened saves a long value as quickly and as small as one that saved it before."""

from __future__ import annotations

import random

import pytest

import casckpt
from casckpt.tree import blobs

RNG = random.Random(2)
DATA = RNG.randbytes(3_000_000)
TEXT = DATA.hex()


@pytest.mark.parametrize("long", [DATA, TEXT], ids=["bytes", "str"])
def test_what_is_as_before_is_not_cut_again(tmp_path, long, monkeypatch):
    place = tmp_path / "store"
    with casckpt.open(place, durability="none") as store:
        store.thread("t").save({"n": 1, "deep": {"x": long}, "keys": list(range(5))})
        before = store.stats()
    cut = []
    original = blobs.BlobRun.add
    monkeypatch.setattr(
        blobs.BlobRun, "add", lambda run, piece, *a: cut.append(piece) or original(run, piece, *a)
    )
    with casckpt.open(place, durability="none") as store:
        changed = long[:1_000_000] + long[:7] + long[1_000_007:]
        state = {"n": 2, "deep": {"x": changed, "y": long[:100]}, "more": long[:1_200_000]}
        checkpoint = store.thread("t").save({**state, "more": None})
        assert 0 < len(cut) < 6
        assert store.stats().stored_bytes - before.stored_bytes < 5000
        assert checkpoint.load() == {**state, "more": None}
        assert checkpoint.root == store.thread("other").save({**state, "more": None}).root
        store.thread("t").save(state)  # what was not long before is built as ever
        assert store.thread("t").load() == state
        assert list(store.fsck()) == []


@pytest.mark.parametrize("long", [DATA, TEXT], ids=["bytes", "str"])
def test_edits_know_what_they_replace(long, monkeypatch):
    cut = []
    original = blobs.BlobRun.add
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        run.save({"deep": {"x": long, "y": 1}, "n": 1})
        monkeypatch.setattr(
            blobs.BlobRun, "add", lambda run, piece, *a: cut.append(1) or original(run, piece, *a)
        )
        changed = long[:1_000_000] + long[:7] + long[1_000_000:]
        with run.edit() as draft:
            draft["deep"]["x"] = changed
            draft["n"] = 2
        assert 0 < len(cut) < 6
        with run.edit() as draft:
            draft["deep"] = {"y": [], "x": long}
        assert 0 < len(cut) < 12
        with run.edit() as draft:
            draft["deep"]["z"] = draft["deep"].pop("x")
            draft["deep"]["x"] = casckpt.Stream([b"other"])
        now = {"deep": {"y": [], "z": long, "x": b"other"}, "n": 2}
        assert run.load() == now
        assert run.head.root == store.thread("u").save(now).root
        assert run.load("~2") == {"deep": {"x": changed, "y": 1}, "n": 2}


@pytest.mark.parametrize("before", [None, [DATA], {"x": 7}, {"x": TEXT}, {"x": {"y": DATA}}, DATA])
def test_whatever_was_there_before(before):
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        run.save(before)
        run._ledger.forget()
        assert run.save({"x": DATA}).root == store.thread("u").save({"x": DATA}).root
        assert run.load() == {"x": DATA}


def test_a_head_that_cannot_be_read_is_no_matter():
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        run.save({"x": DATA + DATA[::-1] + TEXT.encode()})
        run._ledger.forget()
        rows = run._ledger.engine._rows
        kinds = {oid: row for oid, row in rows.items() if row.kind == 4}
        assert kinds
        for oid, row in kinds.items():
            rows[oid] = row._replace(payload=b"damaged")
        saved = run.save({"x": DATA[:-1]})
        assert saved.load() == {"x": DATA[:-1]}
