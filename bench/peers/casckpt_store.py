"""casckpt itself, through its front door.

Durability full: the default. none: `durability="none"`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import casckpt
from bench.peers.base import Durability, PeerBase

__all__ = ["CasckptPeer"]


class CasckptPeer(PeerBase):
    """A thread of states is a thread of checkpoints; nothing else is told to it."""

    name = "casckpt"
    packages = ("casckpt", "lmdb", "cbor2", "blake3", "zstandard")

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        self.store = casckpt.open(folder / "store.casckpt", durability=durability)

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        self.store.thread(thread).save(prepared, label=label)

    def load_latest(self, thread: str) -> Any:
        return self.store.thread(thread).load()

    def load(self, thread: str, index: int) -> Any:
        return self.store.thread(thread).load(f"@{index}")

    def close(self) -> None:
        self.store.close()
