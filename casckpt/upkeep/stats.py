"""Figures about a whole store.

Imports: errors, format (constants), history (ledger, listing, states).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from casckpt.errors import CorruptError, NotFoundError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_NAMES
from casckpt.history.ledger import Ledger
from casckpt.history.listing import count_threads
from casckpt.history.states import size_of

__all__ = ["KindStats", "Stats", "measure"]


@dataclass(frozen=True, slots=True)
class KindStats:
    """Figures about the objects of one kind."""

    objects: int
    payload_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Figures about a store. Bytes are bytes; `stored` is compressed, with its books."""

    engine: str
    threads: int
    checkpoints: int
    """Stored, those that no thread has any more included."""
    objects: int
    payload_bytes: int
    """Of all objects, each once, uncompressed."""
    stored_bytes: int
    file_bytes: int
    free_bytes: int
    """Of the file: what gc has freed, to be used again."""
    states_bytes: int
    """What the states of all checkpoints would take, each written whole, uncompressed."""
    kinds: dict[str, KindStats]

    @property
    def dedup_factor(self) -> float:
        """How many times smaller the states lie there than written whole; 1.0 of nothing."""
        return self.states_bytes / self.stored_bytes if self.stored_bytes else 1.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = asdict(self)
        kinds = fields.pop("kinds")
        return {**fields, "dedup_factor": round(self.dedup_factor, 2), "kinds": kinds}


def measure(ledger: Ledger) -> Stats:
    """Count.

    Reads the books of the engine (some 2 µs an object), the names of all threads, and every
    record (some 50 µs a checkpoint), but no states. Damaged records count for nothing.
    """
    states_bytes = _states_bytes(ledger)
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
        states_bytes=states_bytes,
        objects=found["objects"],
        payload_bytes=found["payload_bytes"],
        stored_bytes=found["stored_bytes"],
        file_bytes=found["file_bytes"],
        free_bytes=found["free_bytes"],
        kinds=kinds,
    )


def _states_bytes(ledger: Ledger) -> int:
    total = 0
    for oid in ledger.engine.objects(KIND_CHECKPOINT):
        try:
            total += size_of(ledger.ancestry.record(oid).root)
        except (CorruptError, NotFoundError):
            continue
    return total
