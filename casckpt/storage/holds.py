"""Holds of an engine in memory: what was stored since the oldest began is not collected.

Invariants: none beyond that.

Imports: the engine interface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from casckpt.storage.engine import NewObject, Stage

__all__ = ["Holding"]


class Holding:
    """To be inherited from by an engine that numbers what it stores."""

    _order = 0
    """Number of the object stored last."""

    def __init__(self) -> None:
        self._holds: list[int] = []

    def commit(self, objects: Sequence[NewObject] = (), *_: Any, **__: Any) -> Any:
        """See `Engine.commit`."""
        raise NotImplementedError

    @contextmanager
    def hold(self) -> Iterator[Stage]:
        """See `Engine.hold`."""
        begin = self._order
        self._holds.append(begin)
        try:
            yield self._stage
        finally:
            self._holds.remove(begin)

    def _stage(self, objects: Sequence[NewObject]) -> None:
        self.commit(objects)

    def _horizon(self) -> int:
        """The newest object that gc may remove."""
        return min([self._order, *self._holds])
