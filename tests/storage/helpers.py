"""Running Python in another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs `code` with the package and the tests importable."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(code: str, *arguments: str) -> str:
    """Run it to its end; it must succeed."""
    process = start_python(code, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, f"exit {process.returncode}: {err}"
    return out
