"""What does a very large store cost: to open, log, find, collect, check and pack?

Stores of `--counts` small checkpoints over `--threads` threads, saved in batches of 2,000; a
common label on most, a rare one and a rare tag on one in a thousand. Each job runs in a process
of its own, with its peak memory: queries many times each (`--rounds`), reading every checkpoint
through `find`, `gc` (a dry run; then all of it, after every second thread was deleted), `fsck`,
`stats`, `pack`. The factor is against the smallest store, for queries what a flat line is.
Answers are compared with what was saved. `--skip fsck,pack` leaves jobs out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.children import measured
from bench.measure import disk_usage, interleaved
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import document, human_bytes, human_us, ratio, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

RARE_EVERY = 1000
BATCH = 2000
BEGIN_NS = 1_760_000_000 * 10**9
TICK_NS = 1000
JOBS = ("ask", "read", "stats", "fsck", "dry_run", "pack", "collect")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    parser.add_argument("--counts", type=numbers, default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--skip", default="", metavar="JOBS", help=f"of: {', '.join(JOBS)}")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each size in turn."""
    results = []
    for count in arguments.counts:
        with scratch(arguments.folder) as base:
            results.append(_one_size(count, str(base / "store.casckpt"), arguments))
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "threads": arguments.threads,
        "rounds": arguments.rounds, "batch": BATCH, "skipped": arguments.skip,
        "gc": "off while timed (queries)",
    }  # fmt: skip
    return document("bulk", settings, results)


