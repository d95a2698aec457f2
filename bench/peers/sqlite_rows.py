"""Baseline: one row a step in SQLite (WAL), the state pickled or as JSON text.

Durability full: `synchronous=FULL` (SQLite's default; in WAL it syncs the log at every
commit). none: `synchronous=OFF`.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from pathlib import Path
from typing import Any

from bench.peers.base import Durability, PeerBase

__all__ = ["JsonSqlitePeer", "PickleSqlitePeer"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
    thread TEXT NOT NULL, step INTEGER NOT NULL, label TEXT, state BLOB NOT NULL,
    PRIMARY KEY (thread, step)
)
"""


class _SqlitePeer(PeerBase):
    def _dumps(self, state: Any) -> bytes:
        raise NotImplementedError

    def _loads(self, data: bytes) -> Any:
        raise NotImplementedError

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "steps.sqlite")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'OFF'}")
        self._db.execute(SCHEMA)
        self._db.commit()

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        with self._db:
            self._db.execute(
                "INSERT INTO steps SELECT ?1, COALESCE(MAX(step) + 1, 0), ?2, ?3"
                " FROM steps WHERE thread = ?1",
                (thread, label, self._dumps(prepared)),
            )

    def load_latest(self, thread: str) -> Any:
        row = self._db.execute(
            "SELECT state FROM steps WHERE thread = ? ORDER BY step DESC LIMIT 1", (thread,)
        ).fetchone()
        return self._loads(row[0])

    def load(self, thread: str, index: int) -> Any:
        row = self._db.execute(
            "SELECT state FROM steps WHERE thread = ? AND step = ?", (thread, index)
        ).fetchone()
        return self._loads(row[0])

    def pack(self) -> bool:
        self._db.execute("VACUUM")
        return True

    def close(self) -> None:
        self._db.close()


class PickleSqlitePeer(_SqlitePeer):
    """The state as a pickle of protocol 5."""

    name = "pickle-sqlite"

    def _dumps(self, state: Any) -> bytes:
        return pickle.dumps(state, protocol=5)

    def _loads(self, data: bytes) -> Any:
        return pickle.loads(data)


class JsonSqlitePeer(_SqlitePeer):
    """The state as compact JSON."""

    name = "json-sqlite"

    def _dumps(self, state: Any) -> bytes:
        return json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()

    def _loads(self, data: bytes) -> Any:
        return json.loads(data)
