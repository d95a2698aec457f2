"""The table `blocks`: payloads of many objects, compressed together (the packed tier).

A value is the length of the payloads together, 4 bytes, and their frame (`frame`). Rows say
which part of which block is theirs; a block does not know its rows (`survey` finds out).

Invariants: a committed row's block is there; a block never changes, and its number is never
used twice.

Imports: errors, frame, limits, its neighbours.
"""

from __future__ import annotations

from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.storage.frame import decode_block, encode_block
from casckpt.storage.lmdb import tables
from casckpt.storage.lmdb.caches import Blocks

__all__ = ["LENGTH_BYTES", "add", "encode", "payload", "raw_bytes", "read"]

LENGTH_BYTES: Final = 4
"""Of a value, before its frame."""


def encode(raw: bytes) -> bytes:
    """The value of a block that holds these payloads; slow."""
    return len(raw).to_bytes(LENGTH_BYTES, "big") + encode_block(raw)


def read(number: int, value: bytes) -> bytes:
    """The payloads of a block.

    Raises:
        CorruptError: it does not decode to what it says.
    """
    size = int.from_bytes(value[:LENGTH_BYTES], "big")
    try:
        return decode_block(size, value[LENGTH_BYTES:])
    except CorruptError as error:
        raise CorruptError(f"block {number}: {error.message}") from None


def payload(
    txn: Any, here: tables.Tables, cache: Blocks, number: int, offset: int, size: int
) -> bytes:
    """The payload of a packed row: `size` bytes of a block, from `offset` on.

    Raises:
        CorruptError: the block is missing or damaged, or shorter than the row says.
    """
    raw = cache.get(number)
    if raw is None:
        value = txn.get(tables.number_key(number), db=here.blocks)
        if value is None:
            raise CorruptError(f"block {number} is missing")
        raw = read(number, value)
        cache.put(number, raw)
    end = offset + size
    if end > len(raw):
        raise CorruptError(f"block {number} has {len(raw)} bytes, not {end}")
    return raw[offset:end]


def raw_bytes(txn: Any, here: tables.Tables, number: int) -> int | None:
    """How many bytes a block holds; None: there is no such block."""
    value = txn.get(tables.number_key(number), db=here.blocks)
    return None if value is None else int.from_bytes(value[:LENGTH_BYTES], "big")


def add(txn: Any, here: tables.Tables, value: bytes) -> int:
    """Store a block; returns its number."""
    state = tables.state(txn, here)
    number = state.last_block + 1
    txn.put(tables.number_key(number), value, db=here.blocks, append=True)
    tables.put_state(txn, here, state._replace(last_block=number))
    return number
