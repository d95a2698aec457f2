"""The tables of a store's file, and the few facts in `meta`.

====== ==================== ============================================================
table  key                  value
====== ==================== ============================================================
rows   seq, 8 B             one object (`row`)
index  b"i", b"y" (`index`) 16 B prefix of the id, 6 B seq; sorted duplicates
posts  name of the list     8 B rank, 6 B seq; sorted duplicates
young  b"p" (only one key)  postings that are not in `posts` yet (`young`)
refs   name                 one ref (`refs`)
log    number, 8 B          one logged move (`refs`)
blocks number, 8 B          payloads of many objects, compressed together (`blocks`)
meta   a word               b"layout", b"header", b"state", leases, feed (below)
====== ==================== ============================================================

All numbers are big-endian, so that byte order is order. `meta`: b"state" is five numbers
(`State`); b"lease" + 8 B start seq, a long commit under way (`leases`); b"gc", the gc under
way; b"fed" + 8 B number, an old object that a ref gained without a log entry (`feed`);
b"upkeep", what the last gc and the last pack left behind (`tally`).

Invariants: a seq, a log number, a ref's version and a block's number are never used twice
(the floors of `State` are raised when the newest go); `State.epoch` grows whenever an entry of the index
is removed, so what was found under an epoch is still there under the same epoch. An
ordinary commit does not write `meta`.

Imports: lmdb, errors.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import lmdb

from casckpt.errors import CorruptError, FormatVersionError, NotAStoreError, StorageError

__all__ = [
    "COUNT_MAX",
    "DUPLICATES",
    "NUMBER_BYTES",
    "SEQ_MAX",
    "State",
    "Tables",
    "create",
    "create_tables",
    "expect_onward",
    "flags",
    "header",
    "last_block",
    "last_log",
    "last_seq",
    "number_key",
    "open_tables",
    "put_state",
    "span",
    "state",
]

LAYOUT: Final = b"casckpt-lmdb 2"
"""Names everything in this package that is at rest; another one is refused by name."""
COUNT_MAX: Final = 8
NUMBER_BYTES: Final = 8
"""Of a key that is a number."""
SEQ_MAX: Final = (1 << 48) - 1
"""Seqs have 6 bytes in index and postings."""
FLAGS_BYTES_MAX: Final = 1 << 31
"""So many rows are told apart in memory, a byte each: two thousand million."""
_STATE: Final = struct.Struct(">QQQQQ")

Txn = Any
"""lmdb.Transaction; its stubs do not say that named tables are optional arguments."""


class Tables(NamedTuple):
    """Handles of the named tables."""

    rows: Any
    index: Any
    posts: Any
    refs: Any
    log: Any
    meta: Any
    blocks: Any
    young: Any


class State(NamedTuple):
    """What gc has to remember."""

    epoch: int
    """Grows with every batch that removes entries of the index."""
    seq_floor: int
    """No seq up to this one is given out again."""
    log_floor: int
    """No log number up to this one is given out again."""
    version_floor: int
    """No forgotten ref had a higher version."""
    last_block: int = 0
    """The highest number of a block that was ever given out."""


DUPLICATES: Final = frozenset({"index", "posts"})
"""Tables of sorted duplicates of a fixed size."""


def create_tables(env: lmdb.Environment, txn: Txn) -> Tables:
    """Make the tables, empty, in a new file."""
    return _open(env, txn, create_them=True)


def create(env: lmdb.Environment, header_blob: bytes) -> None:
    """Make the tables and the facts of an empty store, in one transaction."""
    with env.begin(write=True) as txn:
        tables = create_tables(env, txn)
        txn.put(b"layout", LAYOUT, db=tables.meta)
        txn.put(b"header", header_blob, db=tables.meta)
        put_state(txn, tables, State(0, 0, 0, 0, 0))


def _open(env: lmdb.Environment, txn: Txn, *, create_them: bool) -> Tables:
    return Tables(
        *(
            env.open_db(
                name.encode(),
                txn=txn,
                create=create_them,
                dupsort=name in DUPLICATES,
                dupfixed=name in DUPLICATES,
            )
            for name in Tables._fields
        )
    )


def open_tables(env: lmdb.Environment, path: str) -> Tables:
    """The tables of an existing store.

    Raises:
        NotAStoreError: an LMDB file of other software.
        FormatVersionError: a layout that this version does not know.
    """
    stranger = NotAStoreError(f"{path} is an LMDB file, but not a casckpt store", path=path)
    try:
        meta = env.open_db(b"meta", create=False)
    except (lmdb.NotFoundError, lmdb.IncompatibleError, lmdb.ReadonlyError):
        raise stranger from None
    with env.begin() as txn:
        layout = txn.get(b"layout", db=meta)
    if layout is None or not layout.startswith(b"casckpt-lmdb "):
        raise stranger
    if layout != LAYOUT:
        name = layout.decode("utf-8", "replace")
        msg = f"{path}: its layout is {name!r}; this version knows only {LAYOUT.decode()!r}"
        raise FormatVersionError(msg, path=path, layout=name)
    try:
        found = _open(env, None, create_them=False)
    except (lmdb.NotFoundError, lmdb.IncompatibleError) as error:
        raise CorruptError(f"{path}: a table is missing ({error})", path=path) from error
    with env.begin() as txn:
        for name, table in zip(Tables._fields, found, strict=True):
            kind = {flag for flag, is_set in table.flags(txn).items() if is_set}
            if kind != ({"dupsort", "dupfixed"} if name in DUPLICATES else set()):
                raise CorruptError(f"{path}: the table {name!r} is of another kind", path=path)
    return found


def expect_onward(what: str, place: Any, beyond: Any) -> None:
    """Whoever goes through a table a page at a time gets on with each page.

    Args:
        what: the table.
        place: where the page ends.
        beyond: what it must lie behind, where the page before it ended (None: it was the first).

    Raises:
        CorruptError: the keys are not in order, and it would never end.
    """
    if beyond is not None and not beyond < place:
        raise CorruptError(f"the table {what!r} is out of order")


def header(txn: Txn, tables: Tables) -> bytes:
    """The header blob."""
    blob: bytes | None = txn.get(b"header", db=tables.meta)
    if blob is None:
        raise CorruptError("the store's header is missing")
    return blob


def state(txn: Txn, tables: Tables) -> State:
    """What gc has to remember."""
    blob = txn.get(b"state", db=tables.meta)
    if blob is None or len(blob) != _STATE.size:
        raise CorruptError("the store's state record is missing or malformed")
    return State._make(_STATE.unpack(blob))


def put_state(txn: Txn, tables: Tables, new: State) -> None:
    """Replace it."""
    txn.put(b"state", _STATE.pack(*new), db=tables.meta)


def number_key(number: int) -> bytes:
    """A seq or a log number as a key."""
    return number.to_bytes(NUMBER_BYTES, "big")


def last_seq(txn: Txn, tables: Tables, floor: int) -> int:
    """The highest seq that was ever given out (`floor` = `State.seq_floor`)."""
    return _last(txn, tables.rows, floor)


def span(txn: Txn, tables: Tables) -> tuple[int, int]:
    """The lowest seq of a row, and the highest seq that was ever given out."""
    top = last_seq(txn, tables, state(txn, tables).seq_floor)
    with txn.cursor(tables.rows) as cursor:
        low = int.from_bytes(cursor.key(), "big") if cursor.first() else top + 1
    return low, top


def flags(low: int, top: int) -> bytearray:
    """A zero byte for each row from `low` to `top`.

    Raises:
        StorageError: more than memory is taken for; damaged numbers say so, too.
    """
    rows = max(top - low + 1, 0)
    if rows > FLAGS_BYTES_MAX:
        raise StorageError(
            f"rows {low} to {top} are too far apart to be marked in memory; if there never were so"
            " many, their numbers are damaged: salvage what is whole"
        )
    return bytearray(rows)


def last_log(txn: Txn, tables: Tables, floor: int) -> int:
    """The highest log number that was ever given out (`floor` = `State.log_floor`)."""
    return _last(txn, tables.log, floor)


def last_block(txn: Txn, tables: Tables) -> int:
    """The highest number of a block that is there; 0: there is none."""
    return _last(txn, tables.blocks, 0)


def _last(txn: Txn, table: Any, floor: int) -> int:
    with txn.cursor(table) as cursor:
        if cursor.last():
            return max(int.from_bytes(cursor.key(), "big"), floor)
    return floor
