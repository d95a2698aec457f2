"""Whether gc, packing and compacting pay: rules on figures that cost nothing to read.

As in git, there are thresholds, and below them nothing is done: a little garbage costs less
than looking for it. Each rule has a floor and a share of the store, so that a pass over all
rows is made only when it has something to do for a fair part of them.

Invariants: pure; every decision says why in words and figures.

Imports: storage (engine interface).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from casckpt.storage.engine import Tally

__all__ = [
    "BUSY",
    "KEEP_OBJECTS",
    "Decision",
    "compact_decision",
    "gc_decision",
    "pack_decision",
]

LET_GO_MIN: Final = 500
"""Checkpoints that rewinds and deletions have let go of."""
LET_GO_SHARE: Final = 50
"""Or one for so many objects, if that is more."""
GROWTH_MIN: Final = 50_000
"""Objects stored since the last gc: what failed saves and other applications leave is not
counted anywhere, so gc looks for it whenever the store has doubled."""
HOT_BYTES_MIN: Final = 8 << 20
"""Pages not packed: some ten blocks of payload."""
HOT_OBJECTS_MIN: Final = 20_000
UNUSED_BYTES_MIN: Final = 8 << 20
"""In blocks that are less than half in use."""
PACK_SHARE: Final = 50
"""Packing looks at every row, so one in so many should be new."""
KEEP_OBJECTS: Final = 1024
"""The newest stay as they are, quickest to read: heads, and what the next saves resemble."""
FREE_BYTES_MIN: Final = 16 << 20
"""And half of the file: what will be used again soon is no waste."""

BUSY: Final = "another gc or pack is at work: this one gives way"


class Decision(NamedTuple):
    """Whether something is done, and why."""

    what: str
    """"gc", "pack" or "compact"."""
    run: bool
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {'yes' if self.run else 'no'}: {self.why}"


def gc_decision(tally: Tally, let_go: int) -> Decision:
    """Whether to look for garbage.

    Args:
        tally: of the engine.
        let_go: about so many checkpoints no head reaches any more, and no undo may bring back.
    """
    floor = max(LET_GO_MIN, tally.objects // LET_GO_SHARE)
    if let_go >= floor:
        return Decision(
            "gc", True, f"some {let_go:,} checkpoints were let go ({floor:,} are enough)"
        )
    growth = max(GROWTH_MIN, tally.objects_after_gc)
    new = tally.stored_since_gc
    if new >= growth:
        why = f"{new:,} objects stored since the last gc ({growth:,} are enough)"
        return Decision("gc", True, why)
    why = f"some {let_go:,} checkpoints of {floor:,} let go, {new:,} objects of {growth:,} stored"
    return Decision("gc", False, f"{why} since the last")


def pack_decision(tally: Tally) -> Decision:
    """Whether to pack."""
    new = min(tally.stored_since_pack, tally.objects)
    hot = f"{new:,} objects on {_mb(tally.hot_bytes)}"
    if tally.unused_bytes >= UNUSED_BYTES_MIN:
        why = f"blocks of {_mb(tally.unused_bytes)} are less than half in use"
        return Decision("pack", True, why)
    enough = tally.hot_bytes >= HOT_BYTES_MIN or new >= HOT_OBJECTS_MIN
    limits = f"{HOT_OBJECTS_MIN:,} or {_mb(HOT_BYTES_MIN)}"
    if not enough or new <= KEEP_OBJECTS:
        return Decision("pack", False, f"{hot} not packed ({limits} would be enough)")
    if new * PACK_SHARE < tally.objects:
        share = tally.objects // PACK_SHARE
        return Decision("pack", False, f"{hot} not packed (one in {PACK_SHARE} is {share:,})")
    return Decision("pack", True, f"{hot} not packed ({limits} are enough)")


def compact_decision(tally: Tally) -> Decision:
    """Whether to give free pages back to the disk."""
    free = f"{_mb(tally.free_bytes)} of {_mb(tally.file_bytes)} are free"
    pays = tally.free_bytes >= FREE_BYTES_MIN and 2 * tally.free_bytes >= tally.file_bytes
    limits = f"{_mb(FREE_BYTES_MIN)} and half of the file"
    return Decision("compact", pays, f"{free} ({limits} are enough)")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
