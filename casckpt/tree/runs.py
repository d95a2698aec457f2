"""One list on its way into a tree: runs that are as before are taken over, others encoded.

At every place where a leaf begins, the old list is asked for chunks that began at the same
item (or at the item shifted by what was inserted or removed); where the fingerprints of
their leaves are those of the new items, the largest such chunk is taken over whole.

Invariants: as `tree.fast`.

Imports: errors, ids, format (cbor, constants), tree (assembly, guide, spine, split).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from casckpt.errors import InvalidInputError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId, fingerprint
from casckpt.tree.assembly import Assembly, Mark
from casckpt.tree.guide import (
    ChunkGuide,
    ListGuide,
    OpenLeaf,
    print_of,
    proof_of,
    written_on,
    written_out,
)
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import ends_chunk

__all__ = ["ListRun"]

Write = Callable[[Any, int], bytes]
"""Encodes one item at a depth, as it stands in its parent."""


class ListRun:
    """Builds the tree of one list or tuple."""

    def __init__(
        self,
        assembly: Assembly,
        write: Write,
        items: Sequence[Any],
        old: ListGuide | None,
        base: ObjectId | None,
        *,
        guided: bool,
    ) -> None:
        """Prepare.

        Args:
            assembly: the build it belongs to.
            write: for items.
            items: the list.
            old: the guide of its earlier version.
            base: an object that holds the earlier version's open leaf.
            guided: make a guide for the next version.
        """
        self._assembly = assembly
        self._write = write
        self._items = items
        self._old = old
        self._base = base
        self._guided = guided
        self._spine = Spine(assembly.sink)
        self._position = 0
        self._taken: tuple[int, bytes] | None = None
        """How many items of the old open leaf were taken, and these written out."""
        self._resembled: ObjectId | None = base
        """What the leaf being written resembles."""

    def begin(self, entries: list[bytes], mark: Mark) -> None:
        """Take the first leaf, whose entries were written since `mark`."""
        self._close(entries, mark, None)
        self._position = len(entries)

    def _close(self, entries: list[bytes], mark: Mark, print_: bytes | None) -> None:
        """Put a full leaf."""
        payload = cbor.head(cbor.ARRAY, len(entries)) + b"".join(entries)
        oid, size = self._assembly.close(c.KIND_LIST_LEAF, payload, mark, self._resembled)
        self._spine.push(0, reference(oid, len(entries), size, print_=print_), self._base)

    def form(self, prefix: bytes, depth: int) -> bytes:
        """The list's encoding behind `prefix`."""
        assembly = self._assembly
        outer, opaque = assembly.opaque, False
        start = len(assembly.links)
        while True:
            self._take_over()
            mark, first = assembly.mark(), self._position
            assembly.opaque = False
            entries = self._take_open()
            closed = self._leaf(entries, depth)
            opaque |= assembly.opaque
            if not closed:
                break
            written = self._written(first)
            self._close(entries, mark, None if written is None else fingerprint(written))
        payload = cbor.head(cbor.ARRAY, len(entries)) + b"".join(entries)
        if self._guided:
            links = tuple(assembly.links[mark[0] :])
            proof = proof_of(self._written(first)) if entries else None
            self._open = OpenLeaf(entries, proof, links, assembly.linked - mark[1])
        assembly.opaque = outer or opaque
        if not self._spine:
            return prefix + payload
        tops = self._spine.tops()
        assembly.links[start:start] = [chunk.oid for _, chunk in tops]
        assembly.linked += sum([chunk.size for _, chunk in tops])
        return self._spine.form(prefix, c.TAG_LIST_TREE, payload)

    def guide(self, oid: ObjectId | None) -> ListGuide:
        """For the next version; `oid` is the object that the form became, if it did."""
        return ListGuide(self._spine.tops(), self._open, oid)

    def _written(self, first: int) -> bytes | None:
        """The items since `first` as they are fingerprinted, if that proves their encodings."""
        taken, self._taken = self._taken, None
        if not self._guided or self._assembly.opaque:
            return None
        if taken is None:
            return written_out(self._items[first : self._position])
        count, run = taken
        more = written_out(self._items[first + count : self._position])
        return None if more is None else written_on(run, more, self._position - first)

    def _leaf(self, entries: list[bytes], depth: int) -> bool:
        """Encode items into `entries` until a leaf is full (True) or the items end."""
        write, items = self._write, self._items
        size = sum(map(len, entries))
        position, end = self._position, len(items)
        try:
            while position < end:
                entry = write(items[position], depth)
                position += 1
                entries.append(entry)
                width = len(entry)
                size += width
                if size >= c.CHUNK_BYTES_MIN and ends_chunk(0, size, len(entries), width, entry):
                    return True
        except InvalidInputError as error:
            error.details.setdefault("steps", []).append(position)
            raise
        finally:
            self._position = position
        return False

    def _take_open(self) -> list[bytes]:
        """The entries of the old open leaf, if the list goes on as it did there."""
        old = self._old
        if old is None or self._position != old.closed or old.open.proof is None:
            return []
        count = len(old.open.entries)
        if len(self._items) < self._position + count:
            return []
        written = written_out(self._items[self._position : self._position + count])
        if written is None or proof_of(written) != old.open.proof:
            return []
        self._taken = count, written
        self._position += count
        self._assembly.links += old.open.links
        self._assembly.linked += old.open.linked
        return list(old.open.entries)

    def _take_over(self) -> None:
        """Push old chunks as long as the items go on as in the old list."""
        old = self._old
        if old is None:
            return
        shift = len(self._items) - old.items
        while self._take_chunk(old, 0) or (shift and self._take_chunk(old, shift)):
            pass

    def _take_chunk(self, old: ListGuide, shift: int) -> bool:
        """Push what began at this item (less `shift`) before, if it is unchanged."""
        found = old.at(self._position - shift)
        if not found:
            self._resembled = self._base
            return False
        self._resembled = found[-1][1].oid
        for level, chunk in found:
            if not self._spine.aligned(level):
                continue
            leaves = chunk.leaves()
            same = self._unchanged(leaves)
            if same == len(leaves):
                self._spine.push(level, chunk, self._base)
                self._position += chunk.items
                return True
            for leaf in leaves[:same]:
                self._spine.push(0, leaf, self._base)
                self._position += leaf.items
            return same > 0
        return False

    def _unchanged(self, leaves: list[ChunkGuide]) -> int:
        """How many of these leaves hold just the items that come now."""
        at, items = self._position, self._items
        for count, leaf in enumerate(leaves):
            end = at + leaf.items
            if leaf.print is None or end > len(items) or print_of(items[at:end]) != leaf.print:
                return count
            at = end
        return len(leaves)
