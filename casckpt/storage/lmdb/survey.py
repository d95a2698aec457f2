"""How much of which block is in use, and removing those that are not.

That follows from a survey of all rows. It takes many read transactions and is true
nevertheless: rows are put into blocks only by packing, which like gc works under the one sign
(`leases`), so meanwhile no block gains a row; and numbers are never used twice, so a block
that came later is not mistaken for one without rows.

Invariants: no transaction is open at a yield.

Imports: frame, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, NamedTuple

from casckpt.storage.frame import BLOCK
from casckpt.storage.lmdb import blocks, browse, tables
from casckpt.storage.lmdb.row import Head, parse
from casckpt.storage.lmdb.space import Space

__all__ = ["Block", "Survey", "tidy"]

SLICE: Final = 2048
"""Rows or blocks looked at in one read transaction: a few milliseconds."""
BATCH: Final = 16
"""Blocks removed in one write transaction."""


class Block(NamedTuple):
    """A block as the survey found it."""

    raw_bytes: int
    stored_bytes: int


class Survey:
    """What blocks there are, and how much of each is in use; first `blocks`, then `rows`."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.top = 0
        """Only blocks up to this number were there when it began."""
        self.found: dict[int, Block] = {}
        self.live_bytes: dict[int, int] = {}
        """Bytes of a block that rows use."""

    def blocks(self) -> Iterator[str]:
        """Look at the blocks; a step a transaction."""
        space = self.space
        with space.reading() as txn:
            self.top = tables.state(txn, space.tables).last_block
        key, more = tables.number_key(0), True
        while more:
            with space.reading(buffers=True) as txn, txn.cursor(space.tables.blocks) as cursor:
                there, left, before = cursor.set_range(key), SLICE, key
                while there and left:
                    value = cursor.value()
                    number = int.from_bytes(cursor.key(), "big")
                    raw_bytes = int.from_bytes(value[: blocks.LENGTH_BYTES], "big")
                    self.found[number] = Block(raw_bytes, len(value))
                    there, left = cursor.next(), left - 1
                key, more = bytes(cursor.key()), there
                if more:
                    tables.expect_onward("blocks", key, before)
            yield "blocks"

    def rows(self, look: Callable[[int, Head, int], None] | None = None) -> Iterator[str]:
        """Look at all rows, newest first; a step a transaction.

        Args:
            look: called with each row's seq, head and length; None: only packed rows are
                looked at.

        Raises:
            CorruptError: a row is malformed.
        """
        below: int | None = None
        more = True
        while more:
            with self.space.reading(buffers=True) as txn:
                page = browse.descend(txn, self.space.tables.rows, below, SLICE)
                for seq, data in page:
                    if look is not None or (len(data) and data[0] & 15 == BLOCK):
                        head = parse(seq, data)
                        if head.block:
                            live = self.live_bytes.get(head.block, 0)
                            # An empty payload uses its block, too.
                            self.live_bytes[head.block] = live + max(head.size, 1)
                        if look is not None:
                            look(seq, head, len(data))
            more = len(page) == SLICE
            below = page[-1][0] if page else None
            yield "rows"

    def sparse(self) -> Iterator[int]:
        """The blocks of which less than half is in use, but something."""
        for number, block in self.found.items():
            if 0 < 2 * self.live_bytes.get(number, 0) < block.raw_bytes:
                yield number


def tidy(space: Space, check_sign: Callable[[Any], None]) -> Generator[str, None, int]:
    """Remove the blocks that no row uses; under the sign, which `check_sign` looks for.

    Returns:
        the stored bytes of blocks that are less than half in use.

    Raises:
        CorruptError: a row is malformed; nothing more is removed.
    """
    survey = Survey(space)
    yield from survey.blocks()
    if not survey.found:
        return 0
    yield from survey.rows()
    unused = [n for n in survey.found if n <= survey.top and n not in survey.live_bytes]
    for begin in range(0, len(unused), BATCH):
        some = unused[begin : begin + BATCH]

        def remove(txn: Any, some: list[int] = some) -> None:
            check_sign(txn)
            for number in some:
                txn.delete(tables.number_key(number), db=space.tables.blocks)

        space.write(remove)
        yield "blocks"
    return sum(survey.found[number].stored_bytes for number in survey.sparse())
