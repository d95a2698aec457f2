"""What the questions share: their options, a place for stores, and a line about the machine.

Imports: bench.measure, bench.peers.base, bench.report.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.measure import settle
from bench.peers.base import PEERS, Peer, Unavailable, make
from bench.report import human_us, ratio

__all__ = ["add_common", "footer", "numbers", "peers_of", "scratch", "us_cell"]


def add_common(parser: argparse.ArgumentParser, *, peers: Sequence[str] | None = None) -> None:
    """--seed, --folder, --durability, and --only if the question has subjects."""
    parser.add_argument("--seed", type=int, default=1, help="of states and of the order")
    parser.add_argument("--folder", metavar="DIR", help="where stores are made")
    parser.add_argument(
        "--durability", choices=("full", "none"), default="full", help="for all subjects alike"
    )
    if peers is not None:
        parser.add_argument(
            "--only", default=",".join(peers), metavar="NAMES",
            help=f"subjects, by comma, or 'all'; of: {', '.join(PEERS)}",
        )  # fmt: skip


def numbers(text: str) -> list[int]:
    """Numbers by comma: 10,1_000."""
    return [int(part) for part in text.split(",")]


def peers_of(names: str) -> tuple[list[Peer], list[str]]:
    """New subjects by name, and why others are missing.

    Raises:
        SystemExit: an unknown name.
    """
    peers: list[Peer] = []
    missing: list[str] = []
    for name in list(PEERS) if names == "all" else names.split(","):
        if name not in PEERS:
            raise SystemExit(f"no subject {name!r}; there are: {', '.join(PEERS)}")
        try:
            peers.append(make(name))
        except Unavailable as error:
            missing.append(str(error))
    return peers, missing


@contextmanager
def scratch(folder: str | None, durability: str = "none") -> Iterator[Path]:
    """A folder for stores, removed afterwards; for durable saves on a disk that has settled."""
    path = Path(tempfile.mkdtemp(prefix="casckpt-bench-", dir=folder))
    try:
        if durability == "full":
            settle(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def us_cell(samples: dict[str, Any], base: dict[str, Any] | None = None) -> str | None:
    """Text like "12 µs" or "12 µs (3x)": a median, and how often the base's median goes into it."""
    if not samples:
        return None
    text = human_us(samples["median_us"])
    factor = ratio(samples["median_us"], base["median_us"]) if base else None
    return f"{text} ({factor})" if factor else text


def footer(content: dict[str, Any]) -> str:
    """What was not run, and on what the rest was."""
    lines = [f"not run: {text}" for text in content["settings"].get("not_run", ())]
    machine, versions = content["machine"], content["versions"]
    lines.append(
        f"{machine['cpu']}, {machine['cores']} cores, load average"
        f" {machine['load_average_at_end'][0]}, {versions['python']}, commit {versions['commit']},"
        f" durability {content['settings'].get('durability', '-')}"
    )
    return "\n".join(lines)
