"""Looking for damage.

Imports: storage (engine interface), history (ledger).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from casckpt.history.ledger import Ledger

__all__ = ["Finding", "check"]


class Finding(NamedTuple):
    """Something that is not as docs/format.md promises."""

    severity: str
    """damage (bytes are wrong or lost) or untidy (an index that can be rebuilt)."""
    what: str
    """One sentence for people."""
    id: str | None
    """The object it is about."""


def check(ledger: Ledger, *, data: bool = True) -> Iterator[Finding]:
    """What is wrong, as it is found.

    Args:
        ledger: the store.
        data: read every object, not the books alone.
    """
    for problem in ledger.engine.check(data=data):
        id = None if problem.id is None else problem.id.hex()
        yield Finding(problem.severity, problem.what, id)
