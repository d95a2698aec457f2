"""What a builder remembers of the last value it built, to recognise what did not change.

A guide holds fingerprints of parts of a value (BLAKE3 of `marshal.dumps(part, 2)`, which
writes the exact types and contents of built-in values) beside what those parts became.
Where the fingerprint is the same, the part is the same, and what it became is used again.
Neither identity nor `==` is ever asked: both lie for values that are changed in place or
are merely equal.

Invariants: a guide only speeds building up, it never changes the result; it holds no
reference to the user's values that can change; it says how much memory it takes, about; a part that marshal does not write exactly (bytes against
bytearray, and everything above the native types) has no fingerprint.

Imports: ids (fingerprint, ObjectId), format (constants).
"""

from __future__ import annotations

import marshal
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Any, NamedTuple

from casckpt.format.constants import BLOB_BYTES_MAX, CHUNK_BYTES_TARGET
from casckpt.ids import ObjectId, fingerprint

__all__ = [
    "SHORT_LIST",
    "BlobGuide",
    "ChunkGuide",
    "Guide",
    "ListGuide",
    "OpenLeaf",
    "Piece",
    "UnitGuide",
    "print_of",
    "proof_of",
    "worth_a_guide",
    "written_on",
    "written_out",
]

SHORT_LIST = 16
"""A list up to this long is written at a go, unless something in it is large."""
_NESTING = frozenset((list, tuple, dict, str, bytes))
_MARSHAL_VERSION = 2  # exact for built-in types; later versions write shared references
_RUN_HEAD_BYTES = 5  # a list or tuple begins with its type and the number of its items
_PROOF_BYTES_MAX = 32768  # comparing is quicker than hashing; a leaf is at most half as long
_OBJECT_BYTES = 48
"""Of a short object of Python's and a reference to it."""
_GUIDE_BYTES = 400
_CHUNK_BYTES = 430
"""Of a `ChunkGuide` and all that is its own; there is one to about 4 KB of payload."""
_PIECE_BYTES = 240


def print_of(part: Any) -> bytes | None:
    """The fingerprint of a part; None if marshal cannot write it."""
    written = written_out(part)
    return None if written is None else fingerprint(written)


def written_out(part: Any) -> bytes | None:
    """What is hashed for a fingerprint."""
    try:
        return marshal.dumps(part, _MARSHAL_VERSION)
    except ValueError:
        return None


def written_on(run: bytes, more: bytes, count: int) -> bytes:
    """Two runs of a list, written out, as the one run of `count` items that they are."""
    return run[:1] + count.to_bytes(4, "little") + run[_RUN_HEAD_BYTES:] + more[_RUN_HEAD_BYTES:]


def proof_of(written: bytes | None) -> bytes | None:
    """What proves something unchanged that will be asked for once more: itself, if it is short."""
    return written if written is None or len(written) <= _PROOF_BYTES_MAX else fingerprint(written)


def worth_a_guide(item: Any) -> bool:
    """Whether there may be enough below an item of a dict for a guide to save work."""
    kind = type(item)
    if kind is dict:
        return True
    if kind is list or kind is tuple:
        return len(item) > SHORT_LIST or any(type(inner) in _NESTING for inner in item)
    return (kind is str or kind is bytes) and len(item) > BLOB_BYTES_MAX >> 2


class ChunkGuide:
    """A closed chunk of a list: of items (level 0) or of chunks."""

    __slots__ = ("children", "entry", "items", "key", "oid", "print", "size")

    def __init__(
        self,
        oid: ObjectId,
        entry: bytes,
        items: int,
        size: int,
        key: bytes | None,
        print_: bytes | None,
        children: tuple[ChunkGuide, ...],
    ) -> None:
        self.oid = oid
        self.entry = entry
        """The reference to it, as it stands one level up."""
        self.items = items
        self.size = size
        """Bytes of payload in it and below it."""
        self.key = key
        """In a map: its last key."""
        self.print = print_
        self.children = children

    def leaves(self) -> list[ChunkGuide]:
        """The leaves below it, or itself if it is one."""
        if not self.children:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


