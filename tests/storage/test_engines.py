"""The conformance suite on every engine, and on both of LMDB's."""

from __future__ import annotations

from pathlib import Path

import pytest

from casckpt.storage.engine import Engine
from casckpt.storage.lmdb import files, open_lmdb
from casckpt.storage.memory import MemoryEngine
from casckpt.testing import EngineConformance


class TestMemory(EngineConformance):
    def new_engine(self) -> Engine:
        return MemoryEngine(self.HEADER)


class _OnDisk(EngineConformance):
    lib_version = 0

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.place = tmp_path
        self.count = 0

    def new_engine(self) -> Engine:
        self.count += 1
        path = self.place / f"{self.count}.casckpt"
        files.create(path, self.HEADER, lib_version=self.lib_version)
        return open_lmdb(path, durability="none")


class TestLmdb09(_OnDisk):
    lib_version = 0


class TestLmdb10(_OnDisk):
    lib_version = 1

    def test_it_is_really_the_other_engine(self) -> None:
        with self.empty() as engine:
            assert engine.stats()["lmdb"].startswith("1.")
