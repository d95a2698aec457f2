"""Old runs and new entries, in order, into a tree.

`keep` takes a range of the old tree's entries: whole closed chunks as they are wherever one
begins where the new tree has just closed (the largest that fits), and at the borders the
entries of a leaf. `add` takes one new entry.

Invariants: the tree is that of the same entries built anew, since a chunk depends on nothing
before its first entry; objects read and written are O(runs and new entries * levels).

Imports: ids, format (cbor, constants), tree (assembly, edit_bytes, edit_spine, edit_tree,
split).
"""

from __future__ import annotations

from bisect import bisect_right

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.assembly import Assembly
from casckpt.tree.edit_bytes import held
from casckpt.tree.edit_spine import EditSpine
from casckpt.tree.edit_tree import Place, StoredTree
from casckpt.tree.split import ends_chunk

__all__ = ["Merge"]


class Merge:
    """Builds one tree; what it links to goes to the assembly."""

    def __init__(
        self,
        assembly: Assembly,
        old: StoredTree | None,
        *,
        keyed: bool = False,
        base: ObjectId | None = None,
    ) -> None:
        """Prepare.

        Args:
            assembly: the build it belongs to. The links of an entry have to be on its account
                when the entry is added.
            old: what `keep` takes from.
            keyed: a map.
            base: an object that holds the old open leaf.
        """
        self._assembly = assembly
        self._old = old
        self._keyed = keyed
        self._base = base
        self._spine = EditSpine(assembly.sink, keyed=keyed)
        self._fresh = True
        self._start = len(assembly.links)
        self._begin()

    def _begin(self) -> None:
        """Open a leaf."""
        self._parts: list[bytes] = []
        self._size = 0
        self._count = 0
        self._mark = self._assembly.mark()
        self._resembled = self._base

    def add(self, entry: bytes, key: bytes = b"") -> None:
        """Add a new entry; of a map's key and value, with the key."""
        self._fresh = False
        width = len(entry)
        self._parts.append(entry)
        self._size += width
        self._count += 1
        if self._size < c.CHUNK_BYTES_MIN:
            return
        hashed = key if self._keyed else entry
        if ends_chunk(0, self._size, self._count, width, hashed):
            self._close(key)

    def _close(self, key: bytes) -> None:
        major, kind = cbor.ARRAY, c.KIND_LIST_LEAF
        if self._keyed:
            major, kind = cbor.MAP, c.KIND_MAP_LEAF
        payload = cbor.head(major, self._count) + b"".join(self._parts)
        oid, size = self._assembly.close(kind, payload, self._mark, self._resembled)
        self._spine.push(0, oid, self._count, size, key)
        self._begin()

    def keep(self, start: int, stop: int) -> None:
        """Take over the old entries from start to stop."""
        old = self._old
        if old is None or start >= stop:
            return
        if self._fresh and not start and old.levels:
            start = self._preload(old, stop)
        self._fresh = False
        while start < stop:
            taken = start
            if start < old.closed:
                if not self._count:
                    taken = self._take_chunks(old, start, stop)
            elif not self._count and start == old.closed:
                taken = self._take_open(old, start, stop)
            start = taken if taken > start else self._take_entries(old, start, stop)

    def _preload(self, old: StoredTree, stop: int) -> int:
        """Take all chunks before the leaf that `stop` is in; where that leaf begins."""
        spine, top = self._spine, len(old.levels) - 1
        for depth, refs in enumerate(old.levels):
            if stop >= old.starts[depth + 1]:
                spine.preload(top - depth, refs, 0, refs.count)
                continue
            start = old.starts[depth]
            for place in old.way(stop):
                spine.preload(place.level, place.refs, 0, place.number)
                self._passed(place)
                start = place.start + place.refs.starts[place.number]
            return start
        return old.closed

    def _take_chunks(self, old: StoredTree, start: int, stop: int) -> int:
        """Push the chunks that begin at `start` and end by `stop`; where they end."""
        spine = self._spine
        for place in old.way(start):
            self._passed(place)
            level, refs = place.level, place.refs
            if place.start + refs.starts[place.number] != start or not spine.aligned(level):
                continue
            last = bisect_right(refs.starts, stop - place.start) - 1
            if last <= place.number:
                continue
            spine.push_run(level, refs, place.number, last, closed=place.parent is not None)
            return place.start + refs.starts[last]
        return start

    def _passed(self, place: Place) -> None:
        """Note what a new node will resemble that takes the place of an old one."""
        if place.parent is not None:
            self._spine.olds[place.level + 1] = place.parent

    def _take_open(self, old: StoredTree, start: int, stop: int) -> int:
        """Take the whole open leaf as a leaf's beginning; where it ends."""
        if stop < len(old) or not old.open_count:
            return start
        self._take_run([old.open_body], old.open_count)
        return stop

    def _take_run(self, entries: list[bytes], count: int) -> None:
        """Take entries of which it is known that no chunk ends behind any."""
        body = b"".join(entries)
        links, linked = held(body, 0, 2 * count if self._keyed else count)
        self._assembly.links += links
        self._assembly.linked += linked
        self._parts.append(body)
        self._size += len(body)
        self._count += count

    def _take_entries(self, old: StoredTree, start: int, stop: int) -> int:
        """Take entries of one leaf, until a leaf begins both there and here."""
        leaf = old.leaf(start)
        if leaf.oid is not None:
            self._resembled = leaf.oid
        first, last = start - leaf.start, min(stop, leaf.stop) - leaf.start
        if not self._count and not first and (last < len(leaf.entries) or leaf.oid is None):
            self._take_run(leaf.entries[:last], last)
            return leaf.start + last
        keyed, assembly = self._keyed, self._assembly
        for key, entry in zip(leaf.keys[first:last], leaf.entries[first:last], strict=True):
            links, linked = held(entry, 0, 2 if keyed else 1)
            assembly.links += links
            assembly.linked += linked
            self.add(entry, key)
        return leaf.start + last

    def form(self, prefix: bytes, tag: int, first: bytes = b"") -> bytes:
        """The tree's encoding behind `prefix`; without a closed leaf, an array or map.

        Args:
            prefix: what stands before it.
            tag: the tree's tag.
            first: a map's order.
        """
        major = cbor.MAP if self._keyed else cbor.ARRAY
        leaf = cbor.head(major, self._count) + b"".join(self._parts)
        if not self._spine.close():
            return prefix + leaf
        links, linked = self._spine.links()
        self._assembly.links[self._start : self._start] = links
        self._assembly.linked += linked
        return prefix + self._spine.form(tag, leaf, first)
