"""What is left of pruned checkpoints, as it is carried elsewhere.

A state that was pruned does not travel, whether gc has taken it yet or not: in the place of its
record goes what is left of it (`format.records.PrunedRecord`), under the same id.

Imports: errors, ids, format (constants, records), vault, history (ancestry, ledger, names, pruned).
"""

from __future__ import annotations

from casckpt.errors import CorruptError, InvalidInputError
from casckpt.format.constants import KIND_PRUNED
from casckpt.format.records import PrunedRecord, PruneNote
from casckpt.history import names, pruned
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.ids import ID_BYTES, head_end

__all__ = ["checked_left", "left_of"]


def left_of(ledger: Ledger, point: Point) -> bytes | None:
    """What is left of a checkpoint (the payload of KIND_PRUNED); None: it was not pruned."""
    note = pruned.note_of(ledger, point)
    if note is None:
        return None
    # Read behind the note: another handle's gc may have been there since the point was made.
    ((kind, payload),) = ledger.vault.read((point.id,))
    return payload if kind == KIND_PRUNED else PrunedRecord.encode(payload, note)


def checked_left(payload: bytes) -> PrunedRecord:
    """What is left of a checkpoint, from elsewhere.

    Raises:
        CorruptError: such a payload cannot have been written.
    """
    left = PrunedRecord.decode(payload)
    record, note = left.record, left.note
    whole = record.encode()
    end = head_end(payload)
    again = PrunedRecord.encode(whole, note)
    if (
        payload[:end] != whole[: head_end(whole)]
        or payload[end + ID_BYTES :] != again[head_end(whole) + ID_BYTES :]
    ):
        raise CorruptError("not the one encoding of what is left of a checkpoint")
    try:
        names.check_thread_name(record.thread)
        names.check_label(record.label)
        names.check_key(record.key)
        repeated = names.check_tags(record.tags) != record.tags
    except InvalidInputError as error:
        raise CorruptError(f"a checkpoint with a name that is none: {error.message}") from None
    if repeated or not 0 <= record.created_ns < 1 << 63 or len(record.parents) > 1:
        raise CorruptError("a tag twice, a time out of range, or two parents")
    if not _plain(note):
        raise CorruptError("what is noted beside a pruned checkpoint is malformed")
    return left


def _plain(note: PruneNote) -> bool:
    numbers = (note.time_ns, note.size)
    return all(n is None or (type(n) is int and 0 <= n < 1 << 63) for n in numbers)
