"""How many machine instructions does one small save take?

The clock is too noisy for a few microseconds; a count of instructions is not. Each subject
saves a short chat of `--messages` messages, one appended a save, in a process under `valgrind
--tool=callgrind` (or `perf stat`, where the processor counts): once with `--saves` saves, once
with three times as many. The difference, less that of a process that saves nothing, is what the
saves took: start and import cancel out. Instructions of the kernel (syncs, page writes) are not
in it, and nothing is synced. Hash seeds are fixed and the garbage collector is off, so a second
run gives the same to a few in a thousand.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import quiet_gc
from bench.peers.base import Unavailable, make
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import ROOT, document, ratio, table
from bench.traces import fresh
from bench.workloads import grown_chat

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = ("casckpt", "pickle-sqlite", "langgraph-sqlite", "floor-lmdb", "floor-pickle")
NOTHING = "nothing"
COUNTED = re.compile(r"(?:I\s+refs:\s+|Collected : )([\d,]+)")
PERF = re.compile(r"([\d,.]+)\s+instructions")
WARMUP = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.set_defaults(durability="none")
    parser.add_argument("--messages", type=numbers, default=[10, 100])
    parser.add_argument("--saves", type=int, default=20)
    parser.add_argument("--tool", choices=("auto", "valgrind", "perf"), default="auto")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Count; without a tool nothing."""
    tool = _tool(arguments.tool)
    missing = [] if tool else ["no valgrind, and no perf that counts instructions"]
    results: list[dict[str, Any]] = []
    for messages in arguments.messages if tool else ():
        counts: dict[str, float] = {}
        for name in (NOTHING, *arguments.only.split(",")):
            try:
                if name != NOTHING:
                    make(name)
            except Unavailable as error:
                missing.append(str(error))
                continue
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{messages} messages: {name}")
            counts[name] = _each(str(tool), name, messages, arguments)
        nothing = counts.pop(NOTHING)
        a_save = {name: round(count - nothing) for name, count in counts.items()}
        results.append({"messages": messages, "instructions": a_save})
    settings = {
        "durability": "none", "seed": arguments.seed, "saves": arguments.saves, "tool": tool,
        "not_run": sorted(set(missing)),
    }  # fmt: skip
    return document("instructions", settings, results)


def _tool(wanted: str) -> str | None:
    if wanted in ("auto", "valgrind") and shutil.which("valgrind"):
        return "valgrind"
    if wanted in ("auto", "perf") and shutil.which("perf"):
        probe = subprocess.run(
            ["perf", "stat", "-e", "instructions:u", sys.executable, "-c", "pass"],
            capture_output=True, text=True,
        )  # fmt: skip
        if PERF.search(probe.stderr):
            return "perf"
    return None


def _each(tool: str, name: str, messages: int, arguments: argparse.Namespace) -> float:
    few, many = (
        _count(tool, name, messages, saves, arguments)
        for saves in (arguments.saves, 3 * arguments.saves)
    )
    return (many - few) / (2 * arguments.saves)


def _count(tool: str, name: str, messages: int, saves: int, arguments: argparse.Namespace) -> int:
    with scratch(arguments.folder) as base:
        words = [sys.executable, "-m", "bench.questions.instructions", name, str(base),
                 str(messages), str(saves), str(arguments.seed)]  # fmt: skip
        if tool == "valgrind":
            words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words]
        else:
            words = ["perf", "stat", "-e", "instructions:u", *words]
        child = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
    found = (COUNTED if tool == "valgrind" else PERF).search(child.stderr)
    if child.returncode or not found:
        raise RuntimeError(f"{name}: {child.stderr.strip().splitlines()[-1:]}")
    return int(found[1].replace(",", "").replace(".", ""))


def save(name: str, folder: str, messages: int, saves: int, seed: int) -> None:
    """What the process does whose instructions are counted."""
    steps = list(grown_chat(messages=messages, steps=WARMUP + saves - 1, seed=seed).steps())
    peer = None if name == NOTHING else make(name)
    if peer is not None:
        peer.open(Path(folder), "none")
    with quiet_gc():
        for step in steps:
            state = fresh(step.state, plain=True)
            if peer is not None:
                peer.save(step.thread, peer.prepare(step.thread, state, step.label), step.label)
    if peer is not None and not peer.floor:
        assert peer.load_latest(steps[-1].thread) == steps[-1].state
    if peer is not None:
        peer.close()


def render(content: dict[str, Any]) -> str:
    """A row a subject."""
    results = content["results"]
    if not results:
        return footer(content)
    floor = [r["instructions"].get("floor-lmdb") for r in results]
    rows = [
        [name, *(
            f"{r['instructions'][name]:,} ({ratio(r['instructions'][name], base)})"
            for r, base in zip(results, floor, strict=True)
        )]
        for name in results[0]["instructions"]
    ]  # fmt: skip
    sizes = [f"N = {result['messages']:,}" for result in results]
    title = f"instructions a save, by {content['settings']['tool']} (times a bare LMDB commit)\n"
    return "\n".join([title, table(["subject", *sizes], rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:  # noqa: ARG001 - a process that fails ends the run
    """Each process compares what it saved last."""
    return True


if __name__ == "__main__":
    save(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
