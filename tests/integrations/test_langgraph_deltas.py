"""The history of delta channels: what the suite that is not released yet looks at, and more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, put

from langgraph.checkpoint.base import BaseCheckpointSaver  # isort: skip
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from casckpt.integrations.langgraph import CasckptSaver


def chain(saver: CasckptSaver, steps: int = 6) -> None:
    """Checkpoint n has the writes of step n; 2 has a snapshot of `a`, 0 a plain value of `b`."""
    for n in range(steps):
        values: dict[str, Any] = {0: {"b": ["plain"]}, 2: {"a": _DeltaSnapshot(["snap"])}}.get(
            n, {}
        )
        put(saver, str(n), values, parent=None if n == 0 else str(n - 1))
        saver.put_writes(config(id=str(n)), [("a", f"a{n}"), ("c", n)], f"task-{n}")


def history(saver: CasckptSaver, id: str | None, *names: str) -> Any:
    found = saver.get_delta_channel_history(config=config(id=id), channels=names)
    async_ = asyncio.run(saver.aget_delta_channel_history(config=config(id=id), channels=names))
    plain = BaseCheckpointSaver.get_delta_channel_history(
        saver, config=config(id=id), channels=names
    )
    assert found == async_ == plain
    return found


def test_writes_are_those_of_the_ancestors_back_to_a_value(saver: CasckptSaver) -> None:
    chain(saver)
    found = history(saver, "5", "a", "b", "c", "none")
    assert found["a"]["seed"].value == ["snap"]
    assert [value for _, _, value in found["a"]["writes"]] == ["a2", "a3", "a4"]
    assert found["b"] == {"writes": [], "seed": ["plain"]}
    assert [value for _, _, value in found["c"]["writes"]] == [0, 1, 2, 3, 4]
    assert "seed" not in found["c"]
    assert found["none"] == {"writes": []}
    assert history(saver, None, "a") == history(saver, "5", "a")
    assert history(saver, "2", "a")["a"]["writes"][-1] == ("task-1", "a", "a1")
    assert history(saver, "0", "a") == {"a": {"writes": []}}
    assert history(saver, "missing", "a") == {"a": {"writes": []}}
    assert history(saver, "5") == {}


def test_a_branch_sees_nothing_of_another(saver: CasckptSaver) -> None:
    """langgraph#8443: not the writes of the branch that was left, though its ids are between."""
    chain(saver)
    put(saver, "9", {}, parent="3")
    saver.put_writes(config(id="9"), [("a", "mine")], "task-9")
    put(saver, "91", {}, parent="9")
    values = [value for _, _, value in history(saver, "91", "a")["a"]["writes"]]
    assert values == ["a2", "a3", "mine"]


def test_the_writes_of_one_step_come_in_the_order_of_their_tasks(saver: CasckptSaver) -> None:
    put(saver, "1")
    saver.put_writes(config(id="1"), [("a", 3), ("a", 4)], "aa", "~pull, b")
    saver.put_writes(config(id="1"), [("a", 2)], "zz", "~pull, a")
    saver.put_writes(config(id="1"), [("a", 1)], "mm")
    put(saver, "2", parent="1")
    assert [value for _, _, value in history(saver, "2", "a")["a"]["writes"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("strategy", ["keep_latest", "keep_last"])
def test_pruning_changes_no_history(saver: CasckptSaver, strategy: str) -> None:
    facts = {"counters_since_delta_snapshot": {"a": [3, 3], "b": [5, 5]}}
    chain(saver)
    put(saver, "5", {}, parent="4", **facts)
    before = history(saver, "5", "a", "b")
    if strategy == "keep_latest":
        saver.prune(["t"])
    else:
        saver.prune(["t"], keep_last=2)
    saver.store.gc(grace=0)
    assert history(saver, "5", "a", "b") == before


def test_a_circle_of_parents_ends(saver: CasckptSaver) -> None:
    put(saver, "1")
    put(saver, "2", parent="1")
    put(saver, "1", parent="2")
    saver.put_writes(config(id="1"), [("a", 1)], "task")
    saver.put_writes(config(id="2"), [("a", 2)], "task")
    found = saver.get_delta_channel_history(config=config(id="2"), channels=["a"])
    assert [value for _, _, value in found["a"]["writes"]] == [2, 1]
