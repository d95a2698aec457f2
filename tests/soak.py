"""A soak: save, prune, gc, pack and compact for long, to see that nothing grows.

    python -m tests.soak --minutes 30

Agents in OS threads save, edit, fork, rewind, tag and load; each begins a new thread after some
hundred steps and deletes the one before, so what the store has to hold stays the same. After so
many saves all threads are pruned, garbage is collected and what is left is packed, while the
agents go on; now and then a reader in another process is killed in the middle of reading, and the
file is compacted. A line is printed after each such round, and a verdict at the end: size of the
file, memory, readers and latency of the second half against the first (after a warm-up).

Imports: the standard library, casckpt.
"""

from __future__ import annotations

import argparse
import gc as garbage
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path

import casckpt

ROOT = Path(__file__).parents[1]
AGENTS = 3
STEPS = 300
"""Checkpoints of a thread, before the next one begins."""
MESSAGES = 120
"""Of a state: older ones fall out, so that states keep their size."""
POLICY = casckpt.Retention(keep_last=20, keep_labels=True)
ROUNDS_MIN = 8
"""Fewer rounds say nothing about growth."""

READER = """
import sys, casckpt
store = casckpt.open(sys.argv[1], read_only=True)
print("reading", flush=True)
while True:
    for info in store.threads():
        try:
            info.head.load()
        except casckpt.PrunedError:
            pass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was seen of one round; times are of its saves and loads."""

    minutes: float
    saves: int
    """Since the beginning."""
    file_mb: float
    used_mb: float
    """Of the file, without free pages."""
    memory_mb: float
    """Anonymous memory of the process: the file's mapped pages are the kernel's."""
    readers: int
    """Places taken in the readers table."""
    threads: int
    """Of Python, in this process."""
    save_ms: float
    """Median."""
    save_ms_p99: float
    save_ms_max: float
    load_ms: float
    """Median."""
    upkeep_s: float


