"""Damaged records do not hide the others, and are not passed over in silence."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import casckpt
from casckpt.history.find import Query, find
from tests.history.ledgers import Clock, new_ledger
from tests.upkeep.damage import rows_of, seq_of


def saved(ledger: Any, count: int) -> list[Any]:
    return [
        ledger.append("t", n, label="even" if n % 2 == 0 else None, meta={"n": n})
        for n in range(count)
    ]


def damage(ledger: Any, points: Iterable[Any]) -> None:
    rows = ledger.engine._rows
    for point in points:
        rows[point.id] = rows[point.id]._replace(payload=b"damaged")
    ledger.forget()


def in_order(found: Any, what: str = "step") -> tuple[list[Any], str]:
    """The steps (or ids) that came, and what was raised in the end."""
    steps = []
    try:
        for point in found:
            steps.append(getattr(point, what))  # noqa: PERF401 (that loses them on an error)
    except casckpt.CorruptError as error:
        return steps, error.message
    return steps, ""


@pytest.mark.parametrize("seed", range(8))
def test_a_history_goes_on_as_far_as_jumps_lead(seed: int) -> None:
    rng = random.Random(seed)
    ledger = new_ledger(Clock(7))
    points = saved(ledger, 120)
    bad = set(rng.sample(range(119), 1 + seed % 4))
    by_id = {point.id: point for point in points}
    reached: set[int] = set()
    todo = [points[-1]]
    while todo:
        point = todo.pop()
        if point.step in reached or point.step in bad:
            continue
        reached.add(point.step)
        todo += [by_id[oid] for oid in (point.parent, point.jump) if oid is not None]
    damage(ledger, [points[step] for step in bad])
    steps, message = in_order(find(ledger, Query(), at=points[-1]))
    assert steps == sorted(reached, reverse=True)
    assert "not everything could be read" in message
    ledger.forget()
    steps, message = in_order(find(ledger, Query()))  # of the whole store, by its lists
    assert steps == [n for n in reversed(range(120)) if n not in bad]
    assert "not everything could be read" in message


def test_what_no_way_leads_to_is_said() -> None:
    ledger = new_ledger(Clock(7))
    points = saved(ledger, 40)
    damage(ledger, [points[20]])
    steps, message = in_order(find(ledger, Query(), at=points[-1]))
    assert steps == [*range(39, 20, -1), *range(18, -1, -1)]  # 21 jumps to 18
    assert points[20].id.hex()[:16] in message
    assert "1 more" in message
    ledger = new_ledger(Clock(7))
    points = saved(ledger, 4)
    damage(ledger, [points[0]])
    assert in_order(find(ledger, Query(), at=points[-1]))[0] == [3, 2, 1]


def test_an_answer_before_the_damage_is_whole() -> None:
    ledger = new_ledger(Clock(7))
    points = saved(ledger, 40)
    damage(ledger, [points[5]])
    assert in_order(find(ledger, Query(), at=points[-1], limit=10)) == ([*range(39, 29, -1)], "")
    label = Query(label="even")
    assert in_order(find(ledger, label)) == ([*range(38, -1, -2)], "")
    damage(ledger, [points[36]])
    steps, message = in_order(find(ledger, label, limit=3))
    assert steps == [38, 34, 32]
    assert points[36].id.hex()[:16] in message


def test_on_disk_with_the_deltas_that_hang_on_it(tmp_path: Path) -> None:
    with casckpt.open(tmp_path / "s", durability="none") as store:
        run = store.thread("t")
        made = [run.save({"n": n, "text": "same words " * 20}, label="x").id for n in range(90)]
    key = seq_of(tmp_path / "s", made[30])
    with rows_of(tmp_path / "s") as txn:
        txn.put(key, txn.get(key)[:12])
    with casckpt.open(tmp_path / "s", read_only=True) as store:
        whole = []
        for id in made:
            try:
                assert store.checkpoint(id).load()["n"] == len(whole) or whole
            except casckpt.CorruptError:
                continue
            whole.append(id)
        assert 50 < len(whole) < 90
        for found in (store.find(), store.find(label="x"), store.find(prefix="t")):
            seen, message = in_order(found, "id")
            assert seen == whole[::-1]
            assert "not everything could be read" in message
        seen, message = in_order(store.thread("t").log(), "id")
        assert "not everything could be read" in message
        assert set(seen) < set(whole)
        assert made[0] in seen
        assert made[-1] in seen