class OpenLeaf(NamedTuple):
    """The entries of a list's last, open leaf, and what belongs to them alone."""

    entries: list[bytes]
    proof: bytes | None
    """The items written out (`proof_of`)."""
    links: tuple[ObjectId, ...]
    linked: int

    @property
    def memory(self) -> int:
        """Bytes, about."""
        written = sum(map(len, self.entries)) + _OBJECT_BYTES * len(self.entries)
        return written + len(self.proof or b"") + _OBJECT_BYTES * len(self.links)


class ListGuide:
    """A list or tuple: its closed chunks, and its open leaf."""

    __slots__ = ("_starts", "_tops", "closed", "memory", "oid", "open")

    def __init__(
        self, tops: list[tuple[int, ChunkGuide]], open_: OpenLeaf, oid: ObjectId | None
    ) -> None:
        self._tops = tops
        """(level, chunk) in order, as they stand in the tree's top."""
        self._starts = list(accumulate((chunk.items for _, chunk in tops), initial=0))
        self.closed = self._starts[-1]
        """Items in closed leaves."""
        self.open = open_
        self.oid = oid
        """The object of the top, if it has one."""
        size = sum(chunk.size for _, chunk in tops)
        self.memory: int = _GUIDE_BYTES + size * _CHUNK_BYTES // CHUNK_BYTES_TARGET + open_.memory

    @property
    def items(self) -> int:
        """How many items the list had."""
        return self.closed + len(self.open.entries)

    def at(self, position: int) -> list[tuple[int, ChunkGuide]]:
        """(level, chunk) of the closed chunks that begin at this item, the largest first."""
        if not 0 <= position < self.closed:
            return []
        index = bisect_left(self._starts, position)
        if self._starts[index] != position:
            index -= 1
        level, chunk = self._tops[index]
        start = self._starts[index]
        found = []
        while True:
            if start == position:
                found.append((level, chunk))
            if not chunk.children:
                return found
            level -= 1
            for child in chunk.children:
                if start + child.items > position:
                    chunk = child
                    break
                start += child.items


class UnitGuide:
    """A dict: what it became as a whole, or its larger values."""

    __slots__ = ("children", "entry", "linked", "links", "mapped", "memory", "oid", "print")

    def __init__(
        self,
        print_: bytes | None,
        entry: bytes,
        links: tuple[ObjectId, ...],
        linked: int,
        oid: ObjectId | None,
        children: dict[Any, Guide],
        mapped: Any = None,
    ) -> None:
        self.print = print_
        self.entry = entry
        self.links = links
        self.linked = linked
        self.oid = oid
        self.children = children
        self.mapped = mapped
        """Of a dict that is a tree: its leaves (tree.mapped)."""
        below = sum([child.memory for child in children.values()])
        if mapped is not None:
            below += mapped.memory
        self.memory: int = _GUIDE_BYTES + len(entry) + _OBJECT_BYTES * len(links) + below


class Piece(NamedTuple):
    """A piece of a long str or bytes."""

    size: int
    """Bytes."""
    oid: ObjectId
    items: int
    """Code points of a str, bytes of a bytes."""


class BlobGuide:
    """A long str or bytes: where its pieces began, and what they are."""

    __slots__ = ("_starts", "last", "memory", "pieces", "tag", "total")

    def __init__(self, pieces: dict[int, Piece], total: int, tag: int) -> None:
        self.tag = tag
        """TAG_STR_TREE or TAG_BYTES_TREE: they are cut by different rules."""
        self.pieces = pieces
        """By where they begin (bytes), in order."""
        self.total = total
        self.last = next(reversed(pieces.values()))
        self._starts: list[int] = []
        self.memory: int = _GUIDE_BYTES + _PIECE_BYTES * len(pieces)

    def piece_with(self, at: int) -> Piece | None:
        """The piece that has the byte at this place."""
        if not 0 <= at < self.total:
            return None
        self._starts = self._starts or list(self.pieces)
        return self.pieces[self._starts[bisect_right(self._starts, at) - 1]]


Guide = ListGuide | UnitGuide | BlobGuide
