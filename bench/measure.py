"""Clocks, percentiles and sizes: everything here measures, nothing here judges.

Invariants: times are nanoseconds of `time.perf_counter_ns` (wall clock); a percentile
interpolates linearly between ranks; a size counts every file below a folder, both as its
length (apparent) and as the blocks the file system gave it (allocated).

Imports: the standard library only.
"""

from __future__ import annotations

import gc
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "IoCounter",
    "Samples",
    "Usage",
    "disk_usage",
    "interleaved",
    "percentile",
    "quiet_gc",
    "settle",
    "timed_ns",
]


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0 to 100), interpolated linearly between the two nearest ranks.

    Raises:
        ValueError: no values, or q outside 0 to 100.
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= q <= 100:
        raise ValueError(f"percentile {q} is not between 0 and 100")
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass
class Samples:
    """Durations of one operation, in nanoseconds."""

    ns: list[int] = field(default_factory=list)

    def add(self, duration_ns: int) -> None:
        """Take one more measurement."""
        self.ns.append(duration_ns)

    def __len__(self) -> int:
        return len(self.ns)

    def median_us(self) -> float:
        """Median in microseconds."""
        return statistics.median(self.ns) / 1e3

    def percentile_us(self, q: float) -> float:
        """The q-th percentile in microseconds."""
        return percentile(self.ns, q) / 1e3

    def as_json(self) -> dict[str, Any]:
        """Counts and microseconds, for the results file. {} if nothing was measured."""
        if not self.ns:
            return {}
        return {
            "n": len(self.ns),
            "median_us": round(self.median_us(), 2),
            "p90_us": round(self.percentile_us(90), 2),
            "p99_us": round(self.percentile_us(99), 2),
            "min_us": round(min(self.ns) / 1e3, 2),
            "max_us": round(max(self.ns) / 1e3, 2),
            "total_ms": round(sum(self.ns) / 1e6, 2),
        }


def timed_ns(call: Callable[..., Any], *args: Any) -> tuple[int, Any]:
    """Nanoseconds that one call took, and what it returned."""
    start = time.perf_counter_ns()
    result = call(*args)
    return time.perf_counter_ns() - start, result


def interleaved(
    calls: Mapping[str, Callable[[int], Any]], rounds: int, *, seed: int = 1, collect_every: int = 8
) -> dict[str, Samples]:
    """Time each call `rounds` times (its argument: the round), their order shuffled each round."""
    rng = random.Random(seed)
    samples = {name: Samples() for name in calls}
    with quiet_gc() as collect:
        for number in range(rounds):
            for name in rng.sample(sorted(calls), len(calls)):
                duration, result = timed_ns(calls[name], number)
                samples[name].add(duration)
                del result
            if number % collect_every == 0:
                collect()
    return samples


@contextmanager
def quiet_gc() -> Iterator[Callable[[], None]]:
    """Switch Python's cyclic garbage collector off; yields a call that collects now.

    A collection is set off by whoever allocates next, so in an interleaved run one subject
    would pay for another's garbage. Every result made under it says "gc": "off while timed".
    """
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield lambda: (gc.collect(), None)[1]
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


SETTLE_PROBES_MAX = 10


def settle(folder: Path) -> float:
    """Wait until the disk has nothing old to do; microseconds of a small write and its sync.

    What an earlier run wrote or deleted makes every sync slower for a while. This syncs
    everything, then probes until three in a row agree within a quarter (a second apart, once
    three did not), or ten were made; the caller records what it returns.
    """
    os.sync()
    medians: list[float] = []
    probe = folder / "settle.tmp"
    for _ in range(SETTLE_PROBES_MAX):
        samples = Samples()
        for number in range(20):
            samples.add(timed_ns(_write_and_sync, probe, number)[0])
        medians.append(samples.median_us())
        last = medians[-3:]
        if len(last) == 3 and max(last) <= 1.25 * min(last) and last[-1] <= 1.5 * min(medians):
            break
        if len(last) == 3:
            time.sleep(1)
    probe.unlink()
    return medians[-1]


def _write_and_sync(path: Path, number: int) -> None:
    with path.open("wb") as file:
        file.write(bytes((number,)) * 4096)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class Usage:
    """What lies below a folder."""

    files: int
    apparent_bytes: int
    """Sum of the lengths of all files (hard links once)."""
    allocated_bytes: int
    """Blocks of files and folders, as `du` counts them."""

    def as_json(self) -> dict[str, int]:
        """For the results file."""
        return {
            "files": self.files,
            "apparent_bytes": self.apparent_bytes,
            "allocated_bytes": self.allocated_bytes,
        }


def disk_usage(folder: Path) -> Usage:
    """Count every file below `folder`, whatever it is called; a single file counts as itself."""
    files = apparent = allocated = 0
    seen: set[tuple[int, int]] = set()
    stack = [folder]
    while stack:
        path = stack.pop()
        info = path.lstat()
        if (info.st_dev, info.st_ino) in seen:
            continue
        seen.add((info.st_dev, info.st_ino))
        allocated += info.st_blocks * 512
        if path.is_dir() and not path.is_symlink():
            stack.extend(Path(entry.path) for entry in os.scandir(path))
        else:
            files += 1
            apparent += info.st_size
    return Usage(files, apparent, allocated)


class IoCounter:
    """Bytes this process handed to write calls (Linux `wchar`); None elsewhere.

    It counts what was asked of the kernel, journals and rewritten pages included, whether or
    not it has reached the disk. Memory maps written in place would escape it; none of the
    subjects writes that way.
    """

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open("/proc/self/io", os.O_RDONLY)
        except OSError:
            self._fd = None

    def bytes_written(self) -> int | None:
        """The counter now."""
        if self._fd is None:
            return None
        for line in os.pread(self._fd, 400, 0).splitlines():
            if line.startswith(b"wchar:"):
                return int(line[6:])
        return None

    def close(self) -> None:
        """Release the descriptor."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
