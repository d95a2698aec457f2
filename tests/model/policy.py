"""What a retention policy says of a thread, worked out once more from the words of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import casckpt
from tests.model.plain import Missing, Model

__all__ = ["Rules", "rules_for", "to_prune"]

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A policy; None: there is no such rule."""

    last: int | None = None
    first: int | None = None
    labels: bool = False
    tagged: bool = True
    most: int | None = None
    days: int | None = None

    def real(self) -> casckpt.Retention:
        return casckpt.Retention(
            keep_last=self.last,
            keep_first=self.first,
            keep_labels=self.labels,
            keep_tagged=self.tagged,
            max_count=self.most,
            max_age=None if self.days is None else timedelta(days=self.days),
        )


def rules_for(policies: Mapping[str, Rules], name: str) -> Rules | None:
    """The one with the longest prefix."""
    fit = [prefix for prefix in sorted(policies) if name.startswith(prefix)]
    return policies[fit[-1]] if fit else None


def to_prune(model: Model, name: str, rules: Rules, now_ns: int) -> list[str]:
    """The states of a thread that a policy drops, newest first."""
    head = model.head(name)
    if head is None:
        raise Missing
    heads = set(model.alive().values())
    _, forked_at = model.lines[name].origin
    begin = model.kept[forked_at].step + 1 if forked_at in model.kept else 0
    own = [one for one in model.history(head) if one.thread == name and one.readable]
    seen: set[str | None] = {None}
    count, going = 0, []
    for at, one in enumerate(own):
        keep = rules.last is None and rules.first is None and not rules.labels
        if rules.last is not None and at < rules.last:
            keep = True
        if rules.first is not None and one.step - begin < rules.first:
            keep = True
        if rules.labels and one.label not in seen:
            keep = True
        seen.add(one.label)
        if rules.days is not None and now_ns - one.created_ns > rules.days * _DAY_NS:
            keep = False
        if rules.most is not None and count >= rules.most:
            keep = False
        keep = keep or (rules.tagged and bool(one.tags))
        count += keep
        if not keep and one.id not in heads:
            going.append(one.id)
    return going
