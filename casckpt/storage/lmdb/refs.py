"""Refs and the log of their moves: how they lie in their tables, and reading them.

::

    ref     version 8 B, newest log entry 8 B, byte: 1 if there is a target,
            target 32 B or nothing, info
    log     time 8 B, previous entry 8 B, byte: 1 if old + 2 if new, length of name 2 B,
            name, old 32 B or nothing, new 32 B or nothing, note

Invariants: targets are ids, not seqs, so that an entry of the log can outlive its objects.

Imports: errors, ids, the engine interface, limits, tables.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.storage.engine import LogEntry, Ref
from casckpt.storage.limits import ref_key
from casckpt.storage.lmdb.tables import expect_onward, number_key

__all__ = [
    "get",
    "get_entry",
    "key",
    "list_refs",
    "newest",
    "parse_entry",
    "parse_ref",
    "put",
    "put_entry",
]

_REF: Final = struct.Struct(">QQ?")
_ENTRY: Final = struct.Struct(">QQBH")


def parse_ref(key: bytes, value: bytes) -> Ref:
    """One row of the table `refs`.

    Raises:
        CorruptError: no such row can have been written.
    """
    try:
        version, last_log, has_target = _REF.unpack_from(value)
        name = key.decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptError(f"ref {key!r} is malformed: {error}") from None
    at = _REF.size + ID_BYTES * has_target
    if len(value) < at:
        raise CorruptError(f"ref {key!r} is cut short")
    target = ObjectId(value[_REF.size : at]) if has_target else None
    return Ref(name, target, value[at:], version, last_log)


def key(ref: Ref) -> bytes:
    """The key of a ref's row."""
    return ref_key(ref.name)


def get(txn: Any, table: Any, name: str) -> Ref | None:
    """The ref of that name, deleted ones included."""
    row = ref_key(name)
    value = txn.get(row, db=table)
    return None if value is None else parse_ref(row, value)


def put(txn: Any, table: Any, ref: Ref) -> None:
    """Write a ref."""
    head = _REF.pack(ref.version, ref.last_log, ref.target is not None)
    txn.put(ref_key(ref.name), head + (ref.target or b"") + ref.info, db=table)


def list_refs(
    txn: Any, table: Any, prefix: str, after: str | None, limit: int | None, *, deleted: bool
) -> list[Ref]:
    """Refs by name; see `Engine.refs`."""
    begin = prefix.encode("utf-8", "surrogatepass")
    start = begin
    if after is not None:
        start = max(begin, after.encode("utf-8", "surrogatepass") + b"\0")
    found: list[Ref] = []
    with txn.cursor(table) as cursor:
        if not (cursor.set_range(start) if start else cursor.first()):
            return found
        for key, value in cursor:
            if not key.startswith(begin) or (limit is not None and len(found) >= limit):
                break
            ref = parse_ref(key, value)
            if deleted or ref.target is not None:
                found.append(ref)
    if found:
        expect_onward("refs", found[-1].name, after)
    return found


def put_entry(txn: Any, table: Any, entry: LogEntry) -> None:
    """Append an entry to the log; its number is the highest ever."""
    name = ref_key(entry.name)
    flags = (entry.old is not None) + 2 * (entry.new is not None)
    head = _ENTRY.pack(entry.time_ns, entry.previous, flags, len(name))
    value = head + name + (entry.old or b"") + (entry.new or b"") + entry.note
    txn.put(number_key(entry.number), value, db=table, append=True)


def parse_entry(key: bytes, value: bytes) -> LogEntry:
    """One row of the table `log`.

    Raises:
        CorruptError: no such row can have been written.
    """
    number = int.from_bytes(key, "big")
    try:
        time_ns, previous, flags, length = _ENTRY.unpack_from(value)
        at = _ENTRY.size + length
        name = value[_ENTRY.size : at].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptError(f"log entry {number} is malformed: {error}") from None
    sides: list[ObjectId | None] = []
    for bit in (1, 2):
        end = at + ID_BYTES * bool(flags & bit)
        sides.append(ObjectId(value[at:end]) if end > at else None)
        at = end
    if len(value) < at or len(key) != 8 or flags > 3:
        raise CorruptError(f"log entry {number} is cut short or malformed")
    return LogEntry(number, name, sides[0], sides[1], time_ns, value[at:], previous)


def get_entry(txn: Any, table: Any, number: int) -> LogEntry | None:
    """One entry of the log."""
    if not 0 < number < 1 << 64:
        return None
    value = txn.get(number_key(number), db=table)
    return None if value is None else parse_entry(number_key(number), value)


def newest(txn: Any, table: Any, before: int | None, limit: int | None) -> list[LogEntry]:
    """Entries of the log, newest first; see `Engine.log`."""
    found: list[LogEntry] = []
    with txn.cursor(table) as cursor:
        if before is None or before >= 1 << 64:
            there = cursor.last()
        elif cursor.set_range(number_key(max(before, 0))):
            there = cursor.prev()
        else:
            there = cursor.last()
        if there:
            for key, value in cursor.iterprev():
                if limit is not None and len(found) >= limit:
                    break
                found.append(parse_entry(key, value))
    if found and before is not None:
        expect_onward("log", -found[-1].number, -before)
    return found
