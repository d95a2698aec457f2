"""Garbage collection: exact, online, in short transactions, without a clock.

The steps, each a transaction of its own:

1. *begin* (write): take the horizon, that is the newest row (or the row before the oldest
   lease of a living writer); note the newest log entry and line of the feed. Then the roots
   are read: refs, log entries young enough, what the caller names.
2. *mark* (reads): one descending scan (`mark`). Rows above the horizon are live.
   *rebase* (writes): live deltas against what is to be replaced are rewritten (`replace`).
3. *index* (reads): find the index entries of what is not live.
4. *sweep* (writes): condemned rows, newest first, a few milliseconds at a time. Each batch
   first *drains*: it marks, in the same transaction, what refs have gained since: rows
   newer than the last one seen, targets of new log entries, lines of the feed. Then it
   removes the next condemned rows that are still unmarked, with their index entries. A row
   that is still a live row's base (BASE) keeps its bytes and loses its index entry. A row
   that is to be replaced and that nothing has asked for (CUT) is replaced at its turn.
5. *purge*, *forget*, *blocks* (writes): postings of what is gone; deleted refs and their
   log; blocks that no row lies in any more.

Why nothing needed is removed, whoever writes at the same time:

(a) An indexed row has indexed children, at every commit boundary. A commit appends a row
    only if all children have index entries in the same transaction. A batch removes entries
    newest first, and only of rows that are not LIVE; a parent that has an entry and is not
    LIVE is newer than its child, so it goes before or with it; a LIVE parent's children are
    LIVE (the marked set is closed). Hence also at any crash: the next gc starts anew.
(b) What is reachable at the moment a batch removes something is LIVE. Reachable from a row
    above the horizon: it was drained, with its closure, in this very transaction. From a
    ref whose target is older: the ref had it when the roots were read (or since: the move
    made a log entry or a line of the feed, drained now). By (a) nothing of it had been
    removed before: the commit that made it reachable found it indexed, so its closure was
    there; and it is marked now, before this batch removes anything.
(c) A writer that comes after a batch finds no index entry of what was swept, in its write
    transaction, and stores the object again under a new seq.
(d) A row's bytes need its base's bytes, and a delta's children may be listed in its base's
    row. So a base outlives its deltas as BASE: without an index entry nobody can find it,
    use it as a base again or take its children, some of which may be gone, for granted.
    What live rows share with it was LIVE at that time and stays so as long as they are
    there; new sharers cannot come. A later gc removes it when no live row needs it.
(e) A second gc at the same time would be sound by the same reasons, but each would miss
    rows the other one took. A sign in `meta` names the one that runs, and each batch checks
    that it is still the one. Packing takes the same sign; nothing above depends on that:
    it rewrites rows, but never their children, and a packed row needs no base (`pack`).

(f) A row is replaced at its turn in the sweep, so by then garbage that is newer is gone: no
    delta against it is left but in what came since the scan. That is drained in the same
    transaction, and whatever it needs of the row, as a child or as a base, makes it stay as it
    is; so does a ref or a log entry that leads to it. All its children are still there, for
    they are older. A writer that comes after the batch finds the new row under the old seq:
    it looks whether a base is still of the kind that it had read or remembered (`commit`).

Deleting in ascending order breaks (a); not draining breaks (b); checking for existence
before the write transaction breaks (c); leaving BASE rows in the index breaks (d); replacing
rows before the sweep, or not looking at a base's kind, breaks (f). The
model test (tests/storage) does each of these and sees it fail.

Invariants: no transaction is open at a yield; seqs, log numbers and versions that go raise
their floors in the same transaction.

Imports: errors, ids, the engine interface, its neighbours.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final

from casckpt.errors import StorageError
from casckpt.ids import ObjectId
from casckpt.storage.engine import GcReport, NewObject, Removed
from casckpt.storage.lmdb import feed, index, leases, litter, survey, tables, tally
from casckpt.storage.lmdb.mark import BASE, CUT, LIVE, Marks
from casckpt.storage.lmdb.replace import Replacer, put
from casckpt.storage.lmdb.roots import Roots
from casckpt.storage.lmdb.space import Space

__all__ = ["Collector"]

SCAN_ROWS: Final = 2048
"""Rows marked, or index entries read, in one read transaction: a few milliseconds."""
BATCH_ROWS: Final = 256
BATCH_SECONDS: Final = 0.005
"""A batch ends with the first of these; writers wait no longer."""
BATCH_LOOK: Final = 16
"""Rows between two looks at the stopwatch."""


class Collector:
    """One run of gc over a space; `steps` makes it, `report` tells what it did.

    Args:
        space: the open file.
        roots: called after the horizon is taken, with no transaction open.
        dry_run: only mark; nothing is written.
        keep_since_ns: log entries older than this are no roots; None: all are.
        tell: told of every object that was removed.
        replace: what takes the place of objects; called as `roots` is.
    """

    def __init__(
        self,
        space: Space,
        roots: Callable[[], Iterable[ObjectId]],
        *,
        dry_run: bool,
        keep_since_ns: int | None,
        tell: Removed | None = None,
        replace: Callable[[], Iterable[NewObject]] | None = None,
    ) -> None:
        self.space = space
        self._replace = replace or tuple
        self._extra = roots
        self._dry_run = dry_run
        self._tell = tell
        self._start = time.perf_counter()
        self._turn = leases.Turn(space.path)
        self._epoch = 0
        self._keep_since_ns = keep_since_ns
        self.marks = Marks(1, 0, 0)
        self.roots = Roots(space, self.marks, log=0, fed=0, keep_since_ns=None)
        self.seqs = array("Q")
        """Condemned rows, oldest first."""
        self._prefixes = bytearray()
        self.expected: Counter[int] = Counter()
        """Objects by kind that would be removed if no ref gained anything any more."""
        self.removed: Counter[int] = Counter()
        self.removed_bytes = 0
        self.replaced = 0
        self._replaced_seqs: list[int] = []
        self.replacer = Replacer(space, self.marks, self.check_sign)
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
            CorruptError: a needed row is missing or malformed; nothing more is removed.
            StorageError: another gc, or a pack, is at work.
        """
        if not self._dry_run:
            self.space.write(self._claim)
        try:
            yield from self._begin()
            yield from self._mark()
            yield from self.replacer.rebase(dry_run=self._dry_run)
            yield from self._find_entries()
            if not self._dry_run:
                yield from self._sweep()
        finally:
            if not self._dry_run:
                self.space.clear(self._end)

    def report(self) -> GcReport:
        """What was done, or in a dry run would be."""
        removed = self.expected if self._dry_run else self.removed
        cuts = self.marks.states.count(CUT)
        removed_bytes, replaced = self.removed_bytes, self.replaced
        if self._dry_run:
            removed_bytes, replaced = self.marks.condemned_bytes, cuts
        return GcReport(
            objects_live=self.marks.states.count(LIVE) + cuts,
            objects_removed=sum(removed.values()),
            bytes_removed=removed_bytes - self.replacer.grown_bytes,
            kinds_removed=dict(removed),
            seconds=time.perf_counter() - self._start,
            objects_replaced=replaced,
        )

    # begin, roots

    def _begin(self) -> Iterator[str]:
        if self._dry_run:
            with self.space.reading() as txn:
                self._take_horizon(txn)
        else:
            self.space.free_readers()
            while self.space.write(lambda txn: feed.clear(txn, self.tables, BATCH_ROWS)):
                yield "begin"
            self.space.write(self._take_horizon)
        yield "begin"

    def _claim(self, txn: Any) -> None:
        self._turn.take(txn, self.tables)

    def _end(self, txn: Any) -> None:
        if self._unused is not None and self._turn.is_mine(txn, self.tables):
            top, log = self.marks.top, self.roots.past
            tally.collected(txn, self.tables, top=top, log=log, unused_bytes=self._unused)
        self._turn.end(txn, self.tables)

    def check_sign(self, txn: Any) -> None:
        """Raise StorageError unless this is the gc that runs."""
        if not self._dry_run:
            self._turn.check(txn, self.tables)
        elif tables.state(txn, self.tables).epoch != self._epoch:
            raise StorageError(
                f"{self.space.path}: another gc has begun, or a pack removed rows; this one stops"
            )

    def _take_horizon(self, txn: Any) -> None:
        state = tables.state(txn, self.tables)
        self._epoch = state.epoch
        low, top = tables.span(txn, self.tables)
        lease = leases.lowest(txn, self.tables, clean=not self._dry_run)
        horizon = top if lease is None else min(top, lease - 1)
        self.marks = Marks(low, horizon, top)
        log = tables.last_log(txn, self.tables, state.log_floor)
        fed, _ = feed.since(txn, self.tables, 0)
        self.roots = Roots(
            self.space, self.marks, log=log, fed=fed, keep_since_ns=self._keep_since_ns
        )

    def _mark(self) -> Iterator[str]:
        self.replacer = Replacer(self.space, self.marks, self.check_sign)
        yield from self.replacer.load(self._replace())
        yield from self.roots.read(list(self._extra()))
        more = True
        while more:
            with self.space.reading() as txn:
                self.check_sign(txn)
                more = self.marks.scan(txn, self.tables.rows, SCAN_ROWS)
            self.progress = ("mark", *self.marks.progress())
            yield "mark"

    # what is not live

    def _find_entries(self) -> Iterator[str]:
        """Find the index entries of the condemned: they cannot be told from the rows alone."""
        marks = self.marks
        self.seqs = array("Q", reversed(marks.condemned))
        self._prefixes = bytearray(index.PREFIX_BYTES * len(self.seqs))
        kinds = marks.kinds[::-1]
        after = b""
        while self.seqs:
            with self.space.reading() as txn, txn.cursor(self.tables.index) as cursor:
                page = index.scan(cursor, after, SCAN_ROWS)
            for entry in page:
                seq = int.from_bytes(entry[index.PREFIX_BYTES :], "big")
                if marks.state(seq) < LIVE:
                    at = bisect_left(self.seqs, seq)
                    if at < len(self.seqs) and self.seqs[at] == seq:
                        place = at * index.PREFIX_BYTES
                        self._prefixes[place : place + index.PREFIX_BYTES] = entry[
                            : index.PREFIX_BYTES
                        ]
                        self.expected[kinds[at]] += 1
            yield "index"
            if len(page) < SCAN_ROWS:
                return
            after = page[-1]

    def _sweep(self) -> Generator[str, None, None]:
        left = len(self.seqs)
        while left:
            with self.space.reading() as txn:  # so that little is left to do in the batch
                self.roots.drain(txn)
            done = self.space.write(_Batch(self, left).run)
            left = done.left
            self.removed += done.removed
            self.replaced += len(done.replaced)
            self._replaced_seqs += done.replaced
            for seq in done.replaced:
                self.marks.replaced(seq)
            self.space.payloads.drop(done.replaced)
            if self._tell is not None:
                for kind, begin in done.names:
                    self._tell(kind, begin)
            self.removed_bytes += done.removed_bytes
            self.progress = ("sweep", len(self.seqs) - left, len(self.seqs))
            yield "sweep"
        yield from self.replacer.tighten(sorted(self._replaced_seqs))
        yield from litter.purge(self.space, self.marks)
        yield from litter.forget(self.space, self.roots.held)
        self._unused = yield from survey.tidy(self.space, self.check_sign)

    def entry_prefix(self, at: int) -> bytes:
        """The id prefix under which the condemned row number `at` was indexed; b"": it was not."""
        place = at * index.PREFIX_BYTES
        prefix = bytes(self._prefixes[place : place + index.PREFIX_BYTES])
        return prefix if any(prefix) else b""


