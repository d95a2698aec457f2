"""Making the postings anew from the objects.

Imports: storage (engine interface), history (ledger), upkeep (postings, report).
"""

from __future__ import annotations

from typing import Final

from casckpt.history.ledger import Ledger
from casckpt.storage.engine import MissingObjects
from casckpt.upkeep.postings import Faults, compare
from casckpt.upkeep.report import Progress

__all__ = ["reindex"]

_BATCH: Final = 1_024
"""Postings changed in one commit: some milliseconds during which nobody else writes."""


def reindex(ledger: Ledger, *, progress: Progress | None = None) -> Faults:
    """Put the lists that checkpoints are found by in order; what was wrong with them.

    Others may read and write meanwhile.

    Args:
        ledger: the store.
        progress: told how far it is.

    Raises:
        CorruptError: the lists cannot be read.
        StorageError: they cannot be written.
    """
    faults = compare(ledger, progress)
    for at in range(0, len(faults.surplus), _BATCH):
        ledger.engine.commit(remove=faults.surplus[at : at + _BATCH])
    for at in range(0, len(faults.missing), _BATCH):
        batch = faults.missing[at : at + _BATCH]
        try:
            ledger.engine.commit(add=batch)
        except MissingObjects as error:  # gc came by; it sees to its own
            ledger.engine.commit(add=[p for p in batch if p.id not in error.ids])
    return faults
