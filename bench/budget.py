"""The budget table: what was promised of speed and size, what was measured, and whether it holds.

    python -m bench budget                     # from the recorded results; seconds
    python -m bench budget --run --traces DIR  # runs every question it needs, records, prints

A line without its result says so. Nothing here measures: each figure stands in a file of
bench/results/, with its machine, date, versions and load.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.report import human_bytes, human_us, table

__all__ = [
    "LINES", "RUNS", "Line", "add_arguments", "commands", "judge", "read_results", "render",
]  # fmt: skip

CHATS = [
    "replay", "TRACES/tau_airline_chat.jsonl.zst", "TRACES/sweagent_swe.jsonl.zst",
    "--synthetic", "10x100", "--only",
    ("casckpt,json-files,pickle-sqlite,langgraph-sqlite,langgraph-memory,"
     "floor-lmdb,floor-lmdb-same,floor-pickle"),
]  # fmt: skip
"""No git here: its syncs of thousands of files slow down everybody's."""
RUNS: dict[str, list[str]] = {
    "save": ["save"],
    "replay": [*CHATS, "--durability", "full"],
    "replay-nosync": [*CHATS, "--durability", "none"],
    "replay-coding": ["replay", "TRACES/coding_agent_runs.jsonl.zst", "--durability", "none",
                      "--only", "casckpt,floor-lmdb-same,floor-pickle"],
    "replay-coding-peers": ["replay", "TRACES/coding_agent_runs.jsonl.zst", "--durability", "none",
                            "--limit", "300", "--only",
                            ("casckpt,json-files,pickle-sqlite,langgraph-sqlite,langgraph-memory,"
                             "git-tree,floor-lmdb-same,floor-pickle")],
    "save-nosync": ["save", "--durability", "none", "--sizes", "10,100,1000,10000,100000"],
    "shapes": ["shapes"],
    "disk": ["disk"],
    "load": ["load", "--durability", "none", "--sizes", "10,100,1000,10000,100000"],
    "edit": ["edit", "--sizes", "1000,100000,1000000", "--durability", "none"],
    "memory": ["memory"],
    "instructions": ["instructions"],
    "diff": ["diff", "--sizes", "1000,100000,1000000", "--rounds", "10"],
    "find": ["find"],
    "refs": ["refs"],
    "gc": ["gc"],
    "bulk": ["bulk"],
    "pack": ["pack"],
    "pack-coding": ["pack", "--trace", "TRACES/coding_agent_runs.jsonl.zst"],
    "fsck": ["fsck"],
    "fsck-coding": ["fsck", "--trace", "TRACES/coding_agent_runs.jsonl.zst"],
    "blob": ["blob"],
    "writers": ["writers"],
    "start": ["start"],
    "graph": ["graph"],
    "graph-long": ["graph", "--kinds", "messages", "--steps", "3000", "--savers",
                   "InMemorySaver,CasckptSaver"],
}  # fmt: skip
"""File in bench/results/ -> the command that makes it (TRACES: the folder of the traces)."""

Results = dict[str, dict[str, Any]]
Measured = tuple[str, bool]


class Line(NamedTuple):
    """One promise."""

    what: str
    budget: str
    needs: str
    """Name of the result it is read from."""
    measure: Callable[[Any], Measured]
    """What the result says, and whether it is within the budget."""
    why: str = ""
    """Where it is missed: what stands in the way."""


def _save_at(results: Any, messages: int) -> dict[str, Any]:
    subjects: dict[str, Any] = next(
        result["subjects"] for result in results if result["messages"] == messages
    )
    return {name: subject["save"] for name, subject in subjects.items()}


def _short_save(results: Any) -> Measured:
    saves = _save_at(results, 10)
    ours, bare = saves["casckpt"], saves["floor-lmdb-same"]
    factor = ours["median_us"] / bare["median_us"]
    text = f"{human_us(ours['median_us'])} = {factor:.1f}x of {human_us(bare['median_us'])}"
    return text, factor <= 2


def _against_langgraph(results: Any) -> Measured:
    saves = _save_at(results, 10)
    if "langgraph-sqlite" not in saves:
        return "langgraph not installed", False
    factor = saves["casckpt"]["median_us"] / saves["langgraph-sqlite"]["median_us"]
    return f"{factor:.2f}x", factor <= 1 / 3


