"""What `keys`, `items` and `values` of a dict in the making give.

Invariants: as the views of a dict, they show it as it is when they are looked at, forwards and
backwards; what is stored is read a leaf at a time.

Imports: nothing of the house.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

__all__ = ["Items", "Keys", "Values"]


class Keys(KeysView[Any]):
    """Its keys."""

    __slots__ = ()
    _mapping: Any

    def __reversed__(self) -> Iterator[Any]:
        yield from reversed(self._mapping)


class Items(ItemsView[Any, Any]):
    """Its keys, and what is under them."""

    __slots__ = ()
    _mapping: Any

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        pairs: Iterator[tuple[Any, Any]] = self._mapping._pairs()  # noqa: SLF001 - of the family
        return pairs

    def __reversed__(self) -> Iterator[tuple[Any, Any]]:
        for key in reversed(self._mapping):
            yield key, self._mapping[key]


class Values(ValuesView[Any]):
    """What is under its keys."""

    __slots__ = ()
    _mapping: Any

    def __iter__(self) -> Iterator[Any]:
        for _, value in self._mapping._pairs():  # noqa: SLF001
            yield value

    def __reversed__(self) -> Iterator[Any]:
        for key in reversed(self._mapping):
            yield self._mapping[key]
