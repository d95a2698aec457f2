"""How does a save depend on the size of the state?

A chat of N messages (about 1 KB each) is saved whole after one message was appended, once per
step, by every subject in turn. The yardstick is the sum of the two floors: `pickle.dumps` of
the state and a bare LMDB commit of as many rows and bytes as casckpt stores.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from bench.questions.common import add_common, footer, numbers, peers_of, us_cell
from bench.replaying import Settings, replay_workload
from bench.report import document, human_bytes, human_us, table
from bench.workloads import Workload, grown_chat

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = (
    "casckpt", "json-files", "pickle-sqlite", "langgraph-sqlite", "langgraph-memory",
    "floor-pickle", "floor-lmdb", "floor-lmdb-same",
)  # fmt: skip
BYTES_A_SUBJECT_MAX = 400_000_000
"""So many bytes of states are saved at each size at most (at least 8 saves, at most 200)."""
MESSAGE_BYTES = 1000
WARMUP = 2
"""The first save of a thread stores all of it, and the second is the first to find guides."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.add_argument("--sizes", type=numbers, default=[10, 100, 1000, 10_000])
    parser.add_argument("--saves", type=int, help="saves at each size (default: by its bytes)")


def saves_for(messages: int) -> int:
    """How many saves at this size."""
    return max(8, min(200, BYTES_A_SUBJECT_MAX // (messages * MESSAGE_BYTES)))


def grown(messages: int, saves: int, seed: int) -> Workload:
    """So many counted saves, in as many threads as it takes for none to grow by a quarter."""
    counted = min(saves, max(2, messages // 4 - WARMUP))
    threads = math.ceil(saves / counted)
    return grown_chat(messages=messages, steps=counted + WARMUP - 1, threads=threads, seed=seed)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One replay for each size."""
    results = []
    packages: set[str] = set()
    missing: list[str] = []
    for size in arguments.sizes:
        peers, missing = peers_of(arguments.only)
        packages.update(name for peer in peers for name in peer.packages)
        saves = arguments.saves or saves_for(size)
        settings = Settings(
            durability=arguments.durability, seed=arguments.seed, folder=arguments.folder,
            warmup=WARMUP, loads=5, verify_states_max=20,
        )  # fmt: skip
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{size} messages, {saves} saves")
        workload = grown(size, saves, arguments.seed)
        results.append({"messages": size, **replay_workload(workload, peers, settings)})
    settings_said = {
        "durability": arguments.durability, "isolate": True, "seed": arguments.seed,
        "gc": "off while timed", "not_run": missing,
    }  # fmt: skip
    return document("save", settings_said, results, packages)


def render(content: dict[str, Any]) -> str:
    """Medians, p99 and the ratio to the floors, a column a size."""
    results = content["results"]
    names = list(results[0]["subjects"])
    sizes = [f"N = {result['messages']:,}" for result in results]
    floors = [_floor(result) for result in results]
    medians = [
        [name, *(us_cell(r["subjects"][name]["save"], f) for r, f in zip(results, floors, strict=True))]
        for name in names
    ]  # fmt: skip
    p99 = [
        [name, *(human_us(r["subjects"][name]["save"].get("p99_us")) for r in results)]
        for name in names
    ]
    written = [[name, *(_written(r, name) for r in results)] for name in names]
    return "\n".join(
        [
            "median save (times pickle.dumps + one bare commit)\n",
            table(["subject", *sizes], medians),
            "\np99 save\n",
            table(["subject", *sizes], p99),
            "\nbytes written a save (the first of each thread included)\n",
            table(["subject", *sizes], written),
            *_void(results),
            footer(content),
        ]
    )


def _written(result: dict[str, Any], name: str) -> str | None:
    written = result["subjects"][name].get("write_call_bytes")
    return human_bytes(written / result["checkpoints"]) if written else None


def _floor(result: dict[str, Any]) -> dict[str, Any] | None:
    subjects = result["subjects"]
    if not {"floor-pickle", "floor-lmdb-same"} <= subjects.keys():
        return None
    parts = (subjects[name]["save"]["median_us"] for name in ("floor-pickle", "floor-lmdb-same"))
    return {"median_us": sum(parts)}


def _void(results: list[dict[str, Any]]) -> list[str]:
    return [
        f"VOID at {result['messages']}: {name}: {subject['verified']}"
        for result in results
        for name, subject in result["subjects"].items()
        if subject["verified"] and not subject["verified"]["ok"]
    ]


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every subject gave back what it was given."""
    return not _void(content["results"])
