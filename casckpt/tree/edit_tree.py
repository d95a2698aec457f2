"""A stored list, set or large dict as an editor sees it: references and entries, all encoded.

Places are counted in entries, from the first of the first leaf: in a map along its keys.

Invariants: only what is asked for is read, nodes once; entries stay as they were written;
counts are checked against what is found.

Imports: errors, ids, format (cbor, constants), tree (edit_bytes, source).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree.edit_bytes import head_at, reference_ends, skip, split, split_pairs
from casckpt.tree.source import ObjectSource

__all__ = ["Leaf", "Place", "Refs", "StoredTree"]

_PLAIN = cbor.decoders({})
_LEAVES_KEPT = 64
"""Leaves kept taken apart, of one tree."""
_SEARCHED_MAX = 16
"""So many entries are looked for in a leaf's bytes before it is taken apart."""
_ANY_TREE = (c.TAG_LIST_TREE, c.TAG_MAP_TREE)


class Refs:
    """The references in one open chunk or node, not decoded until they are needed."""

    __slots__ = ("_ends", "body", "count", "ids", "items", "keys", "sizes", "starts")

    def __init__(
        self, array: bytes, body: bytes, *, skipped: int, keyed: bool, ends: list[int] | None = None
    ) -> None:
        """Parse.

        Args:
            array: the encoded array.
            body: the same without its head and the items to be skipped.
            skipped: items before the first reference.
            keyed: of a map.
            ends: where each reference ends in the body, if that is known.
        """
        flat: Any = cbor.decode(array, _PLAIN)
        width = 4 if keyed else 3
        if type(flat) is not list or (len(flat) - skipped) % width:
            raise _wrong("malformed references")
        first = skipped + 1 if keyed else skipped
        self.body = body
        """The encodings of all references."""
        self.ids: list[ObjectId] = flat[first::width]
        self.items: list[int] = flat[first + 1 :: width]
        self.sizes: list[int] = flat[first + 2 :: width]
        self.keys: list[bytes] = flat[skipped::width] if keyed else []
        self.count = len(self.ids)
        numbers, names = self.items + self.sizes, self.ids + self.keys
        good = {*map(type, numbers)} <= {int} and min(numbers, default=1) > 0
        good &= {*map(type, names)} <= {bytes} and {*map(len, self.ids)} <= {ID_BYTES}
        if not good:
            raise _wrong("malformed references")
        self.starts: list[int] = list(accumulate(self.items, initial=0))
        """Where each begins, counted from the first; then where the last ends."""
        self._ends = ends

    @property
    def ends(self) -> list[int]:
        """How many bytes of the body the first 0, 1, ... references are."""
        if self._ends is None:
            keyed = bool(self.keys)
            self._ends = reference_ends(self.body, 0, self.count, keyed=keyed)
        return self._ends


class Leaf(NamedTuple):
    """The entries of one leaf."""

    oid: ObjectId | None
    """None: the open leaf."""
    start: int
    """The place of its first entry."""
    keys: list[bytes]
    """In a map, the encoded keys; else the entries."""
    entries: list[bytes]
    """In a map, of key and value."""

    @property
    def stop(self) -> int:
        """The place behind its last entry."""
        return self.start + len(self.entries)


class Place(NamedTuple):
    """A closed chunk that begins at some place: where its reference stands."""

    level: int
    """Of the chunk: 0 for a leaf."""
    refs: Refs
    number: int
    start: int
    """The place where the first chunk of `refs` begins."""
    parent: ObjectId | None
    """The node that `refs` are of; None: they are an open chunk."""


