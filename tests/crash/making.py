"""A driver: records the making of a store, and opens every image a power loss may leave.

python -m tests.crash.making '{"place": "...", "durability": "full"}'
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import casckpt
from casckpt import NotAStoreError
from tests.crash.images import Disk, Image
from tests.crash.killing import FAULTS_TOLD, in_child
from tests.crash.shim import Shim

SAVES = 3


def judge(image: Image, path: Path, durability: str) -> str | None:
    """What is wrong with an image; None: nothing."""
    shutil.rmtree(path)
    path.mkdir()
    told = len(image.told)  # 1: it is open; then one for each save
    if image.data is None:
        return f"the store is gone, after {image.told}" if told else None
    (path / "data.mdb").write_bytes(image.data)
    least = told - 1 if durability == "full" else told - 2
    try:
        with casckpt.open(path, create=False) as store:
            if list(store.fsck()):
                return f"fsck: {list(store.fsck())}"
            thread = store.thread("t")
            states = [c.load() for c in thread.log()] if thread.exists else []
            if states != [{"n": n} for n in reversed(range(len(states)))]:
                return f"other states: {states}"
            if not least <= len(states) <= told:
                return f"{len(states)} states after {image.told}"
    except Exception as error:  # noqa: BLE001 - each is a finding
        return f"{type(error).__name__}: {error}"
    return None


def main(place: str, durability: str, no_syncs: bool = False) -> dict[str, Any]:
    """Record and judge."""
    shim, here = Shim(), Path(place).resolve()
    parent = here / "parent"
    parent.mkdir()
    path = parent / "store"
    shim.watch(parent)

    def run(_: int) -> None:
        shim.record(os.open(here / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        with casckpt.open(path, durability=durability) as store:  # type: ignore[arg-type]
            shim.mark("open")
            for number in range(SAVES):
                store.thread("t").save({"n": number})
                shim.mark(f"saved {number}")

    disk = Disk(path, rng=random.Random(1), count=3)
    status, _ = in_child(run)
    assert status == 0
    trial = here / "trial"
    trial.mkdir()
    faults, images, absent = [], 0, 0
    for image in disk.play(here / "log", no_syncs=no_syncs):
        images += 1
        absent += image.data is None
        wrong = judge(image, trial, durability)
        if wrong is not None:
            faults.append(f"image {images} after {image.told[-1:]}: {wrong}")
    with_none = here / "none"
    with_none.mkdir()
    try:
        casckpt.open(with_none, create=False)
    except NotAStoreError:
        casckpt.open(with_none).close()  # what a power loss left without a store becomes one
    return {
        "images": images,
        "absent": absent,
        "faults": faults[:FAULTS_TOLD],
        "faulty": len(faults),
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
