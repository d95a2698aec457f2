"""numpy dtypes, described in native values: read by a parser of our own, without numpy.

A plain dtype is its string with byte order and unit, `<f8`, `>M8[25us]`, `|S3`. A structure
is [bytes of an item, aligned, fields], a field [name, offset, dtype, shape] or
[name, offset, dtype, shape, title], in the order of the dtype.

Invariants: nothing outside of this list reaches numpy; a dtype that numpy would not give
back equal is refused on the way in.

Imports: values.tagged.
"""

from __future__ import annotations

import math
import re
from typing import Any

from casckpt.values.tagged import corrupt, shown, unsupported

__all__ = ["DIMENSIONS_MAX", "describe", "holes", "item_bytes", "to_dtype"]

_UNITS = "Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as"
_PLAIN = re.compile(
    r"\|(?:b1|[iu]1|[SV][1-9][0-9]{0,8})"
    r"|[<>](?:[iuf][248]|c(?:8|16)|U[1-9][0-9]{0,7}"
    rf"|[mM]8(?:\[(?:[2-9]|[1-9][0-9]{{1,8}})?(?:{_UNITS})\])?)"
)
_SIZE = re.compile(r"[0-9]+")
_ITEM_BYTES_MAX = 2**31 - 1
_NESTED_MAX = 16
"""Structures in one another: numpy has no limit, a reader needs one."""
DIMENSIONS_MAX = 64
"""Of an array, or of an array in a field: numpy's own limit."""
_NUMPY_TYPES_MAX = 24
"""Type numbers from here on are not numpy's own (bfloat16 and others)."""


def item_bytes(descr: Any, nested: int = 0) -> int:
    """Bytes of one item of a described dtype.

    Raises:
        CorruptError: no dtype is described like this.
    """
    if type(descr) is str:
        if not _PLAIN.fullmatch(descr):
            corrupt(f"the dtype {shown(descr)}")
        size = int(_SIZE.search(descr)[0])  # type: ignore[index]
        return 4 * size if descr[1] == "U" else size
    if type(descr) is not list or len(descr) != 3 or nested >= _NESTED_MAX:
        corrupt("a dtype that is neither plain nor a structure")
    total, aligned, fields = descr
    if type(total) is not int or not 0 < total <= _ITEM_BYTES_MAX:
        corrupt(f"a structure of {shown(total)} bytes")
    if type(aligned) is not bool or type(fields) is not list:
        corrupt("a structure without its fields")
    names: set[str] = set()
    spans = []
    for field in fields:
        spans.append(_span(field, nested))
        for name in (field[0], *field[4:]):
            if type(name) is not str or not name or name in names:
                corrupt(f"a structure with a field named {shown(name)}")
            names.add(name)
    if not _disjoint(spans, total):
        corrupt("a structure whose fields overlap")
    return total


def _span(field: Any, nested: int) -> tuple[int, int]:
    """Where a field begins and ends."""
    if type(field) is not list or len(field) not in (4, 5):
        corrupt("a malformed field of a structure")
    offset, shape = field[1], field[3]
    if type(offset) is not int or offset < 0 or type(shape) is not list:
        corrupt("a malformed field of a structure")
    if len(shape) > DIMENSIONS_MAX or any(
        type(n) is not int or not 0 <= n <= _ITEM_BYTES_MAX for n in shape
    ):
        corrupt("a malformed field of a structure")
    return offset, offset + math.prod(shape) * item_bytes(field[2], nested + 1)


def _disjoint(spans: list[tuple[int, int]], total: int) -> bool:
    end = 0
    for first, last in sorted(spans):
        if first < end:
            return False
        end = last
    return end <= total


def to_dtype(numpy: Any, descr: Any) -> Any:
    """The dtype of a description that `item_bytes` has accepted."""
    if type(descr) is str:
        return numpy.dtype(descr)
    total, aligned, fields = descr
    return numpy.dtype(
        {
            "names": [field[0] for field in fields],
            "formats": [_format(numpy, field) for field in fields],
            "offsets": [field[1] for field in fields],
            "titles": [field[4] if len(field) == 5 else None for field in fields],
            "itemsize": total,
            "aligned": aligned,
        }
    )


def _format(numpy: Any, field: list[Any]) -> Any:
    base = to_dtype(numpy, field[2])
    return numpy.dtype((base, tuple(field[3]))) if field[3] else base


def describe(dtype: Any, nested: int = 0) -> Any:
    """The description of a numpy dtype.

    Raises:
        UnsupportedValueError: a dtype that has none; the message says why.
    """
    if dtype.names is None:
        return _describe_plain(dtype)
    if dtype.type.__name__ != "void":
        raise _refused(dtype, "is of records; use a plain structure: dtype((numpy.void, dtype))")
    if dtype.metadata:
        raise _refused(dtype, "has metadata, which would be lost")
    if nested >= _NESTED_MAX:
        raise _refused(dtype, f"has more than {_NESTED_MAX} structures in one another")
    fields: list[list[Any]] = []
    spans = []
    for name in dtype.names:
        part, offset, *title = dtype.fields[name]
        if any(type(word) is not str or not word for word in (name, *title)):
            raise _refused(dtype, "has a field with an empty name, or a title that is no text")
        fields.append([name, offset, describe(part.base, nested + 1), list(part.shape), *title])
        spans.append((offset, offset + part.itemsize))
    if not dtype.itemsize or not _disjoint(spans, dtype.itemsize):
        raise _refused(dtype, "has no bytes, or fields that overlap")
    return [dtype.itemsize, bool(dtype.isalignedstruct), fields]


def _describe_plain(dtype: Any) -> str:
    written: str = dtype.str
    if dtype.num < _NUMPY_TYPES_MAX and _PLAIN.fullmatch(written) and not dtype.metadata:
        return written
    if dtype.kind == "O":
        raise _refused(dtype, "holds Python objects; use a list, or an exact dtype")
    if dtype.metadata:
        raise _refused(dtype, "has metadata, which would be lost")
    if dtype.kind in "fc" and dtype.num < _NUMPY_TYPES_MAX:
        raise _refused(dtype, "is not the same on every machine; use float64 or complex128")
    raise _refused(dtype, "has no exact form here; use another dtype, or register a codec")


def _refused(dtype: Any, why: str) -> Exception:
    return unsupported(type(dtype), f"the numpy dtype {dtype} {why}")


def holes(descr: Any) -> bytes:
    """For each byte of an item 1 if it lies between fields, else 0."""
    if type(descr) is str:
        return bytes(item_bytes(descr))
    total, _, fields = descr
    marks = bytearray(b"\x01" * total)
    for _, offset, part, shape, *_ in fields:
        count = math.prod(shape)
        inner = holes(part) * count if count else b""
        marks[offset : offset + len(inner)] = inner
    return bytes(marks)