class _Batch:
    """One write transaction of the sweep; made anew if LMDB asks for another attempt."""

    def __init__(self, collector: Collector, left: int) -> None:
        self.collector = collector
        self.left = left
        """Condemned rows still to be looked at, from the oldest."""
        self.removed: Counter[int] = Counter()
        self.removed_bytes = 0
        self.names: list[tuple[int, bytes]] = []
        """Kind and first bytes of the id of each object removed."""
        self.replaced: list[int] = []

    def run(self, txn: Any) -> _Batch:
        """Drain, then remove; returns what came out."""
        gc = self.collector
        batch = _Batch(gc, self.left)
        gc.check_sign(txn)
        gc.roots.drain(txn)
        batch._remove(txn)
        return batch

    def _remove(self, txn: Any) -> None:
        gc = self.collector
        end = time.perf_counter() + BATCH_SECONDS
        highest = gc.seqs[self.left - 1]
        changed = 0
        with txn.cursor(gc.tables.rows) as rows:
            while self.left and changed < BATCH_ROWS:
                if not self.left % BATCH_LOOK and changed and time.perf_counter() > end:
                    break
                self.left -= 1
                changed += self._condemn(txn, rows, self.left)
        state = tables.state(txn, gc.tables)
        floor = max(state.seq_floor, highest)
        tables.put_state(txn, gc.tables, state._replace(epoch=state.epoch + 1, seq_floor=floor))

    def _condemn(self, txn: Any, rows: Any, at: int) -> int:
        """Remove a row, or only its entry, or nothing if it was gained; how much was changed."""
        gc = self.collector
        seq = gc.seqs[at]
        state = gc.marks.state(seq)
        prefix = gc.entry_prefix(at)
        if state == LIVE or not rows.set_key(tables.number_key(seq)):
            return 0
        data = rows.value()
        if state == CUT:
            new = gc.marks.cuts[seq].row
            put(rows, seq, new)
            self.replaced.append(seq)
            self.removed_bytes += len(data) - len(new)
            return 1
        if prefix:
            index.remove(txn, gc.tables.index, prefix, seq)
            self.removed[data[0] >> 4] += 1
            self.names.append((data[0] >> 4, prefix))
        elif state == BASE:
            return 0
        if state != BASE:
            rows.delete()
            self.removed_bytes += len(data)
        return 1
