"""Draw the charts of the documentation from recorded results (needs matplotlib).

    python -m bench disk --record; python -m bench save --durability none --record save-nosync
    python -m bench.charts

reads bench/results/disk.json and save-nosync.json and writes docs/charts/disk.svg and save.svg.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

__all__ = ["draw"]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
CHARTS = ROOT / "docs" / "charts"


def draw(results: Path, charts: Path) -> list[Path]:
    """Both charts; their files."""
    mpl.rcParams["svg.hashsalt"] = "casckpt"  # the same file from the same figures
    charts.mkdir(parents=True, exist_ok=True)
    return [
        _disk(_read(results / "disk.json"), charts / "disk.svg"),
        _save(_read(results / "save-nosync.json"), charts / "save.svg"),
    ]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _disk(content: dict[str, Any], path: Path) -> Path:
    curve = content["results"]["curve"]
    steps = [point["checkpoints"] for point in curve]
    lines = {
        name: [point["subjects"][name]["apparent_bytes"] for point in curve]
        for name in curve[0]["subjects"]
        if curve[0]["subjects"][name]
    }
    lines["floor (zstd -19 of the events + 100 B)"] = [point["floor_bytes"] for point in curve]
    return _plot(steps, lines, path, ("checkpoints saved", "bytes on disk, all files"), content)


def _save(content: dict[str, Any], path: Path) -> Path:
    results = content["results"]
    sizes = [result["messages"] for result in results]
    lines = {
        name: [result["subjects"][name]["save"]["median_us"] for result in results]
        for name in results[0]["subjects"]
    }
    return _plot(sizes, lines, path, ("messages in the state", "median save, µs"), content)


def _plot(
    x: list[int], lines: dict[str, list[float]], path: Path, axis: tuple[str, str], content: Any
) -> Path:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, values in lines.items():
        ours, floor = name == "casckpt", name.startswith("floor")
        axes.plot(
            x, values, label=name, marker="o", markersize=3,
            linewidth=2.5 if ours else 1.2, linestyle=":" if floor else "-",
            color="black" if ours else None,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel=axis[0], ylabel=axis[1])
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=7, ncols=2)
    axes.set_title(
        f"{content['machine']['cpu']}, {content['versions']['python']}, durability"
        f" {content['settings']['durability']}, commit {content['versions']['commit']}",
        fontsize=7,
    )
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


if __name__ == "__main__":
    for written in draw(RESULTS, CHARTS):
        sys.stderr.write(f"wrote {written}\n")
