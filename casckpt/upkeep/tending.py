"""A round of upkeep: gc, packing and compacting, as far as they are asked for or pay.

Garbage first, so that none is packed; then packing; the file last. Each part runs in short
transactions beside readers and writers, as ever; only compacting needs the file for itself,
so it is never done unasked. If another process (or OS thread) is at the same work, a round
that decides by itself gives way to it.

Imports: errors, storage (engine interface), history (ledger), upkeep (decide, garbage, gc).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from casckpt.errors import StorageError
from casckpt.history.ledger import Ledger
from casckpt.storage.engine import CompactReport, GcReport, PackReport
from casckpt.upkeep.decide import (
    BUSY,
    KEEP_OBJECTS,
    Decision,
    compact_decision,
    gc_decision,
    pack_decision,
)
from casckpt.upkeep.garbage import let_go
from casckpt.upkeep.gc import GRACE_DEFAULT, check_grace, collect
from casckpt.upkeep.report import Progress

__all__ = ["UpkeepReport", "tend"]

ASKED: Final = "asked for"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """What a round of upkeep did, and why; with `dry_run` what it would do."""

    decisions: tuple[Decision, ...]
    """What was done, what was not, and why: at most one for each of gc, pack, compact."""
    collected: GcReport | None
    """What gc did; None: it did not run."""
    packed: PackReport | None
    compacted: CompactReport | None
    seconds: float

    @property
    def objects_live(self) -> int:
        """Objects that gc left; 0 if it did not run."""
        return self.collected.objects_live if self.collected else 0

    @property
    def objects_removed(self) -> int:
        """Objects that gc removed."""
        return self.collected.objects_removed if self.collected else 0

    @property
    def bytes_removed(self) -> int:
        """Stored bytes that gc removed; of packed objects see `GcReport`."""
        return self.collected.bytes_removed if self.collected else 0

    @property
    def kinds_removed(self) -> dict[int, int]:
        """Objects that gc removed, by kind."""
        return self.collected.kinds_removed if self.collected else {}

    @property
    def objects_replaced(self) -> int:
        """Pruned checkpoints that lost their states by gc."""
        return self.collected.objects_replaced if self.collected else 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: gc's figures flat, the others by name (None: not run)."""
        return {
            "objects_live": self.objects_live,
            "objects_removed": self.objects_removed,
            "bytes_removed": self.bytes_removed,
            "objects_replaced": self.objects_replaced,
            "seconds": round(self.seconds, 3),
            "decisions": [decision._asdict() for decision in self.decisions],
            "packed": None if self.packed is None else self.packed._asdict(),
            "compacted": None if self.compacted is None else self.compacted._asdict(),
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self.decisions))


def tend(
    ledger: Ledger,
    *,
    auto: bool = False,
    dry_run: bool = False,
    grace: timedelta = GRACE_DEFAULT,
    pack: bool | None = None,
    compact: bool = False,
    progress: Progress | None = None,
) -> UpkeepReport:
    """Do what is asked, or with `auto` what pays; see `Store.gc`.

    Raises:
        InvalidInputError: a negative grace; inside a batch.
        StorageError: what was asked for by name cannot be done: another gc or pack is at work,
            another process has the store open (compact), disk full, read-only.
    """
    check_grace(grace)
    begun = time.perf_counter()
    round_ = _Round(say_only=dry_run)
    engine = ledger.engine
    tally = engine.tally()
    if auto and tally.busy:
        round_.decisions.append(Decision("gc", False, BUSY))
        return round_.report(begun, None, None, None)

    def sweep() -> GcReport:
        return collect(ledger, dry_run=dry_run, grace=grace, progress=progress)

    if auto:
        before_ns = ledger.clock() - grace // timedelta(microseconds=1) * 1000
        lost = let_go(ledger, after=tally.log_seen, before_ns=before_ns)
        collected = round_.decided(gc_decision(tally, lost), sweep)
    else:
        collected = sweep()
        round_.decisions.append(Decision("gc", True, ASKED))
    tally = engine.tally() if collected else tally

    packed = None
    if pack is None:
        packed = round_.decided(
            pack_decision(tally), lambda: engine.pack(keep=KEEP_OBJECTS, progress=progress)
        )
    elif pack:
        packed = round_.asked("pack", lambda: engine.pack(progress=progress))
    tally = engine.tally() if packed else tally

    compacted = None
    if auto or not compact:
        decision = compact_decision(tally)
        if compact:
            compacted = round_.decided(decision, lambda: engine.compact(progress=progress))
        elif decision.run:
            round_.decisions.append(Decision("compact", False, f"not asked for; {decision.why}"))
    else:
        compacted = round_.asked("compact", lambda: engine.compact(progress=progress))
    return round_.report(begun, collected, packed, compacted)


class _Round:
    """The decisions of one round, and carrying them out."""

    def __init__(self, *, say_only: bool) -> None:
        self._say_only = say_only
        self.decisions: list[Decision] = []

    def decided(self, decision: Decision, work: Callable[[], T]) -> T | None:
        """Do it if it pays; give way to others who are at it."""
        result = None
        if decision.run and not self._say_only:
            try:
                result = work()
            except StorageError as error:
                if not error.details.get("busy"):
                    raise
                decision = Decision(decision.what, False, error.message)
        self.decisions.append(decision)
        return result

    def asked(self, what: str, work: Callable[[], T]) -> T | None:
        """Do it."""
        result = None if self._say_only else work()
        self.decisions.append(Decision(what, True, ASKED))
        return result

    def report(
        self,
        begun: float,
        collected: GcReport | None,
        packed: PackReport | None,
        compacted: CompactReport | None,
    ) -> UpkeepReport:
        """What came of it."""
        return UpkeepReport(
            decisions=tuple(self.decisions),
            collected=collected,
            packed=packed,
            compacted=compacted,
            seconds=time.perf_counter() - begun,
        )
