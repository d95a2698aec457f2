"""Opening a store: which engine, which clock, and is it one of ours.

Invariants: this module chooses the engine and gives it a clock; nothing below reads the time
of day. Nothing is read from the environment.

Imports: errors, format (header), storage, values, history (ledger, retaining, retention), store.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from casckpt.errors import InvalidInputError, NotAStoreError
from casckpt.format import header
from casckpt.history.ledger import Ledger
from casckpt.history.retaining import retain
from casckpt.history.retention import Retention, policy_map
from casckpt.storage.engine import Engine
from casckpt.storage.memory import MemoryEngine
from casckpt.store import Store
from casckpt.values import Registry

__all__ = ["MEMORY", "Durability", "open_store", "rebuild"]

MEMORY: Final = "memory:"
"""The path of a store that lives as long as its handle."""

Durability = Literal["full", "relaxed", "none"]
"""What a finished save survives: power loss; power loss, but for the last ones; a kill."""


def open_store(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    read_only: bool = False,
    durability: Durability = "full",
    types: Iterable[type] = (),
    allow: Iterable[str] = (),
    clock: Callable[[], int] | None = None,
    retention: Retention | Mapping[str, Retention] | None = None,
    engine: Callable[[str, bytes], Engine] | None = None,
) -> Store:
    """Open a store.

    Args:
        path: a directory, made if it is not there; "memory:" for one that is nowhere.
        create: False refuses to make one.
        read_only: nothing is written, not even for a lock that was not there.
        durability: what a finished save survives.
        types: classes whose values are restored as such; see `Store.register`.
        allow: modules ("myapp" stands for "myapp.models" too) whose classes are restored, if
            they have been imported.
        clock: nanoseconds since 1970-01-01 UTC; None: this machine's clock.
        retention: what stays of threads that are saved to (docs/retention.md); or a map from
            beginnings of names to that.
        engine: makes what keeps the bytes, in place of LMDB or memory; called with the path, and
            the header that a new store is to have. `create`, `read_only` and `durability` are
            then its own affair, and must not be given.

    Raises:
        NotAStoreError: something else is there, or nothing and it may not be made.
        FormatVersionError: a newer store, or one with other parameters.
        StorageError: permission, disk, lock.
    """
    clock = clock or time.time_ns
    policies = None if retention is None else policy_map(retention)
    registry = Registry()
    for cls in types:
        registry.register(cls)
    for module in allow:
        registry.allow(module)
    where = os.fsdecode(path)
    fresh = header.encode(str(uuid.uuid4()), clock())
    if engine is not None:
        if read_only or not create or durability != "full":
            raise InvalidInputError("engine= takes no create=, read_only= or durability=")
        made = engine(where, fresh)
    else:
        made = _engine(where, fresh, create=create, read_only=read_only, durability=durability)
    try:
        header.check(made.header(), where)
    except BaseException:
        made.close()
        raise
    ledger = Ledger(made, registry, clock)
    if policies is not None and not read_only:
        retain(ledger, policies)
    return Store(ledger, registry, where)


def _engine(
    where: str, fresh: bytes, *, create: bool, read_only: bool, durability: Durability
) -> Engine:
    """One of ours, by the path."""
    if where == MEMORY:
        if read_only or not create:
            raise NotAStoreError("a store in memory is always a new one", path=where)
        return MemoryEngine(fresh)
    # Imported when it is needed: stores in memory need no LMDB.
    from casckpt.storage.lmdb import open_lmdb

    return open_lmdb(where, create=create, header=fresh, read_only=read_only, durability=durability)


def rebuild(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> dict[str, str]:
    """Make a store that opens of what is left of one that may not; to be read, and thrown away.

    Args:
        path: the damaged store; only read.
        folder: an empty directory.

    Returns:
        What is missing, by table, in words.

    Raises:
        NotAStoreError: nothing in it is of casckpt.
        StorageError: permission, disk full.
    """
    from casckpt.storage.lmdb import rebuild as rebuild_lmdb

    lost = header.encode("salvaged", 0)
    return rebuild_lmdb(Path(path), Path(folder), lost, known=header.is_one)
