"""A driver: records what a run writes and syncs, and opens every image a power loss may leave.

python -m tests.crash.power '{"place": "...", "seed": 1}'
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.crash.images import Disk, Image
from tests.crash.killing import FAULTS_TOLD, in_child, reference
from tests.crash.picture import Reference, complaint, go_on, look
from tests.crash.shim import Shim
from tests.crash.work import Step, perform, prepare, program

GO_ON_EVERY = 7
"""Images: each is looked at; every so many are worked on, too."""


def record(
    shim: Shim, path: Path, log: Path, steps: list[Step], seed: int, durability: str, fail: Any
) -> int:
    """Run the steps in a child, recorded; how many failures it met."""

    def run(_: int) -> None:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        shim.record(file)
        shim.kill(0)  # count from here
        if fail:
            shim.fail(**fail)
        for event, number, _store in perform(path, steps, seed, durability, patience=3):
            if event == "failed":
                os.write(_, b"f")
            if event == "done":
                kind = "synced" if steps[number].name == "sync" else "done"
                shim.mark(f"{kind} {number} {shim.calls}")

    status, told = in_child(run)
    assert status == 0, "the recorded run failed"
    return len(told)


def before_the_last_commit(told: tuple[str, ...]) -> int:
    """How many steps are safe: the last one that wrote anything may be undone, and no other."""
    calls = [0, *(int(line.split()[-1]) for line in told)]
    for number in range(len(told) - 1, -1, -1):
        if told[number].startswith("synced"):
            return number + 1
        if calls[number + 1] > calls[number]:
            return number
    return 0


def judge(
    image: Image, path: Path, ref: Reference, steps: list[Step], durability: str, *, further: bool
) -> str | None:
    """What is wrong with an image; None: nothing."""
    shutil.rmtree(path)
    path.mkdir()
    done = len(image.told)
    if image.data is None:
        return "the store is gone"
    (path / "data.mdb").write_bytes(image.data)
    first = done
    if durability == "relaxed":
        first = before_the_last_commit(image.told)
    try:
        seen = look(path, ref.known)
        wrong = None
        for at in range(done, first - 1, -1):
            after = min(at + 1, len(steps))
            atomic = steps[at].atomic if at < len(steps) else True
            wrong = complaint(seen, ref.pictures[at], ref.pictures[after], atomic=atomic)
            if wrong is None:
                break
        if wrong is None and further:
            go_on(path, seen)
    except Exception as error:  # noqa: BLE001 - each is a finding
        return f"{type(error).__name__}: {error}"
    return wrong


def main(
    place: str,
    seed: int = 1,
    names: list[str] | None = None,
    durability: str = "full",
    promised: str | None = None,
    count: int = 3,
    images_max: int | None = None,
    no_syncs: bool = False,
    fail: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Record a run and judge its images by what `promised` (None: its durability) says."""
    shim, here = Shim(), Path(place).resolve()
    prepare(here, seed)
    steps = program(seed, names)
    path = here / "store"
    shutil.copytree(here / "base", path)
    shim.watch(path)
    ref = reference(shim, path, steps, seed, durability)
    disks = [Disk(path, rng=random.Random(seed), count=count) for _ in range(2)]
    met = record(shim, path, here / "log", steps, seed, durability, fail)
    # Twice: an image is large, and not all of them fit in memory.
    found = sum(1 for _ in disks[0].play(here / "log", no_syncs=no_syncs))
    wanted = set(range(found))
    if images_max is not None and found > images_max:
        wanted = set(random.Random(seed).sample(range(found), images_max))
    trial = here / "trial"
    trial.mkdir()
    faults = []
    for number, image in enumerate(disks[1].play(here / "log", no_syncs=no_syncs)):
        if number not in wanted:
            continue
        further = number % GO_ON_EVERY == 0
        wrong = judge(image, trial, ref, steps, promised or durability, further=further)
        if wrong is not None:
            told = image.told[-1] if image.told else "nothing"
            faults.append(f"seed {seed}, image {number} after {told!r}: {wrong}")
    return {
        "images": len(wanted),
        "possible": found,
        "met": met,
        "faults": faults[:FAULTS_TOLD],
        "faulty": len(faults),
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
