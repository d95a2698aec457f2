"""Deltas: what the value of a `DeltaChannel` is computed from.

Such a channel has its value in some checkpoints only; between them there are the writes of
each step. Here they are collected back along the parents, and of a checkpoint only the asked
channels are read.

Invariants: the walk goes by parents, never by the order of ids, so a branch sees nothing of
another; a circle of parents ends it (a checkpoint may be put again after its own child).

Imports: langchain_core, langgraph.checkpoint, history.ledger, integrations.langgraph (catalogue, forms,
reading).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite

from casckpt.history.ledger import Ledger
from casckpt.integrations.langgraph.catalogue import Catalogue, Row
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.reading import Reader

__all__ = ["delta_history"]


def delta_history(
    ledger: Ledger,
    catalogue: Catalogue,
    reader: Reader,
    config: RunnableConfig,
    channels: Sequence[str],
    forms: Forms,
) -> Mapping[str, DeltaChannelHistory]:
    """For each channel its writes since the nearest ancestor that has a value, and that value."""
    writes: dict[str, list[list[PendingWrite]]] = {name: [] for name in channels}
    seeds: dict[str, Any] = {}
    open_ = set(channels)
    for row in _ancestors(catalogue, reader.row(config)):
        found = reader.writes(row, forms)
        record = ledger.ancestry.record(row.record)
        valued = catalogue.channels(record)
        for name in list(open_):
            writes[name].append([write for write in found if write[1] == name])
            if name in valued:
                seeds[name] = reader.channel(record, name, forms)
                open_.discard(name)
        if not open_:
            break
    result: dict[str, DeltaChannelHistory] = {}
    for name in channels:
        result[name] = {"writes": [write for step in reversed(writes[name]) for write in step]}
        if name in seeds:
            result[name]["seed"] = seeds[name]
    return result


def _ancestors(catalogue: Catalogue, row: Row | None) -> Iterator[Row]:
    """The ancestors of a row, its parent first."""
    seen: set[str] = set()
    older: Iterator[Row] = iter(())
    if row is not None:
        # A parent mostly comes right behind its child: one scan finds many of them.
        older = catalogue.rows(row.space, before=row.checkpoint_id)
    while row is not None and row.parent_id and row.parent_id not in seen:
        behind = next(older, None)
        if behind is None or behind.checkpoint_id != row.parent_id:
            behind = catalogue.row(row.space, row.parent_id)
            if behind is not None:
                older = catalogue.rows(row.space, before=behind.checkpoint_id)
        row = behind
        if row is None:
            return
        seen.add(row.checkpoint_id)
        yield row
