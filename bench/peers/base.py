"""What a subject is: the few calls that every store of states has in some form.

Each peer sits in a file of its own, set up as its documentation says; where durability
"full" or "none" needs a setting, the file says which. `save` and `load` are timed, `prepare`
is not: it is for what a caller of that interface would have at hand anyway, so it is always
in the peer's favour.

Imports: bench.measure.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.measure import Usage, disk_usage

__all__ = ["DEFAULT", "PEERS", "Durability", "Peer", "PeerBase", "Unavailable", "make"]

Durability = Literal["full", "none"]
"""full: `save` returns when the state would survive power loss. none: nothing is synced."""


class Unavailable(Exception):
    """A peer whose package is not installed."""


class Peer(Protocol):
    """A store of states, by thread and index within the thread."""

    name: str
    floor: bool
    """A lower bound rather than a store: it keeps no history and is not verified."""
    packages: tuple[str, ...]
    """Distributions whose versions belong into the results."""
    rows: tuple[int, ...] | None
    """Of a floor that writes rows: their sizes in bytes."""

    def open(self, folder: Path, durability: Durability) -> None:
        """Open (or create) the store in `folder`; may be called again after `close`."""
        ...

    def prepare(self, thread: str, state: Any, label: str | None) -> Any:
        """Untimed: what `save` takes as its state."""
        ...

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        """Append one state to a thread."""
        ...

    def load_latest(self, thread: str) -> Any:
        """The last state saved in a thread, as fresh objects."""
        ...

    def load(self, thread: str, index: int) -> Any:
        """The state saved as number `index` (from 0) in a thread."""
        ...

    def pack(self) -> bool:
        """Make it as small as its own tools can; False if it has none. Untimed."""
        ...

    def size(self) -> Usage | None:
        """All files; None if it keeps none."""
        ...

    def close(self) -> None:
        """Close the store; what `size` says then is what a user would find."""
        ...


class PeerBase:
    """What most peers have in common."""

    name = "?"
    floor = False
    packages: tuple[str, ...] = ()
    rows: tuple[int, ...] | None = None
    folder: Path

    def prepare(self, thread: str, state: Any, label: str | None) -> Any:  # noqa: ARG002
        """The state itself."""
        return state

    def pack(self) -> bool:
        """Most have nothing of the kind."""
        return False

    def size(self) -> Usage | None:
        """Every file below the folder."""
        return disk_usage(self.folder)


PEERS = {
    "casckpt": ("bench.peers.casckpt_store", "CasckptPeer"),
    "json-files": ("bench.peers.json_files", "JsonFilesPeer"),
    "pickle-sqlite": ("bench.peers.sqlite_rows", "PickleSqlitePeer"),
    "json-sqlite": ("bench.peers.sqlite_rows", "JsonSqlitePeer"),
    "langgraph-sqlite": ("bench.peers.langgraph_savers", "SqliteSaverPeer"),
    "langgraph-memory": ("bench.peers.langgraph_savers", "InMemorySaverPeer"),
    "git-file": ("bench.peers.git_repository", "GitFilePeer"),
    "git-tree": ("bench.peers.git_repository", "GitTreePeer"),
    "zodb": ("bench.peers.zodb_storage", "ZodbPeer"),
    "diskcache": ("bench.peers.diskcache_rows", "DiskcachePeer"),
    "floor-lmdb": ("bench.peers.floors", "LmdbFloor"),
    "floor-lmdb-same": ("bench.peers.floors", "SameBytesFloor"),
    "floor-pickle": ("bench.peers.floors", "PickleFloor"),
}
"""Name on the command line -> module and class; imported when asked for."""

DEFAULT = (
    "casckpt", "json-files", "pickle-sqlite", "floor-lmdb", "floor-lmdb-same", "floor-pickle",
)  # fmt: skip
"""Subjects that need nothing but casckpt's own dependencies."""


def make(name: str) -> Peer:
    """A new subject by its name.

    Raises:
        KeyError: no such name.
        Unavailable: its package is not installed.
    """
    module, attribute = PEERS[name]
    try:
        peer: Peer = getattr(importlib.import_module(module), attribute)()
    except ImportError as error:
        raise Unavailable(f"{name}: {error}") from error
    return peer
