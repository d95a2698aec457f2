"""Values in one line: as much of a value as fits, read no further than that.

JSON's spelling for what JSON has, Python's for the rest (tuples, sets, bytes, classes).

Invariant: no character that a terminal could act upon leaves this module unescaped,
whatever a store holds.

Imports: casckpt.cli.style.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from typing import Any, Final

from casckpt.cli import style

__all__ = ["clean", "kind", "length", "one_line", "quoted"]

_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_SCALARS: Final = {None: "null", True: "true", False: "false"}


def clean(text: str) -> str:
    """A name or message, with control characters and the like written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    code = ord(char)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}"


def quoted(text: str, room: int | None = None) -> str:
    """A str in quotes, escaped; at most about `room` characters of it are looked at."""
    shown = text if room is None else text[: room + 1]
    if shown.isprintable() and '"' not in shown and "\\" not in shown:
        return f'"{shown}"'
    body = "".join(
        _escaped(char) if char in '"\\' or not char.isprintable() else char for char in shown
    )
    return f'"{body}"'


def one_line(value: Any, room: int) -> str:
    """The value's beginning in at most `room` columns; cut values end in "…"."""
    parts: list[str] = []
    length = 0
    for piece in _pieces(value, room):
        parts.append(piece)
        length += len(piece)
        if length > room:
            break
    return style.cut("".join(parts), room)


def _pieces(value: Any, room: int) -> Iterator[str]:
    if value is None or type(value) is bool:
        yield _SCALARS[value]
    elif isinstance(value, str):
        yield quoted(value, room)
    elif isinstance(value, bytes | bytearray):
        name = "" if isinstance(value, bytes) else "bytearray "
        yield f"{name}{bytes(value[: room + 1])!r}"
    elif isinstance(value, int) and value.bit_length() > 4 * room:
        yield clean(f"{value:#x}"[: room + 1])
    elif isinstance(value, Mapping):
        type_name = getattr(value, "type_name", None)
        opening, closing = ("{", "}") if type_name is None else (f"{clean(type_name)}{{", "}")
        yield from _joined(opening, _members(value, room), closing)
    elif _is_tuple(value):
        yield from _joined("(", _items(value, room), ",)" if len(value) == 1 else ")")
    elif isinstance(value, AbstractSet):
        yield from _joined("set{", _items(value, room), "}")
    elif isinstance(value, Sequence) and not isinstance(value, range):
        yield from _joined("[", _items(value, room), "]")
    else:
        yield clean(_repr(value))


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - somebody else's code; a listing goes on
        return f"<{type(value).__name__}>"


def _joined(opening: str, parts: Iterable[Iterator[str]], closing: str) -> Iterator[str]:
    yield opening
    for number, part in enumerate(parts):
        if number:
            yield ", "
        yield from part
    yield closing


def _items(values: Iterable[Any], room: int) -> Iterator[Iterator[str]]:
    for value in values:
        yield _pieces(value, room)


def _members(value: Mapping[Any, Any], room: int) -> Iterator[Iterator[str]]:
    for key, item in value.items():
        yield _member(key, item, room)


def _member(key: Any, item: Any, room: int) -> Iterator[str]:
    yield from _pieces(key, room)
    yield ": "
    yield from _pieces(item, room)


def _is_tuple(value: Any) -> bool:
    # A view of a tuple says so.
    return isinstance(value, tuple) or getattr(value, "type", None) is tuple


def kind(value: Any) -> str:
    """The name of a value's type, views and records looked through."""
    if value is None or type(value) is bool:
        return "null" if value is None else "bool"
    if isinstance(value, dict | list | tuple):
        return type(value).__name__
    if isinstance(value, Mapping):  # a view, or a record
        return clean(getattr(value, "type_name", None) or "dict")
    viewed = getattr(value, "type", None)
    return viewed.__name__ if viewed in {list, tuple} else type(value).__name__


def length(value: Any) -> int | None:
    """Items of a container, characters of a str, bytes of a bytes; None for the others."""
    if isinstance(value, range) or not isinstance(value, Sized):
        return None
    try:
        return len(value)
    except (TypeError, ValueError, OverflowError):  # an array of no dimension, for one
        return None
