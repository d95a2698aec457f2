"""Standard streams that were closed before the program began (`casckpt log >&-`).

Invariant: the numbers 0, 1 and 2 are taken before a store is opened. Otherwise the store's data
file would get one of them, and whatever prints by number would print into it.

Imports: nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["drop_output", "open_streams"]

# The wrong way round, so that reading or writing fails as it should; what would have been
# said on standard error is said to nobody.
_FLAGS: Final = (os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)


def drop_output() -> None:
    """Let what is still to be written to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Put something in the place of each standard stream that is closed."""
    for number, flags in enumerate(_FLAGS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole run
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
