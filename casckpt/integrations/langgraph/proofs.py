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
from collections.abc import Iterable, Mapping
from operator import attrgetter
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

import ormsgpack

from casckpt.ids import ObjectId
from casckpt.integrations.langgraph.forms import MESSAGES
from casckpt.integrations.langgraph.raw import Extension
from casckpt.tree.parts import Made

__all__ = ["Known", "Left", "ListProof", "Print", "Proofs"]

Print = tuple[list[type], bytes]
"""Types and fields of some items."""

BYTES_MAX: Final = 64 << 20
"""Kept in memory: mostly prints, as long as the lists of the threads put to most recently. Half as
much again is kept of lists in any place; most of these are the same prints."""
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


K = TypeVar("K")
V = TypeVar("V", "Left", "Known")


class ListProof(NamedTuple):
    """The items of a list, in blocks: how many, and their print (None: there is no proof)."""

    blocks: tuple[tuple[int, Print | None], ...] = ()

    def same(self, items: list[Any]) -> int:
        """How many items, from the first on, are proved to be what they were."""
        at = 0
        for count, print_ in self.blocks:
            if print_ is None or at + count > len(items):
                return at
            if _print(items[at : at + count]) != print_:
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


class Known(NamedTuple):
    """A list that was put, in whatever place."""

    proof: ListProof
    made: Made

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return _LEFT_BYTES + self.proof.size + len(self.made.entry)


class _Kept(Generic[K, V]):
    """What was kept last, up to so many bytes. Safe to use from several OS threads."""

    def __init__(self, share: int) -> None:
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._share = share
        self._size = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        return self._kept.get(key)

    def keep(self, key: K, value: V) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = value
            self._size += value.size
            while self._size > BYTES_MAX // self._share:
                self._size -= self._kept.popitem(last=False)[1].size

    def drop(self, key: K) -> None:
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        old = self._kept.pop(key, None)
        self._size -= 0 if old is None else old.size


class Proofs:
    """What the last puts left, by thread. Safe to use from several OS threads."""

    def __init__(self) -> None:
        self._left: _Kept[str, Left] = _Kept(1)
        self._known: _Kept[tuple[str, str], Known] = _Kept(2)

    def get(self, name: str, checkpoint: ObjectId | None) -> Left | None:
        """What the put of this checkpoint left in this thread."""
        left = self._left.get(name)
        return left if left is not None and left.checkpoint == checkpoint else None

    def keep(self, name: str, left: Left) -> None:
        """Remember it; forget the threads put to longest ago."""
        self._left.keep(name, left)

    def known(self, thread_id: str, name: str) -> Known | None:
        """The last list of this name in any place of a LangGraph thread."""
        return self._known.get((thread_id, name))

    def know(self, thread_id: str, name: str, known: Known) -> None:
        """Remember it; forget those put longest ago."""
        self._known.keep((thread_id, name), known)

    def forget(self, thread_id: str, names: Iterable[str]) -> None:
        """Forget lists of these names: gc has taken something of one."""
        for name in names:
            self._known.drop((thread_id, name))
