"""ZODB with FileStorage: a persistent object a thread whose state is replaced at every step.

FileStorage keeps old revisions until it is packed, so history is read back by opening a
connection as of the transaction of that step (which the peer remembers). The whole state is
one record; a program written for ZODB would make its messages persistent objects and mutate
them (the question `edit` measures that).

Durability full: as shipped, FileStorage syncs at every commit. none: its `fsync` taken away.
Its own `pack` drops history, so it is not run.

Imports: ZODB, persistent, transaction.
"""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from typing import Any

import transaction
import ZODB
import ZODB.FileStorage
from BTrees.OOBTree import OOBTree
from persistent import Persistent

from bench.peers.base import Durability, PeerBase

__all__ = ["ZodbPeer"]


class Thread(Persistent):  # type: ignore[misc]  # ZODB has no types
    """One thread: its latest state."""

    state: Any = None


class ZodbPeer(PeerBase):
    """One persistent object a thread: root["threads"][name].state."""

    name = "zodb"
    packages = ("ZODB", "persistent", "BTrees")

    def __init__(self) -> None:
        self._serials: dict[str, list[bytes]] = {}

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        module = sys.modules["ZODB.FileStorage.FileStorage"]
        module.fsync = os.fsync if durability == "full" else None  # type: ignore[attr-defined]
        self._db = ZODB.DB(ZODB.FileStorage.FileStorage(str(folder / "Data.fs")))
        self._manager = transaction.TransactionManager()
        self._connection = self._db.open(transaction_manager=self._manager)
        root = self._connection.root()
        if "threads" not in root:
            root["threads"] = OOBTree()
            self._manager.commit()
        self._threads = root["threads"]

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        holder = self._threads.get(thread)
        if holder is None:
            holder = self._threads[thread] = Thread()
        holder.state = prepared
        self._manager.get().note(label or "step")
        self._manager.commit()
        self._serials.setdefault(thread, []).append(holder._p_serial)

    def load_latest(self, thread: str) -> Any:
        return self._read(thread, None)

    def load(self, thread: str, index: int) -> Any:
        return self._read(thread, self._serials[thread][index])

    def _read(self, thread: str, serial: bytes | None) -> Any:
        """A connection of its own each time, emptied first: the state must come from the file."""
        manager = transaction.TransactionManager()
        connection = self._db.open(transaction_manager=manager, at=serial)
        try:
            holder = connection.root()["threads"][thread]
            holder._p_invalidate()
            return copy.copy(holder.state)
        finally:
            holder._p_invalidate()
            connection.close()

    def close(self) -> None:
        self._manager.abort()
        self._connection.close()
        self._db.close()
