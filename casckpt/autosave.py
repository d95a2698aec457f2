"""Autosave: a state that is saved as it changes, at the end, and when something goes wrong.

::

    with run.autosave(lambda: agent.state, label="stepped") as auto:
        while agent.works():
            agent.step()
            auto.step()

Invariants: the state is looked at only in calls from the program that changes it, so never
half changed; the same state is not saved twice in a row, unless to say what went wrong.

Imports: errors, failure, history (names).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from casckpt.errors import InvalidInputError
from casckpt.failure import FAILED, describe, explain
from casckpt.history.names import check_label

__all__ = ["Autosave", "Pace", "Saving", "Watched", "What", "check_decorated"]

F = TypeVar("F", bound=Callable[..., Any])


class Saving(Protocol):
    """How a state is saved."""

    def __call__(
        self, state: Any, *, label: str | None, meta: dict[str, Any] | None, again: bool
    ) -> Any:
        """The checkpoint; None: the head has this state already, and `again` is False."""


class Pace:
    """When a state is to be saved: after so many steps, after so long, or whenever it changed."""

    def __init__(
        self,
        every_steps: int | None,
        every_seconds: float | None,
        *,
        on_change: bool,
        clock: Callable[[], int],
    ) -> None:
        """Begin to count.

        Args:
            every_steps: after so many steps.
            every_seconds: after so long, at the next step.
            on_change: if neither is given: at every step.
            clock: nanoseconds.

        Raises:
            InvalidInputError: no such number.
        """
        if every_steps is not None and (type(every_steps) is not int or every_steps < 1):
            raise InvalidInputError(f"every_steps= takes a number from 1, not {every_steps!r}")
        if every_seconds is not None and not _is_duration(every_seconds):
            raise InvalidInputError(
                f"every_seconds= takes a positive number, not {every_seconds!r}"
            )
        self._steps_max = every_steps
        self._ns_max = None if every_seconds is None else int(every_seconds * 1e9)
        self._always = on_change and every_steps is None and every_seconds is None
        self._clock = clock
        self._steps = 0
        self._since_ns = clock()

    def step(self) -> bool:
        """Count a step; whether it is time to save."""
        self._steps += 1
        if self._always or self._steps == self._steps_max:
            return True
        if self._ns_max is None:
            return False
        now_ns = self._clock()
        self._since_ns = min(self._since_ns, now_ns)  # a clock that was set back
        return now_ns - self._since_ns >= self._ns_max

    def saved(self) -> None:
        """Count anew."""
        self._steps = 0
        self._since_ns = self._clock()


class What(NamedTuple):
    """What is to be saved."""

    state: Any
    label: str | None


class Watched:
    """A state, when it is to be saved, and what has been saved of it."""

    def __init__(
        self, state: Any, pace: Pace, label: str | Callable[[Any], str | None] | None
    ) -> None:
        self._state = state
        # An agent that can be called is not asked to work each time it is looked at.
        self._asks = callable(state) and not hasattr(type(state), "__snapshot__")
        self._label = label if callable(label) else check_label(label)
        self.pace = pace
        self.last: Any = None
        """The checkpoint that was saved last; None: none yet."""
        self.count = 0
        """How many were saved."""

    def what(self) -> What:
        """The state as it is now, with its label."""
        state = self._state() if self._asks else self._state
        return What(state, self._label(state) if callable(self._label) else self._label)

    def kept(self, checkpoint: Any) -> Any:
        """Note that it was saved, or need not be (None); the checkpoint."""
        self.pace.saved()
        if checkpoint is not None:
            self.last = checkpoint
            self.count += 1
        return checkpoint


class Autosave:
    """For `with`, or as a decorator of a function that makes one step; `Thread.autosave`."""

    def __init__(self, save: Saving, watched: Watched) -> None:
        self._save = save
        self._watched = watched

    @property
    def last(self) -> Any:
        """The checkpoint that was saved last; None: none yet."""
        return self._watched.last

    @property
    def count(self) -> int:
        """How many were saved."""
        return self._watched.count

    def step(self) -> Any:
        """Say that a step was made: saves if it is time to, and the state has changed.

        Returns:
            The checkpoint; None if nothing was saved.

        Raises:
            UnsupportedValueError: a value that cannot be stored; names its path.
        """
        return self.save() if self._watched.pace.step() else None

    def save(self) -> Any:
        """Save now, if the state has changed; the checkpoint, or None."""
        state, label = self._watched.what()
        return self._put(state, label=label, meta=None, again=False)

    def _put(self, state: Any, **how: Any) -> Any:
        return self._watched.kept(self._save(state, **how))

    def _failed(self, error: BaseException) -> None:
        try:
            state = self._watched.what().state
            self._put(state, label=FAILED, meta=describe(error), again=True)
        except Exception as trouble:  # noqa: BLE001 - the first error is the one to be seen
            explain(error, trouble)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.save()
        else:
            self._failed(error)

    def __call__(self, function: F) -> F:
        """As a decorator: each call of the function is a step.

        Raises:
            InvalidInputError: no function, or a generator function.
        """
        check_decorated(function)
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                try:
                    result = await function(*args, **kwargs)
                except BaseException as error:
                    self._failed(error)
                    raise
                self.step()
                return result

            return awaited  # type: ignore[return-value]  # the same to call

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._failed(error)
                raise
            self.step()
            return result

        return called  # type: ignore[return-value]  # the same to call


def check_decorated(function: Any) -> None:
    """Raises InvalidInputError if the calls of this are no steps."""
    if not callable(function):
        raise InvalidInputError(f"autosave decorates a function, not {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidInputError(
            "the call of a generator function is over before its work begins: use "
            "`with run.autosave(...) as auto` in it, and auto.step()"
        )


def _is_duration(seconds: Any) -> bool:
    return type(seconds) in {int, float} and math.isfinite(seconds) and seconds > 0
