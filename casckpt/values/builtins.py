"""complex, UUID, Decimal, Fraction, paths, range, slice and network addresses.

Invariant: each value has one content, and content that is not the one of the value it would
make is refused (CorruptError, or ValueError and the like, which `Registry` turns into it).

Imports: errors, format.constants, values.tagged.
"""

from __future__ import annotations

import ipaddress
import os
import pathlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from casckpt.errors import LimitError
from casckpt.format import constants as c
from casckpt.values.tagged import Tagged, corrupt, items, shown, text, unsupported

__all__ = ["FRACTION_BITS_MAX", "REDUCERS", "RESTORERS"]

FRACTION_BITS_MAX = 65_536
"""Bits of a Fraction's numerator or denominator: proving that a larger one is in lowest terms
takes a reader more than some milliseconds."""


def _restore_complex(content: Any) -> complex:
    real, imag = items(content, 2, "a complex")
    if type(real) is not float or type(imag) is not float:
        corrupt("a complex that is not two floats")
    return complex(real, imag)


def _restore_uuid(content: Any) -> UUID:
    if type(content) is not bytes or len(content) != 16:
        corrupt("a UUID that is not 16 bytes")
    return UUID(bytes=content)


def _decimal_text(value: Decimal) -> str:
    """The one spelling of a Decimal; the current context may ask for a small `e`."""
    return str(value).replace("e", "E")


def _restore_decimal(content: Any) -> Decimal:
    value = Decimal(text(content, "a Decimal"))
    if _decimal_text(value) != content:
        corrupt(f"the Decimal {shown(content)}, not in its one spelling")
    return value


def _reduce_fraction(value: Fraction) -> Tagged:
    pair = [value.numerator, value.denominator]
    if any(type(part) is not int for part in pair):
        raise unsupported(Fraction, "a Fraction whose parts are not int; make them so")
    if max(part.bit_length() for part in pair) > FRACTION_BITS_MAX:
        msg = f"a Fraction of more than {FRACTION_BITS_MAX} bits; store its two parts"
        raise LimitError(msg, limit=FRACTION_BITS_MAX)
    return Tagged(c.TAG_FRACTION, pair)


def _restore_fraction(content: Any) -> Fraction:
    pair = items(content, 2, "a Fraction")
    if any(type(p) is not int or p.bit_length() > FRACTION_BITS_MAX for p in pair):
        corrupt("a Fraction that is not two ints of bearable size")
    value = Fraction(*pair)
    if [value.numerator, value.denominator] != pair:
        corrupt("a Fraction that is not in lowest terms")
    return value


# --- paths ---------------------------------------------------------------------------------


class _ForeignPosixPath(pathlib.PurePosixPath):
    """A PosixPath, on a machine that has none: it is written as one again."""

    __slots__ = ()


class _ForeignWindowsPath(pathlib.PureWindowsPath):
    """A WindowsPath, on a machine that has none: it is written as one again."""

    __slots__ = ()


_PATHS: dict[str, type[pathlib.PurePath]] = {
    "PurePosixPath": pathlib.PurePosixPath,
    "PureWindowsPath": pathlib.PureWindowsPath,
    "PosixPath": _ForeignPosixPath if os.name == "nt" else pathlib.PosixPath,
    "WindowsPath": pathlib.WindowsPath if os.name == "nt" else _ForeignWindowsPath,
}


def _path_reducer(name: str, cls: type[pathlib.PurePath]) -> Callable[[Any], Tagged]:
    if not issubclass(cls, pathlib.PureWindowsPath):
        return lambda value: Tagged(c.TAG_PATH, [name, str(value)])

    def reduce_windows(value: Any) -> Tagged:
        written = str(value)
        if cls(written) != value:
            # PureWindowsPath("./c:a") prints as c:a, which is another path.
            raise unsupported(cls, f"a path that prints as {shown(written)}, which is another one")
        return Tagged(c.TAG_PATH, [name, written])

    return reduce_windows


def _restore_path(content: Any) -> pathlib.PurePath:
    name, written = items(content, 2, "a path")
    cls = _PATHS.get(text(name, "a path"))
    if cls is None:
        corrupt(f"a path of type {shown(name)}")
    value = cls(text(written, "a path"))
    if str(value) != written:
        corrupt(f"the path {shown(written)}, not in its one spelling")
    return value


# --- range and slice -----------------------------------------------------------------------


def _restore_range(content: Any) -> range:
    bounds = items(content, 3, "a range")
    if any(type(bound) is not int for bound in bounds):
        corrupt("a range that is not of ints")
    return range(*bounds)


def _restore_slice(content: Any) -> slice:
    return slice(*items(content, 3, "a slice"))


# --- network addresses -----------------------------------------------------------------------

_ADDRESSES: dict[str, Callable[[str], Any]] = {
    cls.__name__: cls
    for cls in (
        *(ipaddress.IPv4Address, ipaddress.IPv4Network, ipaddress.IPv4Interface),
        *(ipaddress.IPv6Address, ipaddress.IPv6Network, ipaddress.IPv6Interface),
    )
}


def _reduce_address(value: Any) -> Tagged:
    return Tagged(c.TAG_IP, [type(value).__name__, str(value)])


def _restore_address(content: Any) -> Any:
    name, written = items(content, 2, "a network address")
    make = _ADDRESSES.get(text(name, "a network address"))
    if make is None:
        corrupt(f"a network address of type {shown(name)}")
    value = make(text(written, "a network address"))
    if str(value) != written:
        corrupt(f"the network address {shown(written)}, not in its one spelling")
    return value


REDUCERS: dict[type, Callable[[Any], Tagged]] = {
    complex: lambda value: Tagged(c.TAG_COMPLEX, [value.real, value.imag]),
    UUID: lambda value: Tagged(c.TAG_UUID, value.bytes),
    Decimal: lambda value: Tagged(c.TAG_DECIMAL, _decimal_text(value)),
    Fraction: _reduce_fraction,
    range: lambda value: Tagged(c.TAG_RANGE, [value.start, value.stop, value.step]),
    slice: lambda value: Tagged(c.TAG_SLICE, [value.start, value.stop, value.step]),
    **{cls: _path_reducer(name, cls) for name, cls in _PATHS.items()},
    **{cls: _reduce_address for cls in _ADDRESSES.values() if isinstance(cls, type)},
}
"""What to do with a value, by its exact type."""

RESTORERS: dict[int, Callable[[Any], Any]] = {
    c.TAG_COMPLEX: _restore_complex,
    c.TAG_UUID: _restore_uuid,
    c.TAG_DECIMAL: _restore_decimal,
    c.TAG_FRACTION: _restore_fraction,
    c.TAG_PATH: _restore_path,
    c.TAG_RANGE: _restore_range,
    c.TAG_SLICE: _restore_slice,
    c.TAG_IP: _restore_address,
}
"""What to do with content, by its tag; ValueError and the like mean that it is corrupt."""
