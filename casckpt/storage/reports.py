"""What an engine tells of itself: what upkeep did, and figures that cost nothing to read.

Imports: nothing of casckpt.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CompactReport", "GcReport", "PackReport", "Tally"]


class GcReport(NamedTuple):
    """What gc did, or with `dry_run` would do."""

    objects_live: int
    objects_removed: int
    bytes_removed: int
    """Stored bytes of rows, not payload bytes. What packed objects have in blocks is not counted:
    it goes with the block, or when pack writes the block anew."""
    kinds_removed: dict[int, int]
    seconds: float
    objects_replaced: int = 0
    """Those that lost a part of what they held."""


class PackReport(NamedTuple):
    """What pack did."""

    objects_packed: int
    blocks_written: int
    payload_bytes: int
    """Of the objects packed, uncompressed."""
    bytes_before: int
    """Stored bytes of their rows; of objects that were packed already, heads only."""
    bytes_after: int
    """Stored bytes of their rows and of the new blocks."""
    complete: bool
    """False: time was up before all was packed."""
    longest_write_seconds: float
    """Of all write transactions, waiting for other writers and for the disk included."""
    seconds: float


class CompactReport(NamedTuple):
    """What compact did."""

    bytes_before: int
    """Of the file."""
    bytes_after: int
    seconds: float


class Tally(NamedTuple):
    """What has gathered since the last gc and the last pack that came to their ends.

    Read in microseconds, whatever the size of the store; good enough to decide by.
    """

    objects: int = 0
    """Rows there are now: objects, and what is kept only for others' bytes."""
    objects_after_gc: int = 0
    """As many there were after the last gc; 0: there was none."""
    stored_since_gc: int = 0
    """Objects stored since it began, those removed again included."""
    log_seen: int = 0
    """Log entries up to this number were too old for it to keep what they name."""
    stored_since_pack: int = 0
    hot_bytes: int = 0
    """Pages that rows have taken since the last pack."""
    unused_bytes: int = 0
    """Of blocks less than half in use, as the last gc or pack found them."""
    file_bytes: int = 0
    free_bytes: int = 0
    """Of the file: to be used again."""
    busy: bool = False
    """A gc or a pack is at work."""
