"""The keys of steps: which step of a workflow is meant, in every run of the same program.

A step's key is its name; the second of that name is `name#2`; a step within a step has the
outer one's key before it: `outer/name#2`. So loops and nesting need no names made up by hand.

A step that failed and is called again with the same inputs is the same step: so a program that
tries until it works finds, in its next run, what it got in the end.

Invariants: keys depend on the order of calls alone, within each outer step by itself, and on
which of them failed. What is outer is part of the context (contextvars), so tasks and OS threads
that copy it are right.

Imports: errors, history (names).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import NamedTuple

from casckpt.errors import InvalidInputError
from casckpt.history.names import check_step_name

__all__ = ["Naming", "Step"]

_inside: ContextVar[tuple[object, str] | None] = ContextVar("casckpt_step", default=None)
"""The naming and the key of the step that is being carried out."""


class Step(NamedTuple):
    """A step that is called."""

    key: str
    place: str
    """The key without the number."""
    inputs: str | None
    """The digest of what it is given; None: not looked at."""


class Naming:
    """The keys of one run of a workflow."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._failed: list[Step] = []
        self._lock = Lock()

    def place(self, name: str) -> str:
        """Where a step of this name stands that is called now: its key without a number.

        Raises:
            InvalidInputError: not a name for a step: what may be a label, and has no "/" or "#".
        """
        check_step_name(name)
        if "/" in name or "#" in name:
            raise InvalidInputError(
                f"the name of a step has no '/' and no '#', which stand for steps within steps "
                f"and repetitions: {name!r}"
            )
        outer = _inside.get()
        return f"{outer[1]}/{name}" if outer is not None and outer[0] is self else name

    def next(self, place: str, inputs: str | None) -> Step:
        """The step that is called now.

        Args:
            place: its name, with what is around it.
            inputs: the digest of what it is given; None: nobody knows whether it is the same.
        """
        with self._lock:
            for at, step in enumerate(self._failed):
                if (step.place, step.inputs) == (place, inputs):
                    del self._failed[at]
                    self._forget_within(step.key)
                    return step
            self._counts[place] += 1
            count = self._counts[place]
        return Step(place if count == 1 else f"{place}#{count}", place, inputs)

    def _forget_within(self, key: str) -> None:
        """The steps within one that is carried out again are counted anew."""
        within = f"{key}/"
        for place in [place for place in self._counts if place.startswith(within)]:
            del self._counts[place]
        self._failed[:] = [s for s in self._failed if not s.place.startswith(within)]

    @contextmanager
    def inside(self, step: Step) -> Iterator[None]:
        """For the time in which a step is carried out, and its result saved."""
        token = _inside.set((self, step.key))
        try:
            yield
        except BaseException:
            if step.inputs is not None:
                with self._lock:
                    self._failed.append(step)
            raise
        finally:
            _inside.reset(token)
