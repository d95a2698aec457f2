"""Damage that made fsck search or allocate without end."""

import lmdb
import pytest

import casckpt
from tests.upkeep.damage import fill, opened


@pytest.fixture
def path(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        fill(store)
    return tmp_path / "store"


def test_young_postings_that_cannot_be_read(path):
    """Fsck looked for the damaged place rank by rank, 2**64 of them: it never ended."""
    with lmdb.open(str(path), max_dbs=8) as env:
        young = env.open_db(b"young")
        with env.begin(write=True, db=young) as txn:
            txn.put(b"p", b"\0\4time")
    with opened(path) as store:
        report = store.fsck()
        assert not report.ok
        assert "young postings are malformed" in str(report)


def test_numbers_that_are_far_apart(path):
    """A damaged state record said that 2**50 rows had been given out; fsck made room for them."""
    with lmdb.open(str(path), max_dbs=8) as env:
        meta = env.open_db(b"meta")
        with env.begin(write=True, db=meta) as txn:
            state = txn.get(b"state")
            txn.put(b"state", state[:8] + (1 << 40).to_bytes(8, "big") + state[16:])
    with opened(path) as store:
        assert store.thread("c").load() == [1, 2, 3]
        with pytest.raises(casckpt.StorageError, match="too far apart"):
            store.fsck()
        with pytest.raises(casckpt.StorageError, match="too far apart"):
            store.gc()
