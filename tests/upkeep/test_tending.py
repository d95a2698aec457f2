"""Rounds of upkeep that decide by themselves: what they do, for whom they give way, and kills."""

from __future__ import annotations

import datetime as dt
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import casckpt
from casckpt.storage.lmdb import pack
from casckpt.upkeep import decide
from tests.storage.helpers import run_python, start_python
from tests.upkeep.damage import Clock

FEW = {"LET_GO_MIN": 5, "GROWTH_MIN": 60, "HOT_OBJECTS_MIN": 40, "KEEP_OBJECTS": 8}
SMALL = "".join(f"decide.{name} = tending.{name} = {value}\n" for name, value in FEW.items())
"""For other processes."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FEW.items():
        monkeypatch.setattr(decide, name, value)
    monkeypatch.setattr("casckpt.upkeep.tending.KEEP_OBJECTS", FEW["KEEP_OBJECTS"])


@pytest.fixture(name="clock")
def clock_() -> Clock:
    return Clock()


@pytest.fixture(name="store")
def store_(tmp_path: Path, clock: Clock) -> Iterator[casckpt.Store]:
    with casckpt.open(tmp_path / "s", durability="none", clock=clock) as store:
        yield store


def saved(store: casckpt.Store, name: str, count: int) -> casckpt.Thread:
    run = store.thread(name)
    for number in range(count):
        run.save({"number": number, "text": f"{name} {number} " * 30})
    return run


def runs(report: Any) -> dict[str, bool]:
    return {decision.what: decision.run for decision in report.decisions}


def test_nothing_is_done_until_it_pays(store: casckpt.Store, clock: Clock) -> None:
    run = saved(store, "a", 10)
    last = store._ledger.engine._space.last_transaction()
    report = store.gc(auto=True)
    assert runs(report) == {"gc": False, "pack": False}
    assert (report.collected, report.packed, report.compacted) == (None, None, None)
    assert store._ledger.engine._space.last_transaction() == last  # not even a sign
    run.rewind("@3")
    assert runs(store.gc(auto=True)) == {"gc": False, "pack": False}  # it can still be undone
    clock.advance(dt.timedelta(days=15))
    assert runs(store.gc(auto=True, dry_run=True)) == {"gc": True, "pack": False}
    report = store.gc(auto=True)
    assert "some 6 checkpoints" in str(report)
    assert report.objects_removed == 6
    assert runs(store.gc(auto=True)) == {"gc": False, "pack": False}
    assert run.load()["number"] == 3
    assert not list(store.fsck())


def test_a_store_that_has_doubled_is_looked_through(store: casckpt.Store) -> None:
    saved(store, "a", 65)
    report = store.gc(auto=True, pack=False)
    assert runs(report) == {"gc": True}
    assert report.objects_removed == 0
    saved(store, "b", 30)
    assert runs(store.gc(auto=True, pack=False)) == {"gc": False}
    saved(store, "c", 40)
    assert runs(store.gc(auto=True, pack=False)) == {"gc": True}


def test_what_is_not_packed_is_packed(store: casckpt.Store) -> None:
    saved(store, "a", 50)
    report = store.gc(auto=True)
    assert runs(report) == {"gc": False, "pack": True}
    assert report.packed is not None
    assert report.packed.objects_packed == 50 - FEW["KEEP_OBJECTS"]
    assert runs(store.gc(auto=True)) == {"gc": False, "pack": False}
    saved(store, "b", 30)
    assert runs(store.gc()) == {"gc": True, "pack": False}
    saved(store, "c", 30)
    assert runs(store.gc(pack=False)) == {"gc": True}
    report = store.gc()  # packs, if it pays
    assert runs(report) == {"gc": True, "pack": True}
    report = store.gc(pack=True)
    assert report.packed is not None
    assert report.packed.complete
    assert store._ledger.engine.stats()["blocks"]["objects"] == 110
    assert [c.load()["number"] for c in store.thread("a").log()] == list(range(50))[::-1]
    assert not list(store.fsck())


def test_garbage_in_blocks_is_packed_away(
    store: casckpt.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = saved(store, "a", 50)
    store.pack()
    monkeypatch.setattr(decide, "UNUSED_BYTES_MIN", 1)
    run.rewind("@5")
    report = store.gc(grace=0)
    assert report.objects_removed == 44
    assert report.packed is not None
    assert "less than half in use" in str(report)
    assert store._ledger.engine.tally().unused_bytes == 0


def test_it_gives_way(store: casckpt.Store) -> None:
    saved(store, "a", 70)
    space = store._ledger.engine._space
    packer = pack.Packer(space, keep=0, seconds_max=None)
    with closing(packer.steps()) as steps:
        next(steps)
        report = store.gc(auto=True)
        assert [(d.what, d.run, d.why) for d in report.decisions] == [("gc", False, decide.BUSY)]
        with pytest.raises(casckpt.StorageError, match="at work"):
            store.gc()
        with pytest.raises(casckpt.StorageError, match="at work"):
            store.pack()
    assert runs(store.gc(auto=True)) == {"gc": True, "pack": True}


def test_it_gives_way_to_one_that_begins_at_the_same_time(
    store: casckpt.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for the sign and leaving its own."""
    saved(store, "a", 70)
    engine = store._ledger.engine
    packer = pack.Packer(engine._space, keep=0, seconds_max=None)
    seen = engine.tally()
    with closing(packer.steps()) as steps:
        next(steps)
        monkeypatch.setattr(engine, "tally", lambda: seen)
        report = store.gc(auto=True)
    assert runs(report) == {"gc": False, "pack": False}
    assert "at work" in str(report)


