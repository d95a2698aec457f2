"""Reading rows: following a chain of deltas, opening a block, resolving children.

Invariants: nothing here consults the index; a row that is there has its bases, or the file
is damaged. A chain is never followed further than DEPTH_MAX.

Imports: errors, ids, frame, its neighbours.
"""

from __future__ import annotations

from typing import Any

from casckpt.errors import CorruptError
from casckpt.ids import PARTED
from casckpt.storage.frame import BLOCK, DELTA, Base, decode, decode_delta
from casckpt.storage.lmdb import blocks
from casckpt.storage.lmdb import row as rows
from casckpt.storage.lmdb.caches import Known, Payloads
from casckpt.storage.lmdb.tables import Tables

__all__ = ["children", "load"]


def load(txn: Any, tables: Tables, cache: Payloads, seq: int) -> Known | None:
    """The content of a row; None if there is no such row.

    Raises:
        CorruptError: the row or one of its bases cannot be decoded.
    """
    get, table = txn.get, tables.rows
    base = _remembered(get, table, cache, seq)
    if base is not None:
        return base
    chain = []
    at = seq
    while base is None:
        data = get(at.to_bytes(8, "big"), db=table)
        if data is None:
            if at == seq:
                return None
            raise CorruptError(f"row {seq} is a delta, but its base, row {at}, is missing")
        content = rows.content(at, data)
        chain.append((at, content, data))
        if content[0] & 15 != DELTA:
            break
        if len(chain) > rows.DEPTH_MAX:
            raise CorruptError(f"row {seq} hangs on a chain of too many deltas")
        at = content[2]
        base = _remembered(get, table, cache, at)
    found = []
    chain.reverse()
    try:
        for at, content, data in chain:
            first, size, _, depth, frame_at = content[:5]
            codec = first & 15
            if codec == DELTA and base is not None:
                payload = decode_delta(size, data[frame_at:], Base(base.payload, base.id))
            elif codec == BLOCK:
                payload = blocks.payload(txn, tables, cache.blocks, content[5], content[6], size)
            else:
                payload = decode(codec, size, data[frame_at:])
            base = Known(first >> 4, payload, depth)
            found.append((at, base))
    except CorruptError as error:
        raise CorruptError(f"row {at}: {error.message}") from None
    cache.put(found)
    return base


def _remembered(get: Any, table: Any, cache: Payloads, seq: int) -> Known | None:
    """What is remembered of a row, unless gc, perhaps another process's, has replaced it."""
    known = cache.get(seq)
    if known is not None and known.kind == PARTED:
        row = get(seq.to_bytes(8, "big"), db=table)
        if row is None or row[0] >> 4 != PARTED:
            cache.drop((seq,))
            return None
    return known


def children(txn: Any, tables: Tables, cache: Payloads, seq: int) -> tuple[int, ...]:
    """Seqs of all children of a row, in order; remembered with its payload.

    Raises:
        CorruptError: a row is missing or malformed.
    """
    chain = []
    found: tuple[int, ...] = ()
    at = seq
    while True:
        known = cache.get(at)
        if known is not None and known.children is not None:
            found = known.children
            break
        data = txn.get(at.to_bytes(8, "big"), db=tables.rows)
        if data is None:
            raise CorruptError(f"row {at} is missing, though row {seq} needs it")
        head = rows.parse(at, data)
        chain.append((known, head))
        if not head.shared:
            break
        if len(chain) > rows.DEPTH_MAX:
            raise CorruptError(f"row {seq} hangs on a chain of too many deltas")
        at = head.base
    for known, head in reversed(chain):
        if head.shared > len(found):
            raise CorruptError(f"row {seq} shares more children than its base has")
        found = found[: head.shared] + head.own
        if known is not None:
            known.children = found
    return found
