"""LangGraph's own checkpointers: SqliteSaver and InMemorySaver, by `put` and `get_tuple`.

A state is a checkpoint whose channels are the state's top-level keys, as a graph with that
state schema would have. `prepare` (untimed) builds the checkpoint and finds out which channels
changed, which the graph's runtime knows; a real graph also calls `put_writes` once or more per
step, which is left out here. All that is in the saver's favour.

Durability full: SqliteSaver opens WAL and leaves SQLite's default `synchronous=FULL`. none:
`synchronous=OFF` on its connection. InMemorySaver keeps nothing; it stands for serializing.

Imports: langgraph-checkpoint, langgraph-checkpoint-sqlite.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from bench.measure import Usage
from bench.peers.base import Durability, PeerBase
from bench.verify import same

__all__ = ["InMemorySaverPeer", "SqliteSaverPeer"]

PACKAGES = ("langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "ormsgpack")


class _SaverPeer(PeerBase):
    packages = PACKAGES
    saver: Any

    def __init__(self) -> None:
        self._ids: dict[str, list[str]] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._before: dict[str, dict[str, Any]] = {}

    def prepare(self, thread: str, state: Any, label: str | None) -> Any:
        ids = self._ids.setdefault(thread, [])
        before = self._before.get(thread, {})
        changed = [
            key
            for key in state
            if key not in before or not same(state[key], before[key], plain=True)
        ]
        self._before[thread] = state
        step = len(ids)
        versions = {k: v for k, v in self._versions.get(thread, {}).items() if k in state}
        new = {key: f"{step + 1:032d}.{abs(hash((thread, step))) % 10**16:016d}" for key in changed}
        versions.update(new)
        self._versions[thread] = versions
        checkpoint = {
            "v": 4,
            "id": str(uuid6(clock_seq=step)),
            "ts": datetime.now(UTC).isoformat(),
            "channel_values": state,
            "channel_versions": dict(versions),
            "versions_seen": {"__input__": {}, "agent": dict(versions)},
            "updated_channels": changed,
        }
        config: dict[str, Any] = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        if ids:
            config["configurable"]["checkpoint_id"] = ids[-1]
        ids.append(str(checkpoint["id"]))
        metadata = {"source": "loop", "step": step, "parents": {}, "label": label}
        return config, checkpoint, metadata, new

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        self.saver.put(*prepared)

    def load_latest(self, thread: str) -> Any:
        config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        return self.saver.get_tuple(config).checkpoint["channel_values"]

    def load(self, thread: str, index: int) -> Any:
        configurable = {
            "thread_id": thread,
            "checkpoint_ns": "",
            "checkpoint_id": self._ids[thread][index],
        }
        return self.saver.get_tuple({"configurable": configurable}).checkpoint["channel_values"]


class SqliteSaverPeer(_SaverPeer):
    """`SqliteSaver(sqlite3.connect(...))`, as its documentation opens it."""

    name = "langgraph-sqlite"

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
        self.saver = SqliteSaver(self._db)
        self.saver.setup()
        self._db.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'OFF'}")

    def pack(self) -> bool:
        self._db.execute("VACUUM")
        return True

    def close(self) -> None:
        self._db.close()


class InMemorySaverPeer(_SaverPeer):
    """`InMemorySaver()`: blobs of changed channels in a dict."""

    name = "langgraph-memory"

    def __init__(self) -> None:
        super().__init__()
        self.saver = InMemorySaver()

    def open(self, folder: Path, durability: Durability) -> None:
        """It is there already."""

    def size(self) -> Usage | None:
        return None

    def close(self) -> None:
        """Closing would lose it all."""
