"""Progress bars: on a terminal only, and on standard error, out of the way of results.

Imports: click.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, TypeVar

import click

__all__ = ["meter", "progress"]

_T = TypeVar("_T")
_SECONDS_BETWEEN: Final = 0.1


def _wanted() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def progress(items: Iterable[_T], length: int, label: str) -> AbstractContextManager[Iterable[_T]]:
    """The items, shown as they pass; `length` of them are expected."""
    if not _wanted():
        return nullcontext(items)
    return click.progressbar(items, length=length, label=label, file=sys.stderr)


@contextmanager
def meter() -> Iterator[Callable[[str, int, int], None] | None]:
    """What work that reports in stages may call: stage, how much of how much is done."""
    if not _wanted():
        yield None
        return
    next_at = 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal next_at
        now = time.monotonic()
        if now >= next_at:
            next_at = now + _SECONDS_BETWEEN
            share = f"{done / total:.0%}" if total else f"{done:,}"
            click.echo(f"\r{stage} {share}\x1b[K", err=True, nl=False)

    try:
        yield show
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
