"""Replacing rows: what gc puts in the place of objects that lose a part of what they hold.

A row is replaced where it is: number, id and index entry stay, payload and children become
others. First the live rows that are deltas against it are rewritten (`rebase`), against an
older row that stays, or whole; they say the same as before, as after packing. The replacing
itself is a part of the sweep. Afterwards what was put in place is stored against its last
child (`tighten`): nothing else can be a delta against it (`plan`), so its depth may grow.

Invariants: a row is rewritten only if it is byte for byte as it was read; no transaction is
open at a yield.

Imports: errors, the engine interface, frame, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.storage.engine import NewObject
from casckpt.storage.frame import BASE_PAYLOAD_BYTES_MAX, DELTA, Base, encode
from casckpt.storage.lmdb import index, objects, tables
from casckpt.storage.lmdb.caches import Known, Payloads
from casckpt.storage.lmdb.mark import LIVE, Cut, Marks
from casckpt.storage.lmdb.row import DEPTH_MAX, Head, encode_head, parse
from casckpt.storage.lmdb.space import Space

__all__ = ["Replacer", "put"]

READ_ROWS: Final = 128
"""Rows decoded and encoded at a time, or objects looked up in one read transaction."""
BATCH_ROWS: Final = 64
"""Rows rewritten in one write transaction: some milliseconds at most."""


class _Item(NamedTuple):
    seq: int
    row: bytes
    """As it was read."""
    new: bytes


class Replacer:
    """Prepares what `sweep` replaces.

    Args:
        space: the open file.
        marks: nothing is scanned yet.
        check_sign: raises StorageError unless this is the gc that runs.
    """

    def __init__(self, space: Space, marks: Marks, check_sign: Callable[[Any], None]) -> None:
        self._space = space
        self._marks = marks
        self._check_sign = check_sign
        self._cache = Payloads()
        self.grown_bytes = 0
        """By how much the rewritten rows are larger than before."""

    def load(self, wanted: Iterable[NewObject]) -> Iterator[str]:
        """Look up what is to be replaced, before the scan; a step a transaction."""
        line = iter(wanted)
        while page := list(islice(line, READ_ROWS)):
            here = self._space.tables
            with self._space.reading() as txn, txn.cursor(here.index) as finder:
                for new in page:
                    seq = index.find(finder, new.id)
                    row = txn.get(tables.number_key(seq), db=here.rows) if seq else None
                    kept = tuple(index.find(finder, child) for child in new.children)
                    known = row is not None and row[0] >> 4 != new.kind and 0 not in kept
                    if known and seq <= self._marks.horizon:
                        self._marks.cuts[seq] = Cut(_row(seq, new, kept), kept)
            yield "replace"

    def rebase(self, *, dry_run: bool) -> Iterator[str]:
        """Rewrite the rows that are deltas against what is to be replaced; after the scan."""
        rows = self._marks.rebases
        for at in range(0, len(rows), READ_ROWS):
            items: list[_Item] = []
            with self._space.reading() as txn:
                for seq in rows[at : at + READ_ROWS]:
                    item = self._rebased(txn, seq)
                    if item is not None:
                        items.append(item)
            yield "rebase"
            for begin in range(0, len(items), BATCH_ROWS):
                batch = items[begin : begin + BATCH_ROWS]
                self.grown_bytes += sum(len(item.new) - len(item.row) for item in batch)
                if not dry_run:
                    self._space.write(partial(self._rewrite, batch))
                    yield "rebase"

    def _rebased(self, txn: Any, seq: int) -> _Item | None:
        here = self._space.tables
        row = txn.get(tables.number_key(seq), db=here.rows)
        head = parse(seq, row)
        if head.base not in self._marks.cuts:
            return None
        try:
            known = objects.load(txn, here, self._cache, seq)
            children = objects.children(txn, here, self._cache, seq)
        except CorruptError:
            known = None
        if known is None:  # damaged; let it be, and what it needs
            self._marks.gain(txn, here.rows, head.base)
            return None
        return _Item(seq, row, self._encoded(txn, seq, head, known, children))

    def _encoded(
        self, txn: Any, seq: int, head: Head, known: Known, children: tuple[int, ...]
    ) -> bytes:
        """The row anew: against the nearest of its bases that stays, or whole."""
        here = self._space.tables
        base, elder = self._staying(txn, head.base), None
        if base and len(known.payload) <= BASE_PAYLOAD_BYTES_MAX:
            elder = objects.load(txn, here, self._cache, base)
        if elder is None or elder.depth + 1 > head.depth:
            codec, frame = encode(known.payload)
        else:
            codec, frame = encode(known.payload, Base(elder.payload, elder.id))
        shared = depth = 0
        if codec == DELTA and elder is not None:
            depth = elder.depth + 1
            before = objects.children(txn, here, self._cache, base)
            shared = common(children, before)
        new = Head(
            *(head.kind, codec, head.size, base if codec == DELTA else 0, depth, shared),
            own=children[shared:],
            frame_at=0,
        )
        return encode_head(seq, new) + frame

    def _staying(self, txn: Any, seq: int) -> int:
        """The first LIVE row down a chain of deltas; 0: none."""
        while seq and self._marks.state(seq) != LIVE:
            row = txn.get(tables.number_key(seq), db=self._space.tables.rows)
            seq = parse(seq, row).base if row is not None else 0
        return seq

    def tighten(self, seqs: Iterable[int]) -> Iterator[str]:
        """Store what was put in place against the child that it resembles; after the sweep.

        Args:
            seqs: rows that were replaced, oldest first.
        """
        cache, depths, line = Payloads(), dict[int, int](), iter(seqs)
        while page := list(islice(line, READ_ROWS)):
            items: list[_Item] = []
            with self._space.reading() as txn:
                for seq in page:
                    item = self._tightened(txn, cache, depths, seq)
                    if item is not None:
                        items.append(item)
            yield "tighten"
            for begin in range(0, len(items), BATCH_ROWS):
                batch = items[begin : begin + BATCH_ROWS]
                self._space.write(partial(self._rewrite, batch))
                self.grown_bytes += sum(len(item.new) - len(item.row) for item in batch)
                yield "tighten"

    def _tightened(
        self, txn: Any, cache: Payloads, depths: dict[int, int], seq: int
    ) -> _Item | None:
        here = self._space.tables
        row = txn.get(tables.number_key(seq), db=here.rows)
        head = parse(seq, row) if row is not None else None
        if row is None or head is None or not head.own or head.base:
            return None
        base = head.own[-1]
        known, elder = (objects.load(txn, here, cache, at) for at in (seq, base))
        if known is None or elder is None:
            return None
        depth = depths.get(base, elder.depth) + 1
        if depth > DEPTH_MAX or len(elder.payload) > BASE_PAYLOAD_BYTES_MAX:
            return None
        codec, frame = encode(known.payload, Base(elder.payload, elder.id))
        new = encode_head(seq, head._replace(codec=codec, base=base, depth=depth)) + frame
        if codec != DELTA or len(new) >= len(row):
            return None
        depths[seq] = depth
        return _Item(seq, row, new)

    def _rewrite(self, batch: list[_Item], txn: Any) -> None:
        self._check_sign(txn)
        here = self._space.tables
        with txn.cursor(here.rows) as rows:
            for item in batch:
                if not rows.set_key(tables.number_key(item.seq)) or rows.value() != item.row:
                    # Nobody else rewrites rows while the sign is ours.
                    raise CorruptError(f"row {item.seq} has changed under gc: run fsck")
                put(rows, item.seq, item.new)


def common(children: Sequence[int], before: Sequence[int]) -> int:
    """How many leading children are the same."""
    count = 0
    for one, other in zip(children, before, strict=False):
        if one != other:
            break
        count += 1
    return count


def put(rows: Any, seq: int, row: bytes) -> None:
    """Put another row in the place of the one that the cursor is at."""
    # Not in place: LMDB joins pages that have become empty only when something is deleted.
    rows.delete()
    rows.put(tables.number_key(seq), row)


def _row(seq: int, new: NewObject, kept: tuple[int, ...]) -> bytes:
    codec, frame = encode(new.payload)
    head = Head(new.kind, codec, len(new.payload), 0, 0, 0, kept, 0)
    return encode_head(seq, head) + frame
