"""Changes between two states, as people read them.

    ~ case.status: "open" → "refunded"
    + messages[9]: {"role": "tool", "at": "2024-05-14T09:13:03+02:00", "tool_ca… (5 items)
    - plan[2]: {"do": "wait", "state": "next"}
    ~ config: the same keys in another order

A change that does not fit on one line takes three.

Imports: casckpt, casckpt.cli.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import casckpt
from casckpt.cli import style
from casckpt.cli.values import clean, length, one_line

__all__ = ["lines", "summary"]

_CONTEXT_CHARS: Final = 16
"""Of two long texts, so much is shown in front of where they part."""
_PATH_ROOM_MIN: Final = 30
_ROOM_MIN: Final = 8
_SIGNS: Final = {"add": "+", "remove": "-", "replace": "~", "reorder": "~"}
_COLOURS: Final = {"add": "green", "remove": "red", "replace": "yellow", "reorder": "yellow"}


def _shown(value: Any, room: int, whole: Any = None) -> str:
    """A value in so many columns; one that is cut says how much there is (of `whole`)."""
    text = one_line(value, room)
    whole = value if whole is None else whole
    size = length(whole)
    if not text.endswith("…") or size is None:
        return text
    if isinstance(whole, str):
        note = f" ({style.size(len(whole.encode(errors='surrogatepass')))})"
    elif isinstance(whole, bytes | bytearray):
        note = f" ({style.size(size)})"
    else:
        note = f" ({size:,} items)" if size != 1 else " (1 item)"
    left = room - len(note)
    return one_line(value, left) + note if left >= _ROOM_MIN else text


def _pair(old: Any, new: Any) -> tuple[Any, Any]:
    """Two long texts, both from a little before where they part."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return old, new
    start = _common_start(old, new) - _CONTEXT_CHARS
    if start <= _CONTEXT_CHARS:
        return old, new
    return f"…{old[start:]}", f"…{new[start:]}"


def _common_start(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def lines(change: casckpt.Change, room: int) -> Iterator[str]:
    """One change, in lines of at most about `room` columns."""
    colour = _COLOURS[change.op]
    path = clean(casckpt.format_path(change.path)) or "(the state)"
    begin = f"{_SIGNS[change.op]} {style.cut(path, max(room // 2, _PATH_ROOM_MIN))}:"
    left = room - style.columns(begin) - 1
    begin = style.paint(begin, colour)
    if change.op == "reorder":
        yield f"{begin} the same keys in another order"
    elif change.op == "add":
        yield f"{begin} {_shown(change.new, left)}"
    elif change.op == "remove":
        yield f"{begin} {_shown(change.old, left)}"
    else:
        old, new = change.old, change.new
        short = one_line(old, left), one_line(new, left)
        if sum(map(style.columns, short)) + 3 <= left:
            yield f"{begin} {short[0]} → {short[1]}"
            return
        old_part, new_part = _pair(old, new)
        yield begin
        yield f"    {style.bad(_shown(old_part, room - 4, old))}"
        yield f"  → {style.good(_shown(new_part, room - 4, new))}"


def summary(changes: Iterable[casckpt.Change]) -> Iterator[str]:
    """How many changes of each kind, below each first step of their paths."""
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        place = clean(casckpt.format_path(change.path[:1])) or "(the state)"
        counts.setdefault(place, Counter())[change.op] += 1
    rows = [
        (
            style.cut(place, style.width() // 2),
            " ".join(f"{sign}{count[op]}" for op, sign in _OPS if count[op]),
        )
        for place, count in counts.items()
    ]
    yield from style.table(rows)
    totals: Counter[str] = sum(counts.values(), Counter())
    said = ", ".join(f"{totals[op]:,} {word}" for op, word in _WORDS if totals[op])
    yield said or "no differences"


_OPS: Final = (("add", "+"), ("remove", "-"), ("replace", "~"), ("reorder", "order "))
_WORDS: Final = (
    ("add", "added"),
    ("remove", "removed"),
    ("replace", "replaced"),
    ("reorder", "reordered"),
)
