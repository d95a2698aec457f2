"""Power loss: every image that the writes and syncs of a run may leave behind, or a sample.

What is recorded is what LMDB and casckpt really asked the kernel for; what a disk may make of
it is the model of `tests/crash/images.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.crash.shim import drive

SHORT = ["begin", "save", "batch", "save-long", "tag", "pack", "compact", "save"]


def test_with_full_durability_nothing_is_lost() -> None:
    found = drive("power", names=SHORT, images_max=70)
    assert found["faults"] == []
    assert found["images"] == 70


def test_relaxed_loses_the_last_commit_at_most() -> None:
    names = ["begin", "save", "edit", "sync", "batch", "delete", "save", "compact", "save"]
    found = drive("power", names=names, durability="relaxed", images_max=70)
    assert found["faults"] == []
    assert found["images"] == 70


@pytest.mark.parametrize("how", [{"durability": "none", "promised": "full"}, {"no_syncs": True}])
def test_a_run_without_syncs_is_caught(how: dict[str, Any]) -> None:
    """The canary: what nobody waited for is lost, and the checker must say so."""
    found = drive("power", names=["begin", "save", "save"], images_max=30, **how)
    assert found["faulty"] >= 5


def test_relaxed_is_less_than_full() -> None:
    """A canary: a run that is relaxed breaks the promise of a full one."""
    found = drive("power", names=["begin", "save", "delete"], durability="relaxed", promised="full")
    assert found["faulty"] >= 1


@pytest.mark.parametrize("skip", [1, 3, 5])
def test_a_sync_that_failed_settles_nothing_later(skip: int) -> None:
    """The kernel forgets what a failed sync was for, and the next sync says that all is well.

    With relaxed durability the root of the commit before waited for that sync: its loss would
    have undone two commits, or left roots whose pages had been used again.
    """
    names = ["begin", "save", "edit", "sync", "begin", "delete", "save", "sync"]
    fail = {"kind": "sync", "skip": skip, "count": 1, "error": "EIO"}
    found = drive("power", names=names, durability="relaxed", fail=fail)
    assert found["met"] == 1
    assert found["faults"] == []


@pytest.mark.parametrize("error", ["EIO", "done", "half"])
def test_a_root_page_that_failed_is_not_there_later(error: str) -> None:
    names = ["begin", "save", "begin", "delete", "save"]
    fail = {"kind": "root", "skip": 1, "count": 1, "error": error}
    found = drive("power", names=names, fail=fail, images_max=50)
    assert found["met"] == 1
    assert found["faults"] == []


@pytest.mark.parametrize("durability", ["full", "relaxed"])
def test_a_store_is_there_once_it_was_opened(durability: str) -> None:
    """Making a store: until it is acknowledged it is not there or empty, and whole in any case."""
    found = drive("making", durability=durability)
    assert found["faults"] == []
    assert found["images"] > 20
    assert found["absent"] > 0


def test_making_a_store_without_syncs_is_caught() -> None:
    assert drive("making", durability="full", no_syncs=True)["faulty"] > 3


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize("seed", [1, 2])
def test_hundreds_of_images(durability: str, seed: int) -> None:
    found = drive("power", seed=seed, durability=durability, images_max=250)
    assert found["faults"] == []
    assert found["images"] == 250
