"""Garbage collection: what history says must stay, handed to the engine's gc.

Kept are: everything the heads of threads reach; what has a tag; what the log of moves of
the last `grace` mentions, so that undo works for that long. Checkpoints are collected whole,
with the parts of their states that nothing else has.

Imports: errors, ids, storage (engine interface), history (ledger, notes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from casckpt.errors import InvalidInputError
from casckpt.history import notes
from casckpt.history.ledger import Ledger
from casckpt.ids import ObjectId
from casckpt.storage.engine import GcReport

__all__ = ["GRACE_DEFAULT", "collect", "roots"]

GRACE_DEFAULT: Final = timedelta(days=14)
"""Long enough to come back from a holiday to an agent that went wrong."""
_PAGE: Final = 1_024


def collect(
    ledger: Ledger,
    *,
    dry_run: bool = False,
    grace: timedelta = GRACE_DEFAULT,
    progress: Callable[[str, int, int], None] | None = None,
) -> GcReport:
    """Remove what nothing reaches, while others read and write.

    Args:
        ledger: the store.
        dry_run: only count.
        grace: moves of heads not older than this can still be undone afterwards.
        progress: called with a stage's name, and how much of how much is done.
    """
    if grace < timedelta(0):
        raise InvalidInputError(f"a grace of {grace}: it may not be negative")
    report = ledger.engine.gc(
        lambda: roots(ledger),
        dry_run=dry_run,
        log_keep=grace,
        now_ns=ledger.clock(),
        progress=progress,
    )
    if not dry_run:
        ledger.forget()
    return report


def roots(ledger: Ledger) -> Iterator[ObjectId]:
    """Checkpoints that stay because they have a tag."""
    after: bytes | None = None
    while names := ledger.engine.posting_lists(notes.TAG_LISTS, after=after, limit=_PAGE):
        for name in names:
            page = ledger.engine.postings(name, limit=_PAGE)
            while page:
                yield from (posting.id for posting in page)
                page = ledger.engine.postings(name, after=page[-1], limit=_PAGE)
        after = names[-1]
