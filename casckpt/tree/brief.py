"""Values in one short line, as much of them as fits.

Works on plain values and on nodes (`tree.lazy`), and opens nothing: what is not at hand is
shown by its size.

Invariants: the work is bounded by the room, not by the value; no character that a terminal
could act upon is printed.

Imports: path, format (constants), tree (lazy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from casckpt.format import constants as c
from casckpt.path import format_step
from casckpt.tree.lazy import BlobTree, Link, ListTree, MapTree, Node, Wrapped

__all__ = ["brief", "brief_pair"]

ROOM_CHARS: Final = 60
_CONTEXT_CHARS: Final = 12
"""Of two long strs, so much is shown in front of where they part."""
_DEPTH_MAX: Final = 4
_INT_BITS_MAX: Final = 256
_ELLIPSIS: Final = "…"


_BRACKETS: Final = {
    "list": ("[", "]"),
    "tuple": ("(", ")"),
    "dict": ("{", "}"),
    "set": ("{", "}"),
    "frozenset": ("frozenset({", "})"),
}


def brief(value: Any, room: int = ROOM_CHARS) -> str:
    """The beginning of a value or node, in about `room` characters."""
    parts: list[str] = []
    length = 0
    for part in _parts(value, room, 0):
        parts.append(part)
        length += len(part)
        if length > room:
            break
    text = "".join(parts)
    return text if len(text) <= room else text[: room - 1] + _ELLIPSIS


def brief_pair(old: Any, new: Any, room: int = ROOM_CHARS) -> tuple[str, str]:
    """Two values in brief; of two long strs, from a little before where they part."""
    if type(old) is not str or type(new) is not str or max(len(old), len(new)) <= room - 2:
        return brief(old, room), brief(new, room)
    common = _common_start(old, new)
    start = max(0, common - _CONTEXT_CHARS)
    shown = [_text(text, room, start) for text in (old, new)]
    return shown[0], shown[1]


def _common_start(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _text(text: str, room: int, start: int = 0) -> str:
    """A str from a place on, quoted."""
    end = start + room - 4
    before = _ELLIPSIS if start else ""
    after = _ELLIPSIS if end < len(text) else ""
    shown = repr(text[start:end])
    return f"{shown[0]}{before}{shown[1:-1]}{after}{shown[-1]}"


def _parts(value: Any, room: int, depth: int) -> Iterator[str]:
    kind = type(value)
    if kind is str:
        yield _text(value, room)
    elif kind is bytes or kind is bytearray:
        yield repr(value[:room]) + (_ELLIPSIS if len(value) > room else "")
    elif kind is int:
        yield repr(value) if value.bit_length() <= _INT_BITS_MAX else _long_int(value, room)
    elif isinstance(value, ListTree | MapTree | BlobTree | Link):
        yield _tree(value)
    elif isinstance(value, Wrapped):
        yield from _wrapped(value, room, depth)
    elif kind in {list, tuple, set, frozenset, dict}:
        yield from _container(value, room, depth)
    elif value is None or kind in {bool, float, complex}:
        yield repr(value)
    else:
        yield _printable(_own_repr(value)[: room + 1])


def _own_repr(value: Any) -> str:
    """Anything else was restored: its repr is its own, and may be long, or fail."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - whatever a class does there, the change is printed
        return f"<{type(value).__name__}>"


def _long_int(value: int, room: int) -> str:
    """Python bounds the digits of decimal ints; these are cheap."""
    bits = value.bit_length()
    return hex(value)[:room] if bits < 8 * room else f"int of {bits:,} bits"


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _container(value: Any, room: int, depth: int) -> Iterator[str]:
    opening, closing = _BRACKETS[type(value).__name__]
    closing = ",)" if type(value) is tuple and len(value) == 1 else closing
    if type(value) in {set, frozenset} and not value:
        yield f"{type(value).__name__}()"
        return
    if depth >= _DEPTH_MAX and value:
        yield f"{opening}{_ELLIPSIS}{closing}"
        return
    yield opening
    pairs: Iterable[Any] = value.items() if type(value) is dict else value
    for number, item in enumerate(pairs):
        if number:
            yield ", "
        if type(value) is dict:
            yield f"{_key(item[0], room)}: "
            item = item[1]  # the rest is as in a list
        yield from _parts(item, room, depth + 1)
    yield closing


def _key(key: Any, room: int) -> str:
    if type(key) is str:
        return _text(key, room)
    return _printable(format_step(key)[: room + 1])


def _tree(value: ListTree | MapTree | BlobTree | Link) -> str:
    if isinstance(value, Link):
        return f"<{value.size:,} bytes>"
    if isinstance(value, BlobTree):
        return f"<{'str' if value.is_text else 'bytes'} of {len(value):,}>"
    return f"<{'list' if isinstance(value, ListTree) else 'dict'} of {len(value):,}>"


def _wrapped(value: Wrapped, room: int, depth: int) -> Iterator[str]:
    content: Node = value.content
    if type(content) is list and value.tag in {c.TAG_TUPLE, c.TAG_SET, c.TAG_FROZENSET}:
        if value.tag == c.TAG_TUPLE:
            yield from _container(tuple(content), room, depth)
            return
        name = "set" if value.tag == c.TAG_SET else "frozenset"
        if not content:
            yield f"{name}()"
            return
        opening, closing = _BRACKETS[name]
        yield opening + brief(content, room)[1:-1] + closing
    elif value.tag == c.TAG_OBJECT and type(content) is list and len(content) >= 3:
        name = str(content[1]).rpartition(":")[2].rpartition(".")[2]
        fields = content[2]
        yield f"{_printable(name[:room])}("
        if type(fields) is dict and depth < _DEPTH_MAX:
            for number, (key, item) in enumerate(fields.items()):
                yield f"{', ' if number else ''}{_printable(str(key)[:room])}="
                yield from _parts(item, room, depth + 1)
        else:
            yield _ELLIPSIS
        yield ")"
    elif value.tag == c.TAG_NDARRAY and type(content) is list and len(content) == 3:
        shape = ", ".join(str(n) for n in content[1]) if type(content[1]) is list else "?"
        yield f"<array {content[0]!s:.20} ({shape})>"
    else:
        yield from _parts(content, room, depth)
