"""Writers that are broken on purpose: the checkers must catch each of them.

Each replaces something in this process and its forked children.
"""

from __future__ import annotations

from typing import Any

from casckpt.storage.lmdb import commit, engine, refs, space
from casckpt.storage.lmdb.plan import Plan

__all__ = ["break_it"]


def break_it(how: str) -> None:
    """Break the order in which things are written."""
    {"ref-first": ref_first, "two-transactions": two_transactions, "early": _nothing}[how]()


def _nothing() -> None:
    """For "early": the driver itself acknowledges each step before it is done."""


def ref_first() -> None:
    """The ref is moved in a transaction of its own, before the objects that it leads to."""
    carry_out = commit.carry_out

    def broken(here: space.Space, plan: Plan) -> Any:
        def move(txn: Any) -> None:
            for update in plan.refs:
                current = refs.get(txn, here.tables.refs, update.name)
                if current is not None and update.target is not None and update.log is None:
                    ahead = current._replace(target=update.target, info=update.info)
                    refs.put(txn, here.tables.refs, ahead)

        here.write(move)
        return carry_out(here, plan)

    engine.commit.carry_out = broken


def two_transactions() -> None:
    """The refs of one commit are moved in two."""
    carry_out = commit.carry_out

    def broken(here: space.Space, plan: Plan) -> Any:
        if len(plan.refs) < 2:
            return carry_out(here, plan)
        moved = carry_out(here, plan._replace(refs=plan.refs[:1]))
        return moved + carry_out(here, plan._replace(items=[], refs=plan.refs[1:], add=()))

    engine.commit.carry_out = broken
