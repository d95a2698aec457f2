"""What gc leaves lying about: postings of objects that are gone, refs long deleted.

Invariants: small transactions; nothing here is needed for what remains to be right, so a
crash in between costs nothing: the next gc finds the rest.

Imports: the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from casckpt.storage.engine import Ref
from casckpt.storage.lmdb import posts, refs, tables
from casckpt.storage.lmdb.mark import LIVE, Marks
from casckpt.storage.lmdb.space import Space

__all__ = ["forget", "purge"]

LOOK: Final = 4096
"""Postings looked at in one read transaction."""
BATCH: Final = 256
"""Postings, refs or log entries removed in one write transaction."""


def purge(space: Space, marks: Marks) -> Iterator[str]:
    """Remove the postings of what is not live; after the sweep."""
    place: tuple[bytes, bytes] | None = None
    while True:
        with space.reading() as txn:
            page, place = posts.walk(txn, space.tables, place, LOOK)
        # No row or no index entry: neither comes back under this seq.
        stale = [p for p in page if marks.state(int.from_bytes(p[1][8:], "big")) < LIVE]
        yield "purge"
        for begin in range(0, len(stale), BATCH):
            batch = stale[begin : begin + BATCH]

            def remove(txn: Any, batch: list[tuple[bytes, bytes]] = batch) -> None:
                for name, value in batch:
                    posts.remove(txn, space.tables, name, value)

            space.write(remove)
            yield "purge"
        if place is None:
            return


def forget(space: Space, held: set[str]) -> Iterator[str]:
    """Forget deleted refs, but those `held` by a young log entry, with all their log."""
    after: str | None = None
    while True:
        with space.reading() as txn:
            page = refs.list_refs(txn, space.tables.refs, "", after, LOOK, deleted=True)
        for ref in page:
            if ref.target is None and ref.name not in held:
                yield from _forget(space, ref)
        if len(page) < LOOK:
            return
        after = page[-1].name


def _forget(space: Space, seen: Ref) -> Iterator[str]:
    """Forget one ref, unless it has moved since it was seen."""

    def some(txn: Any) -> bool:
        here = space.tables
        ref = refs.get(txn, here.refs, seen.name)
        if ref is None or ref.version != seen.version:
            return False
        state = tables.state(txn, here)
        highest, number = state.log_floor, ref.last_log
        for _ in range(BATCH):
            entry = refs.get_entry(txn, here.log, number)
            if entry is None:
                number = 0
                break
            txn.delete(tables.number_key(number), db=here.log)
            highest, number = max(highest, number), entry.previous
        state = state._replace(
            log_floor=highest, version_floor=max(state.version_floor, ref.version)
        )
        tables.put_state(txn, here, state)
        if number:
            refs.put(txn, here.refs, ref._replace(last_log=number))
        else:
            txn.delete(refs.key(ref), db=here.refs)
        return bool(number)

    while space.write(some):
        yield "forget"
    yield "forget"
