"""The keys of steps: which step of a workflow is meant, in every run of the same program.

A step's key is its name; the second of that name is `name#2`; a step within a step has the
outer one's key before it: `outer/name#2`. So loops and nesting need no names made up by hand.

Invariants: keys depend on the order of calls alone, within each outer step by itself. What is
outer is part of the context (contextvars), so tasks and OS threads that copy it are right.

Imports: errors, history (names).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from casckpt.errors import InvalidInputError
from casckpt.history.names import check_label

__all__ = ["Naming"]

_inside: ContextVar[tuple[object, str] | None] = ContextVar("casckpt_step", default=None)
"""The naming and the key of the step that is being carried out."""


class Naming:
    """The keys of one run of a workflow."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def next(self, name: str) -> str:
        """The key of the step that is called now.

        Raises:
            InvalidInputError: not a name for a step: what may be a label, and has no "/" or "#".
        """
        if check_label(name) is None:
            raise InvalidInputError("a step has a name")
        if "/" in name or "#" in name:
            raise InvalidInputError(
                f"the name of a step has no '/' and no '#', which stand for steps within steps "
                f"and repetitions: {name!r}"
            )
        outer = _inside.get()
        key = f"{outer[1]}/{name}" if outer is not None and outer[0] is self else name
        with self._lock:
            self._counts[key] += 1
            count = self._counts[key]
        return key if count == 1 else f"{key}#{count}"

    @contextmanager
    def inside(self, key: str) -> Iterator[None]:
        """For the time in which a step is carried out."""
        token = _inside.set((self, key))
        try:
            yield
        finally:
            _inside.reset(token)
