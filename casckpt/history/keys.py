"""Keys: ids of checkpoints that the caller gives.

A key lies in the record, so it lasts as long as the checkpoint does: through gc, pruning, packing
and bundles. A checkpoint with a key stands in the list of that key, at a place that follows from
its thread's name. So whether a thread has a key is one look at a list, however many threads
have the same one.

Invariants: in any history, a thread's key stands on one checkpoint at most. A save puts one there
only behind a head in whose history its thread has none, and heads move by compare and set. A fork
sees the keys of its history, and may give each anew: its own hide those before it. What a
rewind has left behind is in no history, and its key is free.

Imports: errors, ids, format (constants, records), storage (engine interface), history
(ancestry, books, notes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from casckpt.errors import ConflictError, CorruptError, PrunedError
from casckpt.format.constants import KIND_CHECKPOINT
from casckpt.format.records import CheckpointRecord
from casckpt.history import notes
from casckpt.history.ancestry import Point
from casckpt.history.books import Books
from casckpt.ids import ObjectId, hash56, object_id
from casckpt.storage.engine import Posting

__all__ = ["again", "conflict", "keyed", "owned", "postings", "seen"]

_PAGE: Final = 256


def _place(thread: str) -> int:
    """Where in the list of a key the checkpoints of a thread stand: their rank."""
    return hash56(thread.encode())


def postings(oid: ObjectId, thread: str, key: str | None) -> list[Posting]:
    """The places that a checkpoint has because of its key: one, or none."""
    return [] if key is None else [Posting(notes.key_list(key), _place(thread), oid)]


def keyed(
    books: Books,
    key: str,
    thread: str | None = None,
    damaged: Callable[[CorruptError], None] | None = None,
) -> Iterator[Point]:
    """The stored checkpoints with a key, each once, in no order.

    Args:
        books: the store's.
        key: the key.
        thread: only those saved in this thread.
        damaged: told of what cannot be read; None: it raises.
    """
    found = {p.id: p for p in books.keyed if p.key == key and thread in {None, p.thread}}
    yield from found.values()
    rank = None if thread is None else _place(thread)
    until = None if rank is None else rank + 1
    after: Posting | None = None
    while page := books.engine.postings(
        notes.key_list(key), since=rank, until=until, after=after, limit=_PAGE, damaged=damaged
    ):
        for posting in page:
            if posting.id in found:
                continue
            try:
                point = books.ancestry.point(posting.id)
            except PrunedError:
                continue  # gc took it after the page was read
            except CorruptError as error:
                if damaged is None:
                    raise
                damaged(error)
                continue
            if point.key == key and thread in {None, point.thread}:
                found[point.id] = point
                yield point
        after = page[-1]


def owned(books: Books, key: str, thread: str, at: Point) -> Point | None:
    """The checkpoint that a thread has given a key, in the history of `at`.

    The newest, should a store from a stranger have several.
    """
    line = [p for p in keyed(books, key, thread) if books.ancestry.is_ancestor(p, at)]
    return max(line, key=lambda point: point.step, default=None)


def seen(books: Books, key: str, at: Point) -> Point | None:
    """The checkpoint that a key means in the history of `at`.

    That of the thread that `at` was saved in, else the newest. The first takes O(log n) reads;
    for the second, every checkpoint of the store with this key is looked at.
    """
    own = owned(books, key, at.thread, at)
    if own is not None:
        return own
    lines = [p for p in keyed(books, key) if books.ancestry.is_ancestor(p, at)]
    return max(lines, key=lambda point: point.step, default=None)


def again(books: Books, record: CheckpointRecord, head: Point) -> Point | None:
    """The checkpoint that was saved before, if this is the same save once more.

    Args:
        books: the store's.
        record: what is to be saved, with a key.
        head: of its thread, now.

    Returns:
        None: the key is free.

    Raises:
        ConflictError: the key stands on something else.
    """
    point = None if record.key is None else owned(books, record.key, record.thread, head)
    if point is not None and not _same(point, record):
        raise conflict(point)
    return point


def _same(point: Point, record: CheckpointRecord) -> bool:
    """Whether a checkpoint was saved with all that this record says, but for its place.

    Nothing is read for that, so what was pruned can be compared, too: the id tells.
    """
    parents = () if point.parent is None else (point.parent,)
    moved = record._replace(
        parents=parents,
        jump=point.jump,
        thread=point.thread,
        step=point.step,
        created_ns=point.created_ns,
    )
    return object_id(KIND_CHECKPOINT, moved.encode()) == point.id


def conflict(point: Point) -> ConflictError:
    """The error for a key that another checkpoint has."""
    msg = (
        f"{point.thread} has the key {point.key!r} already: on checkpoint {point.id.hex()[:16]}"
        f" (step {point.step}), which is not the same"
    )
    return ConflictError(msg, thread=point.thread, key=point.key, existing=point.id.hex())
