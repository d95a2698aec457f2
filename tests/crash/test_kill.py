"""SIGKILL before every call of a writer that writes, syncs or names a file.

The default suite takes a sample; `-m slow` takes every call of some programs; and
`python -m tests.crash SEEDS` as many thousands as one likes.
"""

from __future__ import annotations

import pytest

from tests.crash.shim import drive


def test_a_writer_is_killed_in_the_middle_of_everything() -> None:
    found = drive("killing", seed=1, every=25)
    assert found["faults"] == []
    assert found["kills"] > 15


@pytest.mark.parametrize("step", ["batch", "gc", "compact", "unbundle", "prune-all"])
def test_every_call_of_a_step(step: str) -> None:
    found = drive("killing", seed=3, names=["rewind", step])
    assert found["faults"] == []
    assert found["steps"][step] >= 3


@pytest.mark.parametrize("canary", ["ref-first", "two-transactions", "early"])
def test_a_writer_with_the_wrong_order_is_caught(canary: str) -> None:
    """The canary: the same checker, and a writer that is broken on purpose."""
    found = drive("killing", seed=2, names=["save", "batch"], every=2, canary=canary)
    assert found["faulty"] >= 2


def test_writers_are_killed_beside_others() -> None:
    found = drive("many", rounds=6, writers=3)
    assert found["faults"] == []
    assert found["kills"] == 12
    assert found["acknowledged"] > 100


@pytest.mark.slow
@pytest.mark.parametrize(("durability", "torn"), [("full", False), ("none", True)])
def test_killed_at_every_fourth_call(durability: str, torn: bool) -> None:
    found = drive("killing", seed=1 + 2 * torn, durability=durability, torn=torn, every=4)
    assert found["faults"] == []
    assert found["kills"] > 80


@pytest.mark.slow
def test_many_writers_are_killed_often() -> None:
    found = drive("many", rounds=15, writers=4)
    assert found["faults"] == []
    assert found["kills"] == 45
