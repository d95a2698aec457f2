"""What refs and the log hold, and what they have gained since that was read.

A ref gains objects in three ways, and each leaves a trace that is read here: new rows, log
entries, lines of the feed.

Invariants: after `drain`, in the same transaction, everything reachable from a ref, from a
young log entry or from a row newer than the horizon is marked, provided `read` is done and
`Marks.scan` too.

Imports: errors, ids, the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.engine import LogEntry
from casckpt.storage.lmdb import feed, index, refs, tables
from casckpt.storage.lmdb.mark import Marks
from casckpt.storage.lmdb.space import Space

__all__ = ["Roots"]

PAGE: Final = 1024
"""Refs or log entries read in one transaction."""


class Roots:
    """Reads roots into marks.

    Args:
        space: the open file.
        marks: nothing is scanned yet.
        log: the newest log entry when the horizon was taken.
        fed: the newest line of the feed then.
        keep_since_ns: log entries older than this are no roots; None: all are.
    """

    def __init__(
        self, space: Space, marks: Marks, *, log: int, fed: int, keep_since_ns: int | None
    ) -> None:
        self._space = space
        self._marks = marks
        self._row = marks.top
        self._log = log
        self._fed = fed
        self._keep_since_ns = keep_since_ns
        self.held: set[str] = set()
        """Names of the refs that have a young log entry."""
        self.past = 0
        """The newest log entry that is not young."""

    def read(self, extra: list[ObjectId]) -> Iterator[str]:
        """Mark all roots; a step a transaction."""
        table = self._space.tables.index
        with self._space.reading() as txn, txn.cursor(table) as finder:
            for oid in extra:
                self._marks.root(index.find(finder, oid), whole=False)
        after: str | None = None
        more = True
        while more:
            with self._space.reading() as txn, txn.cursor(table) as finder:
                page = refs.list_refs(txn, self._space.tables.refs, "", after, PAGE, deleted=False)
                for ref in page:
                    seq = index.find(finder, ref.target) if ref.target else 0
                    if not seq:
                        raise CorruptError(f"the target of ref {ref.name!r} is missing; run fsck")
                    self._marks.root(seq)
            more = len(page) == PAGE
            after = page[-1].name if page else None
            yield "roots"
        yield from self._read_log()

    def _read_log(self) -> Iterator[str]:
        before: int | None = None
        more = True
        while more:
            tables_ = self._space.tables
            with self._space.reading() as txn, txn.cursor(tables_.index) as finder:
                page = refs.newest(txn, tables_.log, before, PAGE)
                for entry in page:
                    if self._keep_since_ns is None or entry.time_ns >= self._keep_since_ns:
                        self.held.add(entry.name)
                        for seq in _sides(finder, entry):
                            self._marks.root(seq)
                    else:
                        self.past = max(self.past, entry.number)
            more = len(page) == PAGE
            before = page[-1].number if page else None
            yield "roots"

    def drain(self, txn: Any) -> None:
        """Mark what was gained since the last time. The scan is done."""
        here, marks = self._space.tables, self._marks
        with txn.cursor(here.rows) as cursor:
            if cursor.set_range(tables.number_key(self._row + 1)):
                for key, data in cursor:
                    seq = int.from_bytes(key, "big")
                    marks.gain_new(txn, here.rows, seq, data)
                    self._row = seq
        with txn.cursor(here.log) as cursor, txn.cursor(here.index) as finder:
            if cursor.set_range(tables.number_key(self._log + 1)):
                for key, value in cursor:
                    entry = refs.parse_entry(key, value)
                    for seq in _sides(finder, entry):
                        marks.gain(txn, here.rows, seq)
                    self._log = entry.number
            fed, oids = feed.since(txn, here, self._fed)
            for oid in oids:
                seq = index.find(finder, oid)
                if seq:
                    marks.gain(txn, here.rows, seq)
            self._fed = fed


def _sides(finder: Any, entry: LogEntry) -> Iterator[int]:
    """Seqs of a log entry's old and new target, where they are stored.

    A target may be gone: an earlier gc may have kept less of the log.
    """
    for oid in (entry.old, entry.new):
        seq = index.find(finder, oid) if oid is not None else 0
        if seq:
            yield seq
