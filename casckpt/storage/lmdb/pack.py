"""Packing: rows move into solid blocks, while others read and write.

The steps, each with transactions of its own:

1. *begin* (write): take the sign that gc takes, too.
2. *choose* (reads): one pass over all rows (`choose`).
3. for each block: *read* the next rows and decode them (reads); compress, with no
   transaction open; *write* the block, and let the rows point into it, a few milliseconds
   at a time.
4. *bases* (reads, writes): remove rows that only what is packed now was a delta against (`bases`).
5. *blocks* (writes): remove blocks that no row lies in any more.

Why nothing is lost, whoever reads and writes at the same time:

(a) A row is rewritten only if it is byte for byte as it was read, and in the transaction
    that stores the block, or a later one. Its payload was verified against its index entry,
    the block was decoded again and compared before. So at every commit boundary each row
    leads to its payload, and seqs, children and all other tables are as before: ids, reads,
    refs and gc's reasons (`sweep`) do not notice. A reader has the row and the block, or the
    row as it was before, in one snapshot.
(b) What others know of a row stays true: payload and children never change. Its depth falls
    to 0; a delta that states a larger one keeps within the limit all the same.
(c) A row that gc keeps as a base only has no index entry and is not packed; when all its
    deltas are, it serves nobody and goes (`bases`), or, after a run that was stopped, with
    the next gc.
(d) Killed in between: the block is there, and those rows point into it that were committed;
    the others are as before. The next run packs them elsewhere, and repacks or removes the
    block by how much of it is in use.
(e) gc and a second pack are kept off by the sign, which every batch looks for. If it was
    taken away (its owner was thought dead), the run stops; whoever came sees rows that are
    sound by (a), and no block loses its last row unseen: removing blocks is under the sign.

Invariants: no transaction is open at a yield.

Imports: errors, ids, the engine interface, frame, its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError, StorageError
from casckpt.storage.engine import PackReport
from casckpt.storage.frame import BLOCK
from casckpt.storage.lmdb import (
    bases,
    blocks,
    choose,
    index,
    leases,
    objects,
    survey,
    tables,
    tally,
)
from casckpt.storage.lmdb.caches import Payloads
from casckpt.storage.lmdb.row import Head, encode_head
from casckpt.storage.lmdb.space import Space

__all__ = ["Packer"]

READ_ROWS: Final = 256
"""Rows decoded in one read transaction: a few milliseconds."""
BATCH_ROWS: Final = 512
BATCH_SECONDS: Final = 0.005
"""A batch ends with the first of these; writers wait no longer."""
BATCH_LOOK: Final = 16
"""Rows between two looks at the stopwatch."""


class _Item(NamedTuple):
    """A row on its way into a block."""

    seq: int
    row: bytes
    """As it was read."""
    head: Head
    """As it will be, but for the block's number."""


