"""How does loading, whole or one path, depend on the size of the state?

A chat of N messages is saved once by each subject. Then, round by round: the latest state from
a store just opened, the same again from the open store, and (casckpt) one path of it:
`load(path=["messages", N // 2, "content"])` and a look at a slice of ten messages through
`view()`. The yardstick is `pickle.loads` of the state.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import interleaved
from bench.peers.base import Peer
from bench.questions.common import add_common, footer, numbers, peers_of, scratch, us_cell
from bench.report import document, human_us, table
from bench.traces import fresh
from bench.verify import same
from bench.workloads import chat_state

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = (
    "casckpt", "json-files", "pickle-sqlite", "langgraph-sqlite", "langgraph-memory", "git-tree",
    "floor-pickle",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.add_argument("--sizes", type=numbers, default=[10, 100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, help="(default: 200 down to 8, by size)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each size: save once, load often."""
    results = []
    packages: set[str] = set()
    missing: list[str] = []
    for size in arguments.sizes:
        peers, missing = peers_of(arguments.only)
        packages.update(name for peer in peers for name in peer.packages)
        rounds = arguments.rounds or max(8, min(200, 100_000 // size))
        with scratch(arguments.folder) as base:
            results.append(_one_size(size, rounds, peers, base, arguments))
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "gc": "off while timed",
        "not_run": missing,
    }  # fmt: skip
    return document("load", settings, results, packages)


def _one_size(
    size: int, rounds: int, peers: list[Peer], base: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    state = chat_state(size, arguments.seed)
    for peer in peers:
        peer.open(base / peer.name, arguments.durability)
        peer.save("chat", peer.prepare("chat", fresh(state, plain=True), None), None)
    faults = [peer.name for peer in peers if not same(state, peer.load_latest("chat"), plain=True)]
    again = interleaved({peer.name: _latest(peer) for peer in peers}, rounds, seed=arguments.seed)
    first: dict[str, list[int]] = {}
    paths: dict[str, Any] = {}
    for peer in peers:
        if peer.name == "casckpt":
            paths = _paths(peer, state, rounds, arguments.seed)
    opened = {peer.name: _Reopened(peer, base / peer.name, arguments.durability) for peer in peers}
    for _ in range(rounds):
        for reopened in opened.values():
            reopened.open()
        one = interleaved({n: r.load for n, r in opened.items()}, 1, seed=arguments.seed)
        for name, samples in one.items():
            first.setdefault(name, []).extend(samples.ns)
    for peer in peers:
        peer.close()
    return {
        "messages": size,
        "faults": faults,
        "first": {name: _summary(ns) for name, ns in first.items()},
        "again": {name: samples.as_json() for name, samples in again.items()},
        "paths": paths,
    }


def _summary(ns: list[int]) -> dict[str, Any]:
    from bench.measure import Samples

    return Samples(ns).as_json()


def _latest(peer: Peer) -> Callable[[int], Any]:
    return lambda _: peer.load_latest("chat")


class _Reopened:
    """Loads from a store that was opened just before (opening is not timed)."""

    def __init__(self, peer: Peer, folder: Path, durability: Any) -> None:
        self._peer, self._folder, self._durability = peer, folder, durability

    def open(self) -> None:
        self._peer.close()
        self._peer.open(self._folder, self._durability)

    def load(self, _: int) -> Any:
        return self._peer.load_latest("chat")


def _paths(peer: Any, state: dict[str, Any], rounds: int, seed: int) -> dict[str, Any]:
    run = peer.store.thread("chat")
    middle = len(state["messages"]) // 2
    if run.load(path=["messages", middle, "id"]) != state["messages"][middle]["id"]:
        raise AssertionError("a path gave another value than the state")
    samples = interleaved(
        {
            "one path": lambda n: run.load(
                path=["messages", (middle + 37 * n) % (2 * middle), "id"]
            ),
            "slice of 10": lambda _: list(run.view()["messages"][middle : middle + 10]),
            "len": lambda _: len(run.view()["messages"]),
        },
        rounds,
        seed=seed,
    )
    return {name: s.as_json() for name, s in samples.items()}


def render(content: dict[str, Any]) -> str:
    """A column a size; ratios to pickle.loads."""
    results = content["results"]
    sizes = [f"N = {result['messages']:,}" for result in results]
    parts = []
    for key, title in (
        ("first", "load latest, store just opened (times pickle.loads)"),
        ("again", "load latest, again (times pickle.loads)"),
    ):
        rows = [
            [name, *(us_cell(r[key][name], r[key].get("floor-pickle")) for r in results)]
            for name in results[0][key]
        ]
        parts += [f"{title}\n", table(["subject", *sizes], rows), ""]
    if results[0]["paths"]:
        rows = [
            [name, *(human_us(r["paths"][name]["median_us"]) for r in results)]
            for name in results[0]["paths"]
        ]
        parts += ["casckpt, without the rest\n", table(["what", *sizes], rows), ""]
    parts += [f"VOID at {r['messages']}: {r['faults']}" for r in results if r["faults"]]
    return "\n".join([*parts, footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every subject gave back what it was given."""
    return not any(result["faults"] for result in content["results"])
