"""A retention policy takes nothing that LangGraph holds: its own `prune` does that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.integrations.langgraph_kit import config, ids, put

from casckpt import Retention  # isort: skip

STRICT = Retention(keep_last=0, max_age=timedelta(0), keep_tagged=False)


def test_what_langgraph_has_rows_of_stays(saver: Any) -> None:
    for number in range(9):
        put(saver, f"{number}", {"x": [number] * 50}, parent=f"{number - 1}" if number else None)
    (report,) = saver.store.prune(STRICT)
    assert (len(report.kept), report.pruned) == (9, ())
    saver.store.gc(grace=0)
    assert ids(saver.list(config())) == [f"{number}" for number in range(8, -1, -1)]
    for number in range(9):
        found = saver.get_tuple(config(id=f"{number}"))
        assert found.checkpoint["channel_values"] == {"x": [number] * 50}
    put(saver, "9", {"x": [9]}, parent="8")
    assert not list(saver.store.fsck())


def test_what_langgraph_has_let_go_may_be_pruned(saver: Any) -> None:
    for number in range(9):
        put(saver, f"{number}", {"x": [number] * 50}, parent=f"{number - 1}" if number else None)
    saver.prune(["t"], keep_last=2)
    saver.store.prune(STRICT)
    saver.store.gc(grace=0)
    assert ids(saver.list(config())) == ["8", "7"]
    assert saver.get_tuple(config()).checkpoint["channel_values"] == {"x": [8] * 50}
    put(saver, "9", {"x": [9]}, parent="8")
    assert saver.get_tuple(config(id="7")).checkpoint["channel_values"] == {"x": [7] * 50}
    assert not list(saver.store.fsck())