def test_compacting_is_asked_for(store: casckpt.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved(store, "a", 300)
    run.rewind("@0")
    monkeypatch.setattr(decide, "FREE_BYTES_MIN", 4096)
    report = store.gc(grace=0)
    assert runs(report) == {"gc": True, "pack": False, "compact": False}
    assert "not asked for" in str(report)
    code = "import casckpt, sys\ncasckpt.open(sys.argv[1])\nprint(1, flush=True)\ninput()\n"
    other = start_python(code, store.path)
    assert other.stdout is not None
    other.stdout.readline()
    report = store.gc(auto=True, compact=True)
    assert runs(report)["compact"] is False
    assert "another process" in str(report)
    other.communicate("\n", timeout=10)
    report = store.gc(auto=True, compact=True)
    assert report.compacted is not None
    assert report.compacted.bytes_after < report.compacted.bytes_before / 2
    assert runs(store.gc(auto=True, compact=True))["compact"] is False
    assert store.gc(compact=True).compacted is not None


def test_where_it_is_refused(store: casckpt.Store, tmp_path: Path) -> None:
    with store.batch(), pytest.raises(casckpt.InvalidInputError, match="batch"):
        store.gc(auto=True)
    with pytest.raises(casckpt.InvalidInputError):
        store.gc(auto=True, grace=dt.timedelta(-1))
    saved(store, "a", 70)
    store.close()
    with casckpt.open(tmp_path / "s", read_only=True) as reader:
        assert runs(reader.gc(auto=True, dry_run=True)) == {"gc": True, "pack": True}
        with pytest.raises(casckpt.StorageError, match="read-only"):
            reader.gc(auto=True)
    with casckpt.open("memory:") as memory:
        saved(memory, "a", 70)
        assert runs(memory.gc(auto=True)) == {"gc": True, "pack": False}
        assert runs(memory.gc(auto=True)) == {"gc": False, "pack": False}


AGENT = """
import sys, casckpt
store = casckpt.open(sys.argv[1], durability="none")
run = store.thread("agent")
number = run.load()["number"] if run.head else 0
while True:
    number += 1
    run.save({"number": number, "text": f"{number} " * 60})
    if number % 10 == 0:
        spare = run.fork(f"spare/{number}")
        for more in range(6):
            spare.save({"number": more, "spare": number})
        spare.delete()
    print(number, flush=True)
"""

TENDER = (
    """
import sys, casckpt
from casckpt.upkeep import decide, tending
"""
    + SMALL
    + """
store = casckpt.open(sys.argv[1], durability="none")
print("ready", flush=True)
while True:
    report = store.gc(auto=True, grace=0)
    print(*(f"{d.what}={d.run}" for d in report.decisions), flush=True)
"""
)


def tended(place: Path, rounds: int, seconds: float) -> list[str]:
    """A writer and two that tend the store are killed together, again and again."""
    rng = random.Random(3)
    casckpt.open(place).close()
    lines: list[str] = []
    number = 0
    for _ in range(rounds):
        processes = [start_python(code, str(place)) for code in (AGENT, TENDER, TENDER)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(rng.random() * seconds)
        for process in processes:
            process.send_signal(signal.SIGKILL)
        outs = [process.communicate(timeout=10) for process in processes]
        assert [error for _, error in outs] == ["", "", ""]
        lines += [line for out, _ in outs[1:] for line in out.splitlines()]
        acknowledged = [line for line in outs[0][0].splitlines(keepends=True) if line[-1] == "\n"]
        with casckpt.open(place, durability="none") as store:
            run = store.thread("agent")
            state = run.load()
            assert state["number"] >= int(acknowledged[-1]) if acknowledged else number
            number = state["number"]
            history = [c.load() for c in run.log()]
            assert [s["number"] for s in history] == list(range(number, 0, -1))
            assert all(s["text"] == f"{s['number']} " * 60 for s in history)
            assert store.fsck(level="structure").ok
    with casckpt.open(place, durability="none") as store:
        store.gc(grace=0)
        assert not list(store.fsck(level="structure"))
    return lines


def test_killed_in_the_midst_beside_a_writer(tmp_path: Path) -> None:
    lines = tended(tmp_path / "s", rounds=3, seconds=0.5)
    assert lines


@pytest.mark.slow
def test_killed_in_the_midst_beside_a_writer_often(tmp_path: Path) -> None:
    lines = tended(tmp_path / "s", rounds=12, seconds=0.5)
    words = {word for line in lines for word in line.split()}
    assert {"gc=True", "gc=False", "pack=True", "pack=False"} <= words


def test_another_process_knows_what_was_done(store: casckpt.Store) -> None:
    saved(store, "a", 70)
    code = "import casckpt, sys\nprint(casckpt.open(sys.argv[1]).gc(auto=True))\n"
    assert "70 objects of 50,000 stored" in run_python(code, store.path)
    store.gc(auto=True)
    assert " 0 objects of 50,000 stored" in run_python(code, store.path)
