"""Progress bars: on a terminal only, and on standard error, out of the way of results.

Imports: click.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import click

__all__ = ["progress"]

_T = TypeVar("_T")


def progress(items: Iterable[_T], length: int, label: str) -> AbstractContextManager[Iterable[_T]]:
    """The items, shown as they pass; `length` of them are expected."""
    if not sys.stderr.isatty():
        return nullcontext(items)
    return click.progressbar(items, length=length, label=label, file=sys.stderr)
