"""A driver: lets the n-th write, sync or change of names fail, for every n.

    python -m tests.crash.failing '{"place": "...", "kind": "sync", "error": "EIO"}'

The step must fail with StorageError and leave nothing behind, here and for other processes;
reading goes on; and when the cause is gone, the same step is done, and all that follows.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from casckpt import Store
from tests.crash.killing import FAULTS_TOLD, in_child, reference
from tests.crash.picture import Reference, complaint, go_on, look, picture
from tests.crash.shim import Shim
from tests.crash.work import Step, perform, prepare, program

NAMES = [
    *("begin", "save", "edit", "batch", "fork", "rewind", "tag", "save-long", "save", "stream"),
    *("delete", "save", "pack", "prune-all", "gc", "save", "compact", "save", "unbundle", "save"),
    *("sync", "save"),
]


def complain(store: Store, path: Path, ref: Reference, step: Step, number: int) -> list[str]:
    """What is wrong after step `number` has failed: seen from here, and from another process."""
    before, after = ref.pictures[number], ref.pictures[number + 1]
    if step.atomic:
        after = before  # what failed is not there later either

    def elsewhere(fd: int) -> None:
        wrong = complaint(look(path, ref.known), before, after, atomic=step.atomic)
        os.write(fd, (wrong or "").encode())

    here = complaint(picture(store, ref.known), before, after, atomic=step.atomic)
    status, told = in_child(elsewhere)
    found = [f"{step.name} failed, and in this process {here}"] if here else []
    if status or told:
        found.append(f"{step.name} failed, and in another process ({status}): {told.decode()}")
    return found


def run(
    shim: Shim,
    path: Path,
    ref: Reference,
    steps: list[Step],
    seed: int,
    durability: str,
    fault: dict[str, Any],
) -> tuple[int, list[str]]:
    """One run with one fault; how many failures reached a caller, and what was wrong."""

    def work(fd: int) -> None:
        failures = 0
        wrong: list[str] = []
        shim.fail(**fault)
        for event, number, store in perform(path, steps, seed, durability, patience=10):
            if event == "failed":
                failures += 1
                if failures >= 3 or fault["count"] == 1:
                    shim.heal()
                    wrong += complain(store, path, ref, steps[number], number)
        done = (fault["count"] == -1 and failures) or fault["count"] - shim.failures_left
        shim.heal()
        os.write(fd, json.dumps([failures, bool(failures or done), wrong]).encode())

    status, told = in_child(work)
    if status:
        return 1, [f"the run ended with {status}"]
    failures, happened, wrong = json.loads(told)
    if not happened:
        return -1, []
    seen = look(path, ref.known)
    end = ref.pictures[-1]
    bad = complaint(seen, end, end, atomic=True)
    if bad is not None:
        wrong.append(f"at the end: {bad}")
    go_on(path, seen)
    return failures, wrong


def main(
    place: str,
    kind: str,
    error: str,
    seed: int = 1,
    names: list[str] | None = None,
    every: int = 1,
    durability: str = "full",
    lasting: bool = False,
) -> dict[str, Any]:
    """One fault at each call of a kind; `lasting`: it stays until three steps have failed."""
    shim, here = Shim(), Path(place).resolve()
    prepare(here, seed)
    steps = program(seed, names or NAMES)
    path = here / "store"
    shutil.copytree(here / "base", path)
    shim.watch(path)
    ref = reference(shim, path, steps, seed, durability)
    shutil.copytree(path, here / "fresh")
    injected = failed = skip = 0
    faults: list[str] = []
    while True:
        shutil.rmtree(path)
        shutil.copytree(here / "fresh", path)
        fault = {"kind": kind, "skip": skip, "count": -1 if lasting else 1, "error": error}
        failures, wrong = run(shim, path, ref, steps, seed, durability, fault)
        if failures < 0:
            break
        injected += 1
        failed += bool(failures)
        faults += [f"{kind} {skip} {error}: {one}" for one in wrong]
        skip += every
    return {
        "injected": injected,
        "failed": failed,
        "faults": faults[:FAULTS_TOLD],
        "faulty": len(faults),
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
