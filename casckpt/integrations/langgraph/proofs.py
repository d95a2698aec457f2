"""Proofs: what the last put of a thread left in memory, to see what did not change since.

A graph hands over whole lists at every step, and nearly all of each is what it was. For the
items of a list, a *print* is remembered: their types, and the fields as msgpack. That takes a
third of a microsecond for a message, and serializing it a hundred times as long. Neither
identity nor `==` is asked: messages are changed in place, and `1 == True`.

Invariants: a proof only speeds a put up. Equal prints mean equal bytes from the serializer: it
writes the same values by the same rules, once pydantic has taken the fields out of a message;
and what the serializer has rules of its own for has no print.

Imports: ids, ormsgpack, tree.parts, integrations.langgraph (forms, raw).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from operator import attrgetter
from threading import Lock
from typing import Any, Final, NamedTuple

import ormsgpack

from casckpt.ids import ObjectId
from casckpt.integrations.langgraph.forms import MESSAGES
from casckpt.integrations.langgraph.raw import Extension
from casckpt.tree.parts import Made

__all__ = ["Left", "ListProof", "Print", "Proofs"]

Print = tuple[list[type], bytes]
"""Types and fields of some items."""

BYTES_MAX: Final = 64 << 20
"""Kept in memory: mostly prints, as long as the lists of the threads put to most recently."""
_BLOCK: Final = 64
_LEFT_BYTES: Final = 2_048  # what a thread takes that has hardly any channels
_MESSAGES: Final = frozenset(MESSAGES)
_FIELDS: Final = attrgetter("__dict__", "__pydantic_extra__")
_OPTIONS: Final = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""Only built-in types: all else is an error."""


class ListProof(NamedTuple):
    """The items of a list, in blocks: how many, and their print (None: there is no proof)."""

    blocks: tuple[tuple[int, Print | None], ...] = ()

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

    @property
    def size(self) -> int:
        """Bytes of its prints."""
        return sum(len(print_[1]) for _, print_ in self.blocks if print_ is not None)


def _print(items: list[Any]) -> Print | None:
    types = list(map(type, items))
    try:
        if _MESSAGES.issuperset(types):
            plain = list(map(_FIELDS, items))
        else:
            plain = [_plain(item) for item in items]
        return types, ormsgpack.packb(plain, option=_OPTIONS)
    except TypeError:
        return None


def _plain(item: Any) -> Any:
    kind = type(item)
    if kind in _MESSAGES:
        return _FIELDS(item)
    return (item.code, item.data) if kind is Extension else item


class Left(NamedTuple):
    """What one put leaves for the next."""

    checkpoint: ObjectId
    """The record it made: nothing of this holds for a child of another."""
    base: ObjectId
    """The object that holds the open parts of its state."""
    versions: Mapping[str, Any]
    seen: Mapping[str, Any]
    lists: Mapping[str, ListProof]
    made: Mapping[str, Made]
    """What its channels became."""

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        prints = sum(proof.size for proof in self.lists.values())
        return _LEFT_BYTES + prints + sum(len(made.entry) for made in self.made.values())


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
