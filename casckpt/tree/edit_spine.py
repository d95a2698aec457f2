"""The growing right edge of a tree that is mostly as before.

As `spine.Spine`, but references that stay are taken as runs of bytes, so that what lies
before the first change costs next to nothing, however much it is.

Invariants: as `tree.spine`; what is put in by `preload` is the beginning of a chunk as it
was, so no cut can be inside it.

Imports: ids, format (cbor, constants), tree (native, edit_tree, source, split).
"""

from __future__ import annotations

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.edit_tree import Refs
from casckpt.tree.source import ObjectSink
from casckpt.tree.split import ends_chunk

__all__ = ["EditSpine"]


class _Level:
    """The open chunk over the closed chunks of one level."""

    __slots__ = ("ids", "items", "key", "linked", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        """Bytes of the parts."""
        self.ids: list[ObjectId] = []
        self.items = 0
        self.linked = 0
        self.key = b""


class EditSpine:
    """The open chunks of levels 1 and up."""

    __slots__ = ("_keyed", "_levels", "_sink", "olds")

    def __init__(self, sink: ObjectSink, *, keyed: bool) -> None:
        self._sink = sink
        self._keyed = keyed
        self._levels: list[_Level] = []
        self.olds: dict[int, ObjectId] = {}
        """By level: the old node that a new one resembles."""

    def aligned(self, level: int) -> bool:
        """Whether a closed chunk of `level` (0: a leaf) may be pushed as it is."""
        return not any(below.ids for below in self._levels[:level])

    def preload(self, level: int, refs: Refs, start: int, stop: int) -> None:
        """Add references of which it is known that no chunk ends behind any."""
        if start == stop:
            return
        to = self._level(level)
        body = refs.body
        if start or stop < refs.count:
            body = body[refs.ends[start] : refs.ends[stop]]
        to.parts.append(body)
        to.size += len(body)
        to.ids += refs.ids[start:stop]
        to.items += refs.starts[stop] - refs.starts[start]
        to.linked += sum(refs.sizes[start:stop])
        if self._keyed:
            to.key = refs.keys[stop - 1]

    def push_run(self, level: int, refs: Refs, start: int, stop: int, *, closed: bool) -> None:
        """Add old references.

        Args:
            level: that of the chunks they are to.
            refs: where they stand.
            start: the first.
            stop: the one behind the last.
            closed: a chunk ended behind the last of `refs`.
        """
        body, ends, keyed = refs.body, refs.ends, self._keyed
        to = self._level(level)
        if to.size == ends[start] and len(to.ids) == start:
            # So far this chunk is as long as the old one was, so it ends where that one did.
            end = stop - 1 if closed and stop == refs.count else stop
            self.preload(level, refs, start, end)
            start = end
        for at in range(start, stop):
            end = ends[at + 1]
            entry = body[ends[at] : end]
            to.parts.append(entry)
            to.size += len(entry)
            to.ids.append(refs.ids[at])
            to.items += refs.items[at]
            to.linked += refs.sizes[at]
            if to.size < c.CHUNK_BYTES_MIN:
                continue
            hashed = refs.keys[at] if keyed else entry
            if ends_chunk(level + 1, to.size, len(to.ids), len(entry), hashed):
                to.key = hashed
                self._close(level, to)
                to = self._level(level)
        if keyed:
            to.key = refs.keys[stop - 1]

    def push(self, level: int, oid: ObjectId, items: int, size: int, key: bytes) -> None:
        """Add the reference to a new closed chunk."""
        entry = native.triple(oid, items, size)
        if self._keyed:
            entry = cbor.encode_bytes(key) + entry
        to = self._level(level)
        to.parts.append(entry)
        to.size += len(entry)
        to.ids.append(oid)
        to.items += items
        to.linked += size
        to.key = key
        hashed = key if self._keyed else entry
        if ends_chunk(level + 1, to.size, len(to.ids), len(entry), hashed):
            self._close(level, to)

    def _level(self, level: int) -> _Level:
        while level >= len(self._levels):
            self._levels.append(_Level())
        return self._levels[level]

    def _close(self, level: int, to: _Level) -> None:
        """Make a node of a full chunk of references to chunks of `level`."""
        self._levels[level] = _Level()
        level += 1
        fields = (4 if self._keyed else 3) * len(to.ids) + 1
        head = cbor.head(cbor.ARRAY, fields) + cbor.head(0, level)
        payload = head + b"".join(to.parts)
        kind = c.KIND_MAP_NODE if self._keyed else c.KIND_NODE
        node = self._sink.put(kind, payload, tuple(to.ids), self.olds.get(level))
        self.push(level, node, to.items, len(payload) + to.linked, to.key)

    def close(self) -> bool:
        """Drop the levels on top that came to nothing; whether any is left."""
        while self._levels and not self._levels[-1].ids:
            self._levels.pop()
        return bool(self._levels)

    def form(self, tag: int, open_leaf: bytes, first: bytes = b"") -> bytes:
        """The encoding of the tree's top; `first` stands before the levels (a map's order)."""
        count = len(self._levels) + 1 + bool(first)
        parts = [cbor.head(cbor.TAG, tag), cbor.head(cbor.ARRAY, count), first]
        fields = 4 if self._keyed else 3
        for level in reversed(self._levels):
            parts.append(cbor.head(cbor.ARRAY, fields * len(level.ids)))
            parts += level.parts
        parts.append(open_leaf)
        return b"".join(parts)

    def links(self) -> tuple[list[ObjectId], int]:
        """What the top refers to, in order, and the bytes there and below."""
        ids: list[ObjectId] = []
        for level in reversed(self._levels):
            ids += level.ids
        return ids, sum(level.linked for level in self._levels)