def _tail(results: Any) -> Measured:
    ours = _save_at(results, 10)["casckpt"]
    factor = ours["p99_us"] / ours["median_us"]
    return f"{human_us(ours['p99_us'])} = {factor:.1f}x", factor <= 10


def _long_save(results: Any) -> Measured:
    saves = _save_at(results, 10_000)
    floor = saves["floor-pickle"]["median_us"] + saves["floor-lmdb-same"]["median_us"]
    factor = saves["casckpt"]["median_us"] / floor
    return f"{human_us(saves['casckpt']['median_us'])} = {factor:.2f}x", factor <= 1.5


def _edit(results: Any) -> Measured:
    first, last = results[0]["calls"], results[-1]["calls"]
    if "casckpt append" not in first:
        return "there is no edit yet", False
    factor = last["casckpt append"]["median_us"] / first["casckpt append"]["median_us"]
    return f"{factor:.1f}x", factor <= 2


def _disk_hot(whole_max: int, floor_max: float) -> Callable[[Any], Measured]:
    def measure(results: Any) -> Measured:
        parts, good = [], True
        for result in results:
            size = result["subjects"]["casckpt"]["size"]["closed"]["apparent_bytes"]
            whole = result["whole_states_json_bytes"] / size
            floor = size / result["floor_bytes"]
            good = good and floor <= floor_max and whole >= whole_max
            name = result["workload"].split("_")[0]
            parts.append(f"{name} {human_bytes(size)}: {floor:.1f}x floor, 1/{whole:.0f}")
        return "; ".join(parts), good

    return measure


def _disk_packed(results: Any) -> Measured:
    parts, good = [], True
    for result in results:
        packed = result["subjects"]["casckpt"]["size"]["packed"]
        if packed is None:
            return "not recorded here: docs/decisions/0009 has 1.75x and 1.57x", False
        factor = packed["apparent_bytes"] / result["floor_bytes"]
        good = good and factor <= 2
        parts.append(f"{result['workload'].split('_')[0]} {factor:.1f}x")
    return "; ".join(parts), good


def _load(results: Any) -> Measured:
    factors = [
        result[key]["casckpt"]["median_us"] / result[key]["floor-pickle"]["median_us"]
        for key in ("first", "again")
        for result in results
    ]
    half = len(results)
    text = ", ".join(f"{factor:.1f}" for factor in factors[:half])
    again = ", ".join(f"{factor:.1f}" for factor in factors[half:])
    sizes = "/".join(f"{result['messages']}" for result in results)
    return f"just opened {text}x, again {again}x (N = {sizes})", max(factors) <= 2.5


def _path(results: Any) -> Measured:
    worst = max(result["paths"]["one path"]["median_us"] for result in results)
    return str(human_us(worst)), worst <= 200


def _refs(results: Any) -> Measured:
    factors = {
        name.removeprefix("casckpt "): max(
            r["calls"][name]["median_us"] / r["calls"]["bare commit of a row"]["median_us"]
            for r in results
        )
        for name in results[0]["calls"]
        if name.startswith("casckpt ")
    }
    text = ", ".join(f"{name} {factor:.1f}x" for name, factor in factors.items())
    return text, max(factors.values()) <= 2


def _diff(results: Any) -> Measured:
    name = "casckpt: list, one field changed"
    times = {r["entries"]: r["calls"][name]["median_us"] for r in results}
    text = ", ".join(f"{human_us(us)} (N = {n:,})" for n, us in times.items())
    at = min((n for n in times if n >= 100_000), default=max(times))
    return text, at >= 100_000 and times[at] <= 2000 and times[max(times)] <= 2 * times[at]


def _find(results: Any) -> Measured:
    ours = {
        name: call["median_us"]
        for name, call in results["calls"].items()
        if name.startswith(("find(label", "find(tag", "find(until", "checkpoint(", "log"))
    }
    worst = max(ours, key=lambda name: ours[name])
    # Without an index for it, and no promise; not to be passed over in silence.
    beside = ", ".join(
        f"by {what} {human_us(call['median_us'])}"
        for what in ("prefix", "meta")
        for name, call in results["calls"].items()
        if name.startswith(f"find({what}")
    )
    return f"slowest: {worst}, {human_us(ours[worst])}; {beside}", ours[worst] <= 1000


def _gc(results: Any) -> Measured:
    each = results["peak_bytes"] / results["objects"]
    rate = results["dry_run_objects_per_s"]
    return f"{rate:,.0f} objects/s, {each:.0f} B an object", rate >= 300_000 and each <= 64


