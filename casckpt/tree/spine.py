"""The growing right edge of a tree: closed leaves come in, levels close behind them.

Invariants: the same references in the same order give the same levels, whether they were
built anew or taken over; a whole closed chunk may be taken over only where every level
below it is empty (`aligned`), because a chunk depends on nothing before its first entry.

Imports: ids, format (cbor, constants), tree (native, guide, source, split).
"""

from __future__ import annotations

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.guide import ChunkGuide
from casckpt.tree.source import ObjectSink
from casckpt.tree.split import ends_chunk

__all__ = ["Spine", "reference"]


def reference(
    oid: ObjectId,
    items: int,
    size: int,
    *,
    key: bytes | None = None,
    print_: bytes | None = None,
    children: tuple[ChunkGuide, ...] = (),
) -> ChunkGuide:
    """A closed chunk with its reference; `key` is its last key, in a map."""
    entry = native.triple(oid, items, size)
    if key is not None:
        entry = cbor.encode_bytes(key) + entry
    return ChunkGuide(oid, entry, items, size, key, print_, children)


class Spine:
    """The open chunks of levels 1 and up."""

    __slots__ = ("_bare", "_keyed", "_levels", "_sink", "_sizes")

    def __init__(self, sink: ObjectSink, *, keyed: bool = False, bare: bool = False) -> None:
        """Prepare.

        Args:
            sink: where closed nodes go.
            keyed: of a map.
            bare: closed nodes forget what is in them; what is below cannot be taken over later.
        """
        self._sink = sink
        self._bare = bare
        self._keyed = keyed
        self._levels: list[list[ChunkGuide]] = []
        self._sizes: list[int] = []

    def copy(self, sink: ObjectSink) -> Spine:
        """One that grows on by itself."""
        twin = Spine(sink, keyed=self._keyed, bare=self._bare)
        twin._levels = [list(entries) for entries in self._levels]
        twin._sizes = list(self._sizes)
        return twin

    def __bool__(self) -> bool:
        return bool(self._levels)

    def aligned(self, level: int) -> bool:
        """Whether a closed chunk of `level` (0: a leaf) may be pushed as it is."""
        return not any(self._levels[:level])

    def push(self, level: int, chunk: ChunkGuide, base: ObjectId | None = None) -> None:
        """Add a closed chunk of `level`; `base` is what a node closed by it resembles."""
        while True:
            while level >= len(self._levels):
                self._levels.append([])
                self._sizes.append(0)
            entries = self._levels[level]
            entries.append(chunk)
            width = len(chunk.entry)
            size = self._sizes[level] = self._sizes[level] + width
            hashed = chunk.entry if chunk.key is None else chunk.key
            if not ends_chunk(level + 1, size, len(entries), width, hashed):
                return
            self._levels[level] = []
            self._sizes[level] = 0
            level += 1
            chunk = self._closed(entries, level, base)

    def _closed(self, entries: list[ChunkGuide], level: int, base: ObjectId | None) -> ChunkGuide:
        fields = (4 if self._keyed else 3) * len(entries) + 1
        body = b"".join([entry.entry for entry in entries])
        payload = cbor.head(cbor.ARRAY, fields) + cbor.head(0, level) + body
        kind = c.KIND_MAP_NODE if self._keyed else c.KIND_NODE
        oid = self._sink.put(kind, payload, tuple([entry.oid for entry in entries]), base)
        items = sum([entry.items for entry in entries])
        size = len(payload) + sum([entry.size for entry in entries])
        below = () if self._bare else tuple(entries)
        return reference(oid, items, size, key=entries[-1].key, children=below)

    def form(self, prefix: bytes, tag: int, open_leaf: bytes = b"", first: bytes = b"") -> bytes:
        """The encoding of the tree's top.

        Args:
            prefix: what goes before it.
            tag: the tree's tag.
            open_leaf: the encoding of the open leaf; empty: the tree has none (a blob).
            first: what stands before the levels (a map's order).
        """
        count = len(self._levels) + bool(open_leaf) + bool(first)
        parts = [prefix, cbor.head(cbor.TAG, tag), cbor.head(cbor.ARRAY, count), first]
        fields = 4 if self._keyed else 3
        for entries in reversed(self._levels):
            parts.append(cbor.head(cbor.ARRAY, fields * len(entries)))
            parts += [entry.entry for entry in entries]
        parts.append(open_leaf)
        return b"".join(parts)

    def tops(self) -> list[tuple[int, ChunkGuide]]:
        """(level, chunk) of the chunks that the top refers to, in order."""
        highest = len(self._levels) - 1
        return [
            (highest - depth, chunk)
            for depth, entries in enumerate(reversed(self._levels))
            for chunk in entries
        ]
