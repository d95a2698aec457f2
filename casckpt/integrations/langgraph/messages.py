"""Messages remembered: leaves of message lists that are read again and again.

To read a message is mostly to validate it, and a thread's messages are read at every run and in
every checkpoint of a history. What validation makes of a message follows from its fields; so
when a leaf is read for the second time, it is found out whether validating changes anything
in it. If not, its messages can be made without: the leaf's id stands for its content.

Invariants: every load gives fresh objects; they are what LangGraph's serializer makes of the
same fields. What is remembered is bytes, never an object, and only speeds reading up.

Imports: format.constants, ids, integrations.langgraph.forms, marshal, tree (fan, read, source).
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from threading import Lock
from typing import Any, Final, NamedTuple

from casckpt.ids import ObjectId
from casckpt.integrations.langgraph.forms import CLASS, CLASSES, EXT, SERDE
from casckpt.tree.fan import Ref
from casckpt.tree.read import Loader
from casckpt.tree.source import Codec, ObjectSource

__all__ = ["MessageLoader", "Recall"]

BYTES_MAX: Final = 32 << 20
"""Remembered fields: about 30,000 messages of 1 kB."""
_SEEN_MAX: Final = 100_000
_EXACT: Final = 2  # marshal: equal bytes, equal values of built-in types
_QUICK: Final = 4
_ATOMS: Final = frozenset((str, int, float, bool, type(None), bytes))
_SPECIAL: Final = frozenset((CLASS, EXT, SERDE))
_set: Final = object.__setattr__


class _Leaf(NamedTuple):
    """The items of a leaf."""

    classes: tuple[type | None, ...]
    """Of the messages that validating leaves as they are; None: an item as it is stored."""
    data: bytes
    """By marshal: fields and unknown fields of a message; or an item."""

    def items(self) -> list[Any]:
        """The items, made anew: some are messages, the others are yet to be restored."""
        found = []
        for cls, data in zip(self.classes, marshal.loads(self.data), strict=True):  # noqa: S302 - our own bytes, never stored
            if cls is None:
                found.append(data)
                continue
            fields, extra = data
            message: Any = object.__new__(cls)
            _set(message, "__dict__", fields)
            _set(message, "__pydantic_fields_set__", {*fields, *extra} if extra else set(fields))
            _set(message, "__pydantic_extra__", extra)
            _set(message, "__pydantic_private__", None)
            found.append(message)
        return found


class Recall:
    """The leaves that were read last. Safe to use from several OS threads."""

    def __init__(self) -> None:
        self._leaves: OrderedDict[ObjectId, _Leaf | None] = OrderedDict()
        self._seen: OrderedDict[ObjectId, None] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, oid: ObjectId) -> _Leaf | None:
        """A leaf that is remembered."""
        return self._leaves.get(oid)

    def read(self, oid: ObjectId, items: list[Any]) -> _Leaf | None:
        """A leaf was read, with these items: remember it if it was read before."""
        with self._lock:
            if oid in self._leaves:
                return self._leaves[oid]
            if oid not in self._seen:
                self._seen[oid] = None
                if len(self._seen) > _SEEN_MAX:
                    self._seen.popitem(last=False)
                return None
        leaf = _leaf(items)
        with self._lock:
            self._seen.pop(oid, None)
            if oid not in self._leaves:
                self._leaves[oid] = leaf
                self._bytes += _size(leaf)
            while self._bytes > BYTES_MAX:
                self._bytes -= _size(self._leaves.popitem(last=False)[1])
        return leaf


def _size(leaf: _Leaf | None) -> int:
    return 100 if leaf is None else 100 + len(leaf.data)


def _leaf(items: list[Any]) -> _Leaf | None:
    """What to remember of these stored items; None: nothing would be gained, or not exactly."""
    classes: list[type | None] = []
    data = []
    for item in items:
        place = item.get(CLASS) if type(item) is dict else None
        cls = CLASSES.get(place) if type(place) is str else None
        parts = None if cls is None else _parts(cls, item)
        if parts is None and not _is_exact(item):
            return None
        classes.append(None if parts is None else cls)
        data.append(item if parts is None else parts)
    return _Leaf(tuple(classes), marshal.dumps(data, _QUICK)) if any(classes) else None


def _parts(cls: Any, item: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any] | None] | None:
    """Fields and unknown fields of a message; None if validating does anything to them."""
    stored = {key: value for key, value in item.items() if key != CLASS}
    if not all(map(_is_plain, stored.values())):
        return None
    before = marshal.dumps(stored, _EXACT)
    try:
        message = cls(**marshal.loads(before))  # noqa: S302 - our own bytes; a validator may change what it gets
        extra = message.__pydantic_extra__
        after = marshal.dumps({**message.__dict__, **(extra or {})}, _EXACT)
    except Exception:  # noqa: BLE001 - whatever a validator raises
        return None
    if (
        after != before
        or message.__pydantic_private__ is not None
        or message.__pydantic_fields_set__ != set(stored)
    ):
        return None
    fields = {key: value for key, value in stored.items() if key in message.__dict__}
    return fields, None if extra is None else {key: stored[key] for key in extra}


def _is_exact(value: Any) -> bool:
    """Whether marshal writes all of it exactly."""
    kind = type(value)
    if kind is list:
        return all(map(_is_exact, value))
    if kind is dict:
        return all(map(_is_exact, value)) and all(map(_is_exact, value.values()))
    return kind in _ATOMS


def _is_plain(value: Any) -> bool:
    """Whether marshal writes it exactly, and nothing in it stands for an object."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return (
            _SPECIAL.isdisjoint(value)
            and _ATOMS.issuperset(map(type, value))
            and all(map(_is_plain, value.values()))
        )
    return False


class MessageLoader(Loader):
    """Loads the stored forms of channels; messages that are remembered come built."""

    def __init__(self, source: ObjectSource, codec: Codec, recall: Recall) -> None:
        super().__init__(source, codec)
        self._recall = recall

    def list_leaves(self, refs: list[Ref]) -> list[Any]:
        """The items of these leaves; raises as `Loader` does."""
        items: list[Any] = []
        unknown: list[Ref] = []
        for ref in refs:
            leaf = self._recall.get(ref.id)
            if leaf is None or len(leaf.classes) != ref.items:
                unknown.append(ref)
                continue
            items += self._read(unknown)
            unknown = []
            self._spend(len(leaf.data))
            items += leaf.items()
        return items + self._read(unknown)

    def _read(self, refs: list[Ref]) -> list[Any]:
        found: list[Any] = []
        items = super().list_leaves(refs)
        start = 0
        for ref in refs:
            part = items[start : start + ref.items]
            leaf = self._recall.read(ref.id, part)
            found += part if leaf is None else leaf.items()
            start += ref.items
        return found
