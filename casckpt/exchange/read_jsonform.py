"""The JSON form of a state: reading it (`jsonform` says what it is).

Invariants: a JSON text without `$casckpt` keys comes out as the value it says; nothing named in a
form is imported or called; a form that says nothing is an error that names its place.

Imports: values, tree.hashes, format.constants, errors, exchange (jsonform).
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any, Final

from casckpt.errors import CorruptError, InvalidInputError, LimitError
from casckpt.exchange.jsonform import MARK, TAG_NAMES, room
from casckpt.format import constants as c
from casckpt.tree.hashes import check_hashes
from casckpt.values import Registry

__all__ = ["from_form", "from_json", "parse"]

_TOO_DEEP: Final = f"nested more than {c.DEPTH_MAX} containers deep"
_TAGS: Final = {name: tag for tag, name in TAG_NAMES.items()}


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
        msg = (
            "not readable: an int of more digits than Python reads; "
            f'it is written {{"{MARK}": "int", "value": "0x..."}}'
        )
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
