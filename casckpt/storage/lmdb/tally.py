"""What has gathered since the last gc and the last pack: kept in `meta`, read in microseconds.

gc and packing write it when they have come to their ends, in the transaction that takes
their sign away. One that was killed or stopped has written nothing, so what it left to do
counts as still to be done.

::

    upkeep  six numbers of 8 bytes: `Memory`

Invariants: nothing but decisions depends on it; what cannot be read counts as never written.

Imports: the engine interface (reports), its neighbours.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

from casckpt.storage.engine import Tally
from casckpt.storage.lmdb import files, leases, tables
from casckpt.storage.lmdb.space import Space

__all__ = ["META_PAGES", "Memory", "collected", "packed", "pages", "tally"]

META_PAGES: Final = 2
"""The two roots at the beginning of the file."""
_KEY: Final = b"upkeep"
_MEMORY: Final = struct.Struct(">QQQQQQ")


class Memory(NamedTuple):
    """What the last runs left behind."""

    gc_top: int = 0
    """The highest seq when gc began."""
    gc_rows: int = 0
    """Rows when it had ended."""
    gc_log: int = 0
    """The newest log entry that was too old to be kept for."""
    pack_top: int = 0
    """The highest seq when packing began."""
    row_bytes: int = 0
    """Pages of the table of rows when packing had ended, or less, since gc made them fewer."""
    unused_bytes: int = 0
    """Of blocks less than half in use."""


def _memory(txn: Any, here: tables.Tables) -> Memory:
    blob = txn.get(_KEY, db=here.meta)
    if blob is None or len(blob) != _MEMORY.size:
        return Memory()
    return Memory._make(_MEMORY.unpack(blob))


def _keep(txn: Any, here: tables.Tables, memory: Memory) -> None:
    txn.put(_KEY, _MEMORY.pack(*memory), db=here.meta)


def collected(txn: Any, here: tables.Tables, *, top: int, log: int, unused_bytes: int) -> None:
    """Gc has come to its end."""
    memory = _memory(txn, here)
    count, row_bytes = _rows(txn, here)
    _keep(
        txn,
        here,
        Memory(
            gc_top=top,
            gc_rows=count,
            gc_log=max(log, memory.gc_log),
            pack_top=memory.pack_top,
            row_bytes=min(memory.row_bytes, row_bytes),
            unused_bytes=unused_bytes,
        ),
    )


def packed(txn: Any, here: tables.Tables, *, top: int, unused_bytes: int) -> None:
    """Packing has come to its end."""
    memory = _memory(txn, here)
    _, row_bytes = _rows(txn, here)
    _keep(txn, here, memory._replace(pack_top=top, row_bytes=row_bytes, unused_bytes=unused_bytes))


def _rows(txn: Any, here: tables.Tables) -> tuple[int, int]:
    """How many rows there are, and the bytes of their pages."""
    found = txn.stat(here.rows)
    return found["entries"], pages(found) * found["psize"]


def pages(found: dict[str, int]) -> int:
    """Pages of a table, from what LMDB says of it."""
    return found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]


def tally(space: Space) -> Tally:
    """See `Engine.tally`."""
    here = space.tables
    with space.reading() as txn:
        memory = _memory(txn, here)
        count, row_bytes = _rows(txn, here)
        top = tables.last_seq(txn, here, tables.state(txn, here).seq_floor)
        busy = leases.holder(txn, here, leases.GC) is not None
        used = META_PAGES + sum(pages(txn.stat(table)) for table in here)
        page_bytes = txn.stat(here.meta)["psize"]
    file_bytes = files.size(Path(space.path))
    return Tally(
        objects=count,
        objects_after_gc=memory.gc_rows,
        stored_since_gc=max(top - memory.gc_top, 0),
        log_seen=memory.gc_log,
        stored_since_pack=max(top - memory.pack_top, 0),
        hot_bytes=max(row_bytes - memory.row_bytes, 0),
        unused_bytes=memory.unused_bytes,
        file_bytes=file_bytes,
        free_bytes=max(file_bytes - used * page_bytes, 0),
        busy=busy,
    )
