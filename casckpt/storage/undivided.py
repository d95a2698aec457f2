"""pack and compact of an engine that has neither tiers nor a file.

Invariants: nothing is done.

Imports: the engine interface, limits.
"""

from __future__ import annotations

from typing import Any

from casckpt.storage.engine import CompactReport, PackReport
from casckpt.storage.limits import check_keep

__all__ = ["Undivided"]


class Undivided:
    """To be inherited from; says the same of every store."""

    def header(self) -> bytes:
        """See `Engine.header`: raises ClosedError after `close`."""
        raise NotImplementedError

    def pack(self, *, keep: int = 0, **_: Any) -> PackReport:
        """See `Engine.pack`: there is nothing to do."""
        self.header()
        check_keep(keep)
        return PackReport(0, 0, 0, 0, 0, complete=True, longest_write_seconds=0.0, seconds=0.0)

    def compact(self, **_: Any) -> CompactReport:
        """See `Engine.compact`: there is nothing to do."""
        self.header()
        return CompactReport(0, 0, 0.0)
