"""What do states cost that are no chats: one big dict, deep nesting?

One dict of `--keys` small records of which each step changes five; a tree of plans `--depth`
deep of which each step changes one note. Saved whole step by step by all subjects, loaded, and
compared, as `replay` does; and by casckpt through `with run.edit()`, which is told what changed.
The factor is against `pickle.dumps` and a bare commit of the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.measure import IoCounter, Samples, disk_usage, quiet_gc, timed_ns
from bench.questions.common import add_common, footer, peers_of, scratch, us_cell
from bench.replaying import Settings, replay_workload
from bench.report import document, human_bytes, human_us, table
from bench.verify import same
from bench.workloads import Workload, big_dict, deep_nesting

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = (
    "casckpt", "json-files", "pickle-sqlite", "langgraph-sqlite", "langgraph-memory",
    "floor-pickle", "floor-lmdb-same",
)  # fmt: skip
EDIT = "casckpt, edit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.set_defaults(durability="none")
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--depth", type=int, default=60)
    parser.add_argument("--steps", type=int, default=100)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One replay for each shape."""
    results = []
    packages: set[str] = set()
    missing: list[str] = []
    for workload in (
        big_dict(keys=arguments.keys, steps=arguments.steps, seed=arguments.seed),
        deep_nesting(depth=arguments.depth, steps=arguments.steps, seed=arguments.seed),
    ):
        peers, missing = peers_of(arguments.only)
        packages.update(name for peer in peers for name in peer.packages)
        settings = Settings(
            durability=arguments.durability, seed=arguments.seed, folder=arguments.folder,
            warmup=2, loads=10, verify_states_max=20,
        )  # fmt: skip
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{workload.name}")
        result = replay_workload(workload, peers, settings)
        if "casckpt" in result["subjects"]:
            with scratch(arguments.folder, arguments.durability) as base:
                result["subjects"][EDIT] = _edited(workload, base, arguments.durability)
        results.append(result)
    settings_said = {
        "durability": arguments.durability, "isolate": True, "seed": arguments.seed,
        "gc": "off while timed", "not_run": missing,
    }  # fmt: skip
    return document("shapes", settings_said, results, packages)


def _edited(workload: Workload, base: Path, durability: Any) -> dict[str, Any]:
    """The same steps, each by its patch."""
    import casckpt

    samples, io = Samples(), IoCounter()
    before = io.bytes_written()
    events = iter(workload.events())
    last = list(workload.steps())[-1]
    with casckpt.open(base / "store.casckpt", durability=durability) as store, quiet_gc():
        run: Any = store.thread(last.thread)
        run.save(next(events)["set"])
        for event in events:
            samples.add(timed_ns(_edit, run, event["patch"])[0])
        ok = same(last.state, run.load(), plain=True)
    after = io.bytes_written()
    written = after - before if after is not None and before is not None else None
    io.close()
    size = disk_usage(base / "store.casckpt")
    return {
        "save": samples.as_json(), "load_latest": {}, "load_latest_again": {}, "load_old": {},
        "write_call_bytes": written, "size": {"closed": size.as_json()}, "floor": False,
        "verified": {"ok": ok},
    }  # fmt: skip


def _edit(run: Any, patch: list[Any]) -> None:
    with run.edit() as draft:
        for path, value in patch:
            node = draft
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value


def render(content: dict[str, Any]) -> str:
    """A table a shape."""
    parts = []
    for result in content["results"]:
        subjects = result["subjects"]
        floor = None
        if {"floor-pickle", "floor-lmdb-same"} <= subjects.keys():
            both = (subjects[n]["save"]["median_us"] for n in ("floor-pickle", "floor-lmdb-same"))
            floor = {"median_us": sum(both)}
        rows = [_row(name, subject, result, floor) for name, subject in subjects.items()]
        header = ["subject", "save median", "save p99", "load latest", "load old", "on disk",
                  "written a save"]  # fmt: skip
        whole = human_bytes(result["whole_states_json_bytes"])
        title = f"{result['workload']}: {result['checkpoints']:,} checkpoints, {whole} whole\n"
        parts += [title, table(header, rows), ""]
        parts += [
            f"VOID: {name}: {subject['verified']}"
            for name, subject in subjects.items()
            if subject["verified"] and not subject["verified"]["ok"]
        ]
    return "\n".join([*parts, footer(content)])


def _row(
    name: str, subject: dict[str, Any], result: dict[str, Any], floor: dict[str, Any] | None
) -> list[Any]:
    size = None if subject["floor"] else subject["size"]["closed"]
    written = subject["write_call_bytes"]
    return [
        name,
        us_cell(subject["save"], floor),
        human_us(subject["save"].get("p99_us")),
        human_us(subject["load_latest_again"].get("median_us")),
        human_us(subject["load_old"].get("median_us")),
        human_bytes(size["apparent_bytes"]) if size else None,
        human_bytes(written / result["checkpoints"]) if written else None,
    ]


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every subject gave back what it was given."""
    return all(
        subject["verified"]["ok"]
        for result in content["results"]
        for subject in result["subjects"].values()
        if subject["verified"] is not None
    )
