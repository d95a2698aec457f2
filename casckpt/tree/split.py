"""Where a chunk ends: pure functions of content and the constants of the format.

The rule for lists and maps is an integer Rayleigh cut (chance of a cut growing with the
size of the chunk so far; attic-labs/noms and dolthub/dolt have the same idea with other
curves). Bytes and strings are cut by content: each byte is mapped to one bit, its parity, and
a piece ends behind a fixed pattern of such bits; before the normal size a longer pattern is
asked for, behind it its suffixes (the normalisation of FastCDC, Xia et al., USENIX ATC 2016).
`bytes.translate` and `bytes.find` do that at C speed. Pieces are short at the beginning, where
most texts end, and long from CDC_LONG_FROM on.

Invariants: a cut depends only on content since the cut before, that of a piece besides on
whether the piece begins before CDC_LONG_FROM; on no float, no setting and no history.

Imports: ids (hash32), format (constants).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from casckpt.format import constants as c
from casckpt.ids import hash32

__all__ = ["CHARACTER_REST_MAX", "WINDOW_BYTES", "ends_chunk", "piece_ends"]

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


BIT_TABLE = bytes(byte.bit_count() & 1 for byte in range(256))
"""Parity: of letters, of digits, of any run of neighbouring values about half are odd, so that
texts in any script, hexadecimal and base64 are cut like random bytes (docs/decisions/0014)."""
PATTERN = bytes((1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0))
"""The longest; the others are its last 13 and its last 11 symbols. Each is about half ones, and
ends with the longest run of one symbol before another: `bytes.find` leaps there."""


class PieceRule(NamedTuple):
    """How pieces of one size are cut; numbers are bytes."""

    least: int
    normal: int
    most: int
    early: bytes
    """What a piece ends behind, up to the normal size."""
    late: tuple[bytes, ...]
    """What it ends behind from then on, four times as frequent. Where that does not occur (few
    different words, numbers that are mostly zeros) the next one, so that an insertion does not
    move all ends behind it."""


_LAST_RESORTS = (PATTERN[-7:], PATTERN[-5:], PATTERN[-3:])
SHORT_PIECES = PieceRule(
    c.CDC_BYTES_MIN,
    c.CDC_BYTES_NORMAL,
    c.CDC_BYTES_MAX,
    PATTERN[2:],
    (PATTERN[4:], *_LAST_RESORTS),
)
LONG_PIECES = PieceRule(
    c.CDC_LONG_BYTES_MIN,
    c.CDC_LONG_BYTES_NORMAL,
    c.CDC_LONG_BYTES_MAX,
    PATTERN,
    (PATTERN[2:], *_LAST_RESORTS),
)
CHARACTER_REST_MAX = 3
"""Bytes of a UTF-8 character behind its first one: a piece of text may be so much longer."""


def _piece_end(bits: bytes, start: int, end: int, rule: PieceRule) -> int:
    """The end of the piece that starts at `start`, of data that ends at `end`."""
    if end - start <= rule.least:
        return end
    normal = min(start + rule.normal, end)
    found = bits.find(rule.early, start + rule.least - len(rule.early), normal)
    if found >= 0:
        return found + len(rule.early)
    last = min(start + rule.most, end)
    for late in rule.late:
        found = bits.find(late, normal - len(late) + 1, last)
        if found >= 0:
            return found + len(late)
    return last


WINDOW_BYTES = 1 << 20
"""How much is mapped to bits at a time, where all of it will be wanted."""


def piece_ends(
    data: bytes,
    start: int = 0,
    *,
    is_text: bool,
    before: int = 0,
    is_all: bool = True,
    window: int = WINDOW_BYTES,
) -> Iterator[int]:
    """The ends of the pieces of `data` that lie behind `start` (itself 0 or an end).

    Args:
        data: a str in UTF-8, or bytes.
        start: where to begin.
        is_text: an end inside a character moves behind it.
        before: bytes that lie before `data`: this is a later part of something longer.
        is_all: nothing comes after `data`; else only those ends are told that nothing moves.
        window: bytes mapped to bits at a time, at least twice the largest piece.
    """
    total = len(data)
    base, bits = start, b""
    while start < total:
        rule = SHORT_PIECES if before + start < c.CDC_LONG_FROM else LONG_PIECES
        behind = start + rule.most
        if not is_all and behind + CHARACTER_REST_MAX > total:
            return
        if behind > base + len(bits) and base + len(bits) < total:
            base = start
            bits = data[base : base + window].translate(BIT_TABLE)
        start = base + _piece_end(bits, start - base, min(len(bits), total - base), rule)
        while is_text and start < total and data[start] & 0xC0 == 0x80:
            start += 1
        yield start
