"""How do the bytes on disk grow with the steps?

One workload is saved step by step; at marks (10, 20, 50, 100, 200 ... steps) each store is
closed, all its files are counted, and it is opened again. Beside the stores stands the floor:
zstd -19 of all the events so far, and 100 B a checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.peers.base import Peer
from bench.questions.common import add_common, footer, peers_of, scratch
from bench.report import document, human_bytes, ratio, table
from bench.traces import fresh
from bench.verify import Verdict, verify
from bench.workloads import Workload, synthetic_chat, trace

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = (
    "casckpt", "json-files", "pickle-sqlite", "langgraph-sqlite", "git-file", "git-tree", "zodb",
    "diskcache",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.set_defaults(durability="none")  # the bytes are the same, and sooner there
    parser.add_argument("--messages", type=int, default=1000, help="length of the synthetic chat")
    parser.add_argument("--trace", type=Path, help="a trace instead of the synthetic chat")
    parser.add_argument("--limit", type=int, help="only so many checkpoints of it")


def marks(last: int) -> list[int]:
    """10, 20, 50, 100 ... and the last."""
    series = (factor * 10**power for power in range(1, 8) for factor in (1, 2, 5))
    return [*(mark for mark in series if mark < last), last]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Save all, weighing at the marks."""
    if arguments.trace:
        workload = trace(arguments.trace, limit=arguments.limit)
    else:
        workload = synthetic_chat(
            threads=1, messages=arguments.messages, seed=arguments.seed, limit=arguments.limit
        )
    peers, missing = peers_of(arguments.only)
    peers = [peer for peer in peers if not peer.floor]
    with scratch(arguments.folder) as base:
        result = _grow(workload, peers, base, arguments)
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "isolate": True,
        "not_run": missing,
    }  # fmt: skip
    return document("disk", settings, result, {name for peer in peers for name in peer.packages})


def _grow(
    workload: Workload, peers: list[Peer], base: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    for peer in peers:
        peer.open(base / peer.name, arguments.durability)
    last = sum(1 for _ in workload.steps())
    wanted = set(marks(last))
    curve: list[dict[str, Any]] = []
    for count, step in enumerate(workload.steps(), 1):
        for peer in peers:
            state = peer.prepare(step.thread, fresh(step.state, plain=workload.plain), step.label)
            peer.save(step.thread, state, step.label)
        if count in wanted:
            floor = Workload(workload.name, workload.seed, workload.events, limit=count)
            curve.append(
                {
                    "checkpoints": count,
                    "floor_bytes": floor.floor_bytes()[0],
                    "subjects": dict(_weigh(peers, base, arguments.durability)),
                }
            )
    verdicts = verify(peers, workload.steps(), plain=workload.plain, share=min(1.0, 300 / last))
    packed = {peer.name: _packed(peer) for peer in peers}
    return {
        "workload": workload.name,
        "seed": workload.seed,
        "curve": curve,
        "packed": packed,
        "verified": {name: verdict.as_json() for name, verdict in verdicts.items()},
    }


def _weigh(peers: list[Peer], base: Path, durability: Any) -> Iterator[tuple[str, Any]]:
    for peer in peers:
        peer.close()
        usage = peer.size()
        peer.open(base / peer.name, durability)
        yield peer.name, usage.as_json() if usage else None


def _packed(peer: Peer) -> dict[str, int] | None:
    """After its own tools made it as small as they can."""
    packed = peer.pack()
    peer.close()
    usage = peer.size() if packed else None
    return usage.as_json() if usage else None


def render(content: dict[str, Any]) -> str:
    """A row a mark, a column a subject."""
    result = content["results"]
    names = list(result["packed"])
    rows = [
        [
            f"{point['checkpoints']:,}",
            human_bytes(point["floor_bytes"]),
            *(_cell(point["subjects"][name], point["floor_bytes"]) for name in names),
        ]
        for point in result["curve"]
    ]
    floor = result["curve"][-1]["floor_bytes"]
    rows.append(["packed", human_bytes(floor), *(_cell(result["packed"][n], floor) for n in names)])
    lines = [
        f"{result['workload']}: all files after so many checkpoints (times the floor)\n",
        table(["checkpoints", "floor", *names], rows),
        *(f"VOID: {n}: {v}" for n, v in result["verified"].items() if not v["ok"]),
        footer(content),
    ]
    return "\n".join(lines)


def _cell(usage: dict[str, int] | None, floor: int) -> str | None:
    if not usage:
        return None
    return f"{human_bytes(usage['apparent_bytes'])} ({ratio(usage['apparent_bytes'], floor)})"


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every subject gave back what it was given."""
    return all(
        Verdict(v["checked"], v["faults"]).ok for v in content["results"]["verified"].values()
    )
