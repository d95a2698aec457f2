"""How results are written: a JSON document that says how it was made, and tables for people.

Imports: the standard library, bench.measure.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["document", "human_bytes", "human_us", "ratio", "table", "write_json"]

ROOT = Path(__file__).resolve().parent.parent
ALWAYS = ("casckpt", "lmdb", "blake3", "cbor2", "zstandard", "numpy")


def document(
    question: str, settings: dict[str, Any], results: Any, packages: Iterable[str] = ()
) -> dict[str, Any]:
    """Results with what is needed to repeat them and to doubt them."""
    return {
        "question": question,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": _versions({*ALWAYS, *packages}),
        "settings": settings,
        "results": results,
    }


def _machine() -> dict[str, Any]:
    load = os.getloadavg()
    return {
        "cpu": _first_field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": _first_field("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "load_average_at_end": [round(value, 2) for value in load],
    }


def _first_field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def _versions(packages: set[str]) -> dict[str, str]:
    versions = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "commit": _commit(),
    }
    for package in sorted(packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str:
    """The checkout's commit, "+" if files of the package differ from it."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "casckpt")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write results, readable in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stderr.write(f"wrote {path}\n")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, aligned so that it also reads well in a terminal."""
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    widths = [
        max([len(name), *(len(row[column]) for row in cells)]) for column, name in enumerate(header)
    ]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(
        "-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"
        for column, width in enumerate(widths)
    ) + "|"  # fmt: skip
    return "\n".join([line(header), rule, *(line(row) for row in cells)])


def human_us(value: float | None) -> str | None:
    """Microseconds with a unit and three digits."""
    if value is None:
        return None
    if value < 1000:
        return f"{value:.3g} µs" if value < 100 else f"{value:.0f} µs"
    if value < 1e6:
        return f"{value / 1e3:.3g} ms" if value < 1e5 else f"{value / 1e3:.0f} ms"
    return f"{value / 1e6:.3g} s"


def human_bytes(value: float | None) -> str | None:
    """Decimal bytes (1 MB = 1,000,000 B) with a unit and three digits."""
    if value is None:
        return None
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"
    return f"{value:.0f} B"


def ratio(value: float | None, base: float | None) -> str | None:
    """How often `base` goes into `value`, as "2.3x"."""
    if value is None or not base:
        return None
    quotient = value / base
    return f"{quotient:.0f}x" if quotient >= 100 else f"{quotient:.2g}x"
