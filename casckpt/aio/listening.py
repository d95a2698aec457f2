"""Listeners of an async store: they are told on their event loop.

Invariants: those of `casckpt.event`; events come to a loop in the order in which they happened.

Imports: event, store, aio (checkpoint, crew).
"""

from __future__ import annotations

from dataclasses import replace

from casckpt.aio.checkpoint import Checkpoint
from casckpt.aio.crew import Crew
from casckpt.errors import InvalidInputError
from casckpt.event import Event, EventKind, Listener, is_async
from casckpt.store import Store

__all__ = ["Heard"]


class Heard:
    """Who listens to an async store."""

    def __init__(self, crew: Crew, plain: Store) -> None:
        self._crew = crew
        self._plain = plain
        self._inner: list[tuple[str, Listener, Listener]] = []

    def add(self, kind: EventKind, listener: Listener) -> None:
        """Tell a listener of what happens from now on; raises as `casckpt.Store.on` does."""
        if not callable(listener):
            raise InvalidInputError(f"a listener is a function, not {type(listener).__name__}")
        awaited = is_async(listener)

        async def inner(event: Event) -> None:
            if event.checkpoint is not None:
                event = replace(event, checkpoint=Checkpoint(self._crew, event.checkpoint))
            result = listener(event)
            if awaited:
                await result

        self._plain.on(kind, inner)
        self._inner.append((kind, listener, inner))

    def remove(self, kind: EventKind, listener: Listener) -> None:
        """Tell it nothing any more; raises InvalidInputError if it does not listen."""
        for entry in reversed(self._inner):
            if entry[:2] == (kind, listener):
                self._inner.remove(entry)
                self._plain.off(kind, entry[2])
                return
        self._plain.off(kind, listener)  # which raises
