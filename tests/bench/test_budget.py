"""The budget table says what the results say, and nothing where there is no result."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import page
from bench.budget import LINES, RUNS, commands, judge, read_results, render
from bench.report import document


def verdicts(name: str, results: Any) -> dict[str, str]:
    """The lines that read `name`, judged."""
    content = document("test", {}, results)
    return {line.what: verdict for line, _, verdict in judge({name: content}) if line.needs == name}


def gc(rate: float, peak: int) -> dict[str, Any]:
    return {"dry_run_objects_per_s": rate, "peak_bytes": peak, "objects": 1000}


@pytest.mark.parametrize(
    ("rate", "peak", "verdict"),
    [(300_000, 64_000, "met"), (299_999, 64_000, "missed"), (300_000, 64_001, "missed")],
)
def test_a_line_is_met_up_to_its_bound(rate: float, peak: int, verdict: str) -> None:
    assert verdicts("gc", gc(rate, peak)) == {"gc mark": verdict}


def save(casckpt: float, tail: float = 1.0, messages: int = 10) -> dict[str, Any]:
    medians = {
        "casckpt": casckpt, "floor-lmdb-same": 100.0, "floor-pickle": 100.0,
        "langgraph-sqlite": 450.0,
    }  # fmt: skip
    subjects = {
        name: {"save": {"median_us": value, "p99_us": value * tail}}
        for name, value in medians.items()
    }
    return {"messages": messages, "subjects": subjects}


def test_the_lines_of_saving() -> None:
    assert set(verdicts("save", [save(150.0, 10.0)]).values()) == {"met"}
    assert set(verdicts("save", [save(201.0, 10.1)]).values()) == {"missed"}
    assert set(verdicts("save-nosync", [save(300.0, messages=10_000)]).values()) == {"met"}
    assert set(verdicts("save-nosync", [save(301.0, messages=10_000)]).values()) == {"missed"}


def bulk(us: float, seconds: float = 3.0, own: int = 64_000_000, auto: float = 9.0) -> list[Any]:
    dry = {
        "objects": 1_000_000,
        "seconds": seconds,
        "peak_own_bytes": own,
        "auto": {"p99_us": auto},
    }
    return [
        {"checkpoints": count, "dry_run": dry, "ask": {"calls": {
            "log": {"median_us": median}, "find(meta)": {"median_us": 9e9}}}}
        for count, median in ((100_000, 400.0), (1_000_000, us))
    ]  # fmt: skip


def test_the_lines_of_a_million() -> None:
    find, mark, auto = "find; log page of 20; 1,000,000 checkpoints", "gc mark, 1,000,000 checkpoints", "gc --auto with nothing to do"  # fmt: skip
    assert verdicts("bulk", bulk(800.0)) == dict.fromkeys((find, mark, auto), "met")
    assert verdicts("bulk", bulk(801.0))[find] == "missed"
    assert verdicts("bulk", bulk(1.0)[:1])[find] == "missed", "that is no million"
    assert verdicts("bulk", bulk(1.0, seconds=3.4))[mark] == "missed"
    assert verdicts("bulk", bulk(1.0, own=65_000_000))[mark] == "missed"
    assert verdicts("bulk", bulk(1.0, auto=1001.0))[auto] == "missed"
    for seconds, verdict in ((0.05, "met"), (0.051, "missed")):
        step = {"longest_write_seconds": seconds}
        assert set(verdicts("pack", {"pack": step, "beside": step}).values()) == {verdict}


def test_without_results_nothing_is_claimed(tmp_path: Path) -> None:
    assert read_results(tmp_path) == {}
    assert {verdict for _, _, verdict in judge({})} == {"not measured"}
    assert render({}).count("not measured") == len(LINES)


def test_every_line_is_read_from_something_that_is_run(tmp_path: Path) -> None:
    assert {line.needs for line in LINES} <= RUNS.keys()
    assert {words[0] for words in RUNS.values()} <= command.QUESTIONS.keys()
    without = commands(tmp_path)
    assert "save" in without
    assert "replay" not in without, "its traces are not there"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["budget"]) == 0
    assert "| durable save, short state " in capsys.readouterr().out


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.parent.name)
def test_the_pages_say_what_the_results_say(path: Path) -> None:
    """Their tables are made by `python -m bench budget --write`."""
    text = path.read_text(encoding="utf-8")
    assert page.filled(text, read_results(command.RESULTS)) == text
    assert text.count("<!-- table ") == text.count("<!-- end -->") > 0


def test_a_table_follows_its_result() -> None:
    text = "before\n<!-- table budget -->\nold\n<!-- end -->\nafter"
    content = {"gc": document("test", {}, gc(300_000, 64_000))}
    filled = page.filled(text, content)
    assert filled.startswith("before\n<!-- table budget -->\n")
    assert "old" not in filled
    assert re.search(r"300,000 objects/s, 64 B an object \| +met \|", filled)
    assert filled.endswith("<!-- end -->\nafter")
