"""What is left of pruned checkpoints: which are due, and what gc puts in their place.

Invariants: what cannot be read is left alone (fsck tells of it); a mark is dropped when the
record has been replaced, never before.

Imports: errors, ids, format (constants, records), storage (engine interface), vault, history
(ledger, notes, pruned, states).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED
from casckpt.format.records import CheckpointRecord, PrunedRecord, PruneNote
from casckpt.history import notes, pruned
from casckpt.history.ledger import Ledger
from casckpt.history.notes import Note
from casckpt.history.states import size_of
from casckpt.ids import ObjectId
from casckpt.storage.engine import NewObject, Posting
from casckpt.vault import verified

__all__ = ["Marked", "marks_before", "remains", "unmark"]

_PAGE: Final = 1_024


class Marked(NamedTuple):
    """A mark that gc is to see to, and what is known of it."""

    posting: Posting
    note: PruneNote


def marks_before(ledger: Ledger, before_ns: int) -> dict[ObjectId, Marked]:
    """The marks that were made before a time, or when is forgotten."""
    left = {posting.id: posting for posting in pruned.marked(ledger)}
    if not left:
        return {}
    found: dict[bytes, PruneNote] = {}
    before: int | None = None
    while page := ledger.engine.log(before=before, limit=_PAGE):
        for entry in page:
            if not entry.name.startswith(notes.PRUNES):
                continue
            run = pruned.run_of(entry.number, entry.time_ns, Note.decode(entry.note))
            if run is not None:
                told = PruneNote(run.time_ns, run.why, None)
                for prefix in run.prefixes:
                    found.setdefault(prefix, told)
        before = page[-1].number
    marks = {}
    for oid, posting in left.items():
        told = found.get(oid[: pruned.PREFIX_BYTES], PruneNote(None, "", None))
        if told.time_ns is None or told.time_ns < before_ns:
            marks[oid] = Marked(posting, told)
    return marks


def remains(ledger: Ledger, marks: Mapping[ObjectId, Marked]) -> Iterator[NewObject]:
    """What is left of each marked checkpoint, in no order."""
    line = iter(marks.items())
    while page := list(islice(line, _PAGE // 8)):
        for (oid, mark), stored in zip(page, ledger.engine.read([o for o, _ in page]), strict=True):
            if stored is None or stored.kind != KIND_CHECKPOINT:
                continue  # gone, or seen to
            try:
                _, payload = verified(oid, stored)
                record = CheckpointRecord.decode(payload)
                note = mark.note._replace(size=size_of(record.root))
            except CorruptError:
                continue  # fsck tells
            yield NewObject(oid, KIND_PRUNED, PrunedRecord.encode(payload, note), record.parents)


def unmark(ledger: Ledger, marks: Mapping[ObjectId, Marked]) -> None:
    """Drop the marks that gc has seen to."""
    line = iter(marks.items())
    while page := list(islice(line, _PAGE)):
        read = ledger.engine.read([oid for oid, _ in page])
        done = [
            mark.posting
            for (_, mark), stored in zip(page, read, strict=True)
            if stored is not None and stored.kind == KIND_PRUNED
        ]
        if done:
            ledger.engine.commit(remove=done)
