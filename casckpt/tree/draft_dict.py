# ruff: noqa: SLF001 - drafts are one family
"""A dict in the making.

A small one is taken apart at once. Of a large one (a tree) only what is asked for is read;
what is replaced, removed and added is noted beside it. Python's dicts know that 1, 1.0 and
True are one key; a tree knows encodings. Where keys of the rarer types make that hard to tell
(a Decimal equals an int), the large one is taken apart as well.

Invariants: it behaves as a Python dict of the same items, order included.

Imports: errors, format (cbor), ids, tree (draft, draft_views, edit_bytes, edit_tree, keys,
native, view).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, cast
from weakref import WeakValueDictionary

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.draft import Draft, Origin, Session, Slot, Stored, plain
from casckpt.tree.draft_views import Items, Keys, Values
from casckpt.tree.edit_bytes import unkey
from casckpt.tree.edit_tree import StoredTree
from casckpt.tree.keys import spellings
from casckpt.tree.view import MappingView

__all__ = ["DictDraft"]

_TAGGED = native.LINK_HEAD[:1]
_CERTAIN = frozenset((str, bytes, type(None)))
"""Types of keys that only equal keys of the same type, or tagged ones."""
_NUMBERS = frozenset((bool, int, float))
_ABSENT = object()
_SINGLY_MAX = 32
"""Entries looked up one by one before all are read."""


class DictDraft(Draft, MutableMapping[Any, Any]):
    """A dict in the making."""

    __slots__ = (
        *("_added", "_children", "_end", "_items", "_keys"),
        *("_order", "_order_id", "_removed", "_replaced", "_tree"),
    )
    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a dict

    type_name = "dict"

    def __init__(self, session: Session, origin: Origin, owner: Draft | None, place: Any) -> None:
        super().__init__(session, origin, owner, place)
        self._tree = StoredTree(session.source, origin.form)
        # All items, once it is taken apart, and the encodings of those keys that were stored.
        self._items: dict[Any, Slot] | None = None
        self._keys: dict[Any, bytes] = {}
        # Else by encoded key: drafts that somebody holds, what is there now, what is gone (or
        # has gone to the end); and by key, in order: what is new.
        self._children: WeakValueDictionary[bytes, Draft] = WeakValueDictionary()
        self._replaced: dict[bytes, Slot] = {}
        self._removed: dict[bytes, None] = {}
        self._added: dict[Any, Slot] = {}
        self._end = len(self._tree)  # all that was stored from this place on is gone
        self._order: StoredTree | None = None
        self._order_id: ObjectId | None = None
        if not self._tree.levels:
            self._read_small()

    def _old_order(self) -> StoredTree | None:
        """Of a tree: its stored order; None: that of the keys."""
        encoded = self._tree.order
        if self._order is None and encoded is not None and encoded != cbor.NULL:
            form, self._order_id = self._session.form(encoded)
            self._order = StoredTree(self._session.source, form)
        return self._order

    def _whole(self) -> dict[Any, Slot]:
        """All items; it is taken apart if it was not."""
        if self._items is None:
            self._take_apart()
        return self._items or {}

    def _read_small(self) -> None:
        depth, leaf = self._origin.depth + 1, self._tree.leaf(0)
        pairs = zip(leaf.keys, leaf.entries, strict=True)
        stored = ((name, Stored(entry[len(name) :], depth)) for name, entry in pairs)
        self._items = self._with_keys(stored, len(leaf.keys))

    def _take_apart(self) -> None:
        """Read all entries; from now on it is a Python dict."""
        items = self._with_keys(self._stored(), len(self._tree) - len(self._removed))
        for key, name in self._keys.items():
            child = self._children.get(name)
            items[key] = self._replaced.get(name, items[key]) if child is None else child
            if isinstance(items[key], Draft):
                items[key]._place = None
        self._items = items | self._added
        for key in self._added:
            self._keys.pop(key, None)  # one that was removed before, and may be another spelling

    def _with_keys(self, stored: Iterable[tuple[bytes, Slot]], count: int) -> dict[Any, Slot]:
        """Decode the keys of `count` stored entries."""
        items: dict[Any, Slot] = {}
        value, keys = self._session.value, self._keys
        try:
            for name, slot in stored:
                key = value(name)
                keys[key] = name
                items[key] = slot
        except TypeError:  # no key that a dict can have
            raise CorruptError("the store holds a malformed key") from None
        if len(items) != count:
            raise CorruptError("the store holds a map with one key twice")
        return items

    def _stored(self) -> Iterator[tuple[bytes, Stored]]:
        """What is left of what was stored, in the dict's order."""
        depth, tree, order = self._origin.depth + 1, self._tree, self._old_order()
        if order is None:
            for name, entry in tree.entries():
                if name not in self._removed:
                    yield name, Stored(entry[len(name) :], depth)
            return
        entries: dict[bytes, bytes] = {}
        for number, (item, _) in enumerate(order.entries()):
            name = native.as_key(item)
            if number == _SINGLY_MAX:
                entries = dict(tree.entries())
            found = entries.get(name) if entries else tree.find(name)[1]
            if found is None:
                raise CorruptError("the store holds a map whose order is not that of its keys")
            if name not in self._removed:
                yield name, Stored(found[len(name) :], depth)

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Keys and what is under them, faster than by looking them up one by one."""
        if self._items is not None:
            for key in self:
                yield key, self._get(key)
            return
        length = len(self)
        for name, stored in self._stored():
            if len(self) != length:
                raise RuntimeError("dictionary changed size during iteration")
            key = self._session.value(name)
            taken_apart = self._items is not None
            yield key, self._get(key) if taken_apart else self._get_stored(name, stored.entry)
        for key in list(self._added):
            yield key, self._get(key)

    def keys(self) -> Keys:
        """The keys."""
        return Keys(self)

    def items(self) -> Items:
        """Keys and what is under them."""
        return Items(self)

    def values(self) -> Values:
        """What is under the keys."""
        return Values(self)

    # Reading.

    def _find(self, key: Any) -> bytes | None:
        """Of a tree: the encoding under which an equal key was stored, removed or not.

        It may take the tree apart: `_items` must be looked at afterwards.
        """
        kind = type(key)
        if kind not in _CERTAIN and kind not in _NUMBERS:
            self._take_apart()
            return None
        for spelled in (key,) if kind in _CERTAIN else spellings(key):
            if kind in _NUMBERS and type(spelled) not in _NUMBERS:
                continue  # of a rarer type: see below
            name = self._session.encoded_key(spelled)
            if self._tree.find(name)[1] is not None:
                return name
        if self._has_tagged():
            self._take_apart()
        return None

    def _has_tagged(self) -> bool:
        """Whether a stored key is of one of the rarer types."""
        if self._tree.last_key() < _TAGGED:
            return False
        place, _ = self._tree.find(_TAGGED)
        return place < len(self._tree) and self._tree.key(place).startswith(_TAGGED)

    def _get(self, key: Any) -> Any:
        """What is under a key, opened; _ABSENT if nothing is."""
        self._session.check()
        hash(key)
        if self._items is None and key not in self._added:
            name = self._find(key)
            if self._items is None:
                return _ABSENT if name is None else self._get_stored(name)
        slots = self._added if self._items is None else self._items
        slot = slots.get(key, _ABSENT)
        if isinstance(slot, Stored):
            slot = self._session.read(slot.entry, self, None, slot.depth)
            if isinstance(slot, Draft):
                slots[key] = slot
        return slot

    def _get_stored(self, name: bytes, entry: bytes | None = None) -> Any:
        """What is under a stored key of a tree; `entry` is the stored value, if it is at hand."""
        if name in self._removed:
            return _ABSENT
        if name in self._replaced:
            return self._replaced[name]
        child = self._children.get(name)
        if child is not None:
            return child
        if entry is None:
            found = self._tree.find(name)[1]
            if found is None:
                return _ABSENT
            entry = found[len(name) :]
        value = self._session.read(entry, self, name, self._origin.depth + 1)
        if isinstance(value, Draft):
            self._children[name] = value
        return value

    def __getitem__(self, key: Any) -> Any:
        value = self._get(key)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self._get(key) is not _ABSENT

    def __len__(self) -> int:
        self._session.check()
        if self._items is not None:
            return len(self._items)
        return len(self._tree) - len(self._removed) + len(self._added)

    def __iter__(self) -> Iterator[Any]:
        return self._in_turn(backwards=False)

    def __reversed__(self) -> Iterator[Any]:
        return self._in_turn(backwards=True)

    def _in_turn(self, *, backwards: bool) -> Iterator[Any]:
        """The keys; as a dict's, they cannot be gone through while keys come and go."""
        length = len(self)
        for key in self._backwards() if backwards else self._forwards():
            if len(self) != length:
                raise RuntimeError("dictionary changed size during iteration")
            yield key

    def _forwards(self) -> Iterator[Any]:
        if self._items is not None:
            yield from self._items
            return
        for item, _ in (self._old_order() or self._tree).entries():
            if self._is_left(item):
                yield self._session.value(item)
        yield from self._added

    def _is_left(self, item: bytes) -> bool:
        """Whether a stored key was not removed, as it stands in the order or as a key."""
        return not self._removed or native.as_key(unkey(item)) not in self._removed

    def _backwards(self) -> Iterator[Any]:
        if self._items is not None:
            yield from reversed(self._items)
            return
        yield from reversed(self._added)
        keys = self._old_order() or self._tree
        for place in range(self._end - 1, -1, -1):
            item = keys.key(place)
            if self._is_left(item):
                yield self._session.value(item)
            elif place == self._end - 1:
                self._end = place

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MappingView):
            return other == self.load()
        if not isinstance(other, dict | DictDraft):
            return NotImplemented
        items = cast("Mapping[Any, Any]", other)
        return len(self) == len(items) and all(
            key in items and mine == items[key] for key, mine in self.items()
        )

    def __or__(self, other: Any) -> dict[Any, Any]:
        if not isinstance(other, dict | DictDraft):
            return NotImplemented
        return {**self, **other}

    def __ror__(self, other: Any) -> dict[Any, Any]:
        if not isinstance(other, dict):
            return NotImplemented
        return {**other, **self}

    def copy(self) -> dict[Any, Any]:
        """A plain dict of the items; drafts among them stay drafts."""
        return dict(self)

    def load(self) -> dict[Any, Any]:
        """The whole dict as it is now, of fresh objects."""
        self._session.check()
        if not self.changed:
            return cast("dict[Any, Any]", self._session.value(self._origin.form))
        return {key: plain(value) for key, value in self.items()}

    # Changing.

    def _child_changed(self, child: Draft) -> None:
        if child._place is not None:
            self._replaced[child._place] = child
        self._touch()

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, Draft) and value._owner is self and self._get(key) is value:
            return  # as after `draft["x"] += ...`
        self._session.check()
        hash(key)
        value = self._checked(value)
        name = None
        if self._items is None and key not in self._added:
            name = self._find(key)
        self._touch()
        slots = self._added if self._items is None else self._items
        if self._items is None and name is not None and name not in self._removed:
            self._release(name)
            self._replaced[name] = self._taken(value)
            return
        self._let_go(slots.get(key))
        slots[key] = self._taken(value)

    def _release(self, name: bytes) -> None:
        """Let go of what is under a stored key of a tree."""
        self._let_go(self._replaced.pop(name, None))
        self._let_go(self._children.pop(name, None))

    def __delitem__(self, key: Any) -> None:
        if self._get(key) is _ABSENT:  # and if it has to be taken apart, it is now
            raise KeyError(key)
        self._touch()
        if self._items is not None:
            self._let_go(self._items.pop(key))
            self._keys.pop(key, None)
        elif key in self._added:
            self._let_go(self._added.pop(key))
        else:
            name = self._find(key)
            if name is not None:
                self._release(name)
                self._removed[name] = None

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """What is under a key, once something is."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[Any, Any]:
        """Take out the item that came last."""
        for key in reversed(self):
            return key, self.pop(key)
        raise KeyError("popitem(): dictionary is empty")

    def clear(self) -> None:
        """Take all items out."""
        self._touch()
        gone = [*self._replaced.values(), *self._children.values(), *self._added.values()]
        for slot in [*gone, *(self._items or {}).values()]:
            self._let_go(slot)
        self._items, self._keys = {}, {}

    def __ior__(self, other: Any) -> DictDraft:  # noqa: PYI034 - a draft is never subclassed
        self.update(other)
        return self

    def _clone_into(self, copy: DictDraft) -> None:
        if self._items is not None:
            copy._keys = dict(self._keys)
            copy._items = {k: self._copied_slot(slot, copy) for k, slot in self._items.items()}
            return
        copy._removed = dict(self._removed)
        copy._added = {k: self._copied_slot(slot, copy) for k, slot in self._added.items()}
        for name, slot in self._replaced.items():
            twin = self._copied_slot(slot, copy)
            if isinstance(slot, Draft) and slot._place is not None:
                twin._place = name
                copy._children[name] = twin
            copy._replaced[name] = twin
