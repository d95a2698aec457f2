"""Measuring in a process of its own: what one call takes, and how much memory.

`measured` calls a function named "module:function" with JSON arguments in a new Python process
and returns what it returned, with the process's peak memory: `peak_rss_bytes`, pages mapped from
files included (LMDB reads its file through the page cache: those are the kernel's to take back),
and `peak_own_bytes`, without them, sampled every few milliseconds; both beyond what the process
had before the call (`start_rss_bytes`: Python and the modules it had imported).

Only Linux tells; elsewhere the figures are None.

Imports: the standard library only.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

__all__ = ["Memory", "measured"]

ROOT = Path(__file__).resolve().parent.parent
STATUS = Path("/proc/self/status")
SAMPLE_SECONDS = 0.004


def measured(function: str, *arguments: Any) -> dict[str, Any]:
    """What the function returned (a dict), with the memory that the process took.

    Raises:
        RuntimeError: it failed; with its last line.
    """
    child = subprocess.run(
        [sys.executable, "-m", "bench.children", function, json.dumps(arguments)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if child.returncode:
        raise RuntimeError(f"{function}: {child.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return found


def _status() -> dict[str, int]:
    """Bytes by name, from the kernel."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in fields}


class Memory:
    """`with Memory() as memory:`, then `memory.as_json()`: the peak within, beyond the start."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._start: dict[str, int] = {}
        self._own_peak = 0
        self._rss_peak = 0

    def __enter__(self) -> Self:
        self._start = _status()
        self._own_peak = self._start.get("RssAnon", 0)
        self._rss_peak = self._start.get("VmRSS", 0)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        now = _status()
        self._own_peak = max(self._own_peak, now.get("RssAnon", 0))
        self._rss_peak = max(self._rss_peak, now.get("VmRSS", 0))

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def as_json(self) -> dict[str, int | None]:
        """For the results file."""
        if not self._start:
            return dict.fromkeys(("start_rss_bytes", "peak_rss_bytes", "peak_own_bytes"))
        return {
            "start_rss_bytes": self._start["VmRSS"],
            "peak_rss_bytes": self._rss_peak - self._start["VmRSS"],
            "peak_own_bytes": self._own_peak - self._start["RssAnon"],
        }


def _main(function: str, arguments: list[Any]) -> None:
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    with Memory() as memory:
        found = call(*arguments)
    print(json.dumps({**memory.as_json(), **found}))


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]))
