"""The tables of measurements in the pages, from the recorded results.

    python -m bench budget --write     # puts them between their marks

Each stands between `<!-- table NAME -->` and `<!-- end -->`. Invariants: no figure of a table is
written by hand; one whose result is not recorded says so.

Imports: bench.budget, bench.report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.budget import Results, judge
from bench.report import human_bytes, human_us, table

__all__ = ["PAGES", "filled"]

_ROOT: Final = Path(__file__).parents[1]
PAGES: Final = tuple(_ROOT / name for name in ("README.md", "bench/README.md", "docs/langgraph.md"))
_MARKED: Final = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMES: Final = {
    "casckpt": "casckpt",
    "json-files": "JSON file a step",
    "pickle-sqlite": "pickle in SQLite",
    "langgraph-sqlite": "LangGraph SqliteSaver",
    "langgraph-memory": "LangGraph InMemorySaver",
    "git-file": "git, one file",
    "git-tree": "git, a file a message",
    "floor-lmdb-same": "floor: bare commit of the same bytes",
    "floor-pickle": "floor: pickle.dumps, loads",
}


def filled(text: str, results: Results) -> str:
    """The page with its tables made anew."""

    def made(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}\n{_TABLES[name](results)}\n\n{end}"

    return _MARKED.sub(made, text)


def _budget(results: Results) -> str:
    rows = [
        [
            line.what,
            line.budget,
            text,
            verdict + (f": {line.why}" if verdict == "missed" and line.why else ""),
        ]
        for line, text, verdict in judge(results)
    ]
    return table(["what", "budget", "measured", ""], rows)


def _chat(results: Results) -> str:
    result = _of(results, "replay-nosync")[0]
    rows = []
    for name, subject in _named(result["subjects"]):
        size = subject["size"] and subject["size"]["closed"]
        keys = ("save", "load_latest", "load_latest_again", "load_old")
        times = [human_us(subject[key]["median_us"]) if subject[key] else "-" for key in keys]
        disk = ["-", "-"]
        if size:
            factor = size["apparent_bytes"] / result["floor_bytes"]
            disk = [human_bytes(size["apparent_bytes"]), f"{factor:.1f}"]
        rows.append([name, *times, *disk])
    head = ["subject", "save median", "load, just opened", "load again", "old state", "on disk"]
    return table([*head, "times floor"], rows)


def _home(results: Results) -> str:
    rows = []
    for name, subject in _named(_of(results, "replay")[0]["subjects"]):
        size = subject["size"] and subject["size"]["closed"]
        if not size or subject["floor"]:
            continue
        save = subject["save"]
        rows.append([
            name, human_bytes(size["apparent_bytes"]),
            f"{human_us(save['median_us'])} / {human_us(save['p99_us'])}",
            *(human_us(subject[key]["median_us"]) for key in ("load_latest", "load_latest_again")),
        ])  # fmt: skip
    head = ["", "on disk", "save, median / p99", "load, store just opened", "load again"]
    return table(head, rows)


def _steps(results: Results) -> str:
    rows = []
    for name in ("CasckptSaver", "SqliteSaver"):
        for result in (*_of(results, "graph"), *_of(results, "graph-long")):
            if result["kind"] != "messages" or name not in result["rows"]:
                continue
            row = result["rows"][name]
            times = [row["put"]["median_us"], row["put"]["p99_us"], row["first_load_us"],
                     row["load"]["median_us"]]  # fmt: skip
            size = human_bytes(row["bytes"])
            rows.append([f"`{name}`", f"{result['steps']:,}", size, *map(human_us, times)])
    head = ["", "steps", "on disk", "put, median", "put, p99", "whole state, first", "again"]
    return table(head, rows)


def _long(results: Results) -> str:
    curve = {at["checkpoints"]: at for at in _of(results, "disk")["curve"]}
    names = [name for name in _NAMES if name in next(iter(curve.values()))["subjects"]]
    rows = []
    for count in (10, 100, 1_000):
        floor = curve[count]["floor_bytes"]
        sizes = [curve[count]["subjects"][name]["apparent_bytes"] for name in names]
        cells = [f"{human_bytes(size)} ({_times(size / floor)})" for size in sizes]
        rows.append([f"{count:,}", human_bytes(floor), *cells])
    packed = _of(results, "disk")["packed"]
    cells = [f"{human_bytes(s['apparent_bytes'])} ({_times(s['apparent_bytes'] / floor)})" if s else "-"
             for s in map(packed.get, names)]  # fmt: skip
    rows.append([f"{count:,}, packed", human_bytes(floor), *cells])
    return table(["checkpoints", "floor", *(_NAMES[name] for name in names)], rows)


def _saves(key: str) -> Callable[[Results], str]:
    def of(results: Results) -> str:
        sizes = _of(results, key)
        names = [name for name in _NAMES if name in sizes[0]["subjects"]]
        rows = []
        for name in names:
            cells = []
            for result in sizes:
                medians = {n: s["save"]["median_us"] for n, s in result["subjects"].items()}
                floor = medians["floor-pickle"] + medians["floor-lmdb-same"]
                cells.append(f"{human_us(medians[name])} ({medians[name] / floor:.2g})")
            rows.append([_NAMES[name], *cells])
        return table(["subject", *(f"N = {result['messages']:,}" for result in sizes)], rows)

    return of


def _graph(results: Results) -> str:
    rows = []
    for result in _of(results, "graph"):
        for name, row in result["rows"].items():
            size = "-" if row["bytes"] is None else human_bytes(row["bytes"])
            times = [row["put"]["median_us"], row["put"]["p99_us"], row["first_load_us"],
                     row["load"]["median_us"]]  # fmt: skip
            what = f"{result['kind']}, {result['steps']:,} steps"
            rows.append([what, name, f"{row['total_s']:.2f} s", *map(human_us, times), size])
    head = ["graph", "saver", "total", "put", "p99", "get_state, just opened", "again", "on disk"]
    return table(head, rows)


_TABLES: Final[dict[str, Callable[[Results], str]]] = {
    "budget": _budget,
    "chat": _chat,
    "long": _long,
    "saves": _saves("save-nosync"),
    "durable": _saves("save"),
    "graph": _graph,
    "steps": _steps,
    "home": _home,
}


def _times(factor: float) -> str:
    return f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"


def _of(results: Results, name: str) -> Any:
    return results[name]["results"]


def _named(subjects: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(title, subjects[name]) for name, title in _NAMES.items() if name in subjects]
