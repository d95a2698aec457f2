"""Filling a store with chats or with a recorded run, for the questions about upkeep.

Imports: bench.traces, bench.workloads.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.workloads import Workload, synthetic_chat, trace

__all__ = ["add_workload", "fill", "workload_of"]


def add_workload(parser: argparse.ArgumentParser) -> None:
    """--trace, or --threads and --messages of generated chats."""
    parser.add_argument("--trace", type=Path, metavar="FILE", help="a recorded run instead")
    parser.add_argument("--threads", type=int, default=400)
    parser.add_argument("--messages", type=int, default=50)


def workload_of(arguments: argparse.Namespace) -> Workload:
    """What the options ask for."""
    if arguments.trace:
        return trace(arguments.trace)
    return synthetic_chat(
        threads=arguments.threads, messages=arguments.messages, seed=arguments.seed
    )


def fill(store: Any, workload: Workload) -> tuple[dict[str, Any], int]:
    """Save every step, one save each; the last state of every thread, and how many there were."""
    last: dict[str, Any] = {}
    count = 0
    for step in workload.steps():
        store.thread(step.thread).save(step.state, label=step.label)
        last[step.thread] = step.state
        count += 1
    return last, count
