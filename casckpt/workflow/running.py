"""Workflow: a `with` block whose steps are carried out once, however often it is begun.

Invariants: a step is carried out again only if its result was never saved; the exception of a
step is the program's, and goes on.

Imports: errors, failure, workflow (journal, naming).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from casckpt.errors import CasckptError, InvalidInputError
from casckpt.failure import explain
from casckpt.workflow.journal import Journal
from casckpt.workflow.naming import Naming, Step

__all__ = ["GIVEN", "Workflow", "check_function", "inputs_of", "is_async"]


class _Given:
    def __repr__(self) -> str:
        return "GIVEN"


GIVEN: Final = _Given()
"""The inputs of a step are the arguments it is given."""


class Workflow:
    """One run of a workflow; made by `Thread.workflow`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._naming = Naming()

    @property
    def thread(self) -> Any:
        """The thread of checkpoints that it is kept in."""
        return self._journal.line

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
    ) -> Any:
        """What a function returned: now, or in the run in which the step was finished.

        The second step of the same name is another step, and so on; so are steps within a
        step. One that failed and is called again with the same inputs is the same step. For a coroutine function, await what this returns.

        Args:
            name: of the step, without "/" and "#".
            function: carried out if the step was not finished. What it returns is stored.
            args: its arguments.
            step_inputs: what it depends on, if the arguments do not say it or cannot be stored;
                None: do not look whether its inputs changed.
            kwargs: its arguments by name.

        Raises:
            InvalidInputError: it was finished with other inputs; or they cannot be stored; or
                this is outside the block.
            UnsupportedValueError: it returned what cannot be stored.
            ConflictError: somebody else carries out the same workflow.
        """
        self._journal.check_open()
        check_function(function)
        place = self._naming.place(name)
        inputs = self._journal.digest_of(place, inputs_of(step_inputs, args, kwargs))
        step = self._naming.next(place, inputs)
        if is_async(function):
            return self._awaited(step, function, args, kwargs)
        found = self._journal.find(step.key, inputs)
        if found is not None:
            return found.result
        with self._naming.inside(step):
            result = function(*args, **kwargs)
            self._journal.keep(step.key, inputs, result)
        return result

    async def _awaited(
        self, step: Step, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        found = self._journal.find(step.key, step.inputs)
        if found is not None:
            return found.result
        with self._naming.inside(step):
            result = await function(*args, **kwargs)
            self._journal.keep(step.key, step.inputs, result)
        return result

    def __enter__(self) -> Self:
        self._journal.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._journal.end(error)
        except CasckptError as trouble:
            if error is None:
                raise
            explain(error, trouble)


def inputs_of(given: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What is compared: the arguments, or what the caller says."""
    return [list(args), dict(sorted(kwargs.items()))] if given is GIVEN else given


def check_function(function: Any) -> None:
    """Raises InvalidInputError if a step cannot carry this out."""
    if not callable(function):
        raise InvalidInputError(
            f"a step is given a function and what to call it with, not {type(function).__name__}: "
            f"wf.step(name, fetch, url), not wf.step(name, fetch(url))"
        )


def is_async(function: Callable[..., Any]) -> bool:
    """Whether what a function returns is to be awaited."""
    # Of an object that can be called, its class knows.
    return any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))
