"""LangGraph's own conformance suite: all of it, by the async methods and by the sync ones.

The suite calls async methods only, so the sync ones are put behind a wrapper for the second run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.langgraph_kit import WHY

conformance = pytest.importorskip("langgraph.checkpoint.conformance", reason=WHY)

from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: E402

from casckpt.integrations.langgraph import CasckptSaver  # noqa: E402

TESTS = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


class Wrapped(BaseCheckpointSaver[Any]):
    """The sync methods of a saver, as async ones."""

    def __init__(self, saver: CasckptSaver) -> None:
        super().__init__()
        self._saver = saver

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self._saver.get_next_version(current, channel)

    async def alist(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        for found in self._saver.list(*args, **more):
            yield found


def _wrap(name: str) -> Any:
    async def method(self: Wrapped, *args: Any, **more: Any) -> Any:
        return getattr(self._saver, name)(*args, **more)

    return method


for _name in TESTS:
    if _name != "list":
        setattr(Wrapped, f"a{_name}", _wrap(_name))


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["async", "sync"])
def test_all_of_the_suite_passes(wrapped: bool, on_disk: bool, tmp_path: Path) -> None:
    count = 0

    @conformance.checkpointer_test(name=f"casckpt-{wrapped}-{on_disk}")
    async def fresh() -> AsyncIterator[Any]:
        nonlocal count
        count += 1
        path = str(tmp_path / str(count)) if on_disk else "memory:"
        async with CasckptSaver(path) as saver:
            yield Wrapped(saver) if wrapped else saver

    report = asyncio.run(conformance.validate(fresh))
    assert {
        name: result.failures for name, result in report.results.items() if result.failures
    } == {}
    passed = {name: result.tests_passed for name, result in report.results.items()}
    assert {name: passed.get(name, 0) for name in TESTS} == TESTS
    assert sum(passed.values()) >= 81
    assert report.passed_all()
