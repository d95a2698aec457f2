"""Reading: LangGraph's checkpoint tuples out of a store.

Invariants: configs hold thread id, namespace and checkpoint id and nothing else; lists are in
descending order of ids; pending writes in the order in which LangGraph applies them. A list is
read row by row as it is taken: a reader that pauses holds nothing.

Imports: errors, format.records, langchain_core, langgraph.checkpoint, history.ledger, tree
(lazy, locate, read), integrations.langgraph (catalogue, forms, given, keys, messages, channels).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    writes_sort_key,
)

from casckpt.errors import CorruptError, PrunedError
from casckpt.format.records import CheckpointRecord
from casckpt.history.ledger import Ledger
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.catalogue import FACTS, Catalogue, Row
from casckpt.integrations.langgraph.channels import REST
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.given import space_of
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.messages import MessageLoader, Recall
from casckpt.tree.lazy import Opener
from casckpt.tree.locate import find
from casckpt.tree.read import Loader

__all__ = ["Reader", "config_of"]

_OWN = ("thread_id", "checkpoint_ns", "parent_id")


def config_of(space: Space, checkpoint_id: str) -> RunnableConfig:
    """The config of a checkpoint."""
    return {
        "configurable": {
            "thread_id": space.thread_id,
            "checkpoint_ns": space.checkpoint_ns,
            "checkpoint_id": checkpoint_id,
        }
    }


class Reader:
    """Reads one store."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._recall = Recall()

    def row(self, config: RunnableConfig) -> Row | None:
        """The row that a config names, or the newest of its space; None if there is none."""
        space = space_of(config)
        wanted = get_checkpoint_id(config)
        if wanted:
            return self._catalogue.row(space, wanted)
        return next(self._catalogue.rows(space), None)

    def get_tuple(self, config: RunnableConfig, forms: Forms) -> CheckpointTuple | None:
        """The checkpoint that a config names, or the newest; None if there is none."""
        while True:
            row = self.row(config)
            if row is None:
                return None
            try:
                return self.tuple_of(row, forms, {})
            except PrunedError:
                # Deleted and collected since its row was read; or is it damage?
                again = self._catalogue.row(row.space, row.checkpoint_id)
                if again is not None and again.record == row.record:
                    raise

    def tuples(
        self,
        config: RunnableConfig | None,
        forms: Forms,
        *,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints that fit, greatest id first."""
        count = 0
        for row in self._rows(config, before):
            if limit is not None and count >= limit:
                return
            try:
                found = self.tuple_of(row, forms, filter or {})
            except PrunedError:
                continue  # deleted while we read
            if found is not None:
                count += 1
                yield found

    def _rows(self, config: RunnableConfig | None, before: RunnableConfig | None) -> Iterator[Row]:
        older_than = get_checkpoint_id(before) if before is not None else None
        wanted = get_checkpoint_id(config) if config is not None else None
        if wanted:
            for space in self._spaces(config):
                row = self._catalogue.row(space, wanted)
                if row is not None and (older_than is None or wanted < older_than):
                    yield row
            return
        lists = [self._catalogue.rows(space, before=older_than) for space in self._spaces(config)]
        yield from heapq.merge(*lists, key=lambda row: row.checkpoint_id.encode(), reverse=True)

    def _spaces(self, config: RunnableConfig | None) -> list[Space]:
        if config is None or "thread_id" not in config.get("configurable", {}):
            return list(self._catalogue.spaces())
        configurable = config["configurable"]
        thread_id, ns = str(configurable["thread_id"]), configurable.get("checkpoint_ns")
        if ns is not None:
            return [keys.space(thread_id, ns)]
        # One that casckpt forked has no rows yet, and is only in the namespace it was forked in.
        return list(self._catalogue.spaces(thread_id)) or [keys.space(thread_id, "")]

    def tuple_of(self, row: Row, forms: Forms, filter: Mapping[str, Any]) -> CheckpointTuple | None:
        """The tuple of a row; None if its metadata do not fit; raises PrunedError."""
        record = self._ledger.ancestry.record(row.record)
        metadata = self._catalogue.meta(record)
        facts = metadata.pop(FACTS)
        state: dict[str, Any] | None = None
        if facts.get(REST):  # meta could not hold all of it
            state = self._state(record, forms)
            rest = state.pop(REST)
            metadata.update(forms.clear.restored(rest["metadata"]))
            facts = rest["checkpoint"]
        metadata = forms.clear.restored(metadata)
        if any(metadata.get(key) != value for key, value in filter.items()):
            return None
        facts = forms.clear.restored({k: v for k, v in facts.items() if k not in _OWN})
        if state is None:
            state = self._state(record, forms)
        values = {name: forms.restored(value) for name, value in state.items()}
        parent = None if row.parent_id is None else config_of(row.space, row.parent_id)
        return CheckpointTuple(
            config_of(row.space, row.checkpoint_id),
            cast("Checkpoint", {**facts, "channel_values": values}),
            cast("CheckpointMetadata", metadata),
            parent,
            self.writes(row, forms),
        )

    def _state(self, record: CheckpointRecord, forms: Forms) -> dict[str, Any]:
        state = self._loader(forms).value(record.root)
        if type(state) is not dict:
            raise CorruptError("the state of a LangGraph checkpoint is not a dict")
        return state

    def _loader(self, forms: Forms) -> Loader:
        vault, codec = self._ledger.vault, self._ledger.codec
        return MessageLoader(vault, codec, self._recall) if forms.builds else Loader(vault, codec)

    def channel(self, record: CheckpointRecord, name: str, forms: Forms) -> Any:
        """The value of one channel, which the checkpoint has; nothing else of the state is read."""
        opener = Opener(self._ledger.vault, self._ledger.codec)
        node = find(opener, opener.node(record.root), (name,))
        return forms.restored(opener.load(node, self._loader(forms)))

    def writes(self, row: Row, forms: Forms) -> list[PendingWrite]:
        """The pending writes of a checkpoint, in LangGraph's order."""
        found = [
            (writes_sort_key(task.task_path, task.task_id, index), task.task_id, channel, value)
            for task in self._catalogue.tasks(row.tasks)
            for index, channel, value in task.writes
        ]
        found.sort(key=lambda write: write[0])
        return [(task_id, ch, forms.restored(value)) for _, task_id, ch, value in found]
