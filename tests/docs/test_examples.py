"""The examples run, as a reader would run them, and print what they say they print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.frameworks import skip_without

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_they_are_numbered() -> None:
    assert len(EXAMPLES) >= 8
    assert [path.stem[:3] for path in EXAMPLES] == [
        f"{number:02}_" for number in range(1, len(EXAMPLES) + 1)
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    skip_without(example.stem)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.strip(), "an example shows something"
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing behind"
