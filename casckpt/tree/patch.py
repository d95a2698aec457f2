"""Applying changes to a value in memory.

Containers on the way to a change are opened once (copied), changed in place, and closed again
at the end; everything else is shared with the value given.

Invariants: the value given is not changed; `apply(a, diff(a, b))` is `b`, exactly.

Imports: errors, path, format (constants), tree (change, source).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NoReturn

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.format import constants as c
from casckpt.path import Path, format_path, format_step
from casckpt.tree.change import ADD, REMOVE, REORDER, REPLACE, Change
from casckpt.tree.source import Codec

__all__ = ["apply"]


def apply(value: Any, changes: Iterable[Change], codec: Codec | None = None) -> Any:
    """A value with changes made, one after the other.

    Args:
        value: it stays as it is; the result shares with it what did not change.
        changes: a Diff, or any changes.
        codec: for changes inside instances of classes.

    Raises:
        NotFoundError: a change leads nowhere; names its path.
        InvalidInputError: it leads into something that cannot be changed.
    """
    root = _Open("root", [value])
    for change in changes:
        _apply(root, change, codec)
    return _closed(root.inner[0], codec)


class _Open:
    """A container that is being changed: its items, in a list, dict or dict of keys."""

    __slots__ = ("content", "inner", "kind")

    def __init__(self, kind: Any, inner: Any, content: Any = None) -> None:
        self.kind = kind
        self.inner = inner
        self.content = content
        """What else belongs to an instance."""


def _apply(root: _Open, change: Change, codec: Codec | None) -> None:
    path: Path = (0, *change.path)  # the root is the one item of a list
    if change.op == REORDER:
        _reorder(_descend(root, path, change, codec), change)
        return
    here = _descend(root, path[:-1], change, codec)
    if len(path) == 1 and change.op != REPLACE:
        raise InvalidInputError(f"the state itself can be replaced, not: {change.op}")
    step = path[-1]
    if type(here.inner) is list:
        _in_list(here.inner, step, change)
    elif here.kind in {set, frozenset}:
        _in_set(here.inner, step, change)
    else:
        here.inner = _in_dict(here.inner, step, change)


def _descend(root: _Open, path: Path, change: Change, codec: Codec | None) -> _Open:
    """Open everything on the way, and what lies at its end."""
    here = root
    for position, step in enumerate(path):
        if type(here.inner) is list:
            inner, key = here.inner, _index(step, len(here.inner), change)
        elif here.kind in {set, frozenset}:
            _nowhere(change, "a set has nothing inside its members")
        else:
            inner, key = here.inner, _key(here.inner, step)
            if key is _ABSENT:
                _nowhere(change, f"no {format_step(step)} at {format_path(path[1:position])!r}")
        if type(inner[key]) is not _Open:
            inner[key] = _opened(inner[key], change, codec)
        here = inner[key]
    return here


def _opened(value: Any, change: Change, codec: Codec | None) -> _Open:
    kind = type(value)
    if kind is list or kind is tuple:
        return _Open(kind, list(value))
    if kind is dict:
        return _Open(kind, dict(value))
    if kind is set or kind is frozenset:
        # By type and value: a NaN is found too, and True does not stand in for 1.
        return _Open(kind, {_exact(member): member for member in value})
    if codec is not None and kind not in {str, bytes, int, float, bool, bytearray, type(None)}:
        reduced = codec.reduce(value)
        if reduced.tag == c.TAG_OBJECT:
            content = list(reduced.content)
            return _Open(_Open, dict(content[2]), content)
    where = format_path(change.path)
    raise InvalidInputError(
        f"{where} leads into {kind.__name__!r}, which has no places", path=where
    )


def _closed(value: Any, codec: Codec | None) -> Any:
    if type(value) is not _Open:
        return value
    if value.kind is list or value.kind is tuple:
        return value.kind([_closed(item, codec) for item in value.inner])
    if value.kind is set or value.kind is frozenset:
        return value.kind(value.inner.values())
    fields = {key: _closed(item, codec) for key, item in value.inner.items()}
    if value.kind is dict or codec is None:
        return fields
    return codec.restore(c.TAG_OBJECT, [*value.content[:2], fields, *value.content[3:]])


def _in_list(items: list[Any], step: Any, change: Change) -> None:
    if change.op == ADD:
        items.insert(_index(step, len(items) + 1, change), change.new)
    elif change.op == REMOVE:
        del items[_index(step, len(items), change)]
    else:
        items[_index(step, len(items), change)] = change.new


def _in_set(members: dict[Any, Any], step: Any, change: Change) -> None:
    name = _exact(step)
    if change.op == ADD:
        members[name] = step
    elif change.op == REMOVE and name in members:
        del members[name]
    else:
        _nowhere(change, "no such member of the set")


def _in_dict(entries: dict[Any, Any], step: Any, change: Change) -> dict[Any, Any]:
    if change.op == ADD:
        if not change.before:
            entries[step] = change.new
            return entries
        following = _key(entries, change.before[0])
        if following is _ABSENT:
            _nowhere(change, f"no {format_step(change.before[0])} to come before")
        items = [item for item in entries.items() if item[0] != step]
        place = next(
            (i for i, (key, _) in enumerate(items) if key is following or key == following), 0
        )
        return dict([*items[:place], (step, change.new), *items[place:]])
    key = _key(entries, step)
    if key is _ABSENT:
        _nowhere(change, "no such key")
    if change.op == REMOVE:
        del entries[key]
    else:
        entries[key] = change.new
    return entries


def _reorder(here: _Open, change: Change) -> None:
    keys = change.new
    if type(here.inner) is not dict or type(keys) is not list or len(keys) != len(here.inner):
        _nowhere(change, "not a dict of these keys")
    found = [_key(here.inner, key) for key in keys]
    if _ABSENT in found:
        _nowhere(change, "not a dict of these keys")
    here.inner = {key: here.inner[key] for key in found}


_ABSENT = object()


def _key(entries: dict[Any, Any], step: Any) -> Any:
    """The key as the dict finds it; a NaN, which it does not find, by its bits."""
    if step in entries:
        return step
    name = _exact(step)
    return next((key for key in entries if _exact(key) == name), _ABSENT)


def _exact(key: Any) -> Any:
    """Equal for keys of the same type and value, NaN included."""
    kind = type(key)
    if kind is float:
        return kind, struct.pack(">d", key)
    if kind is tuple:
        return kind, tuple(map(_exact, key))
    if kind is frozenset:
        return kind, frozenset(map(_exact, key))
    return kind, key


def _index(step: Any, length: int, change: Change) -> int:
    if type(step) is not int or not 0 <= step < length:
        _nowhere(change, f"no index {format_step(step)}")
    return step


def _nowhere(change: Change, why: str) -> NoReturn:
    where = format_path(change.path) or "(the state)"
    raise NotFoundError(f"{change.op} at {where} does not fit: {why}", path=where)
