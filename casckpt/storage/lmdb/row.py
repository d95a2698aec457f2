"""One row of the table `rows`: an object's head, then its frame.

::

    byte      kind * 16 + codec
    varint    length of the payload
    if the codec is DELTA:
      varint    own seq - base's seq
      byte      depth: at most so many deltas lie between this payload and a whole one, 1 to 32
      varint    shared: this many leading children are those of the base's row
    if the codec is BLOCK:
      varint    number of the block
      varint    where the payload begins in it
    varint    number of the other children
    varint    own seq - child's seq, for each of them
    frame     the rest; nothing if the codec is BLOCK

A varint has 7 bits a byte, lowest first, the high bit set on all but the last.

A row is rewritten by packing, which puts BLOCK in the place of another codec, or another
block in the place of a block, and by gc, which moves a delta to a base further down or to none:
kind, size, payload and children stay. So a base's depth may become smaller than its deltas
know, never larger. And gc replaces rows (`replace`): what is there then is of another kind, and
nothing is a delta against it but others like it.

Invariants: children and base have smaller seqs, so a row refers only to what is older; a
base's row is there as long as the row is. A list of children is never longer than the row.

Imports: errors, frame, limits.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.storage.frame import BLOCK, DELTA
from casckpt.storage.limits import PAYLOAD_BYTES_MAX

__all__ = ["DEPTH_MAX", "Content", "Head", "content", "encode_head", "parse"]

DEPTH_MAX: Final = 32
"""Deltas in a chain. Longer chains save little more and make the coldest read slow."""
_VARINT_BYTES_MAX: Final = 8


class Head(NamedTuple):
    """What a row says about its object."""

    kind: int
    codec: int
    size: int
    """Bytes of the payload."""
    base: int
    """Seq of the base; 0: none."""
    depth: int
    shared: int
    """How many leading children are the base's."""
    own: tuple[int, ...]
    """Seqs of the other children."""
    frame_at: int
    """Where the frame begins."""
    block: int = 0
    """Number of the block; 0: none."""
    offset: int = 0
    """Where the payload begins in the block."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_head(seq: int, head: Head) -> bytes:
    """The bytes of a head (`frame_at` is not used)."""
    out = bytearray((head.kind << 4 | head.codec,))
    out += _varint(head.size)
    if head.codec == DELTA:
        out += _varint(seq - head.base)
        out.append(head.depth)
        out += _varint(head.shared)
    elif head.codec == BLOCK:
        out += _varint(head.block)
        out += _varint(head.offset)
    out += _varint(len(head.own))
    for child in head.own:
        gap = seq - child
        if gap < 128:
            out.append(gap)
        else:
            out += _varint(gap)
    return bytes(out)


def parse(seq: int, row: bytes) -> Head:
    """The head of the row `seq`.

    Raises:
        CorruptError: no such head can have been written.
    """
    first, size, base, depth, frame_at, block, offset, shared, at, count = content(seq, row)
    own: tuple[int, ...] = ()
    if count == 1 and 0 < row[at] < min(seq, 128):  # a parent just before: most records
        own = (seq - row[at],)
    elif count:
        own = _children(seq, row, at, count)
    return Head(first >> 4, first & 15, size, base, depth, shared, own, frame_at, block, offset)


Content = tuple[int, int, int, int, int, int, int, int, int, int]
"""Kind * 16 + codec, size, base, depth, where the frame begins, block, offset; shared, where the
other children begin, and their count."""


def content(seq: int, row: bytes) -> Content:
    """What it takes to read the payload of a row; its children are passed over.

    Raises:
        CorruptError: as `parse`, but for children.
    """
    try:
        first = row[0]
        size = row[1]
        at = 2
        if size > 127:
            size, at = _read(row, 1)
        base = depth = shared = block = offset = 0
        if first & 15 == DELTA:
            gap = row[at]
            at += 1
            if gap > 127:
                gap, at = _read(row, at - 1)
            base = seq - gap
            depth = row[at]
            shared = row[at + 1]
            at += 2
            if shared > 127:
                shared, at = _read(row, at - 1)
            if base < 1 or not gap or not 1 <= depth <= DEPTH_MAX:
                raise CorruptError(f"row {seq}: a delta without a possible base")
        elif first & 15 == BLOCK:
            block = row[at]
            at += 1
            if block > 127:
                block, at = _read(row, at - 1)
            offset, at = _read(row, at)
        count = row[at]
        at += 1
        if count > 127:
            count, at = _read(row, at - 1)
        children_at = at
        if count > len(row):
            raise CorruptError(f"row {seq}: more children than bytes")
        for _ in range(count):
            while row[at] > 127:
                at += 1
            at += 1
    except IndexError:
        raise CorruptError(f"row {seq}: its head is cut short") from None
    if first < 16 or size > PAYLOAD_BYTES_MAX:
        raise CorruptError(f"row {seq}: kind or size out of range")
    if first & 15 == BLOCK and (not block or len(row) != at):
        raise CorruptError(f"row {seq}: packed, but in no block or with a frame of its own")
    return first, size, base, depth, at, block, offset, shared, children_at, count


def _children(seq: int, row: bytes, at: int, count: int) -> tuple[int, ...]:
    own = []
    for _ in range(count):
        gap = row[at]
        at += 1
        if gap > 127:
            gap, at = _read(row, at - 1)
        if not 0 < gap < seq:
            raise CorruptError(f"row {seq}: a child that is not older")
        own.append(seq - gap)
    return tuple(own)


def _read(row: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends."""
    number = shift = 0
    for step in range(_VARINT_BYTES_MAX):
        byte = row[at + step]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at + step + 1
        shift += 7
    raise CorruptError("a row has a number that is too long")
