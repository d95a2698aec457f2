"""Many processes and OS threads on one store at once; and processes made in other ways."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import casckpt
from tests.model.crowd import Worker

ROOT = Path(__file__).parents[2]
PROCESSES = 8
THREADS = 2
WAIT_SECONDS_MAX = 120
"""Behind gc and packing a writer waits for milliseconds; this only tells waiting from hanging."""


def crowd(place: Path, processes: int, threads: int, rounds: int) -> list[dict[str, Any]]:
    """What each OS thread of each process has to tell."""
    casckpt.open(place, durability="none").close()
    command = [sys.executable, "-m", "tests.model.crowd", str(place)]
    children = [
        subprocess.Popen(
            [*command, str(who), str(threads), str(rounds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in range(processes)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    told: list[dict[str, Any]] = []
    for child in children:
        out, _ = child.communicate(timeout=3600)
        assert child.returncode == 0
        told += json.loads(out)
    return told


def assert_nothing_was_lost(place: Path, told: list[dict[str, Any]]) -> None:
    errors = [error for one in told for error in one["errors"]]
    assert not errors, "\n".join(errors)
    wins = [head for one in told for head in one["wins"]]
    with casckpt.open(place, durability="none") as store:
        assert len(wins) == len(set(wins)), "one winner a round"
        race, shared = (list(store.thread(name).log()) for name in ("race", "shared"))
        assert {one.parent for one in race} == set(wins)
        assert len(shared) == sum(one["shared"] for one in told)
        assert [one.step for one in shared] == list(reversed(range(len(shared))))
        store.gc(grace=0)
        assert list(store.fsck(level="structure")) == []
        for info in store.threads():
            state = info.head.load()
            assert sum(state["items"]) + state["n"] == state["sum"]
    assert max(max(one["worst"].values()) for one in told) < WAIT_SECONDS_MAX


def report(told: list[dict[str, Any]]) -> str:
    worst: dict[str, float] = {}
    done: dict[str, int] = {}
    for one in told:
        for act, seconds in one["worst"].items():
            worst[act] = max(seconds, worst.get(act, 0.0))
        for what, count in one["done"].items():
            done[what] = done.get(what, 0) + count
    waits = ", ".join(f"{act} {seconds * 1e3:.0f} ms" for act, seconds in sorted(worst.items()))
    wins = sum(len(one["wins"]) for one in told)
    return f"{sum(done.values())} acts {done}\n{wins} races won; worst: {waits}"


def test_many_at_once(tmp_path: Path) -> None:
    told = crowd(tmp_path / "s", PROCESSES, THREADS, rounds=12)
    assert_nothing_was_lost(tmp_path / "s", told)


@pytest.mark.slow
def test_many_at_once_for_minutes(tmp_path: Path) -> None:
    told = crowd(tmp_path / "s", PROCESSES, THREADS, rounds=400)
    print(report(told))
    assert_nothing_was_lost(tmp_path / "s", told)


def test_a_lost_update_is_noticed(tmp_path: Path) -> None:
    """A race that two have won, and a save that is not there."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        worker = Worker(store, "0-0")
        for act in (worker.save, worker.race, worker.race):
            act()
    fair = {"wins": worker.wins, "shared": 1, "worst": {"save": 0.1}, "errors": []}
    assert_nothing_was_lost(tmp_path / "s", [fair])
    for wrong in (
        {"wins": [*worker.wins, worker.wins[1]]},
        {"wins": worker.wins[:1]},
        {"shared": 2},
        {"errors": ["read: CorruptError: an object is missing"]},
        {"worst": {"save": 1000.0}},
    ):
        with pytest.raises(AssertionError):
            assert_nothing_was_lost(tmp_path / "s", [fair | wrong])


def save_in_child(path: str, number: int) -> None:
    with casckpt.open(path, durability="none") as store:
        store.thread("t").save(number)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_of_multiprocessing(tmp_path: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    context = multiprocessing.get_context(method)
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("t").save(0)
        children = [
            context.Process(target=save_in_child, args=(str(tmp_path / "s"), n)) for n in (1, 2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
        assert {c.load() for c in store.thread("t").log()} == {0, 1, 2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_so(tmp_path: Path) -> None:
    with casckpt.open(tmp_path / "s", durability="none") as store:
        saved = store.thread("t").save({"n": 1})
        pid = os.fork()
        if pid == 0:  # the child; it must not come back into pytest
            status = 1
            try:
                run = store.thread("t")
                for call in (lambda: run.save(2), run.load, run.edit().__enter__, store.threads):
                    with pytest.raises(casckpt.ClosedError, match="fork"):
                        call()
                save_in_child(str(tmp_path / "s"), 3)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert store.thread("t").load() == 3
        assert store.thread("t").head.parent == saved.id
        assert store.fsck().ok
