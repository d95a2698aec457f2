"""What callers give: a checkpoint or a task's writes, taken out of LangGraph's configs.

Imports: errors, langchain_core, langgraph.checkpoint, integrations.langgraph.keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_id,
    get_checkpoint_metadata,
)

from casckpt.errors import InvalidInputError
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.keys import Space

__all__ = ["NewCheckpoint", "NewWrites", "new_checkpoint", "new_writes", "space_of"]


class NewCheckpoint(NamedTuple):
    """What `put` is given."""

    space: Space
    parent_id: str | None
    checkpoint: Mapping[str, Any]
    metadata: Mapping[str, Any]
    new_versions: Mapping[str, Any]
    created_ns: int | None = None
    """When it was made, if that is not now."""


class NewWrites(NamedTuple):
    """What `put_writes` is given."""

    space: Space
    checkpoint_id: str
    task_id: str
    task_path: str
    writes: tuple[tuple[int, str, Any], ...]
    """Index, channel, value."""
    replace: bool
    """Whether they replace what the task wrote there before."""


def space_of(config: RunnableConfig) -> Space:
    """The space that a config is about."""
    configurable = config["configurable"]
    return keys.space(str(configurable["thread_id"]), configurable.get("checkpoint_ns") or "")


def new_checkpoint(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> NewCheckpoint:
    """A checkpoint, as a child of the one that the config names."""
    facts = get_checkpoint_metadata(config, metadata)
    parent_id = get_checkpoint_id(config) or None
    return NewCheckpoint(space_of(config), parent_id, dict(checkpoint), dict(facts), new_versions)


def new_writes(
    config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> NewWrites:
    """Writes after the checkpoint that the config names; raises InvalidInputError if none."""
    checkpoint_id = get_checkpoint_id(config)
    if not checkpoint_id:
        raise InvalidInputError("writes belong to a checkpoint: the config has no id of one")
    # As all savers do: a regular write is made once, an error or an interrupt replaced.
    replace = all(channel in WRITES_IDX_MAP for channel, _ in writes)
    indexed = tuple(
        (WRITES_IDX_MAP.get(channel, index), channel, value)
        for index, (channel, value) in enumerate(writes)
    )
    return NewWrites(space_of(config), checkpoint_id, task_id, task_path, indexed, replace=replace)
