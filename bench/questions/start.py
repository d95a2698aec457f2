"""How long do import and a first command take?

Whole processes, interleaved: `python -c pass`, importing casckpt, `casckpt log` and `casckpt
threads` on a store of 100 checkpoints; beside them importing langgraph's SqliteSaver and `git
log` on as many commits. The difference to `python -c pass` is what the package costs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import interleaved
from bench.peers.base import Unavailable, make
from bench.questions.common import add_common, footer, scratch
from bench.report import ROOT, document, human_us, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

STEPS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--rounds", type=int, default=20)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start processes."""
    import casckpt

    missing: list[str] = []
    with scratch(arguments.folder) as base:
        store = base / "store.casckpt"
        with casckpt.open(store, durability="none") as opened:
            for number in range(STEPS):
                opened.thread("run").save({"n": number}, label="step")
        python = sys.executable
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import casckpt": [python, "-c", "import casckpt"],
            "casckpt log": [python, "-m", "casckpt", "-s", str(store), "log", "run"],
            "casckpt threads": [python, "-m", "casckpt", "-s", str(store), "threads"],
        }
        try:
            git: Any = make("git-file")
            make("langgraph-sqlite")
        except Unavailable as error:
            missing.append(str(error))
        else:
            _repository(git, base / "git")
            commands["git log"] = ["git", "-C", str(base / "git"), "log", "--oneline", "run"]
            saver = "from langgraph.checkpoint.sqlite import SqliteSaver"
            commands["import langgraph SqliteSaver"] = [python, "-c", saver]
        samples = interleaved(
            {name: _process(command) for name, command in commands.items()},
            arguments.rounds,
            seed=arguments.seed,
        )
    settings = {"seed": arguments.seed, "rounds": arguments.rounds, "not_run": missing}
    return document("start", settings, {n: s.as_json() for n, s in samples.items()})


def _process(command: list[str]) -> Callable[[int], Any]:
    # An installed package has its bytecode; a checkout has, too, after the first of these.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda _: subprocess.run(command, cwd=ROOT, env=kept, check=True, capture_output=True)


def _repository(git: Any, folder: Path) -> None:
    git.open(folder, "none")
    for number in range(STEPS):
        git.save("run", {"n": number}, "step")
    git.close()


def render(content: dict[str, Any]) -> str:
    """A row a command."""
    results = content["results"]
    bare = results["python -c pass"]["median_us"]
    rows = [
        [name, human_us(s["median_us"]), human_us(max(0.0, s["median_us"] - bare)), human_us(s["p99_us"])]
        for name, s in results.items()
    ]  # fmt: skip
    return "\n".join([table(["process", "median", "beyond python", "p99"], rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:  # noqa: ARG001 - a failed process raises
    """A process that fails ends the run."""
    return True
