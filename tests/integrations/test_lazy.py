"""Frameworks are imported by their own rooms, and by nothing else."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.blocks import ROOT

SCRIPT = """
import sys
import casckpt, casckpt.__main__, casckpt.cli.main, casckpt.testing
import casckpt.integrations.appending, casckpt.integrations.offloop, casckpt.integrations.spelling
with casckpt.open("memory:") as store:
    store.thread("x").save({"items": []})
found = {"agents", "openai", "claude_agent_sdk", "langgraph", "langchain_core"} & {*sys.modules}
sys.exit(f"imported: {found}" if found else 0)
"""


def test_importing_casckpt_imports_no_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
