"""Spelling: thread names from other people's ids.

Ids of frameworks may have any character; a thread's name may not. What it may not have is
percent-encoded, and so is the percent sign.

Invariants: `segment` is one-to-one, and `unsegment` undoes it; a segment has no "/". `name` is
one-to-one as long as the prefix is the same.

Imports: the standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["name", "segment", "unsegment"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RESERVED: Final = frozenset("~^:@{}%/")
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_ENCODED: Final = re.compile("((?:%[0-9A-F]{2})+)")
_FULL_ID: Final = re.compile("[0-9a-fA-F]{64}")
_EMPTY: Final = "%"


def segment(text: str) -> str:
    """One segment of a thread's name; a "-" in front is left as it is."""
    if _PLAIN.fullmatch(text):
        return text
    if text in {"", ".", ".."}:
        return text.replace(".", "%2E") or _EMPTY
    last = len(text) - 1
    return "".join(
        _percent(char)
        if char in _RESERVED
        or unicodedata.category(char) in _UNPRINTABLE
        or (at in {0, last} and char.isspace())
        else char
        for at, char in enumerate(text)
    )


def unsegment(spelled: str) -> str | None:
    """The text that `segment` spelled; None: it did not spell this."""
    if spelled == _EMPTY:
        return ""
    try:
        text = _ENCODED.sub(
            lambda found: bytes.fromhex(found[1].replace("%", "")).decode("utf-8", "surrogatepass"),
            spelled,
        )
    except UnicodeDecodeError:
        return None
    return text if segment(text) == spelled else None


def name(prefix: str, *segments: str) -> str:
    """A thread's name of segments behind a prefix that is one already (or empty)."""
    whole = prefix + "/".join(segments)
    if whole[0] == "-" or _FULL_ID.fullmatch(whole):
        return _percent(whole[0]) + whole[1:]
    return whole


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
