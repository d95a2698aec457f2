"""A driver: several writers on one store; all but one are killed, each at a call of its own.

    python -m tests.crash.many '{"place": "...", "rounds": 10, "writers": 3}'

The one that is left must go on as if nothing had happened: whoever dies inside of a write leaves
a lock that LMDB takes back.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import casckpt
from casckpt import StorageError
from tests.crash.shim import Shim
from tests.crash.work import prepare

STEPS = 40
"""Of a writer that is not killed."""
CALLS_MAX = 150
"""A writer is killed at one of its first so many calls."""


def write(store: casckpt.Store, who: str, number: int, rng: random.Random) -> list[str]:
    """One step; lines `THREAD ID VALUE` of what is acknowledged."""
    value = f"{who}-{number}"
    choice = rng.random()
    try:
        if choice < 0.1:
            store.gc(grace=0)
            return []
        if choice < 0.2:
            store.pack()
            return []
    except StorageError as error:
        if not error.details.get("busy"):
            raise
        return []
    if choice < 0.3:
        with store.batch():
            saved = [store.thread(f"{who}/{n}").save({"v": value}) for n in range(3)]
        return [f"{who}/{n} {c.id} {value}" for n, c in enumerate(saved)]
    if choice < 0.4:
        with store.thread(f"{who}/edited").edit() as draft:
            draft["v"] = value
            draft.setdefault("list", []).append(rng.random())
        return [f"{who}/edited {draft.checkpoint.id} {value}"]
    name = "shared" if choice < 0.7 else f"{who}/own"
    saved_one = store.thread(name).save({"v": value, "noise": rng.randbytes(rng.randint(0, 9000))})
    if choice > 0.95:
        saved_one.tag("seen")
    return [f"{name} {saved_one.id} {value}"]


def writer(shim: Shim, path: Path, who: str, seed: str, kill_at: int) -> tuple[int, int]:
    """Fork a writer; its process id and the pipe it acknowledges on."""
    reader, pipe = os.pipe()
    child = os.fork()
    if child:
        os.close(pipe)
        return child, reader
    status = 70
    try:
        os.close(reader)
        rng = random.Random(seed)
        shim.kill(kill_at)
        number = 0
        with casckpt.open(path, create=False, durability="relaxed") as store:
            while kill_at or number < STEPS:
                for line in write(store, who, number, rng):
                    os.write(pipe, line.encode() + b"\n")
                number += 1
        status = 0
    except BaseException as error:  # noqa: BLE001 - told through the pipe
        os.write(pipe, f"! {type(error).__name__}: {error}\n".encode())
    os._exit(status)


def check(path: Path, told: dict[str, list[tuple[str, str]]]) -> list[str]:
    """Every acknowledged checkpoint, in its history and exact."""
    wrong = []
    with casckpt.open(path, create=False, durability="none") as store:
        report = store.fsck()
        # Untidy it may be: blocks that serve nobody, until the gc below.
        wrong += [f"fsck: {finding}" for finding in report if finding.severity == "damage"]
        store.gc(grace=0)
        for name, acknowledged in told.items():
            history = {c.id for c in store.thread(name).log()}
            for id, value in acknowledged:
                if id not in history:
                    wrong.append(f"{name}: {id} was acknowledged and is not in the history")
                elif store.checkpoint(id).load()["v"] != value:
                    wrong.append(f"{name}: {id} is not what was saved")
        wrong += [f"fsck after gc: {finding}" for finding in store.fsck()]
    return wrong


def main(place: str, rounds: int, writers: int = 3, seed: int = 1) -> dict[str, Any]:
    """So many rounds on one store; kills and what was wrong."""
    shim, here = Shim(), Path(place).resolve()
    prepare(here, seed)
    path = here / "base"
    shim.watch(path)
    rng = random.Random(seed)
    told: dict[str, list[tuple[str, str]]] = {}
    kills, faults = 0, []
    for number in range(rounds):
        limits = [0] + [rng.randint(1, CALLS_MAX) for _ in range(writers - 1)]
        running = [
            (*writer(shim, path, f"w{who}", f"{seed} {number} {who}", limit), limit)
            for who, limit in enumerate(limits)
        ]
        for child, reader, limit in running:
            with os.fdopen(reader, "rb") as pipe:
                lines = pipe.read().splitlines(keepends=True)
            _, status = os.waitpid(child, 0)
            if limit and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                kills += 1
            elif status:
                faults.append(f"round {number}: a writer ended with {status}: {lines[-1:]}")
            for line in lines:
                if line.endswith(b"\n") and not line.startswith(b"!"):
                    name, id, value = line.decode().split()
                    told.setdefault(name, []).append((id, value))
        faults += [f"round {number}: {wrong}" for wrong in check(path, told)]
        if faults:
            break
    return {
        "kills": kills,
        "acknowledged": sum(map(len, told.values())),
        "faults": faults[:5],
        "faulty": len(faults),
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
