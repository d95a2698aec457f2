"""Old objects that a ref has gained without an entry in the log: what gc must hear of.

A ref gains objects by new rows, by moves that are logged, and by moves that are not. gc sees
the first two by themselves; the last, which is rare (a save always makes a new row), leaves
a line here, in `meta`. gc reads the lines between its batches and clears them.

Invariants: a line is written in the transaction of the move.

Imports: ids, tables.
"""

from __future__ import annotations

from typing import Any, Final

from casckpt.ids import ID_BYTES, ObjectId
from casckpt.storage.lmdb.tables import Tables, number_key

__all__ = ["add", "clear", "since"]

_FED: Final = b"fed"
_END: Final = _FED + b"\xff" * 8


def _last(txn: Any, tables: Tables) -> int:
    with txn.cursor(tables.meta) as cursor:
        there = cursor.prev() if cursor.set_range(_END) else cursor.last()
        if there and cursor.key().startswith(_FED):
            return int.from_bytes(cursor.key()[len(_FED) :], "big")
    return 0


def add(txn: Any, tables: Tables, oid: ObjectId) -> None:
    """A ref has gained this object."""
    txn.put(_FED + number_key(_last(txn, tables) + 1), oid, db=tables.meta)


def since(txn: Any, tables: Tables, number: int) -> tuple[int, list[ObjectId]]:
    """The lines after `number`: the last one's number, and their objects."""
    found = []
    with txn.cursor(tables.meta) as cursor:
        there = cursor.set_range(_FED + number_key(number + 1))
        while there and cursor.key().startswith(_FED):
            number = int.from_bytes(cursor.key()[len(_FED) :], "big")
            found.append(ObjectId(cursor.value()[:ID_BYTES]))
            there = cursor.next()
    return number, found


def clear(txn: Any, tables: Tables, limit: int) -> bool:
    """Remove up to `limit` lines, oldest first; whether there are more."""
    with txn.cursor(tables.meta) as cursor:
        while cursor.set_range(_FED) and cursor.key().startswith(_FED):
            if not limit:
                return True
            cursor.delete()
            limit -= 1
    return False
