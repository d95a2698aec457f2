"""Editing: an `async with` block that gives a draft and saves what it came to.

Invariants: the block is entered and left in OS threads of the crew; an exception in it, a
cancellation too, saves nothing.

Imports: history (edits), aio (checkpoint, crew).
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from casckpt.aio.checkpoint import Checkpoint
from casckpt.aio.crew import Crew
from casckpt.history import edits

__all__ = ["Editing"]


class Editing:
    """For `async with`; see `Thread.edit`."""

    def __init__(self, crew: Crew, begin: Callable[[], edits.Editing]) -> None:
        self._crew = crew
        self._begin = begin
        self._blocks: list[edits.Editing] = []

    async def __aenter__(self) -> Any:
        def enter() -> tuple[edits.Editing, Any]:
            block = self._begin()
            return block, block.__enter__()

        block, draft = await self._crew.read(enter)
        self._blocks.append(block)
        return draft

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        block = self._blocks.pop()
        result: Any = None
        try:
            if kind is None:
                result = Checkpoint(self._crew, await self._crew.save(block.save))
        finally:
            block.close(result)
