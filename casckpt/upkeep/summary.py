"""The summary of a thread: what its history holds, counted in one walk.

Imports: history (ancestry, ledger, pruned, states, tags, times).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.pruned import catch_up, is_marked
from casckpt.history.states import size_of
from casckpt.history.tags import tags_of
from casckpt.history.times import from_ns, stamp

__all__ = ["Summary", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a thread's history holds, those before a fork included. Bytes are bytes."""

    thread: str
    checkpoints: int
    pruned: int
    """Checkpoints among them whose states are gone or marked to go."""
    first: str
    """The id of the oldest."""
    last: str
    """That of the head."""
    begun: datetime
    """When the oldest was saved."""
    updated: datetime
    """When the head was."""
    labels: dict[str, int]
    """How many have each label, most frequent first."""
    tags: dict[str, int]
    """How many have each tag now."""
    state_bytes: int
    """What the head's state would take, written whole, uncompressed."""
    states_bytes: int
    """What all states together would take, each written whole."""

    @property
    def span(self) -> timedelta:
        """From the oldest to the head."""
        return self.updated - self.begun

    @property
    def per_hour(self) -> float | None:
        """Checkpoints an hour, on average; None of one moment."""
        seconds = self.span.total_seconds()
        return (self.checkpoints - 1) * 3600 / seconds if seconds else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "thread": self.thread,
            "checkpoints": self.checkpoints,
            "pruned": self.pruned,
            "first": self.first,
            "last": self.last,
            "begun": stamp(self.begun),
            "updated": stamp(self.updated),
            "span_seconds": self.span.total_seconds(),
            "per_hour": None if self.per_hour is None else round(self.per_hour, 2),
            "labels": self.labels,
            "tags": self.tags,
            "state_bytes": self.state_bytes,
            "states_bytes": self.states_bytes,
        }


def summarize(ledger: Ledger, thread: str, head: Point) -> Summary:
    """Count; reads every record of the history (some 50 µs each), and no states."""
    labels: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    count = pruned = states_bytes = 0
    catch_up(ledger)
    first = head = ledger.ancestry.point(head.id)
    for point in ledger.ancestry.walk(head):
        first = point
        count += 1
        if point.label is not None:
            labels[point.label] += 1
        tags.update(tags_of(ledger, point))
        if point.left is not None or is_marked(ledger, point):
            pruned += 1
        else:
            states_bytes += _size(ledger, point)
    return Summary(
        thread=thread,
        checkpoints=count,
        pruned=pruned,
        first=first.id.hex(),
        last=head.id.hex(),
        begun=from_ns(first.created_ns),
        updated=from_ns(head.created_ns),
        labels=dict(labels.most_common()),
        tags=dict(tags.most_common()),
        state_bytes=0 if head.left is not None else _size(ledger, head),
        states_bytes=states_bytes,
    )


def _size(ledger: Ledger, point: Point) -> int:
    return size_of(ledger.ancestry.record(point.id).root)
