"""`identical`: whether two values would be written the same way.

`==` will not do where content is proven to be what a value would be written as: 1, 1.0 and
True are equal.

Imports: values.tagged.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

from casckpt.values.tagged import Tagged

__all__ = ["identical"]

_PLAIN = frozenset((type(None), bool, int, str, bytes, bytearray))
_CONTAINERS = frozenset((list, tuple, dict, set, frozenset))
_ABSENT = object()


def identical(a: Any, b: Any, reduce: Callable[[Any], Tagged]) -> bool:
    """Whether `a` and `b` are written the same way; `reduce` is for what is not native.

    Raises:
        UnsupportedValueError: one of them could not be written.
    """
    pending = [(a, b)]  # not recursion: values may be as deep as the interpreter's stack
    while pending:
        a, b = pending.pop()
        kind = type(a)
        if a is b:
            continue
        if kind is not type(b):
            return False
        if kind in _PLAIN:
            if a != b:
                return False
        elif kind is float:
            if pack("d", a) != pack("d", b):
                return False
        elif kind in _CONTAINERS:
            if len(a) != len(b):
                return False
            if kind is set or kind is frozenset:
                mates = {member: member for member in b}
                b = [mates.get(member, _ABSENT) for member in a]
            pending += zip(a, b, strict=True)
            if kind is dict:
                pending += zip(a.values(), b.values(), strict=True)
        else:
            first, second = reduce(a), reduce(b)
            if first.tag != second.tag:
                return False
            pending.append((first.content, second.content))
    return True
