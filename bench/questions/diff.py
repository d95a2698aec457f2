"""What does it take to see one change among many entries?

Two checkpoints of a list (and of a dict) of N records that differ in one field of one record,
in one inserted record, or (far) by 50 further checkpoints with one change each. casckpt reads
what differs; deepdiff compares two whole values in memory (loading them is not counted), up to
`--deepdiff-max` records. Every diff is checked for what it found.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import interleaved
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import document, human_us, table
from bench.workloads import prose

__all__ = ["add_arguments", "all_verified", "render", "run"]

FAR_STEPS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    parser.add_argument("--sizes", type=numbers, default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--deepdiff-max", type=int, default=1000, metavar="N")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each size: three pairs of a list, one of a dict."""
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    for size in arguments.sizes:
        with scratch(arguments.folder) as base:
            result, missing = _one_size(size, base, arguments)
            results.append(result)
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "rounds": arguments.rounds,
        "not_run": missing,
    }  # fmt: skip
    return document("diff", settings, results, ("deepdiff",))


def _record(rng: random.Random, number: int) -> dict[str, Any]:
    return {"id": number, "name": prose(rng, 3), "price": round(rng.uniform(1, 99), 2)}


def _one_size(
    size: int, base: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    import casckpt

    rng = random.Random(arguments.seed)
    entries = [_record(rng, number) for number in range(size)]
    middle = size // 2
    changed = [*entries[:middle], {**entries[middle], "price": 0.5}, *entries[middle + 1 :]]
    inserted = [*entries[:middle], _record(rng, -1), *entries[middle:]]
    keyed, keyed_changed = ({f"k{e['id']}": e for e in v} for v in (entries, changed))
    found: dict[str, int] = {}
    with casckpt.open(base / "store.casckpt", durability=arguments.durability) as store:
        run = store.thread("list")
        first = run.save(entries)
        pairs = {
            "list, one field changed": (first, run.save(changed)),
            "list, one inserted": (first, run.save(inserted)),
        }
        table_run = store.thread("dict")
        before = table_run.save(keyed)
        pairs["dict, one field changed"] = (before, table_run.save(keyed_changed))
        far = entries
        run.save(entries)
        for step in range(FAR_STEPS if size <= 10_000 else 10):
            place = rng.randrange(size)
            far = [*far[:place], {**far[place], "price": float(step)}, *far[place + 1 :]]
            last = run.save(far)
        pairs["list, many steps apart"] = (first, last)
        calls = {
            f"casckpt: {name}": _differ(store, a, b, found, f"casckpt: {name}")
            for name, (a, b) in pairs.items()
        }
        missing = _deepdiff(calls, entries, changed, found, arguments.deepdiff_max)
        samples = interleaved(calls, arguments.rounds, seed=arguments.seed)
    return {
        "entries": size,
        "found": found,
        "calls": {name: taken.as_json() for name, taken in samples.items()},
    }, missing


def _differ(store: Any, a: Any, b: Any, found: dict[str, int], name: str) -> Callable[[int], Any]:
    def call(_: int) -> None:
        found[name] = sum(1 for _ in store.diff(a, b))

    return call


def _deepdiff(
    calls: dict[str, Callable[[int], Any]], a: Any, b: Any, found: dict[str, int], size_max: int
) -> list[str]:
    if len(a) > size_max:
        return [f"deepdiff above {size_max} records (--deepdiff-max)"]
    try:
        from deepdiff import DeepDiff
    except ImportError as error:
        return [str(error)]
    name = "deepdiff: list, one field changed"

    def call(_: int) -> None:
        found[name] = sum(len(changes) for changes in DeepDiff(a, b).values())

    calls[name] = call
    return []


def render(content: dict[str, Any]) -> str:
    """A row a pair, a column a size."""
    results = content["results"]
    names = dict.fromkeys(name for result in results for name in result["calls"])
    rows = [
        [name, *(human_us(r["calls"].get(name, {}).get("median_us")) for r in results)]
        for name in names
    ]
    sizes = [f"N = {result['entries']:,}" for result in results]
    return "\n".join(["median\n", table(["diff", *sizes], rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether each pair that differs once was found to differ once."""
    return all(
        count == 1
        for result in content["results"]
        for name, count in result["found"].items()
        if "one" in name
    )
