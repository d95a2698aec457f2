"""A driver: kills a writer before each of its calls that write, sync or name a file.

    python -m tests.crash.killing '{"place": "...", "seed": 1}'

is what the tests run (with the shim loaded); `python -m tests.crash` does it thousands of times.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sys
import traceback
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.crash import canaries
from tests.crash.picture import Reference, complaint, go_on, look, picture
from tests.crash.shim import Shim
from tests.crash.work import Step, perform, prepare, program

FAULTS_TOLD = 5


def in_child(work: Callable[[int], None]) -> tuple[int, bytes]:
    """Run `work(fd)` in a forked child; its exit status and what it wrote to the pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.close(reader)
            work(writer)
            status = 0
        except BaseException:  # noqa: BLE001 - a child tells, and ends
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return status, told


def reference(shim: Shim, path: Path, steps: list[Step], seed: int, durability: str) -> Reference:
    """Run the steps undisturbed; what is to be seen after each."""

    def run(fd: int) -> None:
        calls = [0]
        shim.kill(0)
        for event, _, _ in perform(path, steps, seed, durability):
            if event == "done":
                calls.append(shim.calls)
        pipe = os.fdopen(fd, "wb")
        pickle.dump(calls, pipe)
        pipe.flush()

    def see(fd: int) -> None:
        known: list[str] = []
        pictures = []
        events = perform(path, steps, seed, durability)
        _, _, store = next(events)
        pictures.append(picture(store))
        for event, _, store in events:
            if event == "done":
                known += [id for kind, id in picture(store) if kind == "state"]
                pictures.append(picture(store))
        pipe = os.fdopen(fd, "wb")
        pickle.dump((pictures, sorted(set(known))), pipe)
        pipe.flush()

    copy = path.with_name("untouched")
    shutil.copytree(path, copy)
    status, told = in_child(run)
    assert status == 0, "the undisturbed run failed"
    calls = pickle.loads(told)
    shutil.rmtree(path)
    shutil.copytree(copy, path)
    status, told = in_child(see)
    assert status == 0
    _, known = pickle.loads(told)
    # Once more, for every picture must have looked at every checkpoint that comes to be.
    shutil.rmtree(path)
    shutil.copytree(copy, path)

    def see_all(fd: int) -> None:
        events = perform(path, steps, seed, durability)
        _, _, store = next(events)
        pictures = [picture(store, known)]
        pictures += [picture(store, known) for event, _, store in events if event == "done"]
        pipe = os.fdopen(fd, "wb")
        pickle.dump(pictures, pipe)
        pipe.flush()

    status, told = in_child(see_all)
    assert status == 0
    shutil.rmtree(path)
    shutil.move(copy, path)
    return Reference(pickle.loads(told), known, calls)


def judge(path: Path, ref: Reference, steps: list[Step], done: int) -> str | None:
    """What is wrong with what is left after `done` acknowledged steps; None: nothing."""
    try:
        seen = look(path, ref.known)
        after = min(done + 1, len(steps))
        atomic = steps[done].atomic if done < len(steps) else True
        wrong = complaint(seen, ref.pictures[done], ref.pictures[after], atomic=atomic)
        if wrong is None:
            go_on(path, seen)
    except Exception as error:  # noqa: BLE001 - each is a finding
        return f"{type(error).__name__}: {error}"
    return wrong


def kill_at(
    shim: Shim,
    path: Path,
    steps: list[Step],
    seed: int,
    at: int,
    durability: str,
    *,
    torn: bool,
    acknowledge: str = "done",
) -> tuple[bool, int]:
    """Run, and die before call `at`; whether it was killed, and how many steps were done."""

    def run(fd: int) -> None:
        shim.kill(at, torn=torn)
        for event, _, _ in perform(path, steps, seed, durability):
            if event == acknowledge:
                os.write(fd, b"d")

    status, told = in_child(run)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"exit {status} at call {at}"
    return killed, len(told)


def main(
    place: str,
    seed: int = 1,
    names: list[str] | None = None,
    every: int = 1,
    durability: str = "full",
    canary: str | None = None,
    torn: bool = False,
) -> dict[str, Any]:
    """Kill at every call (or every so many); what was survived, and what not."""
    shim, here = Shim(), Path(place).resolve()
    prepare(here, seed)
    steps = program(seed, names)
    path = here / "store"
    shutil.copytree(here / "base", path)
    shim.watch(path)
    if canary is not None:
        canaries.break_it(canary)
    ref = reference(shim, path, steps, seed, durability)
    shutil.copytree(path, here / "fresh")
    kills: Counter[str] = Counter()
    faults = []
    for at in range(1 + seed % every, ref.calls[-1] + 1, every):
        shutil.rmtree(path)
        shutil.copytree(here / "fresh", path)
        acknowledge = "begin" if canary == "early" else "done"
        killed, done = kill_at(
            shim, path, steps, seed, at, durability, torn=torn, acknowledge=acknowledge
        )
        assert killed, f"call {at} of {ref.calls[-1]} was never made"
        step = steps[bisect_left(ref.calls, at) - 1].name
        kills[step] += 1
        shim.kill(0)
        wrong = judge(path, ref, steps, done)
        if wrong is not None:
            faults.append(f"seed {seed}, call {at}, in {step}: {wrong}")
    return {
        "kills": sum(kills.values()),
        "steps": kills,
        "faults": faults[:FAULTS_TOLD],
        "faulty": len(faults),
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
