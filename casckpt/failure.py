"""What is kept of an exception that ended something that saves.

Imports: nothing.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FAILED", "describe", "explain"]

FAILED: Final = "failed"
"""The label of what is saved because of an exception."""
ERROR_MAX: Final = 1_000
"""Characters of its text that are kept."""


def describe(error: BaseException) -> dict[str, str]:
    """The meta that tells of an exception: its type and text."""
    name = type(error).__name__
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - the state is to be saved, whatever the error says
        said = ""
    text = f"{name}: {said}" if said else name
    return {"error": text.encode("utf-8", "replace").decode()[:ERROR_MAX]}


def explain(error: BaseException, trouble: Exception) -> None:
    """Note on an exception that it could not be saved."""
    error.add_note(f"casckpt could not save this failure: {trouble}")
