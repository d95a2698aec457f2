"""`casckpt.salvage`: a damaged store on disk, and a new one with all of it that is whole.

Invariants: the damaged store is opened read-only; the new one is made here, or nothing is.

Imports: errors, storage (reached through opening), upkeep (salvage, report), opening.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from casckpt.errors import InvalidInputError
from casckpt.opening import open_store
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

    Args:
        source: the damaged store.
        target: a directory that does not exist.
        progress: called with a stage's name, and how many objects are done (of 0: unknown).

    Raises:
        InvalidInputError: something is at `target` already.
        NotAStoreError: `source` is not a store.
        CorruptError: so much of it is damaged that it cannot be opened.
        StorageError: permission, disk, lock.
    """
    if Path(target).exists():
        where = os.fsdecode(target)
        raise InvalidInputError(f"{where} is there already: name a new directory", path=where)
    with open_store(source, create=False, read_only=True) as old:
        ledger = old._ledger  # noqa: SLF001 - one house
        survivors = getattr(ledger.engine, "survivors", None)
        if survivors is None:
            raise InvalidInputError("a store in memory cannot be salvaged")
        with open_store(target, durability="relaxed") as new:
            done = salvage(ledger, survivors, new._ledger, progress)  # noqa: SLF001
            new.sync()
            return done
