"""`same(a, b)`: whether two values are exactly the same, by rules of its own.

It shares no code with casckpt, so that a mistake there cannot hide here. Types are compared
at every level; floats by their bits (so -0.0 is not 0.0, and a NaN is itself); dicts with
their order, sets without; datetimes with fold and time zone; arrays by dtype, shape and the
bytes of their items; instances of classes by everything they hold. Equal and identical are
not told apart.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import struct
import zoneinfo
from collections.abc import Callable
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import pydantic

__all__ = ["exact", "same"]

ATOMS = (
    *(type(None), bool, int, str, bytes, bytearray, UUID, dt.date, dt.timedelta),
    *(IPv4Address, IPv4Network, IPv6Address, IPv6Network, IPv4Interface, IPv6Interface),
)


def same(a: Any, b: Any) -> bool:
    """Whether `b` is exactly what `a` is."""
    return bool(exact(a) == exact(b))


def exact(value: Any) -> Any:
    """The value as tuples of its type and what it holds: compare these to see a difference."""
    kind = type(value)
    if kind in ATOMS:
        return (kind, value)
    if kind in _RULES:
        return (kind, *_RULES[kind](value))
    if isinstance(value, enum.Enum):
        return (kind, value.name, exact(value.value))
    if isinstance(value, np.ndarray):
        return (kind, *_dtype(value.dtype), value.shape, _items(value))
    if isinstance(value, np.str_ | np.bytes_):
        return (kind, value.item())
    if isinstance(value, np.generic):
        return (kind, *_dtype(value.dtype), _items(np.asarray(value)))
    if isinstance(value, PurePath):
        return (kind, value.parts, str(value))
    if isinstance(value, tuple):
        return (kind, *map(exact, tuple(value)), *_held(value))
    if isinstance(value, str | bytes | int):
        return (kind, kind.__mro__[-2](value), *_held(value))
    if isinstance(value, dict):
        return (kind, *_pairs(value), *_held(value))
    if isinstance(value, pydantic.BaseModel):
        return (
            *(kind, *_held(value), value.model_fields_set),
            *(exact(value.__pydantic_extra__), exact(value.__pydantic_private__)),
        )
    return (kind, *_held(value))


def _pairs(value: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple((exact(k), exact(v)) for k, v in value.items())


def _members(value: Any) -> tuple[Any, ...]:
    return tuple(sorted((exact(item) for item in value), key=repr))


def _bits(*values: float) -> tuple[bytes, ...]:
    return tuple(struct.pack(">d", value) for value in values)


def _zone(zone: dt.tzinfo | None) -> Any:
    if isinstance(zone, zoneinfo.ZoneInfo):
        return (type(zone), zone.key)
    if isinstance(zone, dt.timezone):
        return (type(zone), *zone.__getinitargs__())  # type: ignore[attr-defined]
    return exact(zone) if zone is not None else None


def _moment(value: dt.datetime | dt.time) -> tuple[Any, ...]:
    return (repr(value.replace(tzinfo=None, fold=0)), value.fold, _zone(value.tzinfo))


def _dtype(dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """A dtype, without what numpy itself calls the same (long and long long, for example)."""
    if dtype.names is None:
        return (dtype.str,)
    fields = dtype.fields or {}
    return (
        dtype.itemsize,
        dtype.isalignedstruct,
        tuple((name, _field(*fields[name])) for name in dtype.names),
    )


def _field(dtype: np.dtype[Any], offset: int, title: Any = None) -> tuple[Any, ...]:
    return (offset, title, dtype.shape, _dtype(dtype.base))


def _items(array: np.ndarray[Any, Any]) -> Any:
    """The bytes of all items, without what lies between the fields of a structure."""
    if array.dtype.names is None:
        return array.tobytes()
    return tuple(_items(array[name]) for name in array.dtype.names)


def _held(value: Any) -> tuple[Any, ...]:
    """All that an instance keeps in its slots and its dict, but for caches."""
    held: dict[str, Any] = {}
    for base in type(value).__mro__:
        for name, member in vars(base).items():
            if type(member).__name__ == "member_descriptor" and not name.startswith("__pydantic"):
                try:
                    held[name] = member.__get__(value)
                except AttributeError:
                    continue
    held |= getattr(value, "__dict__", {})
    for base in type(value).__mro__:
        for name, member in vars(base).items():
            if type(member).__name__ == "cached_property":
                held.pop(name, None)
    for name in ("__orig_class__", "_attrs_cached_hash", "__weakref__"):
        held.pop(name, None)
    return tuple(sorted((name, exact(item)) for name, item in held.items()))


_RULES: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    float: _bits,
    complex: lambda v: _bits(v.real, v.imag),
    list: lambda v: tuple(map(exact, v)),
    tuple: lambda v: tuple(map(exact, v)),
    dict: _pairs,
    set: _members,
    frozenset: _members,
    dt.datetime: _moment,
    dt.time: _moment,
    dt.timezone: lambda v: (_zone(v),),
    zoneinfo.ZoneInfo: lambda v: (_zone(v),),
    decimal.Decimal: lambda v: (v.as_tuple(),),
    Fraction: lambda v: (v.numerator, v.denominator),
    slice: lambda v: (exact(v.start), exact(v.stop), exact(v.step)),
    range: lambda v: (v.start, v.stop, v.step),
    collections.deque: lambda v: (v.maxlen, *map(exact, v)),
    collections.OrderedDict: _pairs,
    collections.Counter: _pairs,
    collections.defaultdict: lambda v: (v.default_factory, *_pairs(v)),
}
