"""Keys and members made to have the same hash: they would make a dict or set quadratic.

Python's hashes of str and bytes cannot be foretold. Those of large ints, of other numbers and of
tuples of them can be, so a hostile state may have a million keys of one hash.

Invariants: what is counted depends on the value alone, never on how it came in.

Imports: errors, format (constants).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from casckpt.errors import LimitError
from casckpt.format import constants as c

__all__ = ["Hashes", "check_hashes"]

_REMEMBERED_MAX = 1 << 16


class Hashes:
    """Counts the keys of one load that have the hash of another key."""

    __slots__ = ("_first", "_more")

    def __init__(self) -> None:
        self._first: dict[int, bytes] = {}
        self._more: set[bytes] = set()

    def note(self, key: Hashable, encoding: bytes) -> None:
        """Count a key; the same one, met again, is not counted again.

        Raises:
            LimitError: there are too many.
        """
        if self._first.setdefault(hash(key), encoding) == encoding:
            if len(self._first) > _REMEMBERED_MAX:
                self._first.clear()
            return
        self._more.add(encoding)
        if len(self._more) > c.COLLISIONS_MAX:
            raise _too_many()


def check_hashes(keys: Collection[Hashable]) -> None:
    """Look at the keys of a dict, or the members of a set, that is to be made of them.

    Raises:
        LimitError: too many have the hash of another one.
        TypeError: one cannot be hashed.
    """
    if len(keys) > c.COLLISIONS_MAX and len(keys) - len({*map(hash, keys)}) > c.COLLISIONS_MAX:
        raise _too_many()


def _too_many() -> LimitError:
    return LimitError(
        f"more than {c.COLLISIONS_MAX:,} keys or members of one value have the hash of another one:"
        " their class's __hash__ is bad, or they were chosen to do harm"
    )
