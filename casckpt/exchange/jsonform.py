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

Invariants: `from_json(to_json(v))` is exactly v; a JSON text without `$casckpt` keys comes
out as the value it says; nothing named in a form is imported or called.

Imports: values, tree.hashes, format.constants, errors.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from casckpt.errors import CorruptError, InvalidInputError, LimitError
from casckpt.format import constants as c
from casckpt.tree.hashes import check_hashes
from casckpt.values import Registry

__all__ = ["MARK", "from_form", "from_json", "parse", "room", "to_form", "to_json"]

MARK: Final = "$casckpt"
"""The key that tells a wrapper from an object of the state."""

_INT_BITS_MAX: Final = 13_000
"""Python prints no int of more than 4,300 digits; this is safely below."""
_TOO_DEEP: Final = f"nested more than {c.DEPTH_MAX} containers deep"
_NAN_BITS: Final = 0x7FF8_0000_0000_0000

_TAG_NAMES: Final[dict[int, str]] = {
    tag: name.removeprefix("TAG_").lower().replace("_", "-")
    for name, tag in vars(c).items()
    if name.startswith("TAG_") and c.TAG_COMPLEX <= tag <= c.TAG_COLLECTION
}
_TAGS: Final = {name: tag for tag, name in _TAG_NAMES.items()}


@contextmanager
def room() -> Iterator[None]:
    """Let the interpreter follow the deepest value there is.

    A value may be DEPTH_MAX containers deep, and its form up to six times as deep.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20 * c.DEPTH_MAX))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


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
        return _wrap(_TAG_NAMES[tag], self.form(content))

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


def from_json(text: str | bytes, *, plain: bool = False, registry: Registry | None = None) -> Any:
    """The value of a JSON text; with `plain`, objects with a `$casckpt` key are just that.

    Raises:
        InvalidInputError: not JSON (`details`: line, column), or a malformed wrapper
            (`details`: path).
    """
    with room():
        value = _parse(text)
        if plain or not _may_have_wrappers(text):
            return value
        return from_form(value, registry=registry)


def parse(text: str | bytes) -> Any:
    """A JSON text as Python values, wrappers as they stand; raises as `from_json` does."""
    with room():
        return _parse(text)


def from_form(form: Any, *, registry: Registry | None = None) -> Any:
    """The value of a JSON form that was parsed; raises InvalidInputError (`details`: path)."""
    with room():
        try:
            return _Reader(registry or Registry()).value(form)
        except _MalformedError as bad:
            path = "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in bad.path)
            msg = f"malformed {MARK} wrapper at {path or 'the top'}: {bad.why}"
            raise InvalidInputError(msg, path=path) from bad
        except RecursionError as error:
            raise LimitError(_TOO_DEEP) from error


def _may_have_wrappers(text: str | bytes) -> bool:
    # The mark may be written with escapes; whoever escapes ASCII is read the slow way.
    if isinstance(text, bytes):
        return b"casckpt" in text or b"\\u00" in text
    return "casckpt" in text or "\\u00" in text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        msg = f"the key {twice!r} stands twice in one JSON object"
        raise InvalidInputError(msg, key=twice)
    return made


def _no_constant(name: str) -> Any:
    wrapper = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[name]
    msg = f'{name} is not JSON; write {{"{MARK}": "float", "value": "{wrapper}"}}'
    raise InvalidInputError(msg)


def _parse(text: str | bytes) -> Any:
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        msg = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InvalidInputError(msg, line=error.lineno, column=error.colno) from error
    except UnicodeDecodeError as error:
        msg = f"not JSON: byte {error.start} is not UTF-8"
        raise InvalidInputError(msg, byte=error.start) from error
    except RecursionError as error:
        raise LimitError(_TOO_DEEP) from error
    except InvalidInputError:
        raise
    except ValueError as error:  # an int of more digits than Python reads
        msg = f"not readable: {error}"
        raise InvalidInputError(msg) from error


class _MalformedError(Exception):
    """A wrapper that says nothing; gathers its path on the way out."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path: list[str | int] = []


def _need(condition: object, why: str) -> None:
    if not condition:
        raise _MalformedError(why)


