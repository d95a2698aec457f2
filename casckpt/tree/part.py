"""Parts of long values by position: items, code points, bytes, rows of an array.

Invariants: only the leaves and chunks that hold what is asked for are read, once each; a
part of an array is the array numpy would give.

Imports: errors, format (constants), tree (fan, lazy).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

from casckpt.errors import CorruptError
from casckpt.format import constants as c
from casckpt.tree.fan import Ref
from casckpt.tree.lazy import BlobTree, ListTree, Node, Opener, Wrapped, reading

__all__ = ["ArrayParts", "blob", "item", "items"]


def item(opener: Opener, node: list[Node] | ListTree, index: int) -> Node:
    """The item at a position from 0 up to the length."""
    if not isinstance(node, ListTree):
        return node[index]
    if index >= node.fan.count:
        return node.open[index - node.fan.count]
    at, ref = next(node.fan.leaves_from(index))
    return opener.list_leaf(ref)[index - at]


def items(opener: Opener, node: list[Node] | ListTree, wanted: range) -> Iterator[Node]:
    """The items at these positions, in this order, a leaf at a time."""
    if not isinstance(node, ListTree):
        for index in wanted:
            yield node[index]
        return
    place = wanted[0] if wanted else 0
    leaf: list[Node] = []
    start = 0  # position of the leaf's first item
    leaves: Iterator[tuple[int, Ref]] = iter(())
    for index in wanted:
        if not start <= index < start + len(leaf):
            if index >= node.fan.count:
                start, leaf = node.fan.count, node.open
            else:
                if index < place or not leaf:  # backwards, or at the beginning: look it up
                    leaves = node.fan.leaves_from(index)
                found = next((pair for pair in leaves if index < pair[0] + pair[1].items), None)
                if found is None:
                    msg = "the store holds a list whose counts do not add up"
                    raise CorruptError(msg)
                start, leaf = found[0], opener.list_leaf(found[1])
        place = index
        yield leaf[index - start]


def blob(opener: Opener, node: BlobTree, wanted: slice) -> str | bytes:
    """The code points of a long str, or the bytes of a long bytes, at these positions."""
    chosen = range(*wanted.indices(len(node)))
    if not chosen:
        return "" if node.is_text else b""
    low, high = sorted((chosen[0], chosen[-1]))
    texts: list[str] = []
    pieces: list[bytes] = []
    first = None
    for at, ref in node.fan.leaves_from(low):
        if at > high:
            break
        first = at if first is None else first
        payload = opener.source.get(ref.id, c.KIND_CHUNK)
        if node.is_text:
            with reading():
                texts.append(payload.decode())
        else:
            pieces.append(payload)
        if len(texts[-1] if node.is_text else payload) != ref.items:
            msg = "the store holds a chunk whose length is wrong"
            raise CorruptError(msg)
    data: str | bytes = "".join(texts) if node.is_text else b"".join(pieces)
    begin = chosen[0] - (first or 0)
    end = chosen[-1] - (first or 0) + (1 if chosen.step > 0 else -1)
    return data[begin : end if end >= 0 else None : chosen.step]


_SPAN_BYTES = 4 << 20
"""Bytes of an array read together, where only some of their rows are wanted."""


class ArrayParts:
    """An array, of which rows of the first axis are read."""

    def __init__(self, opener: Opener, content: Node) -> None:
        """Open what a TAG_NDARRAY holds: dtype, shape, data.

        Raises:
            CorruptError: it holds something else.
        """
        self._opener = opener
        parts = list(opener.items(content)) if isinstance(content, list | ListTree) else []
        if len(parts) != 3:
            _malformed()
        self._descr = opener.load(parts[0])
        self.shape = opener.load(parts[1])
        self.data = opener.open(parts[2])
        if type(self.shape) is not list or not all(type(n) is int for n in self.shape):
            _malformed()
        count = math.prod(self.shape[:1])
        if not isinstance(self.data, bytes | BlobTree) or (count and len(self.data) % count):
            _malformed()
        self._row_bytes = len(self.data) // count if count else 0

    def row(self, index: int) -> Node:
        """One row, `0 <= index < shape[0]`: an array of one axis less, or a scalar."""
        data = self._bytes(index, index + 1)
        if len(self.shape) == 1:
            array = self._opener.load(Wrapped(c.TAG_NDARRAY, [self._descr, [1], data]))
            if hasattr(array, "dtype"):  # numpy is there; a scalar may have another byte order
                scalar = self._opener.codec.reduce(array[0])
                return Wrapped(scalar.tag, scalar.content)
        return Wrapped(c.TAG_NDARRAY, [self._descr, self.shape[1:], data])

    def rows(self, wanted: slice) -> Node:
        """An array of some of the rows."""
        chosen = range(*wanted.indices(self.shape[0]))
        if chosen.step == 1:
            data = self._bytes(chosen.start, chosen.stop) if chosen else b""
        else:
            data = b"".join(self._apart(chosen))
        return Wrapped(c.TAG_NDARRAY, [self._descr, [len(chosen), *self.shape[1:]], data])

    def _apart(self, chosen: range) -> Iterator[bytes]:
        """Rows that do not lie side by side, with what is between them where that is little."""
        width = self._row_bytes
        together = max(1, _SPAN_BYTES // max(1, abs(chosen.step) * width))
        for start in range(0, len(chosen), together):
            part = chosen[start : start + together]
            low = min(part[0], part[-1])
            data = self._bytes(low, max(part[0], part[-1]) + 1)
            for row in part:
                yield data[(row - low) * width : (row - low + 1) * width]

    def _bytes(self, low: int, high: int) -> bytes:
        wanted = slice(low * self._row_bytes, high * self._row_bytes)
        data = self.data
        part = blob(self._opener, data, wanted) if isinstance(data, BlobTree) else data[wanted]
        if not isinstance(part, bytes):
            _malformed()
        return part


def _malformed() -> NoReturn:
    msg = "the store holds a malformed array"
    raise CorruptError(msg)
