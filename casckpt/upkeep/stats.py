"""Figures about a whole store.

Imports: format (constants), history (ledger, listing).
"""

from __future__ import annotations

from typing import NamedTuple

from casckpt.format.constants import KIND_CHECKPOINT, KIND_NAMES
from casckpt.history.ledger import Ledger
from casckpt.history.listing import count_threads

__all__ = ["KindStats", "Stats", "measure"]


class KindStats(NamedTuple):
    """Figures about the objects of one kind."""

    objects: int
    payload_bytes: int
    stored_bytes: int


class Stats(NamedTuple):
    """Figures about a store. Bytes are bytes; `stored` is compressed, with its books."""

    engine: str
    threads: int
    checkpoints: int
    """Stored, those that no thread has any more included."""
    objects: int
    payload_bytes: int
    stored_bytes: int
    file_bytes: int
    free_bytes: int
    """Of the file: what gc has freed, to be used again."""
    kinds: dict[str, KindStats]


def measure(ledger: Ledger) -> Stats:
    """Count. Reads the books of the engine, and the names of all threads."""
    found = ledger.engine.stats()
    kinds = {
        KIND_NAMES.get(kind, str(kind)): KindStats(
            figures["objects"], figures["payload_bytes"], figures["stored_bytes"]
        )
        for kind, figures in sorted(found["kinds"].items())
    }
    checkpoints = kinds.get(KIND_NAMES[KIND_CHECKPOINT])
    return Stats(
        engine=found["engine"],
        threads=count_threads(ledger),
        checkpoints=checkpoints.objects if checkpoints is not None else 0,
        objects=found["objects"],
        payload_bytes=found["payload_bytes"],
        stored_bytes=found["stored_bytes"],
        file_bytes=found["file_bytes"],
        free_bytes=found["free_bytes"],
        kinds=kinds,
    )
