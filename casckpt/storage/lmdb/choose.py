"""What to pack, and in which order.

To be packed are rows that lie for themselves, but for the newest ones if that is asked for,
those that compression does nothing for, and those that no index entry leads to (`pack` sees
that). Besides, the rows of blocks that are less than half in use, and of blocks that came
out small, once there are several.

What resembles each other should lie together. A row that nobody has claimed begins a
cluster; it claims the rows that it names, its base and its children, they claim theirs. So
a thread's records with the parts of its states are one cluster, whatever other threads wrote
in between, and shared parts lie with the newest that uses them. Within a cluster rows lie in
the order of storing, which compressed better than kind by kind.

Invariants: reading only; a few bytes of memory a row.

Imports: errors, frame, its neighbours.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from casckpt.errors import StorageError
from casckpt.storage.frame import BLOCK
from casckpt.storage.lmdb import tables
from casckpt.storage.lmdb.row import Head
from casckpt.storage.lmdb.space import Space
from casckpt.storage.lmdb.survey import Survey

__all__ = ["TARGET_BYTES", "Choice"]

TARGET_BYTES: Final = 2 << 20
"""Payloads in a block. Twice as much saves 5 %, half as much costs 6 % (docs/decisions)."""
GAIN_BYTES_MIN: Final = 8
"""A row with a smaller frame has nothing to gain."""
SOLID_BYTES_MIN: Final = 4096
"""A frame of so many bytes that is hardly shorter than its payload is noise: it stays."""


class Choice:
    """The rows to be packed; `steps` fills `order`.

    Args:
        space: the open file.
        keep: how many of the newest rows stay as they are.
    """

    def __init__(self, space: Space, *, keep: int) -> None:
        self._space = space
        self._keep = keep
        self._survey = Survey(space)
        self._hot = array("Q")
        self._packed = array("Q")
        """Seqs and blocks of the rows that are packed already, in turns."""
        self._low = self._top = 0
        self._clusters = array("I")
        """Cluster of each row from the lowest; 0: not claimed."""
        self._bases = bytearray()
        """1 for each row from the lowest that another is a delta against."""
        self._lowest: list[int] = [0]
        """The lowest row of each cluster."""
        self.order: list[int] = []

    @property
    def top(self) -> int:
        """The highest seq when it began."""
        return self._top

    def was_base(self, seq: int) -> bool:
        """Whether a row was a delta against this one when it began."""
        return self._low <= seq <= self._top and bool(self._bases[seq - self._low])

    def steps(self) -> Iterator[str]:
        """Look at all rows; a step a transaction."""
        with self._space.reading() as txn:
            self._low, self._top = tables.span(txn, self._space.tables)
        try:
            self._bases = tables.flags(self._low, self._top)
            self._clusters = array("I", bytes(4 * len(self._bases)))
        except (MemoryError, OverflowError):
            msg = f"rows {self._low} to {self._top} are too far apart to be sorted in memory"
            raise StorageError(msg) from None
        yield from self._survey.blocks()
        yield from self._survey.rows(self._look)
        again = self._again()
        seqs = list(self._hot)
        seqs += [
            s for s, b in zip(self._packed[::2], self._packed[1::2], strict=True) if b in again
        ]
        clusters, lowest, low = self._clusters, self._lowest, self._low
        seqs.sort(key=lambda seq: (lowest[clusters[seq - low]], seq))
        self.order = seqs
        self._clusters, self._hot, self._packed = array("I"), array("Q"), array("Q")

    def _look(self, seq: int, head: Head, row_bytes: int) -> None:
        if not self._low <= seq <= self._top:
            return  # stored meanwhile
        clusters, low = self._clusters, self._low
        mine = clusters[seq - low]
        if not mine:
            mine = clusters[seq - low] = len(self._lowest)
            self._lowest.append(seq)
        self._lowest[mine] = seq  # going down
        if head.base >= low:
            self._bases[head.base - low] = 1
        for other in (*head.own, head.base):
            if other >= low and not clusters[other - low]:
                clusters[other - low] = mine
        if head.codec == BLOCK:
            self._packed.extend((seq, head.block))
        elif seq <= self._top - self._keep and _pays(head, row_bytes - head.frame_at):
            self._hot.append(seq)

    def _again(self) -> set[int]:
        """The blocks whose rows are to be packed again."""
        sparse = set(self._survey.sparse())
        small = {
            number
            for number, live in self._survey.live_bytes.items()
            if 2 * live < TARGET_BYTES and number not in sparse
        }
        # One small block alone would only be copied.
        if len(small) + bool(sparse) + bool(self._hot) > 1:
            return sparse | small
        return sparse


def _pays(head: Head, frame_bytes: int) -> bool:
    if frame_bytes < SOLID_BYTES_MIN:
        return frame_bytes > GAIN_BYTES_MIN
    return frame_bytes * 10 < head.size * 9
