"""Pruning by a policy, as users meet it: one thread, or all whose names begin alike.

Invariants: it holds the ledger, never the Store; nothing is written in a dry run.

Imports: errors, history, checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from casckpt.checkpoint import Checkpoint
from casckpt.errors import NotFoundError
from casckpt.history import listing, pruned, pruning
from casckpt.history.ledger import Ledger
from casckpt.history.resolve import head_of
from casckpt.history.retention import Retention, check_policy, policy_for, policy_map
from casckpt.history.times import from_ns, stamp

__all__ = ["PruneReport", "Verdict", "prune", "prune_all", "unprune"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a policy says of one state."""

    checkpoint: Checkpoint
    reasons: tuple[str, ...]
    """The rules that keep it, or what it falls to ("no rule", "max_age", "max_count")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What pruning a thread did, or with `dry_run` would do."""

    thread: str
    policy: str
    """In one line, as it is noted with what was pruned."""
    time: datetime
    """By which ages are counted."""
    dry_run: bool
    kept: tuple[Verdict, ...]
    """Newest first."""
    pruned: tuple[Verdict, ...]
    """Newest first."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ids and reasons."""
        return {
            "thread": self.thread,
            "policy": self.policy,
            "time": stamp(self.time),
            "dry_run": self.dry_run,
            "kept": [_fields(verdict) for verdict in self.kept],
            "pruned": [_fields(verdict) for verdict in self.pruned],
        }


def _fields(verdict: Verdict) -> dict[str, Any]:
    point = verdict.checkpoint
    return {"id": point.id, "step": point.step, "reasons": list(verdict.reasons)}


def prune(ledger: Ledger, thread: str, policy: Retention, *, dry_run: bool = False) -> PruneReport:
    """Prune one thread; see `Thread.prune`."""
    check_policy(policy)
    head_of(ledger, thread)  # with near names, if there is no such thread
    report = _prune(ledger, thread, policy, pruning.held(ledger), dry_run=dry_run)
    if report is None:
        raise NotFoundError(f"the thread {thread} was deleted meanwhile", thread=thread)
    return report


def prune_all(
    ledger: Ledger,
    prefix: str,
    policy: Retention | Mapping[str, Retention],
    *,
    dry_run: bool = False,
) -> list[PruneReport]:
    """Prune the threads whose names begin with `prefix`; see `Store.prune`."""
    policies = policy_map(policy)
    holds = pruning.held(ledger)
    reports = []
    for listed in listing.threads(ledger, prefix):
        chosen = policy_for(policies, listed.name)
        if chosen is not None:
            report = _prune(ledger, listed.name, chosen, holds, dry_run=dry_run)
            if report is not None:
                reports.append(report)
    return reports


def _prune(
    ledger: Ledger, thread: str, policy: Retention, holds: pruning.Holds, *, dry_run: bool
) -> PruneReport | None:
    planned = pruning.plan(ledger, thread, policy, holds)
    if planned is None:
        return None
    gone = {point.id for point, judged in planned.judged if not judged.kept}
    if not dry_run:
        gone = {point.id for point in pruning.carry_out(ledger, planned, str(policy))}
    verdicts = [
        Verdict(checkpoint=Checkpoint(ledger, point), reasons=judged.reasons)
        for point, judged in planned.judged
    ]
    ids = [point.id for point, _ in planned.judged]
    return PruneReport(
        thread=thread,
        policy=str(policy),
        time=from_ns(planned.now_ns),
        dry_run=dry_run,
        kept=tuple(v for oid, v in zip(ids, verdicts, strict=True) if oid not in gone),
        pruned=tuple(v for oid, v in zip(ids, verdicts, strict=True) if oid in gone),
    )


def unprune(ledger: Ledger, thread: str) -> list[Checkpoint]:
    """Take back a thread's newest pruning; see `Thread.unprune`."""
    points = ledger.ancestry.points(pruned.unprune(ledger, thread))
    return [Checkpoint(ledger, point) for point in points]
