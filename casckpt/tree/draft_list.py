# ruff: noqa: SLF001 - drafts are one family
"""A list in the making: pieces of what is stored between runs of what is new.

Invariants: it behaves as a Python list of the same items; an operation costs O(pieces) and
reads the leaves of the items it gives, but `sort` and `reverse` read all; a stored item keeps
its place in what is stored, however it moves here.

Imports: tree (draft, edit_tree, view).
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from itertools import accumulate
from operator import index as as_index
from typing import Any, ClassVar, Union, cast
from weakref import WeakValueDictionary

from casckpt.tree.draft import Draft, Origin, Session, Slot, Stored, plain
from casckpt.tree.edit_tree import StoredTree
from casckpt.tree.view import SequenceView

__all__ = ["ListDraft", "Piece"]

Piece = Union[range, list[Slot]]  # noqa: UP007 - evaluated at run time
"""Places in what is stored, or slots."""
_PIECES_AT_ONCE = 64
"""More items than these are deleted in one go."""


class ListDraft(Draft, MutableSequence[Any]):
    """A list in the making."""

    __slots__ = ("_children", "_ends", "_kept", "_length", "_pieces", "_tree")
    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a list

    type_name = "list"

    def __init__(self, session: Session, origin: Origin, owner: Draft | None, place: Any) -> None:
        super().__init__(session, origin, owner, place)
        self._tree = StoredTree(session.source, origin.form)
        self._length = len(self._tree)
        self._pieces: list[Piece] = [range(self._length)] if self._length else []
        self._ends: list[int] | None = None
        # By place in what is stored: drafts that somebody holds, and those that are changed.
        self._children: WeakValueDictionary[int, Draft] = WeakValueDictionary()
        self._kept: dict[int, Draft] = {}

    # Reading.

    def __len__(self) -> int:
        self._session.check()
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._get(i) for i in range(*index.indices(len(self)))]
        return self._get(self._position(index))

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while index < len(self):  # as of a list: what is appended meanwhile is seen
            yield self._get(index)
            index += 1

    def __reversed__(self) -> Iterator[Any]:
        index = len(self) - 1
        while 0 <= index < len(self):  # as of a list: it ends if it has become too short
            yield self._get(index)
            index -= 1

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SequenceView):
            return other == self.load()
        if not isinstance(other, list | ListDraft):
            return NotImplemented
        if other is self:
            return True  # whatever is in it, NaN too
        items = cast("Iterable[Any]", other)
        return len(self) == len(other) and all(
            mine is theirs or mine == theirs for mine, theirs in zip(self, items, strict=True)
        )

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, operator.ge)

    def _compared(self, other: Any, compare: Callable[[Any, Any], Any]) -> Any:
        """What comes first decides: the first items that differ, else the lengths."""
        if not isinstance(other, list | ListDraft):
            return NotImplemented
        items = cast("Iterable[Any]", other)
        for mine, theirs in zip(self, items, strict=False):
            if mine is not theirs and mine != theirs:
                return compare(mine, theirs)
        return compare(len(self), len(other))

    def __add__(self, other: Any) -> list[Any]:
        if not isinstance(other, list | ListDraft):
            return NotImplemented
        return [*self, *other]

    def __radd__(self, other: Any) -> list[Any]:
        if not isinstance(other, list):
            return NotImplemented
        return [*other, *self]

    def __mul__(self, times: int) -> list[Any]:
        return list(self) * times

    __rmul__ = __mul__

    def copy(self) -> list[Any]:
        """A plain list of the items; drafts among them stay drafts."""
        return list(self)

    def load(self) -> list[Any]:
        """The whole list as it is now, of fresh objects."""
        self._session.check()
        if not self.changed:
            return cast("list[Any]", self._session.value(self._origin.form))
        return [plain(item) for item in self]

    def _position(self, index: Any) -> int:
        position = as_index(index)
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError("list index out of range")
        return position

    def _find(self, position: int) -> tuple[int, int]:
        """Which piece a position is in, and where in it; behind all: (pieces, 0)."""
        if self._ends is None:
            self._ends = list(accumulate(map(len, self._pieces)))
        at = bisect_right(self._ends, position)
        return at, position - (self._ends[at - 1] if at else 0)

    def _get(self, position: int) -> Any:
        self._session.check()
        at, offset = self._find(position)
        piece = self._pieces[at]
        depth = self._origin.depth + 1
        if isinstance(piece, range):
            place = piece[offset]
            child = self._children.get(place)
            if child is not None:
                return child
            value = self._session.read(self._tree.entry(place), self, place, depth)
            if isinstance(value, Draft):
                self._children[place] = value
            return value
        slot = piece[offset]
        if isinstance(slot, Stored):
            slot = self._session.read(slot.entry, self, None, slot.depth)
            if isinstance(slot, Draft):
                piece[offset] = slot
        return slot

    def _slots(self) -> list[Slot]:
        """All items as slots."""
        depth = self._origin.depth + 1
        slots: list[Slot] = []
        for piece in self._pieces:
            if isinstance(piece, range):
                entries = self._tree.entries(piece.start, piece.stop)
                for place, (_, entry) in zip(piece, entries, strict=True):
                    slot: Slot = self._children.get(place)
                    if slot is None:
                        slot = Stored(entry, depth)
                    else:
                        slot._place = None
                    slots.append(slot)
            else:
                slots += piece
        return slots

    # Changing.

    def _child_changed(self, child: Draft) -> None:
        if child._place is not None:
            self._kept[child._place] = child
        self._touch()

    def _splice(self, start: int, stop: int, values: list[Any]) -> None:
        """Replace the items from start to stop."""
        values = [self._checked(value) for value in values]
        self._touch()
        first, last = self._cut(start), self._cut(stop)
        for piece in self._pieces[first:last]:
            self._release(piece)
        self._pieces[first:last] = []
        self._length -= stop - start
        self._ends = None
        if not values:
            return
        slots: list[Slot] = [self._taken(value) for value in values]
        self._length += len(slots)
        before = self._pieces[first - 1] if first else None
        if isinstance(before, list):
            before += slots
        else:
            self._pieces.insert(first, slots)

    def _cut(self, position: int) -> int:
        """The number of the piece that begins at a position, once one does."""
        if position == self._length:
            return len(self._pieces)
        at, offset = self._find(position)
        if not offset:
            return at
        piece = self._pieces[at]
        self._pieces[at : at + 1] = [piece[:offset], piece[offset:]]
        self._ends = None
        return at + 1

    def _release(self, piece: Piece) -> None:
        """Let go of the items of a piece that is taken out."""
        if isinstance(piece, list):
            for slot in piece:
                self._let_go(slot)
            return
        children = self._children
        few, many = (piece, children) if len(piece) < len(children) else (children, piece)
        for place in [place for place in few if place in many]:
            self._kept.pop(place, None)
            child = children.pop(place, None)
            if child is not None:
                self._let_go(child)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._set_slice(index, value)
            return
        position = self._position(index)
        if isinstance(value, Draft) and value._owner is self and self._get(position) is value:
            return  # as after `draft[0] += ...`
        self._splice(position, position + 1, [value])

    def _set_slice(self, index: slice, values: Iterable[Any]) -> None:
        items = list(values)
        start, stop, step = index.indices(len(self))
        if step == 1:
            self._splice(start, max(start, stop), items)
            return
        positions = range(start, stop, step)
        if len(positions) != len(items):
            msg = (
                f"attempt to assign sequence of size {len(items)} "
                f"to extended slice of size {len(positions)}"
            )
            raise ValueError(msg)
        items = [self._checked(value) for value in items]  # all, before anything changes
        for position, value in zip(positions, items, strict=True):
            self[position] = value

    def __delitem__(self, index: Any) -> None:
        if not isinstance(index, slice):
            position = self._position(index)
            self._splice(position, position + 1, [])
            return
        positions = range(*index.indices(len(self)))
        if not positions:
            return
        if positions.step < 0:
            positions = positions[::-1]
        if positions.step == 1:
            self._splice(positions.start, positions.stop, [])
        elif len(positions) <= _PIECES_AT_ONCE:
            for position in reversed(positions):
                self._splice(position, position + 1, [])
        else:
            slots = self._slots()
            gone = slots[positions.start : positions.stop : positions.step]
            del slots[positions.start : positions.stop : positions.step]
            self._rearrange(slots)
            self._release(gone)

    def _rearrange(self, slots: list[Slot]) -> None:
        """Let it be made of slots."""
        self._touch()
        self._children.clear()
        self._kept.clear()
        self._pieces = [slots] if slots else []
        self._length = len(slots)
        self._ends = None

    def insert(self, index: int, value: Any) -> None:
        """Insert before an index, as a list does: one beyond an end means that end."""
        start, _, _ = slice(as_index(index), None).indices(len(self))
        self._splice(start, start, [value])

    def append(self, value: Any) -> None:
        """Put one item at the end."""
        length = len(self)
        self._splice(length, length, [value])

    def extend(self, values: Iterable[Any]) -> None:
        """Put items at the end."""
        items = list(values)
        length = len(self)
        self._splice(length, length, items)

    def __iadd__(self, values: Iterable[Any]) -> ListDraft:  # type: ignore[misc]  # noqa: PYI034 - a draft is never subclassed
        self.extend(values)
        return self

    def __imul__(self, times: int) -> ListDraft:  # noqa: PYI034 - a draft is never subclassed
        count = as_index(times)
        if count < 1:
            self.clear()
        else:
            self.extend(list(self) * (count - 1))
        return self

    def pop(self, index: int = -1) -> Any:
        """Take an item out and give it."""
        index = as_index(index)
        if not len(self):
            raise IndexError("pop from empty list")
        try:
            position = self._position(index)
        except IndexError:
            raise IndexError("pop index out of range") from None
        value = self._get(position)
        self._splice(position, position + 1, [])
        return value

    def clear(self) -> None:
        """Take all items out."""
        self._splice(0, len(self), [])

    def reverse(self) -> None:
        """Reverse the order; reads all."""
        self._session.check()
        self._rearrange(self._slots()[::-1])

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort, stable; reads all."""
        values = list(self)
        if key is None:
            keys = [value.load() if isinstance(value, Draft) else value for value in values]
        else:
            keys = [key(value) for value in values]
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)
        if len(self) != len(order):
            raise ValueError("list modified during sort")
        slots = self._slots()  # not before: what is taken as slots must be arranged anew
        self._rearrange([slots[at] for at in order])

    def _clone_into(self, copy: ListDraft) -> None:
        copy._pieces = [
            piece if isinstance(piece, range) else [self._copied_slot(slot, copy) for slot in piece]
            for piece in self._pieces
        ]
        copy._length = self._length
        for place, child in self._kept.items():
            twin = child._copied(copy)
            twin._place = place
            copy._children[place] = copy._kept[place] = twin