def _flat(results: Any) -> Measured:
    first, last = results[0]["ask"]["calls"], results[-1]["ask"]["calls"]
    # meta has no index, and is no promise.
    times = {name: call["median_us"] for name, call in last.items() if "meta" not in name}
    factors = {name: us / first[name]["median_us"] for name, us in times.items()}
    slow, steep = max(times, key=times.__getitem__), max(factors, key=factors.__getitem__)
    text = (
        f"slowest: {slow}, {human_us(times[slow])}; steepest: {steep}, {factors[steep]:.1f}x"
        f" ({results[0]['checkpoints']:,} to {results[-1]['checkpoints']:,})"
    )
    good = times[slow] <= 1000 and factors[steep] <= 2 and results[-1]["checkpoints"] >= 1_000_000
    return text, good


def _bulk_gc(results: Any) -> Measured:
    last = results[-1]["dry_run"]
    rate = last["objects"] / last["seconds"]
    each = (last["peak_own_bytes"] or 0) / last["objects"]
    text = f"{rate:,.0f} objects/s, {each:.0f} B an object ({last['objects']:,} objects)"
    return text, rate >= 300_000 and each <= 64 and last["objects"] >= 1_000_000


def _auto(results: Any) -> Measured:
    worst = max(result["dry_run"]["auto"]["p99_us"] for result in results)
    return f"{human_us(worst)} (p99)", worst <= 1000


def _pack_step(results: Any) -> Measured:
    alone, beside = (1e6 * results[name]["longest_write_seconds"] for name in ("pack", "beside"))
    text = f"{human_us(alone)}; {human_us(beside)} with its own wait for a writer"
    return text, alone <= 50_000


def _blob(results: Any) -> Measured:
    parts, good = [], True
    for row in results["rows"]:
        if row["changed_bytes"] is None or row["changed_bytes"] < 1000:
            continue
        speed = row["bytes"] / row["save_s"] / 1e6
        factor = row["grown_bytes"] / row["changed_bytes"]
        good = good and speed >= 500 and factor <= 2
        parts.append(f"{row['what'].split(',')[0]} {speed:.0f} MB/s, {factor:.1f}x")
    return "; ".join(parts), good and bool(parts)


def _writers(results: Any) -> Measured:
    one, many = results["casckpt"].values()
    speeds = [r["saves"] / r["elapsed_s"] for r in (one, many)]
    text = f"{speeds[1] / speeds[0]:.2f}x, {len(many['errors'])} errors"
    return text, speeds[1] >= 0.8 * speeds[0] and not many["errors"]


def _start(results: Any) -> Measured:
    bare = results["python -c pass"]["median_us"]
    imported = results["import casckpt"]["median_us"] - bare
    log = results["casckpt log"]["median_us"]
    text = f"{human_us(imported)} beyond python / {human_us(log)} in all"
    return text, imported <= 80_000 and log <= 200_000


