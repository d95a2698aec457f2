"""Writes, syncs and renames that fail: an error, no damage, and on as soon as the cause is gone."""

from __future__ import annotations

import pytest

from tests.crash.shim import drive


@pytest.mark.parametrize(
    ("kind", "error", "every", "lasting"),
    [
        ("root", "EIO", 13, False),
        ("root", "EIO", 13, True),
        ("root", "done", 17, False),
        ("sync", "EIO", 15, True),
        ("write", "ENOSPC", 90, True),
        ("write", "half", 90, False),
        ("name", "EIO", 1, False),
    ],
)
def test_a_call_that_fails(kind: str, error: str, every: int, lasting: bool) -> None:
    """One failure, and a fault that lasts until three steps have failed.

    Stories: a root page that failed left a process in which nothing could be read until
    something was written; gc and packing that failed to take their sign away kept others off
    for as long as the process lived.
    """
    found = drive("failing", kind=kind, error=error, every=every, lasting=lasting)
    assert found["faults"] == []
    assert found["failed"] >= 3


@pytest.mark.parametrize("durability", ["relaxed", "none"])
def test_a_sync_that_fails(durability: str) -> None:
    names = ["begin", "save", "sync", "edit", "pack", "sync", "save"]
    found = drive("failing", kind="sync", error="EIO", names=names, durability=durability)
    assert found["faults"] == []
    assert found["failed"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "error", "every"),
    [
        *(("root", "EIO", 5), ("root", "done", 11), ("root", "half", 11)),
        *(("sync", "EIO", 5), ("sync", "ENOSPC", 11)),
        *(("write", "EIO", 31), ("write", "ENOSPC", 41), ("write", "half", 41)),
    ],
)
def test_calls_fail(kind: str, error: str, every: int) -> None:
    found = drive("failing", kind=kind, error=error, every=every, lasting=error == "ENOSPC")
    assert found["faults"] == []
    assert found["failed"] > 3
