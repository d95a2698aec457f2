"""Where a chunk ends: pure functions of content and the constants of the format.

The rule for lists and maps is an integer Rayleigh cut (chance of a cut growing with the
size of the chunk so far; attic-labs/noms and dolthub/dolt have the same idea with other
curves). Bytes and strings are cut by content: each byte is mapped to one bit by a fixed
balanced table, and a chunk ends behind a fixed pattern of such bits; before the normal size
a longer pattern is asked for, behind it its suffix (the normalisation of FastCDC, Xia et al.,
USENIX ATC 2016). `bytes.translate` and `bytes.find` do that at C speed.

Invariants: a cut depends only on content since the cut before; on no float, no setting and
no history.

Imports: ids (hash32), format (constants).
"""

from __future__ import annotations

from collections.abc import Iterator

from casckpt.format import constants as c
from casckpt.ids import hash32

__all__ = ["WINDOW_BYTES", "blob_cuts", "ends_chunk", "text_cuts"]

_SALT = [bytes((level,)) for level in range(c.TREE_LEVEL_MAX + 1)]
_SHIFTED_MAX = 1 << 32


def ends_chunk(level: int, size: int, count: int, entry_bytes: int, hashed: bytes) -> bool:
    """Whether a chunk of a list or map ends behind the entry just added.

    Args:
        level: 0 for items, 1 for references to leaves, ...
        size: bytes of the chunk's entries so far, the new one included.
        count: its entries so far.
        entry_bytes: bytes of the new entry.
        hashed: what speaks for the entry: the entry itself, in a map its (last) key.
    """
    if size < c.CHUNK_BYTES_MIN or (level and count < c.NODE_ENTRIES_MIN):
        return False
    if size >= c.CHUNK_BYTES_MAX:
        return True
    chance = 2 * size * entry_bytes * _SHIFTED_MAX
    return hash32(_SALT[level] + hashed) * c.CUT_FACTOR < chance


def _bit_table() -> bytes:
    """256 zeros and ones, 128 each: the bytes in order of the hash of their position."""
    order = sorted(range(256), key=lambda byte: (hash32(b"casckpt cdc" + bytes((byte,))), byte))
    table = bytearray(256)
    for byte in order[:128]:
        table[byte] = 1
    return bytes(table)


BIT_TABLE = _bit_table()
# 13 symbols without a border (no proper prefix is a suffix), so that matches do not overlap:
# one in 8,192 positions of random bytes; its suffix of 11 symbols (borderless too) one in
# 2,048.
PATTERN = bytes((0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1))
PATTERN_LATE = PATTERN[2:]


def _next_cut(bits: bytes, start: int, end: int) -> int:
    """The end of the chunk that starts at `start`, of data that ends at `end`."""
    if end - start <= c.CDC_BYTES_MIN:
        return end
    normal = min(start + c.CDC_BYTES_NORMAL, end)
    found = bits.find(PATTERN, start + c.CDC_BYTES_MIN - len(PATTERN), normal)
    if found >= 0:
        return found + len(PATTERN)
    last = min(start + c.CDC_BYTES_MAX, end)
    found = bits.find(PATTERN_LATE, normal - len(PATTERN_LATE) + 1, last)
    if found >= 0:
        return found + len(PATTERN_LATE)
    return last


WINDOW_BYTES = 1 << 20
"""How much is mapped to bits at a time, where all of it will be wanted."""


def blob_cuts(data: bytes, start: int = 0, *, window: int = WINDOW_BYTES) -> Iterator[int]:
    """The ends of the chunks of `data` that lie behind `start` (itself 0 or a cut).

    The data is mapped to bits a window (bytes, at least CDC_BYTES_MAX) at a time.
    """
    view = memoryview(data)
    total = len(view)
    base, bits = start, b""
    while start < total:
        if start + c.CDC_BYTES_MAX > base + len(bits) and base + len(bits) < total:
            base = start
            bits = bytes(view[base : base + window]).translate(BIT_TABLE)
        start = base + _next_cut(bits, start - base, min(len(bits), total - base))
        yield start


def text_cuts(data: bytes, start: int = 0, *, window: int = WINDOW_BYTES) -> Iterator[int]:
    """As `blob_cuts`, for UTF-8: a cut inside a character moves behind it."""
    total = len(data)
    while start < total:
        for cut in blob_cuts(data, start, window=window):
            end = cut
            while end < total and data[end] & 0xC0 == 0x80:
                end += 1
            yield end
            start = end
            if end != cut:
                break  # the next chunk starts at the moved cut
