"""Workflow: an `async with` block whose steps are carried out once, however often it is begun.

Invariants: those of `casckpt.workflow`; what reads or saves happens in OS threads of the crew,
and functions that are no coroutine functions run in other OS threads.

Imports: errors, failure, workflow, aio (crew).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from casckpt.aio.crew import Crew
from casckpt.errors import CasckptError
from casckpt.failure import explain
from casckpt.workflow import (
    GIVEN,
    Journal,
    Naming,
    Step,
    check_function,
    inputs_of,
    is_async,
    outside,
)

__all__ = ["Workflow"]


class Workflow:
    """One run of a workflow; made by `Thread.workflow`."""

    def __init__(
        self,
        crew: Crew,
        name: str,
        prepare: Callable[[], Journal],
        shown: Callable[[Any], Any],
    ) -> None:
        self._crew = crew
        self._name = name
        self._prepare = prepare
        self._shown = shown
        self._naming = Naming()
        self._begun: Journal | None = None

    @property
    def _journal(self) -> Journal:
        if self._begun is None:
            raise outside(self._name)
        return self._begun

    @property
    def thread(self) -> Any:
        """The thread of checkpoints that it is kept in."""
        return self._shown(self._journal.line)

    @property
    def resumed(self) -> bool:
        """Whether it goes on from where an earlier run stood."""
        return self._journal.resumed

    @property
    def finished(self) -> bool:
        """Whether an earlier run came to the end."""
        return self._journal.status == "finished"

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        step_inputs: Any = GIVEN,
        **kwargs: Any,
    ) -> Awaitable[Any]:
        """What a function returned, to be awaited; see `casckpt.Workflow.step`.

        A function that is no coroutine function is called in another OS thread.
        """
        # Here, not when it is awaited: steps are numbered in the order of these calls.
        # What is given may change before a thread of the crew has time for it.
        self._journal.check_open()
        check_function(function)
        place = self._naming.place(name)
        inputs = self._journal.digest_of(place, inputs_of(step_inputs, args, kwargs))
        step = self._naming.next(place, inputs)
        return self._step(step, partial(function, *args, **kwargs))

    async def _step(self, step: Step, call: partial[Any]) -> Any:
        journal, key, inputs = self._journal, step.key, step.inputs
        found = await self._crew.read(lambda: journal.find(key, inputs))
        if found is not None:
            return found.result
        with self._naming.inside(step):
            result = await (call() if is_async(call.func) else asyncio.to_thread(call))
            await self._crew.write(lambda: journal.keep(key, inputs, result))
        return result

    async def __aenter__(self) -> Self:
        def begin() -> Journal:
            journal = self._begun or self._prepare()
            journal.begin()
            return journal

        self._begun = await self._crew.write(begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._crew.write(lambda: self._journal.end(error))
        except CasckptError as trouble:
            if error is None:
                raise
            explain(error, trouble)
