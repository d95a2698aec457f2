"""Changes as JSON Patch (RFC 6902).

Invariant: applied by any library, the operations make of the first document one that is equal
to the second; what JSON cannot say is refused, never bent.

Imports: errors, path, tree (change).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from casckpt.errors import InvalidInputError
from casckpt.path import Path, format_path, to_pointer
from casckpt.tree.change import ADD, REMOVE, REORDER, Change

__all__ = ["to_operations"]


def to_operations(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """The operations of a JSON Patch.

    Raises:
        InvalidInputError: a path or value that JSON does not have.
    """
    operations: list[dict[str, Any]] = []
    for change in changes:
        if not change.in_json:
            raise _refused(change.path, "a place that JSON does not have")
        if change.op == REORDER:
            continue  # no order in JSON's objects
        operation: dict[str, Any] = {"op": change.op, "path": to_pointer(change.path)}
        if change.op != REMOVE:
            _check(change.new, change.path)
            operation["value"] = change.new
        if change.op == ADD and not change.path:
            operation["op"] = "replace"
        operations.append(operation)
    return operations


def _check(value: Any, path: Path) -> None:
    """Raise unless a value is JSON, to its last item."""
    kind = type(value)
    if kind is list:
        for index, item in enumerate(value):
            _check(item, (*path, index))
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise _refused((*path, key), f"a key that is no text but {_named(type(key))}")
            _check(item, (*path, key))
    elif kind is float and not math.isfinite(value):
        raise _refused(path, f"{value!r}, which JSON does not have")
    elif value is not None and kind not in {bool, int, float, str}:
        raise _refused(path, f"{_named(kind)}, which JSON does not have")


def _named(kind: type) -> str:
    return f"{'an' if kind.__name__[:1] in 'aeiou' else 'a'} {kind.__name__}"


def _refused(path: Path, what: str) -> InvalidInputError:
    where = format_path(path) or "(the state)"
    return InvalidInputError(f"no JSON Patch: at {where} is {what}", path=where)
