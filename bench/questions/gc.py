"""How fast is garbage found and removed, in what memory?

`--threads` chats are saved message by message, then every second one is deleted. A process of
its own opens the store, runs `gc(dry_run=True)` several times, then `gc()` with no grace. The
memory is what Python allocates at the most during a further dry run (tracemalloc). What must be
left is loaded and compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.measure import disk_usage
from bench.questions.common import add_common, footer, scratch
from bench.questions.filling import add_workload, fill, workload_of
from bench.report import ROOT, document, human_bytes, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

DRY_RUNS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    add_workload(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fill, delete half, collect."""
    import casckpt

    with scratch(arguments.folder) as base:
        path = base / "store.casckpt"
        with casckpt.open(path, durability="none") as store:
            last, _ = fill(store, workload_of(arguments))
            names = sorted(last)
            for name in names[::2]:
                store.thread(name).delete()
        before = disk_usage(path).apparent_bytes
        child = subprocess.run(
            [sys.executable, "-m", "bench.questions.gc", str(path)],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        result = json.loads(child.stdout)
        with casckpt.open(path) as store:
            result["ok"] = (
                all(store.thread(name).load() == last[name] for name in names[1::2])
                and [thread.name for thread in store.threads()] == names[1::2]
                and result["second_run_removed"] == 0
                and result["removed"] == result["dry_run_removed"]
            )
        result |= {"file_bytes_before": before, "file_bytes_after": disk_usage(path).apparent_bytes}
    settings = {
        "durability": arguments.durability, "seed": arguments.seed,
        "workload": workload_of(arguments).name,
    }  # fmt: skip
    return document("gc", settings, result)


def collect(path: Path) -> dict[str, Any]:
    """What the process of its own does."""
    import casckpt

    with casckpt.open(path) as store:
        dry_s = []
        for _ in range(DRY_RUNS):
            start = time.perf_counter()
            dry = store.gc(dry_run=True, grace=timedelta(0))
            dry_s.append(time.perf_counter() - start)
        tracemalloc.start()
        store.gc(dry_run=True, grace=timedelta(0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        start = time.perf_counter()
        done = store.gc(grace=timedelta(0))
        done_s = time.perf_counter() - start
        again = store.gc(grace=timedelta(0))
    objects = dry.objects_live + dry.objects_removed
    return {
        "objects": objects,
        "live": done.objects_live,
        "removed": done.objects_removed,
        "dry_run_removed": dry.objects_removed,
        "second_run_removed": again.objects_removed,
        "dry_run_s": dry_s,
        "run_s": done_s,
        "dry_run_objects_per_s": objects / sorted(dry_s)[len(dry_s) // 2],
        "peak_bytes": peak,
    }


def render(content: dict[str, Any]) -> str:
    """One line a fact."""
    r = content["results"]
    dry = sorted(r["dry_run_s"])[len(r["dry_run_s"]) // 2]
    rows: list[list[Any]] = [
        ["objects (live, removed)", f"{r['objects']:,} ({r['live']:,}, {r['removed']:,})"],
        ["dry run", f"{dry:.3f} s = {r['dry_run_objects_per_s']:,.0f} objects/s"],
        ["gc", f"{r['run_s']:.3f} s = {r['objects'] / r['run_s']:,.0f} objects/s"],
        [
            "memory",
            f"{human_bytes(r['peak_bytes'])} = {r['peak_bytes'] / r['objects']:.1f} B an object",
        ],
        ["files before", human_bytes(r["file_bytes_before"])],
        ["files after", human_bytes(r["file_bytes_after"])],
    ]
    lines = [table(["gc", ""], rows), *([] if r["ok"] else ["VOID: the wrong things are left"])]
    return "\n".join([*lines, footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether what must be left is left, and only that."""
    return bool(content["results"]["ok"])


if __name__ == "__main__":
    print(json.dumps(collect(Path(sys.argv[1]))))