def _one_size(count: int, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    threads = arguments.threads
    skipped = arguments.skip.split(",")
    result: dict[str, Any] = {"checkpoints": count, "wrong": []}
    jobs: list[tuple[str, tuple[Any, ...]]] = [
        ("fill", (path, count, threads)),
        ("ask", (path, count, threads, arguments.rounds, arguments.seed)),
        *((name, (path, count, threads)) for name in JOBS[1:]),
    ]
    for name, words in jobs:
        if name in skipped:
            continue
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{count:,} checkpoints: {name}")
        found = measured(f"bench.questions.bulk:{name}", *words)
        found["file_bytes"] = disk_usage(Path(path)).apparent_bytes
        result["wrong"] += [f"{name}: {what}" for what in found.pop("wrong", ())]
        result[name] = found
    return result


def _thread(number: int, threads: int) -> str:
    place = number % threads
    return f"org{place % 10}/agent{place}"


def _is_rare(number: int) -> bool:
    return number % RARE_EVERY == RARE_EVERY // 2


def fill(path: str, count: int, threads: int) -> dict[str, Any]:
    """Save them all."""
    import casckpt

    number = 0
    clock_ns = BEGIN_NS
    start = time.perf_counter()
    with casckpt.open(path, durability="none", clock=lambda: clock_ns) as store:
        runs = [store.thread(_thread(place, threads)) for place in range(threads)]
        while number < count:
            with store.batch():
                for number in range(number, min(number + BATCH, count)):  # noqa: B020
                    rare = _is_rare(number)
                    clock_ns = BEGIN_NS + TICK_NS * number
                    runs[number % threads].save(
                        {"n": number}, label="planned" if rare else "step",
                        tags=["golden"] if rare else [], meta={"cost": number % 7},
                    )  # fmt: skip
            number += 1
    return {"seconds": time.perf_counter() - start}


def ask(path: str, count: int, threads: int, rounds: int, seed: int) -> dict[str, Any]:
    """Every query often; one process."""
    import casckpt

    def reopened(_: int) -> list[int]:
        with casckpt.open(path) as other:
            return [len(other.threads(limit=1))]

    opened = interleaved({"open, list a thread, close": reopened}, rounds, seed=seed)
    with casckpt.open(path) as store:
        asked = _queries(store, count, threads)
        wrong = [name for name, (call, right) in asked.items() if call(0) != right]
        samples = interleaved({n: call for n, (call, _) in asked.items()}, rounds, seed=seed)
    calls = {name: taken.as_json() for name, taken in (opened | samples).items()}
    return {"calls": calls, "wrong": wrong}


def _queries(
    store: Any, count: int, threads: int
) -> dict[str, tuple[Callable[[int], list[int]], list[int]]]:
    """Each query, and the numbers in the states that it must find."""
    one = count // 3
    name = _thread(one, threads)
    run = store.thread(name)
    history = list(range(one % threads, count, threads))[::-1]
    newest = range(count - 1, -1, -1)
    until = datetime.fromtimestamp(BEGIN_NS // 10**9, UTC) + timedelta(
        microseconds=TICK_NS * (count // 2) // 1000
    )

    def of(found: Any) -> list[int]:
        return [checkpoint.load()["n"] for checkpoint in found]

    def first(fits: Callable[[int], bool]) -> list[int]:
        found = []
        for number in newest:
            if fits(number):
                found.append(number)
                if len(found) == 10:
                    break
        return found

    id = store.checkpoint(f"{name}@{one // threads}").id
    return {
        "log page of 20": (lambda _: of(run.log(limit=20)), history[:20]),
        "checkpoint(thread@step)": (
            lambda _: of([store.checkpoint(f"{name}@{one // threads}")]), [one],
        ),
        "checkpoint(id prefix)": (lambda _: of([store.checkpoint(id[:14])]), [one]),
        "find(label=rare, limit=10)": (
            lambda _: of(store.find(label="planned", limit=10)), first(_is_rare),
        ),
        "find(label=common, limit=10)": (
            lambda _: of(store.find(label="step", limit=10)), first(lambda n: not _is_rare(n)),
        ),
        "find(tag=rare, limit=10)": (
            lambda _: of(store.find(tag="golden", limit=10)), first(_is_rare),
        ),
        "find(until=middle, limit=10)": (
            lambda _: of(store.find(until=until, limit=10)), first(lambda n: n < count // 2),
        ),
        "find(thread=one, limit=10)": (
            lambda _: of(store.find(thread=name, limit=10)), history[:10],
        ),
        "find(meta=one in seven, limit=10)": (
            lambda _: of(store.find(meta={"cost": 3}, limit=10)), first(lambda n: n % 7 == 3),
        ),
    }  # fmt: skip


def read(path: str, count: int, threads: int) -> dict[str, Any]:
    """Every checkpoint through `find`, none kept."""
    import casckpt

    start = time.perf_counter()
    seen = 0
    with casckpt.open(path) as store:
        for checkpoint in store.find():
            seen += checkpoint.step >= 0
    wrong = [] if seen == count else [f"{seen} checkpoints of {count} in {threads} threads"]
    return {"seconds": time.perf_counter() - start, "wrong": wrong}


def stats(path: str, count: int, threads: int) -> dict[str, Any]:
    """`store.stats()`."""
    import casckpt

    with casckpt.open(path) as store:
        start = time.perf_counter()
        found = store.stats()
        seconds = time.perf_counter() - start
    right = (found.checkpoints, found.threads) == (count, min(threads, count))
    return {"seconds": seconds, "objects": found.objects, "wrong": [] if right else [repr(found)]}


def fsck(path: str, count: int, threads: int) -> dict[str, Any]:  # noqa: ARG001
    """`store.fsck()`, its books alone and all data."""
    import casckpt

    found: dict[str, Any] = {"wrong": []}
    with casckpt.open(path) as store:
        for level, name in (("books", "books_seconds"), ("data", "seconds")):
            start = time.perf_counter()
            found["wrong"] += map(str, store.fsck(level=level))  # type: ignore[arg-type]
            found[name] = time.perf_counter() - start
    return found


def dry_run(path: str, count: int, threads: int) -> dict[str, Any]:  # noqa: ARG001
    """`store.gc(dry_run=True)`, and `store.gc(auto=True, dry_run=True)`."""
    import casckpt

    with casckpt.open(path) as store:
        start = time.perf_counter()
        report = store.gc(dry_run=True, grace=0)
        seconds = time.perf_counter() - start
        decided = interleaved({"auto": lambda _: store.gc(auto=True, dry_run=True)}, 30)["auto"]
    wrong = [] if not report.objects_removed else ["something would be removed"]
    objects = report.objects_live
    return {"seconds": seconds, "objects": objects, "auto": decided.as_json(), "wrong": wrong}


def pack(path: str, count: int, threads: int) -> dict[str, Any]:
    """`store.pack()`."""
    import casckpt

    with casckpt.open(path, durability="none") as store:
        report = store.pack()
        number = store.thread(_thread(count // 3, threads)).load(f"@{count // 3 // threads}")["n"]
    wrong = [] if number == count // 3 and report.complete else [f"{number}: {report}"]
    return {**report._asdict(), "wrong": wrong}


def collect(path: str, count: int, threads: int) -> dict[str, Any]:
    """Delete every second thread, `store.gc()`."""
    import casckpt

    with casckpt.open(path, durability="none") as store:
        for place in range(0, threads, 2):
            store.thread(_thread(place, threads)).delete()
        start = time.perf_counter()
        report = store.gc(grace=0, pack=False)
        seconds = time.perf_counter() - start
        left = sum(thread.step + 1 for thread in store.threads())
    # Every second checkpoint, and those with a tag and what they come after.
    right = sum(number % threads % 2 for number in range(count))
    wrong = [] if left == right else [f"{left} checkpoints are left, not {right}"]
    return {"seconds": seconds, "removed": report.objects_removed, "wrong": wrong}


def render(content: dict[str, Any]) -> str:
    """Queries; then jobs, with memory."""
    results = content["results"]
    sizes = [f"{result['checkpoints']:,} checkpoints" for result in results]
    parts = []
    if all("ask" in result for result in results):
        calls = results[0]["ask"]["calls"]
        rows = [[name, *(_query(r, results[0], name) for r in results)] for name in calls]
        rows.append(["(memory of all of them)", *(_memory(r["ask"]) for r in results)])
        title = f"median (times the same at {results[0]['checkpoints']:,})\n"
        parts += [title, table(["query", *sizes], rows), ""]
    jobs = dict.fromkeys(name for r in results for name in r if isinstance(r[name], dict))
    rows = [[name, *(_job(r, name) for r in results)] for name in jobs if name != "ask"]
    parts += ["whole jobs: time, microseconds a checkpoint, peak memory, files after\n"]
    parts += [table(["job", *sizes], rows)]
    if all("dry_run" in result for result in results):
        took = ", ".join(str(human_us(r["dry_run"]["auto"]["median_us"])) for r in results)
        parts += [f"\ngc(auto=True) decides in {took}"]
    parts += [f"VOID at {r['checkpoints']:,}: {what}" for r in results for what in r["wrong"][:5]]
    return "\n".join([*parts, footer(content)])


def _query(result: dict[str, Any], first: dict[str, Any], name: str) -> str:
    us, base = (r["ask"]["calls"][name]["median_us"] for r in (result, first))
    return f"{human_us(us)} ({ratio(us, base)})"


def _memory(found: dict[str, Any]) -> str:
    return (
        f"{human_bytes(found['peak_own_bytes'])} (mapped: {human_bytes(found['peak_rss_bytes'])})"
    )


def _job(result: dict[str, Any], name: str) -> str | None:
    if name not in result:
        return None
    found = result[name]
    each = 1e6 * found["seconds"] / result["checkpoints"]
    books = f", books {found['books_seconds']:.1f} s" if "books_seconds" in found else ""
    return (
        f"{found['seconds']:.1f} s{books}, {each:.3g} µs, {_memory(found)},"
        f" {human_bytes(found['file_bytes'])}"
    )


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every answer was right."""
    return not any(result["wrong"] for result in content["results"])