@dataclass
class Soak:
    """One store under load."""

    path: Path
    seed: int = 0
    saves_per_round: int = 1500
    durability: str = "relaxed"
    rows: list[Row] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        self.store = casckpt.open(self.path, durability=self.durability)
        self.saves, self.limit = 0, self.saves_per_round * 3 // 2
        self.stop = threading.Event()
        self.turn = threading.Condition()
        self.save_ns: list[int] = []
        self.load_ns: list[int] = []

    def run(self, seconds: float, tell: Callable[[Row], None] = lambda _: None) -> None:
        """Go on for about so long, and for ROUNDS_MIN rounds at least."""
        began = time.monotonic()
        agents = [threading.Thread(target=self._guarded, args=(n,)) for n in range(AGENTS)]
        for agent in agents:
            agent.start()
        try:
            while not self.errors:
                self._await_saves()
                upkeep_s = self._upkeep(len(self.rows))
                row = self._row(time.monotonic() - began, upkeep_s)
                self.rows.append(row)
                tell(row)
                if len(self.rows) >= ROUNDS_MIN and time.monotonic() - began >= seconds:
                    break
        finally:
            self.stop.set()
            with self.turn:
                self.turn.notify_all()
            for agent in agents:
                agent.join()
            if not self.errors:
                self.store.gc(grace=0)
                found = list(self.store.fsck())
                self.errors += [AssertionError(str(one)) for one in found]
            self.store.close()
        if self.errors:
            raise self.errors[0]

    def _guarded(self, number: int) -> None:
        try:
            self._agent(number, random.Random(self.seed * 100 + number))
        except BaseException as error:  # noqa: BLE001 (whatever it is, the soak has failed)
            self.errors.append(error)
            with self.turn:
                self.turn.notify_all()

    def _agent(self, number: int, rng: random.Random) -> None:
        generation = 0
        while not self.stop.is_set():
            run = self.store.thread(f"agent/{number}/{generation}")
            self._life(run, rng)
            generation += 1

    def _life(self, run: casckpt.Thread, rng: random.Random) -> None:
        state: dict = {"messages": [], "page": b"", "step": 0}
        tagged, forked = [], []
        for step in range(STEPS):
            if self.stop.is_set():
                break
            state["step"] = step
            state["messages"].append({"role": "user", "content": rng.randbytes(60).hex() * 2})
            del state["messages"][:-MESSAGES]
            if step % 10 == 0:
                state["page"] = rng.randbytes(20_000)
            saved = self._save(run, state, label="plan" if step % 25 == 0 else None)
            if step % 50 == 20:
                tagged.append(saved.tag("golden"))
            if step % 60 == 30:
                forked.append(run.fork(f"{run.name}/{step}"))
                forked[-1].save({**state, "fork": True})
            if step % 40 == 39:
                run.rewind("~3")
            if step % 7 == 0:
                self._look(run, state, rng)
        for checkpoint in tagged:
            checkpoint.untag("golden")
        for thread in (run, *forked):
            if thread.exists:
                thread.delete()

    def _save(self, run: casckpt.Thread, state: dict, label: str | None) -> casckpt.Checkpoint:
        with self.turn:  # how much garbage a round makes must not hang on who is quicker
            self.turn.wait_for(lambda: self.saves < self.limit or self.stop.is_set())
        began = time.perf_counter_ns()
        saved = run.save(state, label=label)
        with self.turn:
            self.save_ns.append(time.perf_counter_ns() - began)
            self.saves += 1
            self.turn.notify_all()
        return saved

    def _look(self, run: casckpt.Thread, state: dict, rng: random.Random) -> None:
        began = time.perf_counter_ns()
        if run.load() != state and not self.stop.is_set():
            # A rewind since the save: then it is one of those before.
            assert run.load()["step"] < state["step"]
        self.load_ns.append(time.perf_counter_ns() - began)
        older = run.checkpoint(f"~{rng.randrange(run.checkpoint().step + 1)}")
        with suppress(casckpt.PrunedError):
            assert len(older.load()["messages"]) <= MESSAGES

    def _await_saves(self) -> None:
        wanted = self.saves + self.saves_per_round
        with self.turn:
            self.limit = wanted + self.saves_per_round // 2
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.saves >= wanted or bool(self.errors))

    def _upkeep(self, number: int) -> float:
        began = time.monotonic()
        self.store.prune(POLICY)
        # Now and then a log of moves stays, so that both kinds of gc have their turn.
        self.store.gc(grace=timedelta(seconds=1) if number % 3 else 0, pack=True)
        took = time.monotonic() - began
        if number % 4 == 1:
            self._kill_a_reader()
        if number % 4 == 3:
            self.store.compact()
        return took

    def _kill_a_reader(self) -> None:
        command = [sys.executable, "-c", READER, str(self.path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "reading\n"
            time.sleep(0.05)
            reader.kill()
        self.kills += 1

    def _row(self, seconds: float, upkeep_s: float) -> Row:
        with self.turn:
            saves, loads, self.save_ns = self.save_ns, self.load_ns, []
        self.load_ns = []
        space = self.store._ledger.engine._space
        info, stat = space.env.info(), self.store.stats()
        slots = [line for line in space.env.readers().splitlines()[1:] if line.strip()]
        garbage.collect()
        return Row(
            minutes=seconds / 60,
            saves=self.saves,
            file_mb=stat.file_bytes / 1e6,
            used_mb=(stat.file_bytes - stat.free_bytes) / 1e6,
            memory_mb=memory_mb(),
            readers=min(len(slots), info["num_readers"]),
            threads=threading.active_count(),
            save_ms=_percentile(saves, 50),
            save_ms_p99=_percentile(saves, 99),
            save_ms_max=max(saves) / 1e6,
            load_ms=_percentile(loads, 50) if loads else 0.0,
            upkeep_s=upkeep_s,
        )


def _percentile(ns: Sequence[int], q: int) -> float:
    return sorted(ns)[min(len(ns) * q // 100, len(ns) - 1)] / 1e6


def memory_mb() -> float:
    """Anonymous memory of this process; where the kernel does not tell: the most it ever had."""
    try:
        text = Path("/proc/self/status").read_text()
        return int(text.split("RssAnon:")[1].split()[0]) / 1e3
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


LEVEL = {
    # column: how much more the second half may have, as a factor and on top of that
    "file_mb": (1.25, 2.0),
    "used_mb": (1.25, 1.0),
    "memory_mb": (1.15, 12.0),
    "readers": (1.0, 2.0),
    "threads": (1.0, 0.0),
}
LATENCY = {
    # loose: who else uses the machine is seen here first
    "save_ms": (1.5, 1.0),
    "load_ms": (1.5, 1.0),
    "upkeep_s": (1.5, 1.0),
}


def verdict(rows: Sequence[Row], *, latency: bool = True) -> list[str]:
    """What did not stay level; empty: all is well.

    The first quarter is the warm-up. Of the rest, the medians of both halves are compared.
    """
    if len(rows) < ROUNDS_MIN:
        return [f"{len(rows)} rounds are too few to tell"]
    settled = rows[len(rows) // 4 :]
    early, late = settled[: len(settled) // 2], settled[len(settled) // 2 :]
    wrong = []
    for column, (factor, more) in (LEVEL | (LATENCY if latency else {})).items():
        before, after = (statistics.median(getattr(r, column) for r in x) for x in (early, late))
        if after > before * factor + more:
            wrong.append(
                f"{column} grows: {before:.4g} in the first half, {after:.4g} in the second"
            )
    return wrong


def table(rows: Sequence[Row], lines: int = 32) -> str:
    """The rows, or so many of them spread over the whole."""
    names = [one.name for one in fields(Row)]
    step = max(1, -(-len(rows) // lines))
    shown = [[f"{getattr(row, name):.4g}" for name in names] for row in rows[::step]]
    widths = [max(len(cell) for cell in cells) for cells in zip(names, *shown, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in [names, *shown]
    )


def _tell(row: Row) -> None:
    print(*(f"{getattr(row, one.name):.4g}" for one in fields(Row)), sep="\t", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A soak.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--saves", type=int, default=1500, help="saves in one round")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2)))
    parser.add_argument("--durability", default="relaxed", choices=["full", "relaxed", "none"])
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(
            Path(folder) / "store",
            seed=options.seed,
            saves_per_round=options.saves,
            durability=options.durability,
        )
        soak.run(options.minutes * 60, _tell)
    print(table(soak.rows))
    wrong = verdict(soak.rows)
    print("\n".join(wrong) or f"level after {soak.saves} saves and {soak.kills} killed readers")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
