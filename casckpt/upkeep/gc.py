"""Garbage collection: what history says must stay, handed to the engine's gc.

Kept are: everything the heads of threads reach; what has a tag; what the log of moves of
the last `grace` mentions, so that undo works for that long. Checkpoints are collected whole,
with the parts of their states that nothing else has. Those that were pruned longer than `grace`
ago lose their states, and what is left of them stays (history/pruned.py). What was removed is written down
(history/collected.py), so that errors can say when it went.

Imports: errors, ids, format (constants), storage (engine interface), history (collected,
events, ledger, notes), upkeep (remains).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from casckpt.errors import InvalidInputError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED
from casckpt.history import collected, notes
from casckpt.history.collected import Run
from casckpt.history.events import COLLECTED
from casckpt.history.ledger import Ledger
from casckpt.ids import ObjectId
from casckpt.storage.engine import GcReport, Ref, RefConflict, RefUpdate
from casckpt.upkeep import remains

__all__ = ["GRACE_DEFAULT", "check_grace", "collect", "drop_tags", "roots"]

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
    began = ledger.events.begin(COLLECTED)
    check_grace(grace)
    now_ns = ledger.clock()
    before, known = collected.runs(ledger.engine), collected.version(ledger.engine)
    removed = _Removed()
    grace_ns = grace // timedelta(microseconds=1) * 1_000
    marks = remains.marks_before(ledger, now_ns - grace_ns)
    report = ledger.engine.gc(
        lambda: (oid for oid in roots(ledger) if oid not in marks),
        dry_run=dry_run,
        log_keep=grace,
        now_ns=now_ns,
        progress=progress,
        removed=removed.add,
        replace=lambda: remains.remains(ledger, marks),
    )
    if not dry_run:
        ledger.forget()
        remains.unmark(ledger, marks)
        drop_tags(ledger)
        micros = grace // timedelta(microseconds=1)
        run = Run(now_ns, micros, removed.count, report.objects_removed, bytes(removed.prefixes))
        # Without a ref again, it would look to others as if no gc had ever run.
        forgotten = known != collected.version(ledger.engine)
        moved = forgotten or report.objects_replaced > 0
        collected.remember(ledger.engine, before, run, moved=moved)
        ledger.tell(COLLECTED, None, None, began, report=report)
    return report


def check_grace(grace: timedelta) -> None:
    """Raise InvalidInputError if it is negative."""
    if grace < timedelta(0):
        raise InvalidInputError(f"a grace of {grace}: it may not be negative")


class _Removed:
    """The checkpoints that were removed."""

    def __init__(self) -> None:
        self.count = 0
        self.prefixes = bytearray()

    def add(self, kind: int, begin: bytes) -> None:
        if kind in {KIND_CHECKPOINT, KIND_PRUNED}:
            self.count += 1
            if self.count <= collected.PREFIXES_MAX:
                self.prefixes += begin[: collected.PREFIX_BYTES]


def drop_tags(ledger: Ledger) -> None:
    """Delete the refs of tags whose checkpoint is gone."""
    after: str | None = None
    while page := ledger.engine.refs(notes.TAGS, after=after, limit=_PAGE):
        checkpoints = {_checkpoint(ref): ref for ref in page}
        checkpoints.pop(None, None)
        for oid in ledger.engine.missing([oid for oid in checkpoints if oid is not None]):
            with suppress(RefConflict):
                move = RefUpdate(checkpoints[oid].name, None, expect=checkpoints[oid])
                ledger.engine.commit(refs=[move])
        after = page[-1].name


def _checkpoint(ref: Ref) -> ObjectId | None:
    digits = ref.name.removeprefix(notes.TAGS)
    try:
        return ObjectId(bytes.fromhex(digits))
    except ValueError:
        return None  # fsck tells of it


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
