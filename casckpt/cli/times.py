"""Times as people write and read them.

Invariant: what `iso` writes, `parse_time` reads back to the second.

Imports: click.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

__all__ = ["age", "ago", "iso", "moment", "parse_age", "parse_time"]

_SECONDS: Final = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_YEARS_MAX: Final = 9000
"""An age beyond this has no date."""


def parse_age(text: str) -> timedelta:
    """`90s`, `15 min`, `2h`, `1d12h`, `3 weeks`, `0`.

    Raises:
        ValueError: not an age.
    """
    rest = text.strip().lower()
    if rest == "0":
        return timedelta()
    seconds = 0.0
    while rest:
        found = _PART.match(rest)
        unit = found and (found[2] if found[2] in _SECONDS else found[2].removesuffix("s"))
        if not found or unit not in _SECONDS:
            msg = f"not an age: {text!r} (90s, 15min, 2h, 1d12h, 3 weeks)"
            raise ValueError(msg)
        seconds += float(found[1]) * _SECONDS[unit]
        rest = rest[found.end() :].strip()
    if not text.strip() or seconds > _YEARS_MAX * 365 * 86400:
        msg = f"not an age: {text!r}"
        raise ValueError(msg)
    return timedelta(seconds=seconds)


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """An ISO 8601 date or time (local if it names no zone), an age, `yesterday`, `now`.

    Raises:
        ValueError: not a time.
    """
    now = now or datetime.now(UTC)
    word = text.strip().lower()
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if word in {"now", "today", "yesterday"}:
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[word]
    try:
        return datetime.fromisoformat(text.strip().replace(" ", "T", 1)).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_age(word.removesuffix("ago"))
    except (ValueError, OverflowError):
        msg = f"not a time: {text!r} (2026-11-20, 2026-11-20T14:30, '2h ago', yesterday)"
        raise ValueError(msg) from None


def iso(when: datetime) -> str:
    """UTC, to the second: `2026-11-20T14:30:00Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(when: datetime, now: datetime | None = None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `12 days ago`; a date beyond eight weeks."""
    seconds = ((now or datetime.now(UTC)) - when).total_seconds()
    if seconds < -60:
        return iso(when)
    if seconds < 10:
        return "just now"
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size:.0f} {unit} ago"
    if seconds < 56 * 86400:
        return f"{seconds // 86400:.0f} days ago"
    return when.astimezone().strftime("%Y-%m-%d")


def moment(text: str) -> datetime:
    """The type of `--since` and `--until`."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def age(text: str) -> timedelta:
    """The type of `--grace`."""
    try:
        return parse_age(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