def _graph(results: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Steps of the longest run of messages; what was measured of casckpt and of SqliteSaver."""
    longest = max((r for r in results if r["kind"] == "messages"), key=lambda r: r["steps"])
    return longest["steps"], longest["rows"]["CasckptSaver"], longest["rows"]["SqliteSaver"]


def _graph_disk(results: Any) -> Measured:
    steps, ours, peer = _graph(results)
    text = f"{human_bytes(ours['bytes'])}, SqliteSaver {human_bytes(peer['bytes'])}"
    return text, steps >= 1_000 and ours["bytes"] <= 4_000_000


def _graph_put(results: Any) -> Measured:
    _, ours, peer = _graph(results)
    factor = ours["put"]["median_us"] / peer["put"]["median_us"]
    return f"{human_us(ours['put']['median_us'])} = {factor:.2f}x", factor <= 1 / 5


def _graph_get(results: Any) -> Measured:
    _, ours, peer = _graph(results)
    first = ours["first_load_us"] / peer["first_load_us"]
    again = ours["load"]["median_us"] / peer["load"]["median_us"]
    return f"just opened {first:.1f}x, again {again:.1f}x", first <= 1 and again <= 1


LINES = [
    Line("durable save, short state", "median <= 2x a bare commit of the same bytes", "save", _short_save,
         "LMDB waits twice; the rest is processor time with cold caches"),
    Line("the same, LangGraph", "<= 1/3 of SqliteSaver.put", "save", _against_langgraph,
         "SQLite waits once: as long as a bare LMDB commit"),
    Line("the same, tail", "p99 <= 10x median", "save", _tail),
    Line("full save, 10,000 messages, 1 appended", "<= 1.5x (pickle.dumps + one commit)", "save-nosync", _long_save),
    Line("edit-append at 1,000,000 messages", "<= 2x the same at 1,000", "edit", _edit),
    Line("disk, hot, chats", "<= 6x floor, <= 1/30 of states whole", "replay-nosync", _disk_hot(30, 6),
         "139 checkpoints: free pages, long texts unlike all before"),
    Line("disk, hot, long coding runs", "<= 6x floor, <= 1/150 of states whole", "replay-coding", _disk_hot(150, 6)),
    Line("disk, packed", "<= 2x floor", "replay-nosync", _disk_packed,
         "sweagent: 28 pages and the lock file are most of it"),
    Line("load latest", "<= 2.5x pickle.loads", "load", _load,
         "cbor2, zstd and BLAKE3 alone are 3.1x"),
    Line("one path of a large state", "<= 200 µs", "load", _path,
         "a cold chain of deltas"),
    Line("fork, rewind, tag", "<= 2x a bare commit", "refs", _refs,
         "ten cold records of a history of 10,000"),
    Line("diff, one change in 100,000", "<= 2 ms, flat to 1,000,000", "diff", _diff),
    Line("find by label, tag, step, time; log page of 20; 100,000 checkpoints", "<= 1 ms", "find", _find),
    Line("find; log page of 20; 1,000,000 checkpoints", "<= 1 ms, flat (<= 2x)", "bulk", _flat),
    Line("gc mark", ">= 300,000 objects/s, <= 64 B an object", "gc", _gc),
    Line("gc mark, 1,000,000 checkpoints", ">= 300,000 objects/s, <= 64 B an object", "bulk", _bulk_gc),
    Line("gc --auto with nothing to do", "<= 1 ms", "bulk", _auto),
    Line("slowest write of packing", "<= 50 ms", "pack", _pack_step),
    Line("256 MB, 1 % changed", ">= 500 MB/s, new bytes <= 2x the change", "blob", _blob),
    Line("8 writer processes", "no error, >= 0.8x one process", "writers", _writers),
    Line("LangGraph, 1,000 steps: the store", "<= 4 MB", "graph", _graph_disk),
    Line("the same, put", "<= 1/5 of SqliteSaver's", "graph", _graph_put,
         "all messages are looked at; the commit is waited for"),
    Line("the same, get_state", "<= SqliteSaver's", "graph", _graph_get,
         "each message is an object of its own; loaded again it is remembered"),
    Line("import / `casckpt log`", "<= 80 ms / <= 200 ms", "start", _start),
]  # fmt: skip


def judge(results: Results) -> list[tuple[Line, str, str]]:
    """Each line, what was measured, and "met", "missed" or "not measured"."""
    judged = []
    for line in LINES:
        if line.needs not in results:
            judged.append((line, "-", "not measured"))
            continue
        text, good = line.measure(results[line.needs]["results"])
        judged.append((line, text, "met" if good else "missed"))
    return judged


def render(results: Results) -> str:
    """The table, and where its figures are from."""
    rows = [[line.what, line.budget, text, verdict] for line, text, verdict in judge(results)]
    sources = [
        f"{name}.json: {content['date']}, commit {content['versions']['commit']}, load average"
        f" {content['machine']['load_average_at_end'][0]}"
        for name, content in results.items()
    ]
    return "\n".join([table(["what", "budget", "measured", ""], rows), "", *sources])


def read_results(folder: Path) -> Results:
    """The recorded results that are there."""
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in RUNS
        if (path := folder / f"{name}.json").exists()
    }


def commands(traces: Path) -> dict[str, list[str]]:
    """RUNS with the folder of the traces filled in; what needs a trace that is missing is left out."""
    filled = {
        name: [word.replace("TRACES", str(traces)) for word in words]
        for name, words in RUNS.items()
    }
    return {
        name: words
        for name, words in filled.items()
        if all(Path(word).exists() for word in words if word.endswith(".zst"))
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--run", action="store_true", help="measure anew (two hours or so)")
    parser.add_argument(
        "--write", action="store_true", help="put the tables into the pages as well"
    )
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"), metavar="DIR")
