"""Refs, log, tags and postings, against the records they speak of.

Invariants: what is wrong is yielded, never raised; nothing is written.

Imports: errors, ids, format (records, constants), storage (engine interface), history, upkeep (postings, report).
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from casckpt.errors import CorruptError, InvalidInputError, NotFoundError, PrunedError
from casckpt.format.constants import KIND_TAGS
from casckpt.format.records import TagsRecord
from casckpt.history import collected, names, notes
from casckpt.history.ancestry import Point, jump_step
from casckpt.history.ledger import Ledger
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.ids import ObjectId
from casckpt.storage.engine import Posting, Ref
from casckpt.upkeep.postings import checkpoints, compare
from casckpt.upkeep.report import DAMAGE, UNTIDY, Finding, Progress

__all__ = ["ancestry", "log", "postings", "refs"]

_PAGE: Final = 1_024
_FULL_ID: Final = re.compile("[0-9a-f]{64}")


def refs(ledger: Ledger) -> Iterator[Finding]:
    """Every thread's head is a checkpoint, its info says where it came from; tags are tags."""
    after: str | None = None
    while page := ledger.engine.refs(after=after, limit=_PAGE):
        for ref in page:
            if ref.name.startswith(notes.THREADS):
                yield from _told(ledger, ref, _thread)
            elif ref.name.startswith(notes.TAGS):
                yield from _told(ledger, ref, _tags)
            elif ref.name != collected.REF and not ref.name.startswith(notes.APPS):
                yield Finding(UNTIDY, f"the ref {ref.name!r} is of no known kind")
        after = page[-1].name


def _told(
    ledger: Ledger, ref: Ref, check: Callable[[Ledger, Ref], Finding | None]
) -> Iterator[Finding]:
    try:
        try:
            found = check(ledger, ref)
        except PrunedError:
            # Moved away and collected since it was read: then look where it is now.
            now = ledger.engine.ref(ref.name)
            found = None if now is None or now.target is None else check(ledger, now)
    except (CorruptError, PrunedError) as error:
        target = None if ref.target is None else ref.target.hex()
        found = Finding(DAMAGE, f"ref {ref.name!r}: {error.message}", target)
    if found is not None:
        yield found


def _thread(ledger: Ledger, ref: Ref) -> Finding | None:
    name = ref.name.removeprefix(notes.THREADS)
    try:
        names.check_thread_name(name)
    except InvalidInputError as error:
        raise CorruptError(error.message) from None
    ThreadOrigin.decode(ref.info)
    if ref.target is not None:
        ledger.ancestry.point(ref.target)
    return None


def _tags(ledger: Ledger, ref: Ref) -> Finding | None:
    digits = ref.name.removeprefix(notes.TAGS)
    if not _FULL_ID.fullmatch(digits):
        raise CorruptError("the name has no id of a checkpoint")
    if ref.target is None:
        return None
    record = TagsRecord.decode(ledger.vault.get(ref.target, KIND_TAGS))
    if record.checkpoint.hex() != digits:
        raise CorruptError("the tags are those of another checkpoint")
    try:
        ledger.ancestry.point(record.checkpoint)
    except PrunedError:
        if record.tags:
            raise CorruptError("its checkpoint is lost") from None
        return Finding(UNTIDY, f"tags are kept of checkpoint {digits[:16]}, which gc removed")
    return None


def log(ledger: Ledger) -> Iterator[Finding]:
    """Every entry has a note that can be read, and the one before it is there."""
    present = array("Q")
    wanted: dict[int, str] = {}
    before: int | None = None
    while page := ledger.engine.log(before=before, limit=_PAGE):
        for entry in page:
            present.append(entry.number)
            wanted.pop(entry.number, None)
            if entry.previous:
                wanted[entry.previous] = entry.name
            try:
                Note.decode(entry.note)
            except CorruptError as error:
                yield Finding(
                    DAMAGE, f"log entry {entry.number} of {entry.name!r}: {error.message}"
                )
        before = page[-1].number
    present.reverse()
    after: str | None = None
    while found := ledger.engine.refs(after=after, limit=_PAGE):
        wanted |= {
            ref.last_log: ref.name
            for ref in found
            if ref.last_log and not _holds(present, ref.last_log)
        }
        after = found[-1].name
    for number in sorted(wanted):
        if ledger.engine.log_entry(number) is None and ledger.engine.ref(wanted[number]):
            yield Finding(DAMAGE, f"log entry {number} of {wanted[number]!r} is missing")


def _holds(numbers: array[int], number: int) -> bool:
    """Whether it is one of the numbers, which ascend."""
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number


def postings(ledger: Ledger, progress: Progress | None = None) -> Iterator[Finding]:
    """Every checkpoint is found where it should be, and nowhere else."""
    faults = compare(ledger, progress)
    for group, how in ((faults.missing, "lacks"), (faults.surplus, "has, out of place,")):
        counts = Counter(posting.list for posting in group)
        first: dict[bytes, Posting] = {}
        for posting in group:
            first.setdefault(posting.list, posting)
        for name, posting in first.items():
            more = f" and {counts[name] - 1} more" if counts[name] > 1 else ""
            what = f"the list {_spelled(name)} {how} checkpoint {posting.id.hex()[:16]}{more}"
            yield Finding(UNTIDY, what, posting.id.hex())


def _spelled(name: bytes) -> str:
    kind, _, rest = name.partition(b"\0")
    return repr(" ".join(part.decode(errors="replace") for part in (kind, rest) if part))


def ancestry(ledger: Ledger, progress: Progress | None = None) -> Iterator[Finding]:
    """Steps, times and jumps follow from the parents'."""
    for done, point in enumerate(checkpoints(ledger), 1):
        try:
            what = _misplaced(ledger, point)
        except (CorruptError, NotFoundError):
            what = ""  # parent or jump cannot be read: that is told elsewhere
        if what:
            yield Finding(DAMAGE, f"checkpoint {point.id.hex()[:16]}: {what}", point.id.hex())
        if progress is not None and not done % _PAGE:
            progress("ancestry", done, 0)


def _misplaced(ledger: Ledger, point: Point) -> str:
    if point.parent is None or point.jump is None:
        return ""
    parent, jump = _points(ledger, point.parent, point.jump)
    if parent.step != point.step - 1:
        return f"its step is {point.step}, its parent's {parent.step}"
    if parent.created_ns >= point.created_ns:
        return "it is not younger than its parent"
    if jump.step != jump_step(point.step) or ledger.ancestry.jump_for_child(parent) != point.jump:
        return "its jump leads elsewhere"
    return ""


def _points(ledger: Ledger, *oids: ObjectId) -> list[Point]:
    return [ledger.ancestry.point(oid) for oid in oids]
