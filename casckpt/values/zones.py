"""Time zones: fixed offsets, zones of the tz database by key, and the user's own.

A fixed offset is written as its microseconds, or as [microseconds, name]; a zone of the tz
database as its key. A key that this machine does not know gives no zone, so that whatever
holds it becomes a `Record` and is saved again unchanged.

Invariant: a key from a store names a file only if it looks like a key (no `..`, no leading
`/`) and such a file exists in the tz database; nothing else is opened or imported.

Imports: errors, values.tagged.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import re
import struct
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

from casckpt.errors import CorruptError
from casckpt.values.tagged import corrupt, shown, unsupported

__all__ = ["ZONE_TYPES", "reduce_zone", "restore_zone", "zone_by_key"]

ZONE_TYPES = (dt.timezone, zoneinfo.ZoneInfo)
"""Time zones that are written as a number, a pair or a key."""

_DAY_US = 86_400_000_000
_KEY_CHARS_MAX = 255
_KEY = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_+.-]*(?:/[A-Za-z0-9_+-][A-Za-z0-9_+.-]*){0,7}")


def zone_by_key(key: str) -> zoneinfo.ZoneInfo | None:
    """The zone of this key, or None if this machine does not know it."""
    if len(key) > _KEY_CHARS_MAX or not _KEY.fullmatch(key):
        return None
    return _known(key)


@lru_cache(maxsize=256)
def _known(key: str) -> zoneinfo.ZoneInfo | None:
    # ZoneInfo would look for a package named after the key where there is no such file.
    folders: list[str] = [*zoneinfo.TZPATH, *_package_folders()]
    if not any(Path(folder, key).is_file() for folder in folders):
        return None
    try:
        return zoneinfo.ZoneInfo(key)
    except (LookupError, ValueError, OSError, EOFError, struct.error):
        return None  # a file, but no zone


@lru_cache(maxsize=1)
def _package_folders() -> list[str]:
    """Where the package `tzdata` keeps its zones, if it is installed."""
    spec = importlib.util.find_spec("tzdata")
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [str(Path(folder, "zoneinfo")) for folder in spec.submodule_search_locations]


def reduce_zone(zone: dt.timezone | zoneinfo.ZoneInfo) -> Any:
    """What stands for a zone of one of ZONE_TYPES.

    Raises:
        UnsupportedValueError: a ZoneInfo made from a file: its key does not say its rules.
    """
    if zone is dt.UTC:
        return 0
    if type(zone) is dt.timezone:
        arguments = zone.__getinitargs__()  # type: ignore[attr-defined]
        offset = arguments[0]
        micros = (offset.days * 86_400 + offset.seconds) * 1_000_000 + offset.microseconds
        return micros if len(arguments) == 1 else [micros, arguments[1]]
    return _key(zone)


def _key(zone: zoneinfo.ZoneInfo) -> str:
    key = zone.key
    if type(key) is str and zone_by_key(key) is zone:
        return key
    try:
        zone.__reduce__()
    except Exception as error:  # pickle's own error, and we import no pickle
        why = "a ZoneInfo that was read from a file is not known by its key; use ZoneInfo(key)"
        raise unsupported(type(zone), why) from error
    return key


def restore_zone(content: Any) -> dt.tzinfo | None:
    """The zone of what `reduce_zone` gave; None for a key that this machine does not know.

    Raises:
        CorruptError: no zone is written like this.
    """
    kind = type(content)
    if kind is str:
        return zone_by_key(content)
    name: tuple[str, ...] = ()
    if kind is list and len(content) == 2 and type(content[1]) is str:
        content, name = content[0], (content[1],)
    if type(content) is not int or not -_DAY_US < content < _DAY_US:
        corrupt(f"the time zone {shown(content)}")
    if not content and not name:
        return dt.UTC
    try:
        return dt.timezone(dt.timedelta(microseconds=content), *name)
    except (ValueError, OverflowError) as error:
        msg = f"the store holds the time zone {shown(content)}"
        raise CorruptError(msg) from error
