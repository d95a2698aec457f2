"""What a walk could not read: told when it has gone on to its end.

One damaged record must not hide the others, and must not be passed over in silence. So who
walks over many goes on with those that can be read, and raises in the end.

Imports: errors.
"""

from __future__ import annotations

from casckpt.errors import CorruptError

__all__ = ["Lost"]


class Lost:
    """Collects what went wrong; `tell` raises, if anything did."""

    def __init__(self) -> None:
        self._errors: dict[str, CorruptError] = {}

    def add(self, error: CorruptError) -> None:
        """Something could not be read; of the same message once."""
        self._errors.setdefault(error.message, error)

    def tell(self) -> None:
        """Raise CorruptError if anything is lost: the first, and how many."""
        if not self._errors:
            return
        first, *others = self._errors.values()
        more = f" and {len(others):,} more" if others else ""
        msg = f"not everything could be read: {first.message}{more}; run fsck"
        raise CorruptError(msg, **first.details) from first
