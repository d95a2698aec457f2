"""More readers at the same instant than the lock file has places for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from casckpt.errors import StorageError
from casckpt.storage.lmdb import environment, open_lmdb, space


def test_a_reader_waits_for_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    here = engine._space
    assert here is not None
    taken, enough = threading.Event(), threading.Event()

    def hold() -> None:
        held = [here.env.begin() for _ in range(environment.READERS_MAX)]
        taken.set()
        enough.wait(10)
        for txn in held:
            txn.abort()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with monkeypatch.context() as patch:
        patch.setattr(space, "READER_WAITS_MAX", 3)
        with pytest.raises(StorageError, match="too many readers"):
            engine.header()
    threading.Timer(0.05, enough.set).start()
    assert engine.header() == b"header"
    holder.join()
    engine.close()


def test_the_lock_file_stays_small(tmp_path: Path) -> None:
    with_reader = open_lmdb(tmp_path / "s", b"header")
    assert with_reader.header() == b"header"
    assert (tmp_path / "s" / "lock.mdb").stat().st_size == 8192
    with_reader.close()
