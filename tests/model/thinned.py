"""Rules of the state machine for pruning: by hand, and as threads grow (`open(retention=)`).

What goes is what `policy.to_prune` says. A handle that was just opened with a policy has to drop
exactly that; one that is used again may know less than there is, and never drops more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import rule

import casckpt
from tests.model.given import PICK, labels, names, some_tags, values
from tests.model.plain import Model
from tests.model.policy import Rules, rules_for, to_prune

__all__ = ["EVERY", "Thinned"]

EVERY = 2
"""Saves from one turn of retention to the next, while the machine runs."""
few = st.integers(0, 2)
policies = st.builds(
    Rules,
    last=st.none() | few,
    first=st.none() | few,
    labels=st.booleans(),
    tagged=st.sampled_from([True, True, False]),
    most=st.none() | st.integers(1, 3),
    days=st.sampled_from([None, None, 4]),
)
some_policies = st.builds(
    lambda general, by_prefix: by_prefix | general,
    st.builds(lambda rules: {"": rules}, policies) | st.just({}),
    st.dictionaries(st.sampled_from(["a", "a/"]), policies, max_size=2),
)
saves = st.lists(st.tuples(values, labels, some_tags), min_size=1, max_size=5)


class Thinned:
    """What `Machine` takes over."""

    model: Model
    clock: Any
    grower: casckpt.Store | None = None
    """The handle with a policy that was used last."""
    grows_by: dict[str, Rules]
    grown_since: dict[str, int]
    """Saves of a thread by that handle since retention's last turn."""

    @rule(name=names, pick=PICK, rules=policies, dry=st.sampled_from([False, False, True]))
    def prune(self, name: str, pick: int, rules: Rules, dry: bool) -> None:
        report, going = self.both(
            lambda: self.store(pick).thread(name).prune(rules.real(), dry_run=dry),
            lambda: to_prune(self.model, name, rules, self.clock.now_ns),
        )
        if report is not None:
            assert [verdict.checkpoint.id for verdict in report.pruned] == going
            if not dry:
                self.model.prune(name, going, report.policy, self.clock())

    @rule(pick=PICK, prefix=st.sampled_from(["", "a", "f/"]), some=some_policies)
    def prune_many(self, pick: int, prefix: str, some: dict[str, Rules]) -> None:
        due = {
            name: (rules, to_prune(self.model, name, rules, self.clock.now_ns))
            for name in sorted(self.model.alive(), key=str.encode)
            if name.startswith(prefix) and (rules := rules_for(some, name)) is not None
        }
        real = {beginning: rules.real() for beginning, rules in some.items()}
        reports = self.store(pick).prune(real, prefix=prefix)
        found = [(r.thread, [v.checkpoint.id for v in r.pruned]) for r in reports]
        assert found == [(name, going) for name, (_, going) in due.items()]
        for name, (rules, going) in due.items():
            self.model.prune(name, going, str(rules.real()), self.clock())

    @rule(name=names, pick=PICK)
    def unprune(self, name: str, pick: int) -> None:
        back, expected = self.both(
            lambda: self.store(pick).thread(name).unprune(),
            lambda: self.model.unprune(name, self.clock()),
        )
        assert back is None or {one.id for one in back} == expected

    @rule(
        name=names,
        saves=saves,
        some=some_policies,
        fresh=st.booleans(),
        pick=PICK,
        held=st.sampled_from(["", "tag", "fork"]),
    )
    def save_with_retention(
        self, name: str, saves: Any, some: dict[str, Rules], fresh: bool, pick: int, held: str
    ) -> None:
        """In turns; perhaps there is something that holds what would go else."""
        if held and self.model.kept:
            name = self.model.kept[self.some(pick, "inner")].thread
            if held == "tag":
                self.tag(["golden"], pick, True, "inner")
            else:
                self.fork(name, f"f/{1 + pick % 3}", pick, "inner")
        if fresh or self.grower is None:
            self.grown_since, self.grows_by = {}, some
            if self.grower is not None:
                self._leave(self.grower)
            self.grower = self._open(retention={p: rules.real() for p, rules in some.items()})
        rules = rules_for(self.grows_by, name)
        is_first = name not in self.grown_since
        for value, label, tags in saves:
            with _no_complaints():
                self._save(name, value, label, tags, None, self.grower)
            one = self.model.kept[self.model.alive()[name]]
            self.grown_since[name] = self.grown_since.get(name, 0) + 1
            going: list[str] = []
            if self.grown_since[name] >= EVERY or not (one.step + 1) % EVERY:
                self.grown_since[name] = 0
                if rules is not None:
                    going = to_prune(self.model, name, rules, self.clock.now_ns)
            gone = [
                old.id
                for old in self.model.history(one.id)
                if old.readable and self.stores[0].checkpoint(old.id).pruned
            ]
            assert gone == going if is_first else set(gone) <= set(going)
            self.model.prune(name, gone, str(rules and rules.real()), self.clock())


@contextmanager
def _no_complaints() -> Iterator[None]:
    """What goes wrong in a turn is only logged: here it is an error."""
    heard: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: heard.append(logging.Formatter().format(record))
    logger = logging.getLogger("casckpt")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not heard, heard[0]
