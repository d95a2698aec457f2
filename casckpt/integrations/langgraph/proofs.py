"""Proofs: what the last put of a thread left in memory, to see what did not change since.

A graph hands over whole lists at every step, and nearly all of each is what it was. For the
items of a list, a *print* is remembered: their fields, written by `marshal`, which is exact
for built-in types. While the print is the same, what is stored for the items is the same, and
they need not be serialized again. Neither identity nor `==` is asked: messages are changed in
place, and `1 == True`.

Invariants: a proof only speeds a put up. Items whose form holds bytes have none, because
marshal writes anything that has a buffer as if it were bytes; nor have items of types that
marshal refuses.

Imports: ids, integrations.langgraph (forms, raw).
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

from casckpt.ids import ObjectId
from casckpt.integrations.langgraph.forms import MESSAGES
from casckpt.integrations.langgraph.raw import Extension

__all__ = ["Left", "ListProof", "Proofs", "provable"]

BYTES_MAX: Final = 64 << 20
"""Prints kept in memory: the length of the lists of the threads put to most recently."""
_BLOCK: Final = 64
_MARSHAL_VERSION: Final = 2  # exact for built-in types; later ones write shared references


class ListProof(NamedTuple):
    """The items of a list, in blocks: how many, and their print (None: there is no proof)."""

    blocks: tuple[tuple[int, bytes | None], ...] = ()

    def same(self, items: list[Any]) -> int:
        """How many items, from the first on, are proved to be what they were."""
        at = 0
        for count, print_ in self.blocks:
            if print_ is None or _print(items[at : at + count]) != print_:
                return at
            at += count
        return at

    def extended(self, items: list[Any], same: int) -> ListProof:
        """The proof of `items`, whose first `same` are those of this one's first blocks."""
        kept, at = [], 0
        for count, print_ in self.blocks:
            if at + count > same or count < _BLOCK:
                break
            kept.append((count, print_))
            at += count
        for start in range(at, len(items), _BLOCK):
            block = items[start : start + _BLOCK]
            kept.append((len(block), _print(block)))
        return ListProof(tuple(kept))

    def without(self, first: int) -> ListProof:
        """The proof, but for the items from `first` on."""
        kept, at = [], 0
        for count, print_ in self.blocks:
            kept.append((count, print_ if at + count <= first else None))
            at += count
        return ListProof(tuple(kept))

    @property
    def size(self) -> int:
        """Bytes of its prints."""
        return sum(len(print_) for _, print_ in self.blocks if print_ is not None)


def _print(items: list[Any]) -> bytes | None:
    try:
        return marshal.dumps([_plain(item) for item in items], _MARSHAL_VERSION)
    except ValueError:
        return None


def _plain(item: Any) -> Any:
    kind = type(item)
    if kind is Extension:
        return (item.code, item.data)
    place = MESSAGES.get(kind)
    if place is None:
        return (item,)
    return (place, item.__dict__, item.__pydantic_extra__)


def provable(stored: Sequence[Any]) -> int:
    """How many of the first of these stored items hold no bytes."""
    for index, item in enumerate(stored):
        if _holds_bytes(item):
            return index
    return len(stored)


def _holds_bytes(stored: Any) -> bool:
    kind = type(stored)
    if kind is list:
        return any(map(_holds_bytes, stored))
    if kind is dict:
        return any(map(_holds_bytes, stored.values())) or any(map(_holds_bytes, stored))
    return kind is bytes or kind is bytearray


class Left(NamedTuple):
    """What one put leaves for the next."""

    checkpoint: ObjectId
    """The record it made: nothing of this holds for a child of another."""
    versions: Mapping[str, Any]
    seen: Mapping[str, Any]
    lists: Mapping[str, ListProof]

    @property
    def size(self) -> int:
        """Bytes of its prints."""
        return sum(proof.size for proof in self.lists.values())


class Proofs:
    """What the last puts left, by thread. Safe to use from several OS threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Left] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, name: str, checkpoint: ObjectId | None) -> Left | None:
        """What the put of this checkpoint left in this thread."""
        left = self._kept.get(name)
        return left if left is not None and left.checkpoint == checkpoint else None

    def keep(self, name: str, left: Left) -> None:
        """Remember it; forget the threads put to longest ago."""
        with self._lock:
            old = self._kept.pop(name, None)
            self._kept[name] = left
            self._size += left.size - (0 if old is None else old.size)
            while self._size > BYTES_MAX:
                self._size -= self._kept.popitem(last=False)[1].size
