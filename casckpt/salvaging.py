"""`casckpt.salvage`: a damaged store on disk, and a new one with all of it that is whole.

A file that LMDB must not open, for a page of it is damaged, is read without LMDB, and what is
left goes to a third file beside the new store, which is then salvaged and removed.

Invariants: the damaged store is only read; the new one is made here, or nothing is.

Imports: errors, storage (reached through opening), history (ledger), upkeep (salvage),
opening.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from casckpt.errors import (
    CorruptError,
    FormatVersionError,
    InvalidInputError,
    NotAStoreError,
    StorageError,
)
from casckpt.history.ledger import Ledger
from casckpt.opening import open_store, rebuild
from casckpt.upkeep.salvage import Salvaged, salvage

__all__ = ["salvage_store"]


def salvage_store(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Salvaged:
    """Bring all that is whole of a damaged store over into a new one.

    Threads, checkpoints, tags and labels keep their names and ids. A thread whose head is lost
    ends at its newest whole ancestor; a checkpoint of which only the record is whole is shown as
    pruned. Deleted threads and the reflog stay behind. The damaged store is only read.

    Where pages of the file are damaged, the rows are read without LMDB; that takes as much room
    again beside `target` while it lasts.

    Args:
        source: the damaged store.
        target: a directory that does not exist.
        progress: called with a stage's name, and how many objects are done (of 0: unknown).

    Raises:
        InvalidInputError: something is at `target` already.
        NotAStoreError: `source` is not a store, or nothing of it is left.
        FormatVersionError: a newer store.
        StorageError: permission, disk, lock.
    """
    if Path(target).exists():
        where = os.fsdecode(target)
        raise InvalidInputError(f"{where} is there already: name a new directory", path=where)
    with ExitStack() as opened:
        old, damage = _read(source, Path(target), opened)
        new = opened.enter_context(open_store(target, durability="relaxed"))
        survivors = _engine(old).survivors
        done = salvage(old, survivors, new._ledger, damage=damage, progress=progress)  # noqa: SLF001 - one house
        new.sync()
        return done


def _read(
    source: str | os.PathLike[str], target: Path, opened: ExitStack
) -> tuple[Ledger, dict[str, str]]:
    """A damaged store, or what is left in its file; and what is known to be missing there."""
    try:
        old = _open(source, opened)
        if not _engine(old).damaged_pages():
            return old, {}
    except (CorruptError, NotAStoreError, FormatVersionError) as error:
        try:
            return _rebuilt(source, target, opened)
        except (NotAStoreError, FormatVersionError):
            raise error from None
    return _rebuilt(source, target, opened)


def _rebuilt(
    source: str | os.PathLike[str], target: Path, opened: ExitStack
) -> tuple[Ledger, dict[str, str]]:
    beside = target.absolute().parent
    try:
        folder = opened.enter_context(TemporaryDirectory(prefix=".salvage-", dir=beside))
    except OSError as error:
        msg = f"{beside}: no place for what is read of the damaged file ({error.strerror})"
        raise StorageError(msg, path=str(beside)) from None
    damage = rebuild(source, folder)
    return _open(folder, opened), damage


def _open(path: str | os.PathLike[str], opened: ExitStack) -> Ledger:
    store = opened.enter_context(open_store(path, create=False, read_only=True))
    return store._ledger  # noqa: SLF001 - one house


def _engine(ledger: Ledger) -> Any:
    """What reads rows without the index, and pages without LMDB."""
    return ledger.engine
