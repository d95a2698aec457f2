"""datetime, date, time, timedelta and time zones, to the microsecond and the fold.

A datetime or time that is naive, or whose offset is fixed, has no name and is whole minutes,
is written as its ISO text; any other as [naive text, zone, fold].

Invariant: what is restored is written the same way again; every other spelling of a moment
is refused.

Imports: format.constants, values (tagged, record, zones).
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from typing import Any

from casckpt.format import constants as c
from casckpt.values.record import Record
from casckpt.values.tagged import Tagged, corrupt, items, shown, text
from casckpt.values.zones import ZONE_TYPES, reduce_zone, restore_zone

__all__ = ["REDUCERS", "RESTORERS"]

_MICROS_MAX = 86_400_000_000 * 1_000_000_000
"""More than any timedelta has: a larger number is refused before it is divided."""


def _reduce_moment(tag: int, value: dt.datetime | dt.time) -> Tagged:
    zone = value.tzinfo
    if not value.fold:
        if zone is None or zone is dt.UTC:
            return Tagged(tag, value.isoformat())
        if type(zone) is dt.timezone and type(content := reduce_zone(zone)) is int:
            written = value.isoformat()
            if _has_plain_offset(written):
                return Tagged(tag, written)
            return Tagged(tag, [value.replace(tzinfo=None).isoformat(), content, 0])
    if type(zone) in ZONE_TYPES:
        zone = reduce_zone(zone)  # type: ignore[arg-type]
    # A zone of the user's own stands for itself: it reduces again, if it is registered.
    return Tagged(tag, [value.replace(tzinfo=None).isoformat(), zone, value.fold])


def _has_plain_offset(written: str) -> bool:
    """Whether an ISO text ends in +HH:MM: finer offsets are not read back by all Pythons."""
    return written[-6] in "+-"


def _reduce_datetime(value: dt.datetime) -> Tagged:
    if value.tzinfo is None and not value.fold:
        return Tagged(c.TAG_DATETIME, value.isoformat())
    return _reduce_moment(c.TAG_DATETIME, value)


def _reduce_time(value: dt.time) -> Tagged:
    return _reduce_moment(c.TAG_TIME, value)


def _restore_datetime(content: Any) -> Any:
    return _restore_moment(c.TAG_DATETIME, dt.datetime, content)


def _restore_time(content: Any) -> Any:
    return _restore_moment(c.TAG_TIME, dt.time, content)


def _restore_moment(tag: int, cls: type[dt.datetime | dt.time], content: Any) -> Any:
    if type(content) is str:
        value = cls.fromisoformat(content)
        plain = value.tzinfo is None or _has_plain_offset(content)
        if not plain or value.isoformat() != content:
            corrupt(f"the {cls.__name__} {shown(content)}, not in its one spelling")
        return value
    written, zone, fold = items(content, 3, f"a {cls.__name__}")
    naive = cls.fromisoformat(text(written, f"a {cls.__name__}"))
    if naive.tzinfo is not None or naive.isoformat() != written:
        corrupt(f"the {cls.__name__} {shown(written)}, not in its one spelling")
    if type(fold) is not int or fold not in (0, 1):
        corrupt(f"the fold {shown(fold)}")
    if zone is None or type(zone) is int:
        # Most of these are written as one text.
        zone = None if zone is None else restore_zone(zone)
        value = naive.replace(tzinfo=zone, fold=fold)
        if type(_reduce_moment(tag, value).content) is not list:
            corrupt(f"the {cls.__name__} {shown(written)}, not in its one spelling")
        return value
    found = _zone_of(zone)
    if found is None:
        fields = {"text": written, "zone": zone, "fold": fold}
        return Record(Tagged(tag, content), "builtin", f"datetime:{cls.__name__}", fields)
    return naive.replace(tzinfo=found, fold=fold)


def _zone_of(zone: Any) -> dt.tzinfo | None:
    if type(zone) in (str, list):
        return restore_zone(zone)
    if isinstance(zone, Record) and zone.flavour not in {"builtin", "numpy"}:
        return None
    if not isinstance(zone, dt.tzinfo) or type(zone) in ZONE_TYPES:
        corrupt(f"the time zone {shown(zone)}")
    return zone


def _restore_zone(content: Any) -> Any:
    zone = restore_zone(content)
    if zone is None:
        tagged = Tagged(c.TAG_TIMEZONE, content)
        return Record(tagged, "builtin", "zoneinfo:ZoneInfo", {"key": content})
    return zone


def _restore_date(content: Any) -> dt.date:
    value = dt.date.fromisoformat(text(content, "a date"))
    if value.isoformat() != content:
        corrupt(f"the date {shown(content)}, not in its one spelling")
    return value


def _reduce_timedelta(value: dt.timedelta) -> Tagged:
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    return Tagged(c.TAG_TIMEDELTA, micros)


def _restore_timedelta(content: Any) -> dt.timedelta:
    if type(content) is not int or not -_MICROS_MAX < content < _MICROS_MAX:
        corrupt(f"the timedelta {shown(content)}")
    return dt.timedelta(0, 0, content)


def _reduce_zone(value: dt.timezone | zoneinfo.ZoneInfo) -> Tagged:
    return Tagged(c.TAG_TIMEZONE, reduce_zone(value))


REDUCERS: dict[type, Callable[[Any], Tagged]] = {
    dt.datetime: _reduce_datetime,
    dt.date: lambda value: Tagged(c.TAG_DATE, value.isoformat()),
    dt.time: _reduce_time,
    dt.timedelta: _reduce_timedelta,
    dt.timezone: _reduce_zone,
    zoneinfo.ZoneInfo: _reduce_zone,
}
"""What to do with a value, by its exact type."""

RESTORERS: dict[int, Callable[[Any], Any]] = {
    c.TAG_DATETIME: _restore_datetime,
    c.TAG_DATE: _restore_date,
    c.TAG_TIME: _restore_time,
    c.TAG_TIMEDELTA: _restore_timedelta,
    c.TAG_TIMEZONE: _restore_zone,
}
"""What to do with content, by its tag; ValueError and the like mean that it is corrupt."""
