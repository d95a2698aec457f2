"""numpy arrays and scalars: dtype, shape and the bytes of the items, row after row.

numpy is never imported for a value that is not its own: on the way in it is there already,
and on the way out only a tag of the format asks for it, by this fixed name. Without it, what
comes back is a `Record`.

Invariants: the order in memory, flags and base of an array are not part of its value; bytes
between the fields of a structure are written as zeros, and must be.

Imports: numpy (inside functions), errors, format.constants, values (tagged, record, dtypes).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from casckpt.format import constants as c
from casckpt.values.dtypes import DIMENSIONS_MAX, describe, holes, item_bytes, to_dtype
from casckpt.values.record import Record
from casckpt.values.tagged import Tagged, corrupt, items, shown

__all__ = ["RESTORERS", "array_row_bytes", "numpy_reducer"]

_LENGTH_MAX = 2**63 - 1
SEEN_BYTES_MIN = 1 << 20
"""Larger arrays are not copied to be saved, where they lie as they are written: so one that is
mapped from a file need not fit in memory."""


def array_row_bytes(content: Any) -> int:
    """Bytes of one row (of the first axis) in the content of TAG_NDARRAY; at least 1.

    Raises:
        CorruptError: no array is written like this.
    """
    descr, shape, _ = items(content, 3, "an array")
    size = item_bytes(descr)
    return max(1, size * math.prod(_checked_shape(shape)[1:]))


def numpy_reducer(cls: type) -> Callable[[Any], Tagged] | None:
    """What reduces values of exactly this type, if it is one of numpy's."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if cls is numpy.ndarray:
        return lambda value: _reduce_array(numpy, value)
    if cls is numpy.str_:
        # str() and item() lose zeros at the end.
        return lambda value: Tagged(c.TAG_NUMPY_SCALAR, ["U", str.__getitem__(value, slice(None))])
    if cls is numpy.bytes_:
        return lambda value: Tagged(c.TAG_NUMPY_SCALAR, ["S", bytes(value)])
    if issubclass(cls, numpy.generic) and cls.__module__ == "numpy":
        return lambda value: _reduce_scalar(numpy, value)
    return None


def _reduce_array(numpy: Any, value: Any) -> Tagged:
    descr = describe(value.dtype)
    if type(descr) is str and value.nbytes >= SEEN_BYTES_MIN and value.flags.c_contiguous:
        data: Any = memoryview(value.reshape(-1).view(numpy.uint8))
    elif type(descr) is list:
        data = _without_holes(numpy, descr, value.tobytes())
    else:
        data = value.tobytes()
    return Tagged(c.TAG_NDARRAY, [descr, list(value.shape), data])


def _without_holes(numpy: Any, descr: Any, data: bytes) -> bytes:
    """The items of a structured array, with zeros between the fields."""
    if not data:
        return data
    marks = numpy.frombuffer(holes(descr), "|b1")
    if not marks.any():
        return data
    grid = numpy.frombuffer(bytearray(data), "|u1").reshape(-1, len(marks))
    grid[:, marks] = 0
    return bytes(grid.tobytes())


def _reduce_scalar(numpy: Any, value: Any) -> Tagged:
    dtype = value.dtype
    descr = describe(dtype)
    if type(descr) is list:
        data = _without_holes(numpy, descr, value.tobytes())
    elif descr[0] == ">":  # a big-endian machine: a scalar has no byte order of its own
        little = dtype.newbyteorder("<")
        descr, data = little.str, numpy.asarray(value).astype(little).tobytes()
    else:
        data = value.tobytes()
    return Tagged(c.TAG_NUMPY_SCALAR, [descr, data])


def _numpy() -> Any:
    """The numpy module, or None where it is not installed."""
    try:
        import numpy  # noqa: ICN001 - one name everywhere
    except ImportError:
        return None
    return numpy


def _checked_shape(shape: Any) -> list[int]:
    if type(shape) is not list or len(shape) > DIMENSIONS_MAX:
        corrupt("an array without its shape")
    if any(type(n) is not int or not 0 <= n <= _LENGTH_MAX for n in shape):
        corrupt("an array with an impossible shape")
    return shape


def _made(numpy: Any, descr: Any, shape: list[int], data: bytes) -> Any:
    """An array in memory of its own."""
    dtype = to_dtype(numpy, descr)
    if describe(dtype) != descr:
        corrupt("a dtype that is not in its one spelling")
    if type(descr) is list and _without_holes(numpy, descr, data) != data:
        corrupt("an array with something between its fields")
    if not data:
        return numpy.empty(shape, dtype)
    return numpy.frombuffer(data, dtype).reshape(shape).copy()


def _restore_array(content: Any) -> Any:
    descr, shape, data = items(content, 3, "an array")
    size = item_bytes(descr) * math.prod(_checked_shape(shape))
    if type(data) is not bytes or len(data) != size:
        corrupt(f"an array of {size} bytes that has other data")
    numpy = _numpy()
    if numpy is None:
        fields = {"dtype": descr, "shape": shape, "data": data}
        return Record(Tagged(c.TAG_NDARRAY, content), "numpy", "numpy:ndarray", fields)
    return _made(numpy, descr, shape, data)


def _restore_scalar(content: Any) -> Any:
    descr, data = items(content, 2, "a numpy scalar")
    is_text, is_bytes = descr == "U", descr == "S"
    if is_text or is_bytes:
        if type(data) is not (str if is_text else bytes):
            corrupt(f"a numpy {descr} of another type")
    elif type(data) is not bytes or len(data) != item_bytes(descr):
        corrupt(f"a numpy scalar whose {shown(data)} is not its data")
    elif type(descr) is str and (descr[0] == ">" or descr[1] in "SU"):
        corrupt(f"the numpy scalar type {shown(descr)}")
    numpy = _numpy()
    if numpy is None:
        fields = {"dtype": descr, "data": data}
        return Record(Tagged(c.TAG_NUMPY_SCALAR, content), "numpy", "numpy:generic", fields)
    if is_text or is_bytes:
        return (numpy.str_ if is_text else numpy.bytes_)(data)
    value = _made(numpy, descr, [1], data)[0]
    if _reduce_scalar(numpy, value).content != content:
        corrupt(f"a numpy scalar that is none: {shown(data)}")
    return value


RESTORERS: dict[int, Callable[[Any], Any]] = {
    c.TAG_NDARRAY: _restore_array,
    c.TAG_NUMPY_SCALAR: _restore_scalar,
}
"""What to do with content, by its tag; ValueError and the like mean that it is corrupt."""
