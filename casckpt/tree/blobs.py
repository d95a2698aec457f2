"""Long bytes and str on their way into a tree: pieces that are as before are taken over.

Invariants: as `tree.fast`. A piece is known by its id: it is hashed, not compared. Nothing of
the data is kept but ids and lengths.

Imports: ids, format (cbor, constants), tree (assembly, guide, native, spine, split).
"""

from __future__ import annotations

from collections.abc import Iterator

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId, view_id
from casckpt.tree import native
from casckpt.tree.assembly import Assembly
from casckpt.tree.guide import BlobGuide, Piece
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import WINDOW_BYTES, piece_ends

__all__ = ["BlobRun", "array_form", "formed"]

PIECES_MAX = 1 << 17
"""Pieces that are remembered of one value: those of the first 7 GB or so."""
_GUIDED_WINDOW = 1 << 18
"""Bytes mapped to bits where one piece at a time is looked for: two of the largest."""


class BlobRun:
    """Builds the tree of one long bytes or str, piece by piece."""

    def __init__(self, assembly: Assembly, tag: int, old: BlobGuide | None = None) -> None:
        """Prepare.

        Args:
            assembly: the build it belongs to.
            tag: TAG_BYTES_TREE or TAG_STR_TREE.
            old: the guide of its earlier version.
        """
        self._assembly = assembly
        self._tag = tag
        self._is_text = tag == c.TAG_STR_TREE
        self._old = old if old is not None and old.tag == tag else None
        self._spine = Spine(assembly.sink, bare=True)
        self._pieces: dict[int, Piece] = {}
        self._at = 0

    def grid(self, data: bytes | memoryview, cuts: list[int]) -> None:
        """Add everything, in pieces that end at these places."""
        for end in cuts:
            self.add(bytes(data[self._at : end]))

    def whole(self, data: bytes) -> None:
        """Add everything: the bytes, or the str in UTF-8."""
        window = _GUIDED_WINDOW if self._old is not None else WINDOW_BYTES
        shift = len(data) - self._old.total if self._old is not None else 0
        ends: Iterator[int] | None = None
        while self._at < len(data):
            taken = self._taken(data, shift)
            if taken is not None:
                self._push(taken)
                ends = None
                continue
            if ends is None:
                ends = piece_ends(data, self._at, is_text=self._is_text, window=window)
            self.add(data[self._at : next(ends)], shift)

    def part(self, data: bytes, *, is_all: bool) -> int:
        """Add what can be cut of a part of it; returns how many bytes.

        Args:
            data: what comes next.
            is_all: nothing comes behind it.
        """
        start, before = 0, self._at
        for end in piece_ends(data, is_text=self._is_text, before=before, is_all=is_all):
            self.add(data[start:end])
            start = end
        return start

    def add(self, piece: bytes, shift: int = 0) -> None:
        """Add the next piece.

        Args:
            piece: its bytes.
            shift: how much longer the data is than its earlier version, if that is known.
        """
        assembly = self._assembly
        oid = assembly.sink.put(c.KIND_CHUNK, piece, (), self._resembled(len(piece), shift))
        count = native.count_code_points(piece) if self._is_text else len(piece)
        self._push(Piece(len(piece), oid, count))

    def form(self, prefix: bytes) -> bytes:
        """The encoding behind `prefix`; the end of the building."""
        tops = self._spine.tops()
        self._assembly.links += [chunk.oid for _, chunk in tops]
        self._assembly.linked += sum([chunk.size for _, chunk in tops])
        return self._spine.form(prefix, self._tag)

    def guide(self) -> BlobGuide | None:
        """For the next version."""
        return BlobGuide(self._pieces, self._at, self._tag) if self._pieces else None

    def _push(self, piece: Piece) -> None:
        if len(self._pieces) < PIECES_MAX:
            self._pieces[self._at] = piece
        self._at += piece.size
        self._spine.push(0, reference(piece.oid, piece.items, piece.size))

    def _old_piece(self, shift: int) -> Piece | None:
        """The old piece that began here, counted from the beginning or from the end."""
        pieces = self._old.pieces if self._old is not None else {}
        return pieces.get(self._at) or pieces.get(self._at - shift)

    def _taken(self, data: bytes, shift: int) -> Piece | None:
        """The old piece that begins here, if these bytes are still the same."""
        piece = self._old_piece(shift)
        if piece is None or self._old is None:
            return None
        start, end = self._at, self._at + piece.size
        if piece == self._old.last and end != len(data):
            return None  # it ended because the data did, not because of what it holds
        if (start < c.CDC_LONG_FROM) != (start - shift < c.CDC_LONG_FROM):
            return None  # it may have been cut by the other rule
        if view_id(c.KIND_CHUNK, memoryview(data)[start:end]) != piece.oid:
            return None
        return piece

    def _resembled(self, size: int, shift: int) -> ObjectId | None:
        """What a new piece of so many bytes is best stored against."""
        piece = self._old_piece(shift)
        if piece is None and self._old is not None:
            # Behind a change the pieces end again where they ended before.
            piece = self._old.piece_with(self._at + size - 1 - shift)
        return piece.oid if piece is not None else None


def formed(
    assembly: Assembly,
    data: bytes,
    prefix: bytes,
    tag: int,
    old: BlobGuide | None,
) -> tuple[bytes, BlobGuide | None]:
    """The encoding of a str or bytes behind `prefix`; the guide if it is a tree.

    Args:
        assembly: the build it belongs to.
        data: the bytes, or the str in UTF-8.
        prefix: what goes before it.
        tag: that of the tree it would be.
        old: the guide of its earlier version.
    """
    if len(data) <= c.BLOB_BYTES_MAX:
        major = cbor.TEXT if tag == c.TAG_STR_TREE else cbor.BYTES
        return prefix + cbor.head(major, len(data)) + data, None
    run = BlobRun(assembly, tag, old)
    run.whole(data)
    return run.form(prefix), run.guide()


def array_form(assembly: Assembly, shape: list[int], data: bytes | memoryview) -> bytes:
    """The encoding of an array's items, cut on a grid of rows."""
    if len(data) <= c.BLOB_BYTES_MAX:
        return cbor.encode_bytes(bytes(data))
    run = BlobRun(assembly, c.TAG_BYTES_TREE)
    run.grid(data, native.array_cuts(shape, data))
    return run.form(b"")
