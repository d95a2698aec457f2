"""Keys as a dict sees them: 1, 1.0 and True are one, though each has its own encoding.

A small dict is a Python dict and knows this by itself; a large one is looked up by encoding,
so every spelling of a number has to be tried.

Imports: nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

__all__ = ["spellings"]

SPELLINGS_MAX = 64
"""Lookups for one key: a tuple of many numbers has more spellings than anybody means."""


def spellings(key: Any) -> Iterator[Any]:
    """The key itself, then what equals it in a dict: as another type of number."""
    return islice(_spellings(key), SPELLINGS_MAX)


def _spellings(key: Any) -> Iterator[Any]:
    yield key
    if isinstance(key, int | float | complex):
        yield from _numbers(key)
    elif type(key) is tuple:
        ways = product(*(list(spellings(item)) for item in key))
        next(ways)  # the key itself
        yield from ways


def _numbers(key: Any) -> Iterator[Any]:
    """The other numbers that equal this one."""
    number = key.real if isinstance(key, complex) else key
    try:
        exact = float(number)
    except OverflowError:  # an int beyond all floats
        return
    others = [exact, -exact, complex(exact), bool(number)]
    if math.isfinite(exact):
        others.append(int(number))
    for other in others:
        # 0.0 and -0.0 are of one type, and two encodings.
        if other == key and (type(other) is not type(key) or not number):
            yield other
