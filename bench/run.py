"""Replay traces through casckpt and through whole-state baselines, and print what it cost.

    python bench/run.py                                # a synthetic chat; needs no file
    python bench/run.py ../shared/traces/tau_airline_chat.jsonl.zst
    python bench/run.py --traces ../shared/traces --only casckpt,json-files --limit 500
    python bench/run.py --durability none --json out.json

Exit code 1 if any subject gave back anything but what it was given; its figures are void.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in {None, ""}:  # run as a file: the checkout is what is imported
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers.base import DEFAULT, PEERS, Peer, Unavailable, make
from bench.replaying import Settings, replay_workload
from bench.report import document, human_bytes, human_us, ratio, table, write_json
from bench.workloads import Workload, synthetic_chat, trace

__all__ = ["add_arguments", "choose_peers", "main", "render", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options shared by `bench/run.py` and `python -m bench replay`."""
    add = parser.add_argument
    add("files", nargs="*", type=Path, metavar="TRACE", help="trace files (NAME.jsonl.zst)")
    add("--traces", type=Path, metavar="DIR", help="all traces of a folder")
    add("--synthetic", metavar="THREADSxMESSAGES",
        help="a generated chat (default 10x100 if no trace is given)")  # fmt: skip
    add("--only", metavar="NAMES",
        help=f"subjects, by comma; 'all' or of: {', '.join(PEERS)} (default: {','.join(DEFAULT)})")  # fmt: skip
    add("--limit", type=int, metavar="N", help="only the first N checkpoints of each workload")
    add("--durability", choices=("full", "none"), default="full",
        help="full: every save is synced, by all subjects; none: by no one")  # fmt: skip
    add("--order", choices=("auto", "steps", "blocks"), default="auto",
        help="subjects interleaved at every step, or one after the other (auto: if durable)")  # fmt: skip
    add("--isolate", action=argparse.BooleanOptionalAction, default=True,
        help="every state of fresh objects (default)")  # fmt: skip
    add("--seed", type=int, default=1, help="of synthetic states, order and samples")
    add("--verify-max", type=int, default=3000, metavar="N",
        help="compare at most about N states of a workload (never none)")  # fmt: skip
    add("--loads", type=int, default=200, metavar="N", help="states to load for the load columns")
    add("--folder", metavar="DIR", help="where stores are made (default: the temporary folder)")
    add("--keep", action="store_true", help="leave the stores there")
    add("--json", type=Path, metavar="FILE", help="write the results to FILE as well")


def choose_peers(names: str | None) -> tuple[list[Peer], list[str]]:
    """Subjects by name, and why others are missing.

    Raises:
        SystemExit: an unknown name.
    """
    chosen = list(PEERS) if names == "all" else names.split(",") if names else list(DEFAULT)
    peers, missing = [], []
    for name in chosen:
        if name not in PEERS:
            raise SystemExit(f"no subject {name!r}; there are: {', '.join(PEERS)}")
        try:
            peers.append(make(name))
        except Unavailable as error:
            missing.append(str(error))
    return peers, missing


def choose_workloads(arguments: argparse.Namespace) -> list[Workload]:
    """The workloads that the options ask for."""
    files = list(arguments.files)
    if arguments.traces:
        files += sorted(arguments.traces.glob("*.jsonl.zst"))
        if not files:
            raise SystemExit(f"no *.jsonl.zst in {arguments.traces}")
    workloads = [trace(path, limit=arguments.limit) for path in files]
    if arguments.synthetic or not workloads:
        threads, messages = map(int, (arguments.synthetic or "10x100").split("x"))
        chat = synthetic_chat(
            threads=threads, messages=messages, seed=arguments.seed, limit=arguments.limit
        )
        workloads.append(chat)
    return workloads


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Replay all; the results as a document."""
    packages: set[str] = set()
    results = []
    missing: list[str] = []
    for workload in choose_workloads(arguments):
        peers, missing = choose_peers(arguments.only)
        packages.update(name for peer in peers for name in peer.packages)
        settings = Settings(
            durability=arguments.durability,
            order=arguments.order,
            isolate=arguments.isolate,
            seed=arguments.seed,
            loads=arguments.loads,
            verify_states_max=max(1, arguments.verify_max),
            folder=arguments.folder,
            keep=arguments.keep,
        )
        results.append(replay_workload(workload, peers, settings, _progress))
    settings_said = {
        "durability": arguments.durability,
        "isolate": arguments.isolate,
        "seed": arguments.seed,
        "limit": arguments.limit,
        "gc": "off while timed, collected between steps",
        "order": arguments.order,
        "not_run": missing,
    }
    return document("replay", settings_said, results, packages)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")


def render(content: dict[str, Any]) -> str:
    """The tables."""
    parts = []
    for result in content["results"]:
        whole = result["whole_states_json_bytes"]
        parts.append(
            f"{result['workload']}: {result['checkpoints']:,} checkpoints in"
            f" {result['threads']} threads, {human_bytes(whole)} if every state is written whole"
            f" as JSON; disk floor {human_bytes(result['floor_bytes'])}"
            f" (durability {content['settings']['durability']})\n"
        )
        parts.append(table(HEADER, [_row(name, result) for name in result["subjects"]]))
        parts.extend(
            f"VOID: {name}: {subject['verified']}"
            for name, subject in result["subjects"].items()
            if subject["verified"] and not subject["verified"]["ok"]
        )
        parts.append("")
    parts.extend(f"not run: {text}" for text in content["settings"]["not_run"])
    load = content["machine"]["load_average_at_end"]
    parts.append(
        f"{content['machine']['cpu']}, {content['machine']['cores']} cores, load average"
        f" {load[0]}, {content['versions']['python']}, commit {content['versions']['commit']}"
    )
    return "\n".join(parts)


HEADER = (
    "subject", "save median", "save p99", "p99/med", "load latest", "again", "load old",
    "files", "on disk", "allocated", "B/ckpt", "x floor", "packed", "written",
)  # fmt: skip


def _row(name: str, result: dict[str, Any]) -> list[str | None]:
    subject = result["subjects"][name]
    save = subject["save"]
    size = subject["size"]["closed"]
    if subject["floor"]:
        size = None
    packed = subject["size"]["packed"]
    apparent = size["apparent_bytes"] if size else None
    return [
        name,
        human_us(save.get("median_us")),
        human_us(save.get("p99_us")),
        ratio(save.get("p99_us"), save.get("median_us")),
        human_us(subject["load_latest"].get("median_us")),
        human_us(subject["load_latest_again"].get("median_us")),
        human_us(subject["load_old"].get("median_us")),
        f"{size['files']:,}" if size else None,
        human_bytes(apparent),
        human_bytes(size["allocated_bytes"]) if size else None,
        f"{apparent / result['checkpoints']:,.0f}" if apparent else None,
        ratio(apparent, result["floor_bytes"]),
        human_bytes(packed["apparent_bytes"]) if packed and not subject["floor"] else None,
        human_bytes(subject["write_call_bytes"]) if subject["write_call_bytes"] else None,
    ]


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every store gave back what it was given."""
    return all(
        subject["verified"]["ok"]
        for result in content["results"]
        for subject in result["subjects"].values()
        if subject["verified"] is not None
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="bench/run.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    content = run(arguments)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    print(render(content))
    if arguments.json:
        write_json(arguments.json, content)
    return 0 if all_verified(content) else 1


if __name__ == "__main__":
    sys.exit(main())
