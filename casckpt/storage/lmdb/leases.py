"""Signs in `meta` that somebody is in the middle of something: long commits, gc, packing.

A commit of more than one transaction leaves a lease with its first seq, and so does whoever
stores objects ahead of their commit (`hold`); gc holds for live whatever lies from there on. Who crashes leaves the sign behind; it is recognised by
the process's number, its start time, the boot and the process namespace, and ignored then.
No clock decides anything, and nothing depends on the judgement for safety: a commit checks
everything again in its last transaction, and a gc notices that another one has removed
something (`State.epoch`).

Invariants: a lease is written in the same transaction as the first row it protects or before,
and removed in the one that moves the refs. gc and packing have one sign between them (`Turn`),
and write nothing without seeing it in the same transaction.

Imports: errors, tables.
"""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from casckpt.errors import StorageError
from casckpt.storage.lmdb.tables import Tables, last_seq, number_key, state

__all__ = [
    "GC",
    "Turn",
    "claim",
    "drop",
    "hold",
    "holder",
    "is_alive",
    "lease_key",
    "lowest",
    "owner",
]

GC: Final = b"gc"
_LEASE: Final = b"lease"
_runs = itertools.count(1)


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty where there is no /proc."""
    # The name, in parentheses, may hold blanks; the 20th field after it is the start time.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


@cache
def _place() -> str:
    """What a process number is relative to: the boot, and the namespace of numbers."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{_read('/proc/sys/kernel/random/boot_id')} {namespace}".strip()


def owner(run: int = 0) -> bytes:
    """This process, as a sign names it; `run` tells apart what it does at the same time."""
    pid = os.getpid()
    return f"{pid}|{_started(pid)}|{run}|{_place()}".encode()


def is_alive(sign: bytes) -> bool:
    """Whether the process that left the sign is still there."""
    fields = sign.decode("utf-8", "replace").split("|", 3)
    if len(fields) < 4 or not fields[0].isdecimal() or fields[3] != _place():
        return False
    number, started = fields[:2]
    pid = int(number)
    if started:
        return _started(pid) == started
    if os.name == "nt":
        return pid == os.getpid()  # there, signal 0 is not a question
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def lease_key(seq: int) -> bytes:
    """Where the lease of a commit lies whose first row is `seq`."""
    return _LEASE + number_key(seq)


def claim(txn: Any, tables: Tables, key: bytes, sign: bytes | None = None) -> None:
    """Leave this process's sign."""
    txn.put(key, sign or owner(), db=tables.meta)


def hold(txn: Any, tables: Tables) -> bytes:
    """Leave a lease for what this process stores from now on; returns its key, no other's."""
    seq = last_seq(txn, tables, state(txn, tables).seq_floor) + 1
    sign = owner(next(_runs))
    key = lease_key(seq) + sign
    claim(txn, tables, key, sign)
    return key


def drop(txn: Any, tables: Tables, key: bytes) -> None:
    """Take a sign away."""
    txn.delete(key, db=tables.meta)


def holder(txn: Any, tables: Tables, key: bytes) -> bytes | None:
    """The sign of a process that is alive, or None."""
    sign: bytes | None = txn.get(key, db=tables.meta)
    return sign if sign is not None and is_alive(sign) else None


def lowest(txn: Any, tables: Tables, *, clean: bool) -> int | None:
    """The lowest seq under a lease of a living process.

    Args:
        txn: with `clean`, a write transaction.
        tables: its tables.
        clean: remove the leases of dead processes.
    """
    found = None
    with txn.cursor(tables.meta) as cursor:
        there = cursor.set_range(_LEASE)
        while there and cursor.key().startswith(_LEASE):
            if is_alive(cursor.value()):
                found = found or int.from_bytes(cursor.key()[len(_LEASE) :][:8], "big")
                there = cursor.next()
            elif clean:
                there = cursor.delete() and bool(cursor.key())
            else:
                there = cursor.next()
    return found


class Turn:
    """The sign of one run of gc or of packing.

    Args:
        path: of the store, for messages.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.sign = owner(next(_runs))

    def take(self, txn: Any, tables: Tables) -> None:
        """Leave the sign, unless somebody else is at work."""
        if holder(txn, tables, GC) is not None:
            msg = f"{self._path}: another gc or pack is at work; wait for its end"
            raise StorageError(msg, path=self._path, busy=True)
        claim(txn, tables, GC, self.sign)

    def is_mine(self, txn: Any, tables: Tables) -> bool:
        """Whether nobody else has begun."""
        return bool(txn.get(GC, db=tables.meta) == self.sign)

    def check(self, txn: Any, tables: Tables) -> None:
        """Raise StorageError if somebody else has begun."""
        if not self.is_mine(txn, tables):
            msg = f"{self._path}: another gc or pack has begun; this one stops"
            raise StorageError(msg, path=self._path, busy=True)

    def end(self, txn: Any, tables: Tables) -> None:
        """Take the sign away."""
        if self.is_mine(txn, tables):
            drop(txn, tables, GC)