class _Reader:
    """Turns parsed JSON into values, wrappers resolved."""

    def __init__(self, registry: Registry) -> None:
        self._restore = registry.restore
        self._values: dict[str, Callable[[Any], Any]] = {
            "tuple": lambda form: tuple(self._items(form)),
            "set": lambda form: self._hashed(form, set),
            "frozenset": lambda form: self._hashed(form, frozenset),
            "bytes": self._bytes,
            "bytearray": lambda form: bytearray(self._bytes(form)),
            "dict": self._dict,
            "str": self._str,
            "float": self._float,
            "int": self._int,
        }

    def value(self, form: Any) -> Any:
        if type(form) is list:
            return self._items(form)
        if type(form) is dict:
            return self._unwrap(form) if MARK in form else self._members(form)
        return form

    def _members(self, form: dict[str, Any]) -> dict[str, Any]:
        made = {}
        key = ""
        try:
            for key, item in form.items():
                made[key] = self.value(item)
        except _MalformedError as bad:
            bad.path.insert(0, key)
            raise
        return made

    def _items(self, form: Any) -> list[Any]:
        _need(type(form) is list, "its value must be an array")
        made: list[Any] = []
        try:
            for item in form:
                made.append(self.value(item))  # noqa: PERF401 - its length is the path
        except _MalformedError as bad:
            bad.path.insert(0, len(made))
            raise
        return made

    def _unwrap(self, form: dict[str, Any]) -> Any:
        name = form[MARK]
        _need(
            type(name) is str and form.keys() == {MARK, "value"},
            f'it must be {{"{MARK}": name, "value": ...}} (save --plain takes it literally)',
        )
        native = self._values.get(name)
        if native is not None:
            return native(form["value"])
        tag = _TAGS.get(name)
        if tag is None:
            raise _MalformedError(f"there is no wrapper named {name!r}")
        content = self.value(form["value"])
        try:
            return self._restore(tag, content)
        except (CorruptError, InvalidInputError) as error:
            raise _MalformedError(f"{name}: {error}") from error

    def _hashed(self, form: Any, make: type[set[Any] | frozenset[Any]]) -> Any:
        items = self._items(form)
        try:
            check_hashes(items)
            made = make(items)
        except TypeError as error:
            raise _MalformedError(str(error)) from error
        _need(len(made) == len(items), "an item stands twice")
        return made

    def _dict(self, form: Any) -> dict[Any, Any]:
        _need(
            type(form) is list and all(type(pair) is list and len(pair) == 2 for pair in form),
            "its value must be an array of [key, value]",
        )
        pairs = self._items(form)
        try:
            check_hashes([key for key, _ in pairs])
            made = {key: item for key, item in pairs}  # noqa: C416 - lists, not tuples
        except TypeError as error:
            raise _MalformedError(str(error)) from error
        _need(len(made) == len(pairs), "a key stands twice")
        return made

    @staticmethod
    def _bytes(form: Any) -> bytes:
        _need(type(form) is str, "its value must be base64 text")
        try:
            return base64.b64decode(form, validate=True)
        except ValueError as error:
            raise _MalformedError(f"not base64: {error}") from error

    @staticmethod
    def _str(form: Any) -> str:
        _need(type(form) is list, "its value must be an array of texts and ints")
        for piece in form:
            surrogate = type(piece) is int and 0xD800 <= piece <= 0xDFFF
            _need(surrogate or type(piece) is str, "its items must be texts or lone surrogates")
        return "".join(piece if type(piece) is str else chr(piece) for piece in form)

    @staticmethod
    def _float(form: Any) -> float:
        _need(type(form) is str, "its value must be text")
        if form in {"nan", "inf", "-inf"}:
            return float(form)
        try:
            (value,) = struct.unpack(">d", struct.pack(">Q", int(form, 16)))
        except (ValueError, struct.error):
            value = 0.0
        _need(math.isnan(value), "its value must be nan, inf, -inf or the 64 bits of a NaN")
        return float(value)

    @staticmethod
    def _int(form: Any) -> int:
        try:
            return int(form, 16)
        except (TypeError, ValueError) as error:
            raise _MalformedError("its value must be hexadecimal text") from error
