"""Meta: a small dict of facts about a checkpoint, to be looked at and searched.

Invariants: JSON-like, so that every listing can show it: str keys; None, bool, int, float,
str, list and dict, of exactly these types. It is stored as any value is.

Imports: errors, path.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Any, Final

from casckpt.errors import InvalidInputError, LimitError, UnsupportedValueError
from casckpt.path import Path, format_path

__all__ = ["check_meta", "identical", "matches"]

_DEPTH_MAX: Final = 16
_VALUES_MAX: Final = 10_000
"""Meta is read whole whenever it is searched: what is larger belongs in the state."""
_SCALARS: Final = frozenset({type(None), bool, int, float, str})


def check_meta(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of `meta`, if it may be one.

    Raises:
        UnsupportedValueError: something JSON has no word for; `details` has its path.
        LimitError: too deep or too many values.
    """
    if meta is None:
        return {}
    if not isinstance(meta, Mapping):
        raise InvalidInputError(f"meta is a dict, not {type(meta).__name__}")
    copied: dict[str, Any] = _Copy().value(dict(meta), ())
    return copied


class _Copy:
    def __init__(self) -> None:
        self._count = 0

    def value(self, value: Any, path: Path) -> Any:
        self._count += 1
        if self._count > _VALUES_MAX or len(path) > _DEPTH_MAX:
            raise LimitError(
                f"meta of more than {_VALUES_MAX} values or {_DEPTH_MAX} levels: "
                f"put it in the state"
            )
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is list:
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        if kind is dict:
            for key in value:
                if type(key) is not str:
                    raise _refused(key, (*path, key), "a key of")
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        raise _refused(value, path, "a value of")


def _refused(value: Any, path: Path, what: str) -> UnsupportedValueError:
    name = type(value).__name__
    return UnsupportedValueError(
        f"meta{'' if not path else ' at ' + format_path(path)}: {what} type {name}; meta takes "
        f"what JSON has (put the rest in the state)",
        path=format_path(path),
        type=name,
    )


def matches(meta: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether `meta` has every key of `wanted`, with an identical value."""
    return all(key in meta and identical(meta[key], value) for key, value in wanted.items())


def identical(one: Any, two: Any) -> bool:
    """Equality that tells 1, 1.0 and True apart, 0.0 and -0.0 too, and finds NaN equal."""
    if type(one) is not type(two):
        return False
    if type(one) is float:
        return pack(">d", one) == pack(">d", two)
    if type(one) is list:
        return len(one) == len(two) and all(map(identical, one, two))
    if type(one) is dict:
        return one.keys() == two.keys() and all(identical(one[key], two[key]) for key in one)
    return bool(one == two)
