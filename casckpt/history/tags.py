"""Tags: marks to find a checkpoint by, given when it is saved or changed later.

A record can not change, so tags changed later lie in a TAGS object of their own, at the ref
`tags/<id>`; without one the record's own tags hold. The posting list of a tag is kept in
step: a checkpoint is in it if and only if it has the tag now.

Invariants: a tagged checkpoint is a root of gc (the TAGS object has it as its child); one
whose tags were all taken away is not, so an empty TAGS object has no child.

Imports: errors, ids, format (records, constants), storage (engine interface), history
(ancestry, collected, ledger, names, notes).
"""

from __future__ import annotations

from casckpt.errors import CorruptError
from casckpt.format.constants import KIND_TAGS
from casckpt.format.records import TagsRecord
from casckpt.history import names, notes
from casckpt.history.ancestry import Point
from casckpt.history.collected import gone
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.notes import Note
from casckpt.storage.engine import MissingObjects, Posting, Ref, RefConflict, RefUpdate

__all__ = ["tag", "tags_of", "untag"]


def tags_of(ledger: Ledger, point: Point) -> tuple[str, ...]:
    """The tags a checkpoint has now."""
    return _tags(ledger, point, ledger.engine.ref(notes.tags_ref(point.id)))


def tag(ledger: Ledger, point: Point, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Add tags; those it has now, in the order they were given.

    Raises:
        InvalidInputError: not a tag.
        LimitError: too many of them.
        PrunedError: the checkpoint is gone.
    """
    return _change(ledger, point, names.check_tags(tags), ())


def untag(ledger: Ledger, point: Point, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Take tags away, those it does not have are ignored; those it has now."""
    return _change(ledger, point, (), names.check_tags(tags))


def _tags(ledger: Ledger, point: Point, ref: Ref | None) -> tuple[str, ...]:
    if ref is None or ref.target is None:
        return point.tags
    record = TagsRecord.decode(ledger.vault.get(ref.target, KIND_TAGS))
    if record.checkpoint != point.id:
        raise CorruptError(
            f"the tags of checkpoint {point.id.hex()[:16]} are those of another",
            object=ref.target.hex(),
        )
    return record.tags


def _change(
    ledger: Ledger, point: Point, add: tuple[str, ...], remove: tuple[str, ...]
) -> tuple[str, ...]:
    name = notes.tags_ref(point.id)
    ref = ledger.engine.ref(name)
    for _ in range(RETRIES_MAX):
        old = _tags(ledger, point, ref)
        new = names.check_tags([t for t in (*old, *add) if t not in remove])
        if new == old:
            return old
        draft = ledger.vault.draft()
        payload = TagsRecord(point.id, new).encode()
        oid = draft.put(KIND_TAGS, payload, (point.id,) if new else ())
        note = Note("tag", add) if add else Note("untag", remove)
        move = RefUpdate(name, oid, expect=expected(ref), log=note.encode(), time_ns=ledger.clock())
        try:
            draft.commit(
                [move],
                add=_postings(point, [t for t in new if t not in old]),
                remove=_postings(point, [t for t in old if t not in new]),
            )
        except RefConflict as error:
            ref = error.actual
        except MissingObjects:
            raise gone(ledger.engine, point.id) from None
        else:
            return new
    raise crowded(f"checkpoint {point.id.hex()[:16]}")


def _postings(point: Point, tags: list[str]) -> list[Posting]:
    return [Posting(notes.tag_list(tag), point.created_ns, point.id) for tag in tags]
