"""Long bytes and str on their way into a tree: chunks that are as before are taken over.

Invariants: as `tree.fast`. A piece is known by its id: it is hashed, not compared.

Imports: ids, format (constants), tree (assembly, guide, native, spine, split).
"""

from __future__ import annotations

from casckpt.format import constants as c
from casckpt.ids import ObjectId, object_id
from casckpt.tree import native
from casckpt.tree.assembly import Assembly
from casckpt.tree.guide import BlobGuide
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import WINDOW_BYTES, blob_cuts, text_cuts

__all__ = ["BlobRun"]

_GUIDED_WINDOW = 4 * c.CDC_BYTES_MAX  # one chunk at a time is looked for


class BlobRun:
    """Builds the tree of one long bytes or str."""

    def __init__(
        self,
        assembly: Assembly,
        data: bytes,
        tag: int,
        old: BlobGuide | None,
        cuts: list[int] | None = None,
    ) -> None:
        """Prepare.

        Args:
            assembly: the build it belongs to.
            data: the bytes, or the str in UTF-8.
            tag: TAG_BYTES_TREE or TAG_STR_TREE.
            old: the guide of its earlier version.
            cuts: the ends of its pieces, if they are not found by content (arrays).
        """
        self._assembly = assembly
        self._data = data
        self._tag = tag
        self._old = old
        self._cuts = iter(cuts) if cuts is not None else None
        self._spine = Spine(assembly.sink)
        self._pieces: dict[int, tuple[int, ObjectId]] = {}

    def form(self, prefix: bytes) -> bytes:
        """The encoding behind `prefix`."""
        assembly, data = self._assembly, self._data
        text = self._tag == c.TAG_STR_TREE
        window = _GUIDED_WINDOW if self._old is not None else WINDOW_BYTES
        find = text_cuts if text else blob_cuts
        cuts = self._cuts if self._cuts is not None else find(data, window=window)
        start, total = 0, len(data)
        while start < total:
            taken = self._taken(start) if self._cuts is None else None
            if taken is not None:
                end, oid = taken
                piece = data[start:end]
                cuts = find(data, end, window=window)
            else:
                end = next(cuts)
                piece = data[start:end]
                oid = assembly.sink.put(c.KIND_CHUNK, piece, (), self._resembled(start))
            self._pieces[start] = (end - start, oid)
            count = native.count_code_points(piece) if text else len(piece)
            self._spine.push(0, reference(oid, count, len(piece)))
            start = end
        tops = self._spine.tops()
        assembly.links += [chunk.oid for _, chunk in tops]
        assembly.linked += sum([chunk.size for _, chunk in tops])
        return self._spine.form(prefix, self._tag)

    def guide(self) -> BlobGuide:
        """For the next version."""
        return BlobGuide(self._pieces, len(self._data))

    def _old_piece(self, start: int) -> tuple[int, ObjectId] | None:
        old = self._old
        if old is None:
            return None
        piece = old.pieces.get(start)
        return piece or old.pieces.get(start - (len(self._data) - old.total))

    def _taken(self, start: int) -> tuple[int, ObjectId] | None:
        """(end, id) of the old piece that begins here, if these bytes are still the same."""
        piece = self._old_piece(start)
        if piece is None or self._old is None:
            return None
        end = start + piece[0]
        if piece == self._old.last and end != len(self._data):
            return None  # it ended because the data did, not because of what it holds
        if object_id(c.KIND_CHUNK, self._data[start:end]) != piece[1]:
            return None
        return end, piece[1]

    def _resembled(self, start: int) -> ObjectId | None:
        piece = self._old_piece(start)
        return piece[1] if piece is not None else None
