"""What both builders know of values: the native types, and the encodings of small things.

Imports: errors, ids, format (cbor, constants), tree.source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from casckpt.errors import LimitError, UnsupportedValueError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.source import Codec, TaggedValue

__all__ = [
    "LINK_HEAD",
    "SCALARS",
    "SHORT_KEYS",
    "array_cuts",
    "as_key",
    "check_depth",
    "check_distinct",
    "count_code_points",
    "encode_atom",
    "link",
    "reduce",
    "triple",
]

SCALARS = frozenset((type(None), bool, int, float, str, bytes, bytearray))
"""Native types without items; the others are list, tuple, dict, set and frozenset."""
CONTAINERS = frozenset((list, tuple, dict, set, frozenset))

LINK_HEAD = cbor.head(cbor.TAG, c.TAG_LINK) + cbor.head(cbor.ARRAY, 2)
_TAGGED = LINK_HEAD[0]  # the first byte of every tag from 256 to 65535
_KEY_HEAD = cbor.head(cbor.TAG, c.TAG_KEY)
_ID_HEAD = cbor.head(cbor.BYTES, 32)


def encode_atom(value: Any) -> bytes:
    """None, bool, int or float."""
    kind = type(value)
    if kind is int:
        return cbor.encode_int(value)
    if kind is float:
        return cbor.encode_float(value)
    if value is None:
        return cbor.NULL
    return cbor.TRUE if value else cbor.FALSE


def link(oid: ObjectId, size: int) -> bytes:
    """A link to a value of its own; `size` is the bytes of its payload and all below it."""
    return LINK_HEAD + _ID_HEAD + oid + cbor.head(0, size)


def triple(oid: ObjectId, count: int, size: int) -> bytes:
    """A reference to a closed chunk: id, number of items, bytes of payload in and below it."""
    return _ID_HEAD + oid + cbor.head(0, count) + cbor.head(0, size)


def count_code_points(data: bytes) -> int:
    """Code points of valid UTF-8."""
    return len(data) if data.isascii() else len(data.decode())


def as_key(entry: bytes) -> bytes:
    """An entry as it stands as a key of a dict: wrapped if it begins with one of our tags.

    Decoders make keys hashable on their own (arrays become tuples, maps frozen ones), which
    would be seen inside of a tagged value; a byte string passes untouched.
    """
    if entry[0] != _TAGGED:
        return entry
    return _KEY_HEAD + cbor.encode_bytes(entry)


_KEYS_REMEMBERED = 8192


class _ShortKeys(dict[str, bytes | None]):
    """The encodings of short strs as keys, by key; None for what is not one.

    The same few recur in every dict, and are found without a call of ours.
    """

    def __missing__(self, key: str) -> bytes | None:
        if len(key) > 64:
            return None
        try:
            data = cbor.encode_text(key)
        except UnicodeEncodeError:
            return None
        if len(self) >= _KEYS_REMEMBERED:
            self.clear()
        self[key] = data
        return data


SHORT_KEYS = _ShortKeys()


def check_depth(depth: int) -> None:
    """Raise LimitError where containers lie too deep in one another."""
    if depth > c.DEPTH_MAX:
        msg = f"nested deeper than {c.DEPTH_MAX} containers"
        raise LimitError(msg, limit=c.DEPTH_MAX)


def check_distinct(encodings: Iterable[bytes]) -> None:
    """Raise where two keys or members have one encoding (two NaNs, for example)."""
    seen = set()
    for data in encodings:
        if data in seen:
            msg = "two keys or members are the same value once stored (two NaNs?)"
            raise UnsupportedValueError(msg)
        seen.add(data)


def reduce(codec: Codec, value: Any) -> TaggedValue:
    """What the codec makes of a value that is not native."""
    return codec.reduce(value)


def array_cuts(shape: Any, data: bytes | memoryview) -> list[int]:
    """The ends of an array's pieces: whole rows (of the first axis), as many as fit.

    A row larger than ARRAY_BLOCK_BYTES_MAX is cut on that grid itself.
    """
    rows = math.prod(shape[:1])
    row_bytes = len(data) // rows if rows else 0
    if not row_bytes or row_bytes > c.ARRAY_BLOCK_BYTES_MAX:
        step = c.ARRAY_BLOCK_BYTES_MAX
    else:
        step = c.ARRAY_BLOCK_BYTES_MAX // row_bytes * row_bytes
    return [*range(step, len(data), step), len(data)]
