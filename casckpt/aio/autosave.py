"""Autosave for an event loop: a state that is saved as it changes, at the end, and on a failure.

Invariants: those of `casckpt.autosave`; the state is asked for in the event loop, and read in
an OS thread of the crew: nobody may change it until `step` returns.

Imports: autosave, failure, aio (checkpoint, crew).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from casckpt.aio.checkpoint import Checkpoint
from casckpt.aio.crew import Crew
from casckpt.autosave import Saving, Watched, check_decorated
from casckpt.failure import FAILED, describe, explain

__all__ = ["Autosave"]

F = TypeVar("F", bound=Callable[..., Any])


class Autosave:
    """For `async with`, or as a decorator of a coroutine function; `Thread.autosave`."""

    def __init__(self, crew: Crew, save: Saving, watched: Watched) -> None:
        self._crew = crew
        self._save = save
        self._watched = watched

    @property
    def last(self) -> Checkpoint | None:
        """The checkpoint that was saved last; None: none yet."""
        found: Checkpoint | None = self._watched.last
        return found

    @property
    def count(self) -> int:
        """How many were saved."""
        return self._watched.count

    async def step(self) -> Checkpoint | None:
        """Say that a step was made: saves if it is time to, and the state has changed."""
        return await self.save() if self._watched.pace.step() else None

    async def save(self) -> Checkpoint | None:
        """Save now, if the state has changed; the checkpoint, or None."""
        state, label = self._watched.what()
        return await self._put(state, label=label, meta=None, again=False)

    async def _put(self, state: Any, **how: Any) -> Checkpoint | None:
        saved = await self._crew.save(lambda: self._save(state, **how))
        found = None if saved is None else Checkpoint(self._crew, saved)
        self._watched.kept(found)
        return found

    async def _failed(self, error: BaseException) -> None:
        try:
            state = self._watched.what().state
            await self._put(state, label=FAILED, meta=describe(error), again=True)
        except Exception as trouble:  # noqa: BLE001 - the first error is the one to be seen
            explain(error, trouble)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await self.save()
        else:
            await self._failed(error)

    def __call__(self, function: F) -> F:
        """As a decorator: each call of the function is a step; what comes of it is awaited.

        Raises:
            InvalidInputError: no function, or a generator function.
        """
        check_decorated(function)

        @wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            try:
                result = function(*args, **kwargs)
                if inspect.isawaitable(result):
                    result = await result
            except BaseException as error:
                await self._failed(error)
                raise
            await self.step()
            return result

        return awaited  # type: ignore[return-value]  # the same to call
