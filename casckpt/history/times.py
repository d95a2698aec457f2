"""Times: nanoseconds since 1970-01-01 UTC inside, aware datetimes outside.

Imports: errors.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from casckpt.errors import CorruptError, InvalidInputError

__all__ = ["from_ns", "stamp", "to_ns"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_ns(time_ns: int) -> datetime:
    """The moment, in UTC, rounded down to a microsecond; raises CorruptError beyond year 9999."""
    try:
        return _EPOCH + timedelta(microseconds=time_ns // 1_000)
    except OverflowError:
        raise CorruptError(f"a time of {time_ns} nanoseconds since 1970") from None


def stamp(moment: datetime) -> str:
    """A moment in UTC as JSON has it: ISO 8601, to the microsecond, with a Z."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_ns(moment: datetime | None, what: str) -> int | None:
    """The nanoseconds of an aware datetime; None stays None.

    Raises:
        InvalidInputError: not a datetime, or one without a time zone.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise InvalidInputError(f"{what}= takes a datetime, not {type(moment).__name__}")
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInputError(
            f"{what}= takes an aware datetime: which time zone is {moment.isoformat()} in?"
        )
    return (moment - _EPOCH) // _MICROSECOND * 1_000
