"""`identical`: whether two values would be written the same way.

`==` will not do where content is proven to be what a value would be written as: 1, 1.0 and
True are equal.

Imports: values.tagged.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from casckpt.values.tagged import Tagged

__all__ = ["identical"]

_PLAIN = frozenset((type(None), bool, int, str, bytes, bytearray))


def identical(a: Any, b: Any, reduce: Callable[[Any], Tagged]) -> bool:
    """Whether `a` and `b` are written the same way; `reduce` is for what is not native.

    Raises:
        UnsupportedValueError: one of them could not be written.
    """
    kind = type(a)
    if a is b:
        return True
    if kind is not type(b):
        return False
    if kind in _PLAIN:
        return bool(a == b)
    if kind is float:
        return struct.pack("d", a) == struct.pack("d", b)
    if kind is list or kind is tuple:
        return len(a) == len(b) and all(identical(x, y, reduce) for x, y in zip(a, b, strict=True))
    if kind is dict:
        return identical([*a], [*b], reduce) and identical([*a.values()], [*b.values()], reduce)
    if kind is set or kind is frozenset:
        mates = {member: member for member in b}
        return len(a) == len(b) and all(
            member in mates and identical(member, mates[member], reduce) for member in a
        )
    first, second = reduce(a), reduce(b)
    return first.tag == second.tag and identical(first.content, second.content, reduce)
