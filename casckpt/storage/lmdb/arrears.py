"""What writes that failed have left to do: it is made good in the next one that succeeds.

*Syncs.* A kernel whose write to the disk failed says so once, and may forget the pages: the
next sync returns as if all were well. What an aborted commit wrote does not matter, but with
"relaxed" the root of the commit before waits for the same sync, and with "none" so does
everything. So both root pages (with "none", the whole file) are written anew, as they are.

*Signs.* Gc, packing and long commits leave a sign in the store while they are at work. If it
cannot be taken away, others would wait for this process as long as it lives.

Invariants: all of it happens under LMDB's write lock; until it has happened, no write succeeds.

Imports: nothing of casckpt.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Arrears"]

ROOTS: Final = 2
"""LMDB's root pages, at the beginning of the file."""
PIECE_BYTES: Final = 1 << 22


class Arrears:
    """Of one open file; guarded by whoever holds the write lock."""

    def __init__(self) -> None:
        self.sync_failed = False
        self._left: list[Callable[[Any], object]] = []

    def add(self, work: Callable[[Any], object]) -> None:
        """Something to do in the next write transaction; harmless if it is done twice."""
        self._left.append(work)

    def make_good(self, txn: Any, data: str, page_bytes: int, *, whole: bool) -> int:
        """Do it all; how much will be done when the transaction is committed. Raises OSError."""
        if self.sync_failed:
            _write_again(data, ROOTS * page_bytes, whole=whole)
            self.sync_failed = False
        for work in self._left:
            work(txn)
        return len(self._left)

    def done(self, count: int) -> None:
        """The transaction was committed."""
        del self._left[:count]


def _write_again(data: str, size: int, *, whole: bool) -> None:
    handle = os.open(data, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        end = os.fstat(handle).st_size if whole else size
        at = 0
        while at < end:
            os.lseek(handle, at, os.SEEK_SET)
            piece = os.read(handle, min(PIECE_BYTES, end - at))
            os.lseek(handle, at, os.SEEK_SET)
            at += os.write(handle, piece) or end
        os.fsync(handle)
    finally:
        os.close(handle)
