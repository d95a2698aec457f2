"""The JSON form of a state: any value casckpt can store, as JSON text, and back exactly.

Plain JSON stands for itself. What JSON cannot say is an object of two keys,

    {"$casckpt": NAME, "value": V}

| NAME | V |
|---|---|
| `tuple`, `set`, `frozenset` | array of the items (sets: sorted by their JSON text) |
| `bytes`, `bytearray` | base64 |
| `dict` | array of `[key, value]`: keys that are no text, or a key spelled `$casckpt` |
| `str` | array of texts and ints: a str with lone surrogates, the ints being those |
| `float` | `"nan"`, `"inf"`, `"-inf"`, or `"0x..."`, the 64 bits of another NaN |
| `int` | `"0x..."` or `"-0x..."`: an int of more than 13,000 bits |
| `complex`, `datetime`, ... | the tag's content (docs/format.md), itself in JSON form |
| `object`, `enum`, `codec` | the same: a class, as [flavour, type name, fields] and so on |

This is the form, and its writer; `read_jsonform` reads it.

Invariant: each value has one form, and `from_json(to_json(v))` is exactly v.

Imports: values, format.constants.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from casckpt.format import constants as c
from casckpt.values import Registry

__all__ = ["MARK", "TAG_NAMES", "room", "to_form", "to_json"]

MARK: Final = "$casckpt"
"""The key that tells a wrapper from an object of the state."""

_INT_BITS_MAX: Final = 13_000
"""Python prints no int of more than 4,300 digits; this is safely below."""
_NAN_BITS: Final = 0x7FF8_0000_0000_0000

TAG_NAMES: Final[dict[int, str]] = {
    tag: name.removeprefix("TAG_").lower().replace("_", "-")
    for name, tag in vars(c).items()
    if name.startswith("TAG_") and c.TAG_COMPLEX <= tag <= c.TAG_COLLECTION
}
"""What a tagged value's wrapper is called."""


@contextmanager
def room() -> Iterator[None]:
    """Let the interpreter follow the deepest value there is.

    A value may be DEPTH_MAX containers deep, and its form up to six times as deep. The limit is
    that of all OS threads: the last one to leave puts it back.
    """
    _Room.enter()
    try:
        yield
    finally:
        _Room.leave()


class _Room:
    """How many are in `room`, and the limit there was before the first."""

    _lock = Lock()
    _inside = 0
    _before = 0

    @classmethod
    def enter(cls) -> None:
        with cls._lock:
            if not cls._inside:
                cls._before = sys.getrecursionlimit()
                sys.setrecursionlimit(max(cls._before, 20 * c.DEPTH_MAX))
            cls._inside += 1

    @classmethod
    def leave(cls) -> None:
        with cls._lock:
            cls._inside -= 1
            if not cls._inside:
                sys.setrecursionlimit(cls._before)


def to_json(value: Any, *, indent: int | None = None, registry: Registry | None = None) -> str:
    """The JSON form as text, on one line or indented; without a line end.

    Raises:
        UnsupportedValueError: a value that no store could hold either.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    with room():
        form = to_form(value, registry=registry)
        return json.dumps(
            form, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
        )


def to_form(value: Any, *, registry: Registry | None = None) -> Any:
    """The JSON form as Python values: dict, list, str, int, float, bool and None.

    Raises:
        UnsupportedValueError: a value that no store could hold either.
    """
    return _Writer(registry or Registry()).form(value)


def _wrap(name: str, value: Any) -> dict[str, Any]:
    return {MARK: name, "value": value}


def _has_surrogates(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _pieces(text: str) -> list[str | int]:
    """A str with lone surrogates, cut around them."""
    pieces: list[str | int] = []
    start = 0
    for at, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            if at > start:
                pieces.append(text[start:at])
            pieces.append(ord(char))
            start = at + 1
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _float_name(value: float) -> str:
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    return "nan" if bits == _NAN_BITS else f"{bits:#x}"


class _Writer:
    """Turns values into their forms; exact types decide, as in the store itself."""

    def __init__(self, registry: Registry) -> None:
        self._reduce = registry.reduce
        self._forms: dict[type, Callable[[Any], Any]] = {
            type(None): lambda value: value,
            bool: lambda value: value,
            int: self._int,
            float: self._float,
            str: self._str,
            list: self._list,
            dict: self._dict,
            tuple: lambda value: _wrap("tuple", self._list(value)),
            set: lambda value: _wrap("set", self._set(value)),
            frozenset: lambda value: _wrap("frozenset", self._set(value)),
            bytes: lambda value: _wrap("bytes", base64.b64encode(value).decode()),
            bytearray: lambda value: _wrap("bytearray", base64.b64encode(value).decode()),
        }

    def form(self, value: Any) -> Any:
        native = self._forms.get(type(value))
        if native is not None:
            return native(value)
        tag, content = self._reduce(value)
        return _wrap(TAG_NAMES[tag], self.form(content))

    @staticmethod
    def _int(value: int) -> Any:
        return value if value.bit_length() <= _INT_BITS_MAX else _wrap("int", hex(value))

    @staticmethod
    def _float(value: float) -> Any:
        return value if math.isfinite(value) else _wrap("float", _float_name(value))

    @staticmethod
    def _str(value: str) -> Any:
        return _wrap("str", _pieces(value)) if _has_surrogates(value) else value

    def _list(self, value: Any) -> list[Any]:
        form = self.form
        return [form(item) for item in value]

    def _set(self, value: Any) -> list[Any]:
        return sorted(self._list(value), key=lambda form: json.dumps(form, sort_keys=True))

    def _dict(self, value: dict[Any, Any]) -> dict[str, Any]:
        form = self.form
        if MARK not in value and all(type(k) is str and not _has_surrogates(k) for k in value):
            return {key: form(item) for key, item in value.items()}
        return _wrap("dict", [[form(key), form(item)] for key, item in value.items()])
