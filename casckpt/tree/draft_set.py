"""A set in the making. Its members are values, so only which they are can change.

A small one is read at once; of a large one members are looked up, and what is added and
removed is noted beside it, unless members of the rarer types (tuples, say) are asked for or
stored: what equals those cannot be told from encodings, so then it is read as well.

Invariants: it behaves as a Python set of the same members.

Imports: errors, tree (draft, edit_tree, keys, native).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSet
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, cast

from casckpt.errors import CorruptError
from casckpt.tree import native
from casckpt.tree.draft import Draft, Origin, Session
from casckpt.tree.edit_tree import StoredTree
from casckpt.tree.keys import spellings

__all__ = ["SetDraft"]

_TAGGED = native.LINK_HEAD[:1]
_TAG_BYTES = 3
_CERTAIN = frozenset((str, bytes, type(None)))
_NUMBERS = frozenset((bool, int, float))


class SetDraft(Draft, MutableSet[Any]):
    """A set in the making."""

    __slots__ = ("_added", "_end", "_members", "_removed", "_tree")
    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a set

    type_name = "set"

    def __init__(self, session: Session, origin: Origin, owner: Draft | None, place: Any) -> None:
        super().__init__(session, origin, owner, place)
        self._tree = StoredTree(session.source, origin.form, _TAG_BYTES)
        # All members, once they are read, with the encodings of those that were stored; else
        # what is new, and the encodings of what is gone.
        self._members: dict[Any, bytes | None] | None = None
        self._added: dict[Any, None] = {}
        self._removed: dict[bytes, None] = {}
        self._end = len(self._tree)  # all that was stored from this place on is gone
        if not self._tree.levels:
            self._read()

    def _read(self) -> None:
        """Read all members; from now on it is kept as a Python dict."""
        members: dict[Any, bytes | None] = {}
        try:
            for entry, _ in self._tree.entries():
                if entry not in self._removed:
                    members[self._session.value(entry)] = entry
        except TypeError:  # nothing that can be in a set
            raise CorruptError("the store holds a malformed set") from None
        if len(members) != len(self._tree) - len(self._removed):
            raise CorruptError("the store holds a set with one member twice")
        members.update(self._added)
        self._members = members

    # Reading.

    def _find(self, member: Any) -> bytes | None:
        """Of a tree: the encoding of an equal stored member, removed or not.

        It may read the tree: `_members` must be looked at afterwards.
        """
        kind = type(member)
        if kind not in _CERTAIN and kind not in _NUMBERS:
            self._read()
            return None
        for spelled in (member,) if kind in _CERTAIN else spellings(member):
            if kind in _NUMBERS and type(spelled) not in _NUMBERS:
                continue  # of a rarer type: see below
            entry = self._session.encoded(spelled)
            if self._tree.rank(entry)[1]:
                return entry
        place, _ = self._tree.rank(_TAGGED)
        if place < len(self._tree) and self._tree.entry(place).startswith(_TAGGED):
            self._read()
        return None

    def __contains__(self, member: object) -> bool:
        self._session.check()
        hash(member)
        if self._members is None and member not in self._added:
            entry = self._find(member)
            if self._members is None:
                return entry is not None and entry not in self._removed
        return self._members is None or member in self._members

    def __len__(self) -> int:
        self._session.check()
        if self._members is not None:
            return len(self._members)
        return len(self._tree) - len(self._removed) + len(self._added)

    def __iter__(self) -> Iterator[Any]:
        length = len(self)
        for member in self._each():
            if len(self) != length:
                raise RuntimeError("Set changed size during iteration")
            yield member

    def _each(self) -> Iterator[Any]:
        if self._members is not None:
            yield from self._members
            return
        for entry, _ in self._tree.entries():
            if entry not in self._removed:
                yield self._session.value(entry)
        yield from self._added

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractSet):
            return NotImplemented
        return len(self) == len(other) and all(member in other for member in self)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:
        return set(it)  # what an operation gives is a new set, in no draft

    def copy(self) -> set[Any]:
        """A plain set of the members."""
        return set(self)

    def load(self) -> set[Any]:
        """The whole set as it is now."""
        self._session.check()
        if not self.changed:
            return cast("set[Any]", self._session.value(self._origin.form))
        return set(self)

    # Changing.

    def add(self, value: Any) -> None:
        """Add a member, unless an equal one is there."""
        if value in self:  # and if it has to be read, it is now
            return
        self._touch()
        if self._members is not None:
            self._members[value] = None
        else:
            self._added[value] = None

    def discard(self, value: Any) -> None:
        """Remove a member, if it is there."""
        if value not in self:
            return
        self._touch()
        if self._members is not None:
            del self._members[value]
        elif value in self._added:
            del self._added[value]
        else:
            entry = self._find(value)
            if entry is not None:
                self._removed[entry] = None

    def pop(self) -> Any:
        """Take a member out, any, and give it."""
        if not len(self):
            raise KeyError("pop from an empty set")
        for new in (self._members, self._added):
            if new:
                member = next(reversed(new))
                self.discard(member)
                return member
        entry = self._tree.entry(self._end - 1)
        while entry in self._removed:
            self._end -= 1
            entry = self._tree.entry(self._end - 1)
        member = self._session.value(entry)
        self._touch()
        self._removed[entry] = None
        return member

    def clear(self) -> None:
        """Remove all members."""
        self._touch()
        self._members = {}

    def update(self, *others: Iterable[Any]) -> None:
        """Add all members of the others."""
        for other in others:
            for member in list(other):
                self.add(member)

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove all members of the others."""
        for other in others:
            for member in list(other):
                self.discard(member)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Remove all but the members that every other has, too."""
        for other in others:
            wanted = set(other)
            self.difference_update([member for member in self if member not in wanted])

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        """Remove the members that the other has, and add those that only it has."""
        for member in set(other):
            if member in self:
                self.discard(member)
            else:
                self.add(member)

    def union(self, *others: Iterable[Any]) -> set[Any]:
        """A plain set."""
        return set(self).union(*others)

    def intersection(self, *others: Iterable[Any]) -> set[Any]:
        """A plain set."""
        return set(self).intersection(*others)

    def difference(self, *others: Iterable[Any]) -> set[Any]:
        """A plain set."""
        return set(self).difference(*others)

    def symmetric_difference(self, other: Iterable[Any]) -> set[Any]:
        """A plain set."""
        return set(self).symmetric_difference(other)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Whether the other has all members."""
        return set(self).issubset(other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Whether it has all members of the other."""
        return all(member in self for member in other)

    def _clone_into(self, copy: SetDraft) -> None:
        copy._members = None if self._members is None else dict(self._members)
        copy._added = dict(self._added)
        copy._removed = dict(self._removed)
