"""The shim (`shim.c`): built once a run where there is gcc, loaded into Python, told what to do.

A driver is a Python process with the shim loaded. It forks a child for each try: the child
arms the shim, works, and dies or ends; the driver then looks at what is left. So thousands of
tries cost milliseconds each and no start of Python.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).with_name("shim.c")

WRITE, SYNC, ROOT_PAGE, NAME = 1, 2, 4, 8
KINDS: Final = {"write": WRITE, "sync": SYNC, "root": ROOT_PAGE, "name": NAME}
ERRORS: Final = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "half": -1, "done": -2}


def built() -> Path:
    """The shared object; skips the test where it cannot be made."""
    if sys.platform != "linux":
        pytest.skip("the shim stands in front of Linux's C library")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs gcc, for tests/crash/shim.c")
    name = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"casckpt-shim-{os.getuid()}-{name}.so"
    if not place.exists():
        fresh = place.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O1", "-w", "-shared", "-fPIC", str(SOURCE), "-o", str(fresh), "-ldl"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"gcc cannot build the shim: {made.stderr[-300:]}")
        fresh.replace(place)
    return place


def memory_place() -> str | None:
    """A directory in memory, if there is one: kills and syncs at no cost of the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def drive(module: str, **arguments: Any) -> Any:
    """Run `tests.crash.MODULE` as a driver with the shim loaded; what it found, from JSON."""
    shim = built()
    with tempfile.TemporaryDirectory(prefix="casckpt-crash-", dir=memory_place()) as place:
        given = json.dumps({"place": place, **arguments})
        process = subprocess.run(
            [sys.executable, "-m", f"tests.crash.{module}", given],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=3000,
        )
    assert process.returncode == 0, f"exit {process.returncode}: {process.stderr[-3000:]}"
    return json.loads(process.stdout.splitlines()[-1])


class Shim:
    """The shim in this process; only a driver and its children have one."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._watch, self._log, self._mark = (
            library.shim_watch,
            library.shim_log,
            library.shim_mark,
        )
        self._kill, self._fail = library.shim_kill, library.shim_fail
        self._kill.argtypes = [ctypes.c_long, ctypes.c_long]
        self._fail.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_int]
        self._calls, self._left = library.shim_calls, library.shim_failures_left
        self._calls.restype = self._left.restype = ctypes.c_long

    def watch(self, place: Path) -> None:
        """Count what is done under this directory (an absolute path without links)."""
        self._watch(os.fsencode(place))

    def kill(self, at: int, *, torn: bool = False) -> None:
        """Die before the `at`-th call from now (0: never); `torn`: half of that write is done."""
        self._kill(at, torn)

    def fail(self, kind: str, *, skip: int, count: int, error: str) -> None:
        """Let `count` calls of a kind fail (-1: all) after `skip` of them."""
        self._fail(KINDS[kind], skip, count, ERRORS[error])

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._fail(0, 0, 0, 0)

    @property
    def failures_left(self) -> int:
        """How many calls were to fail and have not."""
        return int(self._left())

    @property
    def calls(self) -> int:
        """Calls since `kill`."""
        return int(self._calls())

    def record(self, fd: int) -> None:
        """Record every call in this file."""
        self._log(fd)

    def mark(self, text: str) -> None:
        """Note in the record what the program has been told."""
        self._mark(text.encode())
