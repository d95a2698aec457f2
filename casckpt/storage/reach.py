"""What must stay of a store in memory: the obvious way, which serves as the model.

Imports: ids, the engine interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Protocol

from casckpt.ids import ObjectId
from casckpt.storage.engine import LogEntry, NewObject, Ref

__all__ = ["is_young", "reached", "targets"]


class _Row(Protocol):
    @property
    def children(self) -> tuple[ObjectId, ...]: ...


def is_young(entry: LogEntry, log_keep: timedelta | None, now_ns: int) -> bool:
    """Whether a log entry is not older than `log_keep`."""
    return (
        log_keep is None or entry.time_ns >= now_ns - log_keep // timedelta(microseconds=1) * 1000
    )


def targets(refs: Iterable[Ref], entries: Iterable[LogEntry]) -> set[ObjectId]:
    """What refs and log entries point at."""
    found = {ref.target for ref in refs}
    for entry in entries:
        found |= {entry.old, entry.new}
    return {oid for oid in found if oid is not None}


def reached(
    rows: Mapping[ObjectId, _Row], roots: Iterable[ObjectId], cuts: Mapping[ObjectId, NewObject]
) -> set[ObjectId]:
    """All objects that are reachable, where some have the children of what replaces them."""
    todo = [oid for oid in roots if oid in rows]
    live: set[ObjectId] = set()
    while todo:
        oid = todo.pop()
        if oid not in live:
            live.add(oid)
            todo += cuts[oid].children if oid in cuts else rows[oid].children
    return live
