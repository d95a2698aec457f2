"""A new file from what is left of one that LMDB must not open: so that the rest can be salvaged.

Invariants: the damaged file is only read. The new one opens, and has the old one's entries under
their keys; nothing says that they are right, or that none is missing. It is there to be read, and
then thrown away: nothing waits for the disk.

Imports: lmdb, errors, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import lmdb

from casckpt.errors import NotAStoreError
from casckpt.storage.lmdb import environment, faults, files, index, posts, tables
from casckpt.storage.lmdb.wreck import Entry, Wreck

__all__ = ["rebuild"]

_BATCH: Final = 4_096
"""Entries in one transaction."""
_KEY_BYTES_MAX: Final = 511
_ADDED_TO: Final = tables.DUPLICATES | {"meta"}
"""Tables in which a key may be there already: it has many values, or was made with the file."""
_NUMBERED: Final = frozenset({"rows", "log", "blocks"})
_VALUE_BYTES: Final = {"index": index.ENTRY_BYTES, "posts": posts.ENTRY_BYTES}
"""Of tables of duplicates, which are of one size."""


def rebuild(
    path: Path, folder: Path, header: bytes, *, known: Callable[[bytes], bool]
) -> dict[str, str]:
    """Make a store in `folder` of what is left of the one in `path`.

    Args:
        path: the damaged store.
        folder: an empty directory.
        header: what to take if its header is lost.
        known: whether a header can be read.

    Returns:
        What was not whole of the old file, by table, in words.

    Raises:
        NotAStoreError: nothing in it is of casckpt.
        StorageError: permission, disk full.
    """
    try:
        with (path / files.DATA).open("rb") as file:
            wreck = Wreck(file)
            if wreck.tables and wreck.tables.isdisjoint(tables.Tables._fields):
                msg = f"{path} is an LMDB file, but not a casckpt store"
                raise NotAStoreError(msg, path=str(path))
            files.create(folder, header)
            env = environment.open_environment(
                str(folder), read_only=False, durability="none", map_bytes=environment.MAP_BYTES
            )
            try:
                _fill(env, tables.open_tables(env, str(folder)), wreck, known)
            finally:
                env.close()
            return wreck.damage
    except (FileNotFoundError, NotADirectoryError):
        raise NotAStoreError(f"{path} is not a casckpt store", path=str(path)) from None
    except OSError as error:
        raise faults.of_os(error, str(path)) from error
    except lmdb.Error as error:
        raise faults.of_lmdb(error, str(folder)) from error


def _fill(
    env: lmdb.Environment, new: tables.Tables, wreck: Wreck, known: Callable[[bytes], bool]
) -> None:
    led = ((name, entry) for name in tables.Tables._fields for entry in wreck.entries(name))
    every = chain(led, wreck.strays())
    count = 0
    while batch := list(islice(every, _BATCH)):
        count += len(batch)
        with env.begin(write=True) as txn:
            for name, entry in batch:
                if _fits(name, entry, known):
                    txn.put(*entry, db=getattr(new, name), overwrite=name in _ADDED_TO)
    if not count:
        raise NotAStoreError("nothing of a casckpt store is left in this file")
    with env.begin(write=True) as txn:
        _raise_floors(txn, new)


def _fits(name: str, entry: Entry, known: Callable[[bytes], bool]) -> bool:
    """Whether an entry can stand in a table."""
    if name == "meta" and (entry.key == b"state" or entry.key.startswith(b"lease")):
        return False  # what was under way is not, and the state is made anew
    if name == "meta" and entry.key == b"header" and not known(entry.value):
        return False
    if name in _NUMBERED and len(entry.key) != tables.NUMBER_BYTES:
        return False
    size = _VALUE_BYTES.get(name)
    return 0 < len(entry.key) <= _KEY_BYTES_MAX and size in {None, len(entry.value)}


def _raise_floors(txn: Any, new: tables.Tables) -> None:
    """Say that everything up to the last row, move and block was given out."""
    raised = tables.state(txn, new)._replace(
        seq_floor=tables.last_seq(txn, new, 0),
        log_floor=tables.last_log(txn, new, 0),
        last_block=tables.last_block(txn, new),
    )
    tables.put_state(txn, new, raised)
