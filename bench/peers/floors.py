"""The floors: what no store on this machine can be faster than.

`floor-lmdb`: one LMDB transaction that puts a few rows of random bytes under growing keys,
with the same durability as the others: two rows of 700 B. `floor-lmdb-same`: as many rows and
bytes as casckpt stores for a save of the same workload, by a pilot run. `floor-pickle`: `pickle.dumps` of the state, and
`pickle.loads` of it: no disk at all.

Imports: lmdb (the very package casckpt stands on).
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import lmdb

from bench.measure import Usage
from bench.peers.base import Durability, PeerBase

__all__ = ["LmdbFloor", "PickleFloor", "SameBytesFloor"]

MAP_BYTES = 1 << 34


class LmdbFloor(PeerBase):
    """A bare commit of `rows` (sizes in bytes)."""

    name = "floor-lmdb"
    floor = True
    packages: tuple[str, ...] = ("lmdb",)
    rows: tuple[int, ...] | None = (700, 700)

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        full = durability == "full"
        self._env = lmdb.open(str(folder), map_size=MAP_BYTES, sync=full, metasync=full)
        self._next = self._env.stat()["entries"]

    def prepare(self, thread: str, state: Any, label: str | None) -> Any:  # noqa: ARG002
        return [os.urandom(size) for size in self.rows or ()]

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        with self._env.begin(write=True) as transaction:
            for row in prepared:
                transaction.put(self._next.to_bytes(8, "big"), row, append=True)
                self._next += 1

    def load_latest(self, thread: str) -> Any:  # noqa: ARG002
        with self._env.begin() as transaction:
            return transaction.get((self._next - 1).to_bytes(8, "big"))

    def load(self, thread: str, index: int) -> Any:  # noqa: ARG002
        return self.load_latest(thread)

    def close(self) -> None:
        self._env.close()


class SameBytesFloor(LmdbFloor):
    """A bare commit of as many rows and bytes as casckpt stores for a save of this workload.

    Whoever runs it fills in `rows` (`bench.peers.casckpt_store.rows_of_a_save`).
    """

    name = "floor-lmdb-same"


class PickleFloor(PeerBase):
    """Serializing alone, into memory; only the last state of each thread is kept."""

    name = "floor-pickle"
    floor = True

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    def open(self, folder: Path, durability: Durability) -> None:
        """Nothing to open."""

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        self._last[thread] = pickle.dumps(prepared, protocol=5)

    def load_latest(self, thread: str) -> Any:
        return pickle.loads(self._last[thread])

    def load(self, thread: str, index: int) -> Any:  # noqa: ARG002
        return self.load_latest(thread)

    def size(self) -> Usage | None:
        return None

    def close(self) -> None:
        """Nothing to close."""
