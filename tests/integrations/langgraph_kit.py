"""What the tests of the LangGraph saver share; skips them where LangGraph is not installed."""

from __future__ import annotations

from typing import Any

import pytest

WHY = 'needs pip install "casckpt[langgraph]"'
pytest.importorskip("langgraph.checkpoint.base", reason=WHY)
pytest.importorskip("langgraph.graph", reason=WHY)

from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint  # noqa: E402

from casckpt.integrations.langgraph import CasckptSaver  # noqa: E402

__all__ = ["WHY", "config", "ids", "make", "put"]


def config(thread: str = "t", id: str | None = None, ns: str = "") -> dict[str, Any]:
    """A config, as LangGraph makes them."""
    configurable = {"thread_id": thread, "checkpoint_ns": ns}
    return {"configurable": configurable if id is None else {**configurable, "checkpoint_id": id}}


def make(id: str, values: dict[str, Any], versions: dict[str, Any] | None = None) -> Any:
    """A checkpoint; every channel has version 1 unless said otherwise."""
    checkpoint = empty_checkpoint()
    checkpoint["id"] = id
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = versions or dict.fromkeys(values, 1)
    return checkpoint


def put(
    saver: CasckptSaver,
    id: str,
    values: dict[str, Any] | None = None,
    *,
    parent: str | None = None,
    thread: str = "t",
    ns: str = "",
    new: dict[str, Any] | None = None,
    versions: dict[str, Any] | None = None,
    **metadata: Any,
) -> Any:
    """Put a checkpoint after a parent; all its channels are new unless said otherwise."""
    checkpoint = make(id, values or {}, versions)
    fresh = checkpoint["channel_versions"] if new is None else new
    facts: Any = {"source": "loop", "step": 0, "parents": {}, **metadata}
    return saver.put(config(thread, parent, ns), checkpoint, facts, fresh)


def ids(found: Any) -> list[str]:
    """The ids of tuples."""
    tuples: list[CheckpointTuple] = list(found)
    return [t.checkpoint["id"] for t in tuples]
