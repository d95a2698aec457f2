"""Bases that gc has left for their bytes, and that nothing is a delta against any more.

Gc takes a dead row's index entry, but leaves the row while live rows are stored as deltas
against it. Packing stores those otherwise; then the row serves nobody.

Why nothing needed is removed: the same marks as in gc say what is needed, with everything that
the index leads to for roots; only rows go that were bases when packing began, so that a row whose
index entry was lost is not taken for such a one. Nobody can begin to need a row without an
entry (`sweep`, (d)). Where anything is missing, a ref's target or a child or its entry, nothing
is removed: what is left may be all that can be salvaged.

Invariants: no transaction is open at a yield; the epoch moves with every batch, so that who is
looking at the rows looks again.

Imports: errors, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.storage.lmdb import browse, index, objects, tables
from casckpt.storage.lmdb.caches import Payloads
from casckpt.storage.lmdb.mark import LIVE, Marks
from casckpt.storage.lmdb.roots import Roots
from casckpt.storage.lmdb.space import Space

__all__ = ["drop"]

SCAN_ROWS: Final = 2048
"""Rows marked in one read transaction: a few milliseconds."""
BATCH: Final = 64
"""Rows looked at in one read transaction, then removed in one write transaction."""


def drop(
    space: Space, were: Callable[[int], bool], check_sign: Callable[[Any], None]
) -> Iterator[str]:
    """Remove what serves nobody; under the sign, which `check_sign` looks for.

    Args:
        space: the open file.
        were: whether a row was a base when packing began.
        check_sign: raises StorageError unless packing still has its turn.
    """
    with space.reading() as txn:
        rows, entries = (txn.stat(t)["entries"] for t in (space.tables.rows, space.tables.index))
        low, top = tables.span(txn, space.tables)
    if rows == entries:
        return
    marks = Marks(low, top, top)
    try:
        yield from _mark(space, marks)
    except CorruptError:
        return  # fsck tells
    idle = [seq for seq in marks.condemned if not marks.state(seq) and were(seq)]
    cache = Payloads()
    for begin in range(0, len(idle), BATCH):
        batch = idle[begin : begin + BATCH]
        with space.reading() as txn:
            if not all(_is_out(txn, space, cache, seq) for seq in batch):
                return
        yield "bases"

        def remove(txn: Any, batch: list[int] = batch) -> None:
            check_sign(txn)
            for seq in batch:
                txn.delete(tables.number_key(seq), db=space.tables.rows)
            state = tables.state(txn, space.tables)
            floor = max(state.seq_floor, batch[0])
            state = state._replace(epoch=state.epoch + 1, seq_floor=floor)
            tables.put_state(txn, space.tables, state)

        space.write(remove)
        yield "bases"


def _mark(space: Space, marks: Marks) -> Iterator[str]:
    """Mark what is needed; raises CorruptError if anything is missing."""
    # No row up to the top gets or loses an entry meanwhile: gc is kept off by the sign.
    indexed = browse.indexed(space)
    for seq in range(marks.low, marks.top + 1):
        if indexed(seq):
            marks.root(seq)
    yield from Roots(space, marks, log=0, fed=0, keep_since_ns=None).read([])
    more = True
    while more:
        with space.reading() as txn:
            more = marks.scan(txn, space.tables.rows, SCAN_ROWS)
        yield "bases"
    at = marks.states.find(LIVE)
    while at >= 0:
        if not indexed(at + marks.low):
            raise CorruptError(f"the index does not lead to row {at + marks.low}, a child")
        at = marks.states.find(LIVE, at + 1)


def _is_out(txn: Any, space: Space, cache: Payloads, seq: int) -> bool:
    """Whether the index does not lead to a row, by the id of its bytes."""
    try:
        known = objects.load(txn, space.tables, cache, seq)
    except CorruptError:
        return False
    with txn.cursor(space.tables.index) as finder:
        return known is not None and index.find(finder, known.id) != seq
