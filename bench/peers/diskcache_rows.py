"""diskcache: one entry a step, and one that says how many there are.

Set up so that it does not lose history: no eviction, no size limit. Durability full:
`synchronous=FULL`, and values stay in SQLite whatever their size, because diskcache never syncs
the separate files it otherwise makes of values over 32 KB. none: `synchronous=OFF`, else as
shipped.

Imports: diskcache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diskcache

from bench.peers.base import Durability, PeerBase

__all__ = ["DiskcachePeer"]

UNLIMITED_BYTES = 1 << 50


class DiskcachePeer(PeerBase):
    """cache[(thread, step)] = state."""

    name = "diskcache"
    packages = ("diskcache",)

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        settings = {"eviction_policy": "none", "cull_limit": 0, "size_limit": UNLIMITED_BYTES}
        if durability == "full":
            settings |= {"sqlite_synchronous": 2, "disk_min_file_size": 1 << 30}
        else:
            settings |= {"sqlite_synchronous": 0}
        self._cache = diskcache.Cache(str(folder), **settings)

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        with self._cache.transact():
            count = self._cache.get((thread, "count"), 0)
            self._cache[thread, count] = prepared
            self._cache[thread, "count"] = count + 1

    def load_latest(self, thread: str) -> Any:
        return self._cache[thread, self._cache[thread, "count"] - 1]

    def load(self, thread: str, index: int) -> Any:
        return self._cache[thread, index]

    def close(self) -> None:
        self._cache.close()
