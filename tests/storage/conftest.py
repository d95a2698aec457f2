"""What tests of packing share: a store of chains, and steps so small that it takes many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casckpt.storage.lmdb import LmdbEngine, choose, pack
from tests.storage.packing import filled


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "TARGET_BYTES", 6000)
    monkeypatch.setattr(pack, "READ_ROWS", 4)
    monkeypatch.setattr(pack, "BATCH_ROWS", 5)


@pytest.fixture(name="engine")
def engine_(tmp_path: Path) -> Iterator[LmdbEngine]:
    engine = filled(tmp_path / "s")
    yield engine
    engine.close()
