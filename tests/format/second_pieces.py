"""Where a piece of a long str or bytes ends, from docs/format.md alone (chapter 3.4)."""

from __future__ import annotations

CDC_BITS = bytes(ord("01"[byte.bit_count() % 2]) for byte in range(256))
SHORT = 2048, 8192, 32768, b"0110000111110", b"10000111110"
LONG = 32768, 65536, 131008, b"100110000111110", b"0110000111110"
ARRAY_BLOCK = 65472


def piece_end(bits: bytes, start: int) -> int:
    """Where the piece that begins here ends, characters aside."""
    least, normal, most, early, late = SHORT if start < 262144 else LONG
    end = len(bits)
    if end - start <= least:
        return end
    middle, last = min(start + normal, end), min(start + most, end)
    found = bits.find(early, start + least - len(early), middle)
    if found >= 0:
        return found + len(early)
    for wanted in (late, late[-7:], late[-5:], late[-3:]):
        found = bits.find(wanted, middle - len(wanted) + 1, last)
        if found >= 0:
            return found + len(wanted)
    return last
