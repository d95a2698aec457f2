"""A stored bytes, str or array as a file: read from any place, a piece at a time.

Invariants: one piece is in memory, besides the buffer; no more of the tree is read than leads
to what is asked for (of a str, in bytes: all of its nodes, once one seeks).

Imports: errors, format (constants), tree (fan, lazy, part).
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import IO, Any, Final

from casckpt.errors import CorruptError, InvalidInputError
from casckpt.format import constants as c
from casckpt.tree import part
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.lazy import BlobTree, Node, Opener, Wrapped

__all__ = ["BlobFile", "open_file"]

BUFFER_BYTES: Final = 1 << 17
"""The longest piece, about: smaller reads do not look for theirs again."""


def open_file(opener: Opener, node: Node, mode: str) -> IO[Any]:
    """A node as a file that is read only.

    Args:
        opener: what reads it.
        node: opened, not a link.
        mode: "rb": bytes; a str as UTF-8, an array as its items, the last axis fastest.
            "r": text, of a str only.

    Raises:
        InvalidInputError: another mode, or a value that is not one run of bytes.
    """
    if mode not in {"r", "rb"}:
        raise InvalidInputError(f'a stored value is opened with mode "rb" or "r", not {mode!r}')
    content, is_text = _content(opener, node)
    if mode == "r" and not is_text:
        raise InvalidInputError('these are bytes: open them with mode "rb"')
    raw = io.BytesIO(content) if isinstance(content, bytes) else BlobFile(opener, content)
    file = io.BufferedReader(raw, BUFFER_BYTES)
    if mode == "rb":
        return file
    errors = "surrogatepass" if isinstance(node, Wrapped) else "strict"
    return io.TextIOWrapper(file, encoding="utf-8", errors=errors, newline="")


def _content(opener: Opener, node: Node) -> tuple[bytes | BlobTree, bool]:
    """The bytes, or their tree, and whether they are those of a str."""
    wrapped = node.tag if isinstance(node, Wrapped) else None
    if wrapped == c.TAG_NDARRAY:
        return part.ArrayParts(opener, opener.open(node.content)).data, False
    if wrapped in {c.TAG_BYTEARRAY, c.TAG_SURROGATES}:
        node = opener.open(node.content)
    if isinstance(node, str):
        return node.encode(), True
    if isinstance(node, bytes):
        return node, wrapped == c.TAG_SURROGATES
    if isinstance(node, BlobTree):
        return node, node.is_text or wrapped == c.TAG_SURROGATES
    raise InvalidInputError("only bytes, a str or an array can be opened as a file; use view()")


class BlobFile(io.RawIOBase):
    """The bytes of a tree of pieces; a str's in UTF-8."""

    def __init__(self, opener: Opener, tree: BlobTree) -> None:
        super().__init__()
        self._opener = opener
        self._fan: Fan = tree.fan
        self._is_text = tree.is_text
        self._at = 0
        self._piece = b""
        self._piece_at = 0
        self._next: Iterator[Ref] | None = None
        """The references behind the piece, as long as they are read in order."""
        self._leaves: list[Ref] = []
        self._starts: list[int] = []
        """Of a str, once it is needed: all references, and the bytes before each."""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or what a piece has for it; 0: at the end.

        Raises:
            CorruptError, PrunedError: the piece is damaged or gone.
        """
        if self.closed:
            raise ValueError("read of a closed file")
        offset = self._at - self._piece_at
        if not 0 <= offset < len(self._piece):
            if not self._turn():
                return 0
            offset = self._at - self._piece_at
        view = memoryview(buffer).cast("B")
        found = memoryview(self._piece)[offset : offset + len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted in bytes; behind the end nothing is read."""
        if self.closed:
            raise ValueError("seek of a closed file")
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        if origin is None:
            if whence != io.SEEK_END:
                raise InvalidInputError(f"whence is 0, 1 or 2, not {whence!r}")
            origin = self._length()
        if origin + offset < 0:
            raise InvalidInputError("a place before the beginning")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Where it stands, in bytes."""
        return self._at

    def _turn(self) -> bool:
        """Read the piece that has the byte where it stands; False: behind the end."""
        behind = self._piece_at + len(self._piece)
        if self._next is None or self._at != behind:
            found = self._references()
            if found is None:
                return False
            behind, self._next = found
        ref = next(self._next, None)
        if ref is None:
            self._next = None
            return False
        self._piece = self._opener.source.get(ref.id, c.KIND_CHUNK)
        self._piece_at = behind
        if len(self._piece) != ref.size:
            msg = "the store holds a chunk whose length is wrong"
            raise CorruptError(msg)
        return True

    def _references(self) -> tuple[int, Iterator[Ref]] | None:
        """Where the piece with the next byte begins; its reference, and all behind it."""
        if not self._is_text:
            if self._at >= self._fan.count:
                return None
            refs = self._fan.leaves_from(self._at)
            start, first = next(refs)
            return start, self._chained(first, refs)
        if not self._at:
            return 0, (ref for _, ref in self._fan.leaves_from(0))
        if self._at >= self._length():
            return None
        index = bisect_right(self._starts, self._at) - 1
        return self._starts[index], iter(self._leaves[index:])

    @staticmethod
    def _chained(first: Ref, refs: Iterator[tuple[int, Ref]]) -> Iterator[Ref]:
        yield first
        for _, ref in refs:
            yield ref

    def _length(self) -> int:
        if not self._is_text:
            return self._fan.count
        if not self._leaves:
            self._leaves = self._fan.leaves()
            self._starts = list(accumulate((ref.size for ref in self._leaves), initial=0))
        return self._starts[-1]
