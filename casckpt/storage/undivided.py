"""What an engine that has neither tiers nor a file does: pack and compact nothing, compare.

Invariants: nothing is done.

Imports: errors, ids, the engine interface, limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.engine import Children, CompactReport, PackReport, StoredObject
from casckpt.storage.limits import check_keep

__all__ = ["Undivided", "compared"]


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


def compared(children: Children, stored: StoredObject, kept: Sequence[ObjectId]) -> str:
    """What is wrong with a payload, or with the children that were stored; "": nothing."""
    try:
        same = tuple(children(stored)) == tuple(dict.fromkeys(kept))
    except CorruptError as error:
        return error.message
    return "" if same else "it was stored with other children than its payload has"
