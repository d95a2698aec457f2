"""How output looks: colour on a terminal only, width, sizes, names cut to fit.

Invariant: without colour every word of the output is still there; colour only helps.

Imports: click.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import click

__all__ = [
    "as_on_terminal",
    "bad",
    "colour_wanted",
    "columns",
    "cut",
    "dim",
    "good",
    "is_terminal",
    "paint",
    "size",
    "strong",
    "table",
    "width",
]

_WIDTH_DEFAULT: Final = 80
_WIDTH_MIN: Final = 40


_as_terminal: ContextVar[int | None] = ContextVar("as_terminal", default=None)


@contextmanager
def as_on_terminal(columns_max: int) -> Iterator[None]:
    """Lay everything out as on a terminal of this width, or of its own if that is less."""
    token = _as_terminal.set(min(width(), columns_max))
    try:
        yield
    finally:
        _as_terminal.reset(token)


def is_terminal() -> bool:
    """Whether people are likely to read standard output as it appears."""
    return _as_terminal.get() is not None or sys.stdout.isatty()


def colour_wanted() -> bool | None:
    """For click: False without colour, None to let the terminal decide."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return None


def width() -> int:
    """Columns to fill: COLUMNS, else the terminal's, else 80."""
    given = _as_terminal.get()
    if given is not None:
        return given
    return max(_WIDTH_MIN, shutil.get_terminal_size((_WIDTH_DEFAULT, 24)).columns)


def paint(text: str, colour: str) -> str:
    """Coloured; click takes the colour off where it does not belong."""
    return click.style(text, fg=colour)


def dim(text: str) -> str:
    """Less important."""
    return click.style(text, dim=True)


def strong(text: str) -> str:
    """More important."""
    return click.style(text, bold=True)


def good(text: str) -> str:
    """Added, fine."""
    return click.style(text, fg="green")


def bad(text: str) -> str:
    """Removed, wrong."""
    return click.style(text, fg="red")


def size(count: int) -> str:
    """Bytes for people: `812 B`, `4.1 kB`, `12.0 MB` (powers of 1,000)."""
    if count < 1000:
        return f"{count} B"
    amount, units = count / 1000, ["kB", "MB", "GB"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:,.1f} {units[0]}"


def columns(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, room: int) -> str:
    """The text, or as much as fits into `room` columns with an ellipsis."""
    if columns(text) <= room:
        return text
    kept: list[str] = []
    used = 1
    for char in text:
        used += columns(char)
        if used > room:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def table(rows: Iterable[tuple[str, ...]], *, right: Collection[int] = ()) -> Iterator[str]:
    """Lines of columns, two spaces apart; those in `right` (from 0) are aligned to the right."""
    known = list(rows)
    widths = [max(map(columns, column)) for column in zip(*known, strict=True)]
    for row in known:
        padded = []
        for number, (cell, room) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (room - columns(cell))
            padded.append(gap + cell if number in right else cell + gap)
        yield "  ".join(padded).rstrip()