class StoredTree:
    """One list, set (as the list it is written as) or map."""

    def __init__(self, source: ObjectSource, form: bytes, at: int = 0) -> None:
        """Parse the top, up to the open leaf.

        Args:
            source: where its chunks are.
            form: the encoding of an array, a map, or the top of a tree of either.
            at: where it begins.

        Raises:
            CorruptError: it is none.
        """
        self._source = source
        self._nodes: dict[ObjectId, Refs] = {}
        self._leaves: dict[int, Leaf] = {}
        self._recent: Leaf | None = None
        major, n, at = head_at(form, at)
        self.order: bytes | None = None
        """Of a map that is a tree: its order, encoded."""
        self.levels: list[Refs] = []
        """The open chunks, the highest first, down to the references to leaves."""
        self.keyed = n == c.TAG_MAP_TREE if major == cbor.TAG else major == cbor.MAP
        if major == cbor.TAG:
            if n not in _ANY_TREE:
                raise _wrong("no list, set or dict where one belongs")
            at = self._parse_levels(form, at)
            major, n, at = head_at(form, at)
        if major != (cbor.MAP if self.keyed else cbor.ARRAY):
            raise _wrong("a tree without its open leaf")
        self.open_count = n
        self.open_body = form[at:]
        """The encodings of the open leaf's entries."""
        counts = [refs.starts[-1] for refs in self.levels]
        self.starts: list[int] = list(accumulate(counts, initial=0))
        """Where each level begins; then where the open leaf does."""
        self.closed = self.starts[-1]
        """How many entries are in closed leaves."""

    def __len__(self) -> int:
        return self.closed + self.open_count

    def _parse_levels(self, form: bytes, at: int) -> int:
        _, arrays, at = head_at(form, at)
        if self.keyed:
            end = skip(form, at)
            self.order = form[at:end]
            at, arrays = end, arrays - 1
        if not 1 < arrays <= c.TREE_LEVEL_MAX + 1:
            raise _wrong(f"a tree of {arrays - 1} levels")
        width = 4 if self.keyed else 3
        for _ in range(arrays - 1):
            _, fields, body = head_at(form, at)
            ends = reference_ends(form, body, fields // width, keyed=self.keyed)
            end = body + ends[-1]
            refs = Refs(form[at:end], form[body:end], skipped=0, keyed=self.keyed, ends=ends)
            self.levels.append(refs)
            at = end
        return at

    # Reading.

    def children(self, place: Place) -> Refs:
        """The references in the node at a place of level 1 or higher."""
        oid = place.refs.ids[place.number]
        found = self._nodes.get(oid)
        if found is None:
            kind = c.KIND_MAP_NODE if self.keyed else c.KIND_NODE
            payload = self._source.get(oid, kind)
            _, _, body = head_at(payload, 0)
            _, level, body = head_at(payload, body)
            found = Refs(payload, payload[body:], skipped=1, keyed=self.keyed)
            if level != place.level or found.starts[-1] != place.refs.items[place.number]:
                raise _wrong("a node whose level or counts are wrong")
            self._nodes[oid] = found
        return found

    def leaf(self, at: int) -> Leaf:
        """The leaf with the entry at a place (or the open leaf, which may be empty)."""
        leaf = self._recent
        if leaf is not None and leaf.start <= at < leaf.stop:
            return leaf
        oid, start, items = None, self.closed, self.open_count
        if at < self.closed:
            *_, place = self.way(at)
            start = place.start + place.refs.starts[place.number]
            oid, items = place.refs.ids[place.number], place.refs.items[place.number]
        leaf = self._leaves.get(start)
        if leaf is None:
            leaf = self._leaf(oid, start, items)
            if len(self._leaves) >= _LEAVES_KEPT:
                del self._leaves[next(iter(self._leaves))]
            self._leaves[start] = leaf
        self._recent = leaf
        return leaf

    def _leaf(self, oid: ObjectId | None, start: int, items: int) -> Leaf:
        data, at = self.open_body, 0
        if oid is not None:
            data = self._payload(oid)
            _, count, at = head_at(data, 0)
            if count != items:
                raise _wrong("a leaf whose count is wrong")
        if self.keyed:
            return Leaf(oid, start, *split_pairs(data, at, items))
        entries = split(data, at, items)
        return Leaf(oid, start, entries, entries)

    def _payload(self, oid: ObjectId) -> bytes:
        kind = c.KIND_MAP_LEAF if self.keyed else c.KIND_LIST_LEAF
        return self._source.get(oid, kind)

    def entry(self, at: int) -> bytes:
        """The entry at a place."""
        leaf = self.leaf(at)
        return leaf.entries[at - leaf.start]

    def key(self, at: int) -> bytes:
        """The encoded key at a place; of a list, the entry."""
        leaf = self.leaf(at)
        return leaf.keys[at - leaf.start]

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(key, entry) at the places from start to stop, a leaf at a time."""
        end = len(self) if stop is None else stop
        while start < end:
            leaf = self.leaf(start)
            first, last = start - leaf.start, min(end, leaf.stop) - leaf.start
            yield from zip(leaf.keys[first:last], leaf.entries[first:last], strict=True)
            start = leaf.start + last

    # Finding.

    def way(self, at: int) -> Iterator[Place]:
        """The closed chunks around a place before the open leaf, the largest first."""
        depth = bisect_right(self.starts, at) - 1
        refs, start, level = self.levels[depth], self.starts[depth], len(self.levels) - depth - 1
        parent: ObjectId | None = None
        while True:
            index = bisect_right(refs.starts, at - start) - 1
            place = Place(level, refs, index, start, parent)
            yield place
            if not level:
                return
            parent = refs.ids[index]
            start += refs.starts[index]
            refs, level = self.children(place), level - 1

    def find(self, key: bytes) -> tuple[int, bytes | None]:
        """In a map: the place of a key, and its entry; else where it would be, and None."""
        leaf = self.leaf(self._near(key))
        index = bisect_left(leaf.keys, key)
        if index < len(leaf.keys) and leaf.keys[index] == key:
            return leaf.start + index, leaf.entries[index]
        return leaf.start + index, None

    def _near(self, key: bytes) -> int:
        """A place in the leaf of a map that has a key, if any has."""
        top = len(self.levels) - 1
        for depth, refs in enumerate(self.levels):
            index = bisect_left(refs.keys, key)
            if index == refs.count:
                continue
            start = self.starts[depth]
            for level in range(top - depth, 0, -1):
                below = self.children(Place(level, refs, index, start, None))
                start += refs.starts[index]
                refs = below
                index = bisect_left(refs.keys, key)
                if index == refs.count:
                    raise _wrong("a node whose keys end before its parent says")
            return start + refs.starts[index]
        return self.closed

    def rank(self, entry: bytes) -> tuple[int, bool]:
        """In a sorted list: the place of an entry and whether it is there."""
        low, high = 0, len(self)
        while low < high:
            leaf = self.leaf((low + high) // 2)
            if entry < leaf.entries[0]:
                high = leaf.start
            elif entry > leaf.entries[-1]:
                low = leaf.stop
            else:
                index = bisect_left(leaf.entries, entry)
                return leaf.start + index, leaf.entries[index] == entry
        return low, False

    def places_of(self, wanted: Collection[bytes]) -> list[int]:
        """The places of some entries of a list that has none twice, ascending.

        Reads leaf by leaf up to the last of them, but takes apart only those that have one.
        """
        found: list[int] = []
        few = len(wanted) <= _SEARCHED_MAX
        for oid, start, items in self._leaves_in_order():
            if len(found) == len(wanted):
                break
            data = self.open_body if oid is None else self._payload(oid)
            if few and not any(entry in data for entry in wanted):
                continue
            leaf = self._leaf(oid, start, items)
            found += [start + at for at, entry in enumerate(leaf.entries) if entry in wanted]
        return found

    def _leaves_in_order(self) -> Iterator[tuple[ObjectId | None, int, int]]:
        """(id, place of the first entry, entries) of all leaves, the open one last."""
        start, top = 0, len(self.levels) - 1
        for depth, refs in enumerate(self.levels):
            for oid, items in self._leaves_below(top - depth, refs):
                yield oid, start, items
                start += items
        yield None, start, self.open_count

    def _leaves_below(self, level: int, refs: Refs) -> Iterator[tuple[ObjectId, int]]:
        if not level:
            yield from zip(refs.ids, refs.items, strict=True)
            return
        for number in range(refs.count):
            below = self.children(Place(level, refs, number, 0, None))
            yield from self._leaves_below(level - 1, below)

    def last_key(self) -> bytes:
        """The highest key of a map, or member of a set; empty if it has none."""
        if self.open_count:
            return self.leaf(len(self) - 1).keys[-1]
        for refs in reversed(self.levels):
            if refs.count:
                return refs.keys[-1] if self.keyed else self.leaf(len(self) - 1).keys[-1]
        return b""

    def at_least(self, wanted: int) -> bool:
        """Whether its entries are so many bytes together."""
        total = len(self.open_body)
        for _ in self._closed_leaves():
            total += c.CHUNK_BYTES_MIN  # what every closed leaf has
            if total >= wanted:
                return True
        total = len(self.open_body)
        for oid in self._closed_leaves():
            payload = self._payload(oid)
            total += len(payload) - head_at(payload, 0)[2]
            if total >= wanted:
                return True
        return total >= wanted

    def _closed_leaves(self) -> Iterator[ObjectId]:
        top = len(self.levels) - 1
        for depth in range(top, -1, -1):  # the cheapest first
            for oid, _ in self._leaves_below(top - depth, self.levels[depth]):
                yield oid


def _wrong(what: str) -> CorruptError:
    return CorruptError(f"the store holds {what}")