class Packer:
    """One run of packing over a space; `steps` makes it, `report` tells what it did.

    Args:
        space: the open file.
        keep: how many of the newest rows stay as they are.
        seconds_max: begin no further block after so long; None: go to the end.
    """

    def __init__(self, space: Space, *, keep: int, seconds_max: float | None) -> None:
        self.space = space
        self._start = time.perf_counter()
        self._seconds_max = seconds_max
        self._turn = leases.Turn(space.path)
        self._choice = choose.Choice(space, keep=keep)
        self._cache = Payloads()
        self._at = 0
        """How much of the order is done."""
        self.packed = self.written = self.before = self.after = self.payload_bytes = 0
        self.longest = 0.0
        self.progress = ("begin", 0, 1)
        self._unused: int | None = None
        """Bytes of blocks less than half in use; None: it has not come to its end."""

    @property
    def tables(self) -> tables.Tables:
        """The tables' handles: new ones, if the environment was opened anew meanwhile."""
        return self.space.tables

    def steps(self) -> Generator[str, None, None]:
        """Run; yields the name of each step when its transaction has ended.

        Raises:
            CorruptError: a row's head is malformed.
            StorageError: a gc or another pack is at work; disk full.
        """
        self.space.write(lambda txn: self._turn.take(txn, self.tables))
        try:
            self.space.free_readers()
            yield "begin"
            for step in self._choice.steps():
                self.progress = ("choose", 0, 1)
                yield step
            while not self.is_complete and not self._is_late():
                yield from self._block()
            if self.is_complete:
                yield from bases.drop(self.space, self._choice.was_base, self._check_sign)
            unused = yield from survey.tidy(self.space, self._check_sign)
            if self.is_complete:
                self._unused = unused
        finally:
            self.space.clear(self._end)

    def report(self) -> PackReport:
        """What was done."""
        return PackReport(
            objects_packed=self.packed,
            blocks_written=self.written,
            payload_bytes=self.payload_bytes,
            bytes_before=self.before,
            bytes_after=self.after,
            complete=self.is_complete,
            longest_write_seconds=self.longest,
            seconds=time.perf_counter() - self._start,
        )

    @property
    def is_complete(self) -> bool:
        """Whether all that was chosen is packed."""
        return self._at >= len(self._choice.order)

    def _is_late(self) -> bool:
        spent = time.perf_counter() - self._start
        return self._seconds_max is not None and spent > self._seconds_max

    def _check_sign(self, txn: Any) -> None:
        self._turn.check(txn, self.tables)

    def _end(self, txn: Any) -> None:
        if self._unused is not None and self._turn.is_mine(txn, self.tables):
            tally.packed(txn, self.tables, top=self._choice.top, unused_bytes=self._unused)
        self._turn.end(txn, self.tables)

    # one block

    def _block(self) -> Iterator[str]:
        items: list[_Item] = []
        parts: list[bytes] = []
        size = 0
        order, full = self._choice.order, False
        while not full and self._at < len(order):
            with self.space.reading() as txn, txn.cursor(self.tables.index) as finder:
                for seq in order[self._at : self._at + READ_ROWS]:
                    found = self._read(txn, finder, seq, size)
                    if found is not None:
                        item, payload = found
                        full = bool(items) and size + len(payload) > 2 * choose.TARGET_BYTES
                        if full:
                            break  # it begins the next block
                        items.append(item)
                        parts.append(payload)
                        size += len(payload)
                    self._at += 1
                    full = size >= choose.TARGET_BYTES
                    if full:
                        break
            self.progress = ("pack", self._at, len(order))
            yield "read"
        if items:
            yield from self._store(items, b"".join(parts))

    def _read(self, txn: Any, finder: Any, seq: int, offset: int) -> tuple[_Item, bytes] | None:
        """A row and its payload; None if it is gone, serves only as a base, or is damaged."""
        row = txn.get(tables.number_key(seq), db=self.tables.rows)
        if row is None:
            return None
        try:
            known = objects.load(txn, self.tables, self._cache, seq)
            children = objects.children(txn, self.tables, self._cache, seq)
        except CorruptError:
            return None  # fsck tells; what is left of it stays as it is
        if known is None or index.find(finder, known.id) != seq:
            return None
        head = Head(known.kind, BLOCK, len(known.payload), 0, 0, 0, children, 0, 0, offset)
        return _Item(seq, row, head), known.payload

    def _store(self, items: list[_Item], raw: bytes) -> Iterator[str]:
        value = blocks.encode(raw)
        if blocks.read(0, value) != raw:
            raise StorageError(f"{self.space.path}: a block does not decode to what it was made of")
        number = done = 0
        while done < len(items):
            began = time.perf_counter()
            batch = self.space.write(_Batch(self, items, value, number, done).run)
            self.longest = max(self.longest, time.perf_counter() - began)
            number, done = batch.number, batch.done
            self.packed += batch.packed
            self.before += batch.before
            self.after += batch.after
            yield "write"
        self.written += 1
        self.after += len(value)
        self.payload_bytes += len(raw)


class _Batch:
    """One write transaction; made anew if LMDB asks for another attempt."""

    def __init__(
        self, packer: Packer, items: list[_Item], value: bytes, number: int, done: int
    ) -> None:
        self._packer = packer
        self._items = items
        self._value = value
        self.number = number
        """Of the block; 0: not stored yet."""
        self.done = done
        self.packed = self.before = self.after = 0

    def run(self, txn: Any) -> _Batch:
        """Store the block with the first rows, or point the next rows to it."""
        packer = self._packer
        batch = _Batch(packer, self._items, self._value, self.number, self.done)
        end = time.perf_counter() + BATCH_SECONDS
        packer._check_sign(txn)  # noqa: SLF001 (a run and its batches are one thing)
        batch.number = batch.number or blocks.add(txn, packer.tables, self._value)
        with txn.cursor(packer.tables.rows) as rows:
            for item in self._items[self.done : self.done + BATCH_ROWS]:
                late = not batch.done % BATCH_LOOK and time.perf_counter() > end
                if late and batch.done > self.done:
                    break
                batch._point(rows, item)
                batch.done += 1
        return batch

    def _point(self, rows: Any, item: _Item) -> None:
        """Let a row point into the block, if it is still as it was read."""
        key = tables.number_key(item.seq)
        if not rows.set_key(key) or rows.value() != item.row:
            return
        new = encode_head(item.seq, item.head._replace(block=self.number))
        # Not in place: LMDB joins pages that have become empty only when something is deleted.
        rows.delete()
        rows.put(key, new)
        self.packed += 1
        self.before += len(item.row)
        self.after += len(new)
