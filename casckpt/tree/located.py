"""Where in a value it was that building it failed.

Imports: errors, path.
"""

from __future__ import annotations

from typing import Any

from casckpt.errors import InvalidInputError, LimitError, UnsupportedValueError
from casckpt.path import format_path

__all__ = ["located"]


def located(error: InvalidInputError, value: Any) -> InvalidInputError:
    """The error with the path to what caused it, in words and in `details`.

    Args:
        error: `details["steps"]` has the steps to the cause, the innermost first.
        value: what was built.
    """
    steps = error.details.pop("steps", [])[::-1]
    path = format_path(steps)
    where = f"at {path}" if steps else "at the root"
    message = f"{error.message} ({where})"
    if isinstance(error, LimitError) and _is_cycle(value, steps):
        message = f"a value that contains itself cannot be stored ({where[:200]})"
        return UnsupportedValueError(message, path=path, type="cycle")
    return type(error)(message, **{**error.details, "path": path})


def _is_cycle(value: Any, steps: list[Any]) -> bool:
    """Whether the way along `steps` comes by one container twice."""
    seen = set()
    for step in steps:
        if id(value) in seen:
            return True
        seen.add(id(value))
        try:
            value = value[step]
        except (TypeError, KeyError, IndexError):
            return False
    return id(value) in seen
