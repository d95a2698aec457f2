"""casckpt itself, through its front door.

Durability full: the default. none: `durability="none"`.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import casckpt
from bench.peers.base import Durability, PeerBase
from bench.workloads import Workload

__all__ = ["CasckptPeer", "rows_of_a_save"]


PILOT_SAVES = 40


def rows_of_a_save(workload: Workload, folder: Path) -> tuple[int, ...]:
    """Sizes of the rows that a save of this workload stores on average, by a pilot run.

    The first save of each thread is left out: it stores a whole state.
    """
    steps = list(itertools.islice(workload.steps(), 2 * PILOT_SAVES))
    objects = stored = saves = 0
    with casckpt.open(folder / "pilot.casckpt", durability="none") as store:
        for step in steps:
            before = store.stats()
            store.thread(step.thread).save(step.state, label=step.label)
            if step.step > 0 and saves < PILOT_SAVES:
                after = store.stats()
                objects += after.objects - before.objects
                stored += after.stored_bytes - before.stored_bytes
                saves += 1
    rows = max(1, round(objects / max(1, saves)))
    return (round(stored / max(1, saves) / rows),) * rows


class CasckptPeer(PeerBase):
    """A thread of states is a thread of checkpoints; nothing else is told to it."""

    name = "casckpt"
    packages = ("casckpt", "lmdb", "cbor2", "blake3", "zstandard")

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = casckpt.open(folder / "store.casckpt", durability=durability)

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        self.store.thread(thread).save(prepared, label=label)

    def load_latest(self, thread: str) -> Any:
        return self.store.thread(thread).load()

    def load(self, thread: str, index: int) -> Any:
        return self.store.thread(thread).load(f"@{index}")

    def pack(self) -> bool:
        self.store.pack()
        self.store.compact()
        return True

    def close(self) -> None:
        self.store.close()
