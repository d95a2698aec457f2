"""What every engine refuses, so that a store written through one fits into any other.

Invariants: a request is judged as a whole, before anything of it is written.

Imports: errors, ids, the engine interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from casckpt.errors import InvalidInputError, LimitError
from casckpt.ids import ID_BYTES
from casckpt.storage.engine import NewObject, Posting, RefUpdate

__all__ = [
    "LIST_NAME_BYTES_MAX",
    "NOTE_BYTES_MAX",
    "PAYLOAD_BYTES_MAX",
    "RANK_MAX",
    "REF_NAME_BYTES_MAX",
    "check_commit",
    "check_keep",
    "check_prefix",
    "ref_key",
]

PAYLOAD_BYTES_MAX: Final = 16 << 20
"""No payload is larger: what a frame may ask a reader to allocate."""
REF_NAME_BYTES_MAX: Final = 500
"""UTF-8 bytes of a ref's name: LMDB's keys end at 511."""
LIST_NAME_BYTES_MAX: Final = 500
"""Bytes of the name of a list of postings; the same reason."""
NOTE_BYTES_MAX: Final = 1 << 20
"""Bytes of a ref's info and of a log entry's note: they ride in rows, not in objects."""
RANK_MAX: Final = (1 << 64) - 1
KIND_MAX: Final = 15
"""Kind and codec share one byte of a row."""


def check_commit(
    objects: Sequence[NewObject],
    refs: Sequence[RefUpdate],
    add: Sequence[Posting],
    remove: Sequence[Posting],
) -> None:
    """Refuse what no engine can store.

    Raises:
        LimitError: a payload, a name or a note that is too long.
        InvalidInputError: a kind, a rank or a time out of range; one ref moved twice.
    """
    for item in objects:
        if not 1 <= item.kind <= KIND_MAX:
            raise InvalidInputError(f"a kind is 1 to {KIND_MAX}, not {item.kind}")
        if len(item.payload) > PAYLOAD_BYTES_MAX:
            msg = f"an object of {len(item.payload)} bytes: the limit is {PAYLOAD_BYTES_MAX}"
            raise LimitError(msg, limit=PAYLOAD_BYTES_MAX)
    for update in refs:
        ref_key(update.name)
        if not 0 <= update.time_ns <= RANK_MAX:
            raise InvalidInputError(f"a time is 0 to 2**64 - 1 nanoseconds, not {update.time_ns}")
        if len(update.info) > NOTE_BYTES_MAX or len(update.log or b"") > NOTE_BYTES_MAX:
            raise LimitError(f"info or note of ref {update.name!r} over {NOTE_BYTES_MAX} bytes")
    if len(refs) > 1 and len({update.name for update in refs}) < len(refs):
        raise InvalidInputError("one commit moves each ref at most once")
    for posting in (*add, *remove):
        if not 1 <= len(posting.list) <= LIST_NAME_BYTES_MAX:
            raise LimitError(f"the name of a list has 1 to {LIST_NAME_BYTES_MAX} bytes")
        if not 0 <= posting.rank <= RANK_MAX:
            raise InvalidInputError(f"a rank is 0 to 2**64 - 1, not {posting.rank}")


def check_keep(keep: int) -> None:
    """Refuse what is not a number of objects.

    Raises:
        InvalidInputError: negative.
    """
    if keep < 0:
        raise InvalidInputError(f"keep= is a number of objects, not {keep}")


def check_prefix(prefix: str) -> None:
    """Refuse what is not the beginning of an id.

    Raises:
        InvalidInputError: not 1 to 64 lower-case hexadecimal digits.
    """
    if not 1 <= len(prefix) <= 2 * ID_BYTES or prefix.strip("0123456789abcdef"):
        raise InvalidInputError(f"an id begins with 1 to 64 lower-case hex digits, not {prefix!r}")


def ref_key(name: str) -> bytes:
    """A ref's name as the bytes it is sorted by.

    Raises:
        InvalidInputError: not encodable (a lone surrogate).
        LimitError: empty or too long.
    """
    try:
        key = name.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"the name of a ref must be valid Unicode: {name!r}") from None
    if not 1 <= len(key) <= REF_NAME_BYTES_MAX:
        msg = f"the name of a ref has 1 to {REF_NAME_BYTES_MAX} bytes, not {len(key)}"
        raise LimitError(msg, limit=REF_NAME_BYTES_MAX)
    return key
