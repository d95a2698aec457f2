"""Figures about a whole store.

Imports: errors, ids, format (constants), history (ancestry, ledger, listing, pruned, states, tags,
times).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from casckpt.errors import CorruptError, NotFoundError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_NAMES, KIND_PRUNED
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.listing import count_threads
from casckpt.history.pruned import catch_up, is_marked
from casckpt.history.states import size_of
from casckpt.history.tags import tags_of
from casckpt.history.times import from_ns, stamp
from casckpt.ids import ObjectId

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
    pruned: int
    """Checkpoints whose states are gone, or marked to go; only the latter are in `checkpoints`."""
    first: str | None
    """The id of the oldest checkpoint; None: there is none."""
    last: str | None
    """That of the newest."""
    begun: datetime | None
    """When the oldest was saved."""
    updated: datetime | None
    """When the newest was."""
    labels: dict[str, int]
    """How many checkpoints have each label, most frequent first."""
    tags: dict[str, int]
    """How many have each tag now."""
    kinds: dict[str, KindStats]

    @property
    def dedup_factor(self) -> float:
        """How many times smaller the states lie there than written whole; 1.0 of nothing."""
        return self.states_bytes / self.stored_bytes if self.stored_bytes else 1.0

    @property
    def span(self) -> timedelta:
        """From the oldest checkpoint to the newest."""
        return (
            timedelta(0)
            if self.begun is None or self.updated is None
            else (self.updated - self.begun)
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = asdict(self)
        kinds = fields.pop("kinds")
        for name in ("begun", "updated"):
            fields[name] = None if fields[name] is None else stamp(fields[name])
        more = {"span_seconds": self.span.total_seconds()}
        return {**fields, **more, "dedup_factor": round(self.dedup_factor, 2), "kinds": kinds}


def measure(ledger: Ledger) -> Stats:
    """Count.

    Reads the books of the engine (some 2 µs an object), the names of all threads, and every
    record (some 50 µs a checkpoint), but no states. Damaged records count for nothing.
    """
    seen = _Seen.of(ledger)
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
        states_bytes=seen.states_bytes,
        pruned=seen.pruned,
        first=None if seen.first is None else seen.first.id.hex(),
        last=None if seen.last is None else seen.last.id.hex(),
        begun=None if seen.first is None else from_ns(seen.first.created_ns),
        updated=None if seen.last is None else from_ns(seen.last.created_ns),
        labels=dict(seen.labels.most_common()),
        tags=dict(seen.tags.most_common()),
        objects=found["objects"],
        payload_bytes=found["payload_bytes"],
        stored_bytes=found["stored_bytes"],
        file_bytes=found["file_bytes"],
        free_bytes=found["free_bytes"],
        kinds=kinds,
    )


class _Seen:
    """What is counted of the checkpoints, one by one."""

    def __init__(self) -> None:
        self.states_bytes = self.pruned = 0
        self.first: Point | None = None
        self.last: Point | None = None
        self.labels: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()

    @classmethod
    def of(cls, ledger: Ledger) -> _Seen:
        """All that are stored."""
        seen = cls()
        catch_up(ledger)
        for oid in chain(
            ledger.engine.objects(KIND_CHECKPOINT), ledger.engine.objects(KIND_PRUNED)
        ):
            try:
                seen._add(ledger, oid)
            except (CorruptError, NotFoundError):
                continue
        return seen

    def _add(self, ledger: Ledger, oid: ObjectId) -> None:
        point = ledger.ancestry.point(oid)
        if point.left is None:
            self.states_bytes += size_of(ledger.ancestry.record(oid).root)
        self.pruned += point.left is not None or is_marked(ledger, point)
        if self.first is None or point.created_ns < self.first.created_ns:
            self.first = point
        if self.last is None or point.created_ns > self.last.created_ns:
            self.last = point
        if point.label is not None:
            self.labels[point.label] += 1
        self.tags.update(tags_of(ledger, point))
