"""Baseline: one JSON file a step, written aside and renamed into place.

Durability full: the file is synced before the rename and its folder after it (without the
second sync the name may be lost). none: neither.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.peers.base import Durability, PeerBase

__all__ = ["JsonFilesPeer"]


class JsonFilesPeer(PeerBase):
    """One file a step: folder/<thread>/<step>.json."""

    name = "json-files"

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        self._sync = durability == "full"
        folder.mkdir(parents=True, exist_ok=True)
        self._counts: dict[str, int] = {}

    def _thread(self, thread: str) -> Path:
        return self.folder / quote(thread, safe="")

    def _count(self, thread: str) -> int:
        if thread not in self._counts:
            place = self._thread(thread)
            self._counts[thread] = len(list(place.glob("*.json"))) if place.exists() else 0
        return self._counts[thread]

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        count = self._count(thread)
        place = self._thread(thread)
        if count == 0:
            place.mkdir(exist_ok=True)
            if self._sync:
                _sync_folder(self.folder)
        target = place / f"{count:06d}.json"
        aside = place / "next.tmp"
        data = json.dumps(prepared, separators=(",", ":"), ensure_ascii=False).encode()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if self._sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        aside.rename(target)
        if self._sync:
            _sync_folder(place)
        self._counts[thread] = count + 1

    def load_latest(self, thread: str) -> Any:
        return self.load(thread, self._count(thread) - 1)

    def load(self, thread: str, index: int) -> Any:
        return json.loads((self._thread(thread) / f"{index:06d}.json").read_bytes())

    def close(self) -> None:
        """Nothing is held open."""


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
