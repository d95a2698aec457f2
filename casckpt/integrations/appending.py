"""Appending: how the adapters of this folder change the state of a thread.

Invariants: a change is made on the newest state, by compare-and-set, and made anew if another
process was first; a change that lost leaves nothing behind, for a batch saves all or nothing.
What is stored of a framework's values is what JSON gives back.

Imports: errors, store, thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final, TypeVar

from casckpt.errors import ConflictError, InvalidInputError, StorageError, UnsupportedValueError
from casckpt.store import Store
from casckpt.thread import Thread

__all__ = ["UnchangedError", "as_json", "as_label", "change"]

T = TypeVar("T")

_RETRIES_MAX: Final = 1_000
_LABEL_CHARS_MAX: Final = 60


class UnchangedError(Exception):
    """Raised in a change: there is nothing to save."""


def change(
    store: Store,
    thread: Thread,
    how: Callable[[MutableMapping[str, Any]], T],
    *,
    label: str | None,
) -> T | None:
    """Change the state of a thread, a dict, and save it as one checkpoint.

    Args:
        store: of the thread.
        thread: need not exist yet; its state is {} then.
        how: changes the draft of the state; called again if another process was first. It may
            raise UnchangedError.
        label: of the checkpoint.

    Returns:
        What `how` gave; None after UnchangedError.

    Raises:
        InvalidInputError: the state is no dict.
        StorageError: others were first again and again; disk full and the like.
    """
    for _ in range(_RETRIES_MAX):
        try:
            with store.batch(), thread.edit(label=label) as draft:
                if not isinstance(draft, MutableMapping):
                    raise InvalidInputError(f"the thread {thread.name} is not one of this kind")
                result = how(draft)
        except UnchangedError:
            return None
        except ConflictError:
            continue
        return result
    raise StorageError(f"{thread.name}: others were first {_RETRIES_MAX} times in a row")


def as_json(values: Sequence[Any]) -> list[Any]:
    """Fresh values, as JSON gives them back: what frameworks that keep JSON text would load.

    Raises:
        UnsupportedValueError: one of them JSON has no form for; says which.
    """
    try:
        fresh: list[Any] = json.loads(json.dumps(list(values)))
    except (TypeError, ValueError, RecursionError):
        for at, value in enumerate(values):
            try:
                json.dumps(value)
            except (TypeError, ValueError, RecursionError) as error:
                raise UnsupportedValueError(
                    f"[{at}] has no form in JSON: {error}",
                    path=f"[{at}]",
                    type=type(value).__name__,
                ) from error
        raise
    return fresh


def as_label(text: object) -> str | None:
    """A text of a framework's as a label, if it is fit for one."""
    if isinstance(text, str) and text.isprintable() and text == text.strip():
        return str(text[:_LABEL_CHARS_MAX]).strip() or None
    return None
