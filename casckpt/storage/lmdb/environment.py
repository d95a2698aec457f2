"""How LMDB is told to open a store's file.

Invariants: nothing is created; the map takes as much address space as there is, down to a limit.

Imports: lmdb, errors, faults, files, tables.
"""

from __future__ import annotations

import os
from typing import Any, Final

import lmdb

from casckpt.errors import StorageError
from casckpt.storage.lmdb import faults, files, tables

__all__ = ["MAP_BYTES", "MAP_BYTES_MIN", "READERS_MAX", "open_environment"]

READERS_MAX: Final = 126
"""At the same instant, in all processes: as many as fit the lock file's first 8 KB."""
MAP_BYTES: Final = 1 << 40
"""Address space, not disk: so that growing, which stops everybody for a moment, is rare."""
MAP_BYTES_MIN: Final = 1 << 26
"""Tried downwards to this, where the address space is limited."""


def open_environment(
    path: str, *, read_only: bool, durability: str, map_bytes: int
) -> lmdb.Environment:
    """Open the file; raises what LMDB raises."""
    options: dict[str, Any] = {
        "max_dbs": tables.COUNT_MAX,
        "max_readers": READERS_MAX,
        "max_spare_txns": 0,  # one kept in reserve would lose its slot to a forked child
        "mode": 0o666,
        "create": False,
        "readonly": read_only,
        "metasync": durability == "full",
        "sync": durability != "none",
    }
    try:
        files.settle_lock(path)
    except OSError as error:
        if not read_only:
            raise faults.of_os(error, path) from error
        options["lock"] = False  # as where the disk cannot be written to
    while True:
        try:
            # As bytes: a folder's name need not be UTF-8, which LMDB would make of a str.
            return lmdb.open(os.fsencode(path), map_size=map_bytes, **options)
        except (lmdb.MemoryError, lmdb.InvalidParameterError):  # the latter: emulators
            if map_bytes <= MAP_BYTES_MIN:
                raise
            map_bytes //= 4
        except lmdb.Error as error:
            # A directory or disk without write permission: no lock file, no lock.
            if not read_only or not options.get("lock", True):
                raise
            if not isinstance(faults.of_lmdb(error, path), StorageError):
                raise
            options["lock"] = False
