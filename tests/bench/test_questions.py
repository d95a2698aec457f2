"""Each question runs in miniature, verifies what it measured, and prints its table."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench.children import measured
from bench.measure import interleaved
from bench.questions import instructions
from bench.questions.common import numbers, scratch, us_cell
from bench.questions.disk import marks
from bench.questions.save import grown, saves_for

STORES = "casckpt,json-files,pickle-sqlite"


def test_every_question_is_there() -> None:
    for name, (module, text) in command.QUESTIONS.items():
        question = importlib.import_module(module)
        assert question.__doc__, name
        assert text.endswith("?")
        for function in ("add_arguments", "run", "render", "all_verified"):
            assert callable(getattr(question, function))


def test_without_a_question_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    assert command.main(["nosuch"]) == 2
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in command.QUESTIONS)


@pytest.mark.parametrize(
    ("question", "options", "rows"),
    [
        ("replay", ["--synthetic", "2x4", "--only", STORES], ["casckpt", "json-files"]),
        ("save", ["--sizes", "2,5", "--saves", "3", "--only", STORES + ",floor-pickle,floor-lmdb-same"],
         ["casckpt", "pickle-sqlite", "floor-lmdb-same"]),
        ("disk", ["--messages", "12", "--only", STORES], ["10", "12"]),
        ("load", ["--sizes", "4", "--rounds", "2", "--only", STORES + ",floor-pickle"],
         ["casckpt", "one path"]),
        ("edit", ["--sizes", "20", "--rounds", "3"], ["SQLite row", "floor-lmdb"]),
        ("diff", ["--sizes", "20", "--rounds", "2"], ["casckpt: list, one inserted"]),
        ("find", ["--count", "1200", "--threads", "7", "--rounds", "2"], ["log page of 20"]),
        ("refs", ["--sizes", "5", "--rounds", "3"], ["casckpt fork", "casckpt undo"]),
        ("gc", ["--threads", "4", "--messages", "3"], ["dry run"]),
        ("bulk", ["--counts", "300,600", "--threads", "7", "--rounds", "2", "--skip", "fsck,stats"],
         ["log page of 20", "fill", "pack", "collect"]),
        ("pack", ["--threads", "4", "--messages", "4", "--alone", "0.05"], ["slowest step, alone", "beside"]),
        ("fsck", ["--threads", "3", "--messages", "3"], ["books, hot", "structure, packed"]),
        ("shapes", ["--keys", "20", "--depth", "5", "--steps", "5", "--only", STORES],
         ["casckpt", "casckpt, edit"]),
        ("memory", ["--sizes", "20", "--only", "casckpt"], ["casckpt edit", "pickle load"]),
        ("blob", ["--megabytes", "1"], ["bytes, one byte inserted", "float32 array, 1 % changed",
         "str, a log, a line inserted", "stream out"]),
        ("aio", ["--tasks", "1,3", "--saves", "2"], ["casckpt.aio, together"]),
        ("overhead", ["--saves", "70"], ["plain", "retention, last 20", "a listener", "autosave, unchanged", "key="]),
        ("writers", ["--processes", "2", "--saves", "6", "--only", "casckpt"], ["casckpt"]),
    ],
)  # fmt: skip
def test_a_question_in_miniature(
    question: str,
    options: list[str],
    rows: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.json"
    quick = ["--durability", "none", "--folder", str(tmp_path), "--json", str(out)]
    assert command.main([question, *options, *quick]) == 0
    printed = capsys.readouterr().out
    assert "VOID" not in printed
    assert [row for row in rows if f"| {row} " not in printed] == []
    content: dict[str, Any] = json.loads(out.read_text())
    assert content["question"] == question
    assert content["settings"]["seed"] == 1
    assert [path for path in tmp_path.iterdir() if path != out] == [], "stores are removed"


def test_graphs_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("langgraph.checkpoint.sqlite", reason="LangGraph's own savers")
    out = tmp_path / "out.json"
    small = ["--steps", "3", "--turns", "2", "--many", "1", "--folder", str(tmp_path)]
    assert command.main(["graph", *small, "--durability", "none", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "VOID" not in printed
    content = json.loads(out.read_text())
    assert [result["kind"] for result in content["results"]] == [
        *("messages", "delta", "agent", "many"),
    ]
    for result in content["results"]:
        assert list(result["rows"]) == ["InMemorySaver", "SqliteSaver", "CasckptSaver"]
        assert len({row["put"]["n"] for row in result["rows"].values()}) == 1


def test_a_graph_that_ends_otherwise_is_void(tmp_path: Path) -> None:
    pytest.importorskip("langgraph.checkpoint.sqlite", reason="LangGraph's own savers")
    from bench import graphs
    from bench.questions import graph

    kind = graphs.KINDS["messages"]
    runs = 0

    def forgetful(saver: Any, steps: int, seed: int) -> Any:
        nonlocal runs
        runs += 1
        return kind.build(saver, steps - (runs > 2), seed)

    options = ["--kinds", "messages", "--steps", "3", "--savers", "InMemorySaver,CasckptSaver"]
    parser = argparse.ArgumentParser()
    graph.add_arguments(parser)
    arguments = parser.parse_args([*options, "--folder", str(tmp_path), "--durability", "none"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(graphs.KINDS, "messages", kind._replace(build=forgetful))
        content = graph.run(arguments)
    assert not graph.all_verified(content)
    assert "VOID: CasckptSaver" in graph.render(content)


def test_instructions_are_of_saves_that_were_made(tmp_path: Path) -> None:
    """Without valgrind, which takes long: what the process does, and how its count is read."""
    for name in ("casckpt", "floor-lmdb", instructions.NOTHING):
        instructions.save(name, str(tmp_path / name), 5, 3, 1)
    found = instructions.COUNTED.search("==7== I   refs:      445,399,858\n")
    assert found
    assert found[1] == "445,399,858"
    found = instructions.PERF.search("     1,234,567      instructions:u   # 1.2 insn\n")
    assert found
    assert found[1] == "1,234,567"


def test_a_child_tells_its_memory() -> None:
    found = measured("tests.bench.test_questions:takes_memory", 30_000_000)
    assert found["size"] == 30_000_000
    if found["peak_own_bytes"] is not None:
        assert 25_000_000 < found["peak_own_bytes"] < 60_000_000
        assert found["peak_rss_bytes"] > 25_000_000
    with pytest.raises(RuntimeError, match="no_such"):
        measured("tests.bench.test_questions:no_such")


def takes_memory(size: int) -> dict[str, int]:
    """For the test above."""
    kept = bytearray(b"x") * size
    time.sleep(0.05)
    return {"size": len(kept)}


def test_every_call_is_made_in_every_round() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    samples = interleaved({"a": seen["a"].append, "b": seen["b"].append}, 5)
    assert seen == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4]}
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 5, "b": 5}


def test_small_things(tmp_path: Path) -> None:
    assert marks(150) == [10, 20, 50, 100, 150]
    assert marks(7) == [7]
    assert numbers("10,1_000") == [10, 1000]
    assert (saves_for(10), saves_for(10_000_000)) == (200, 8)
    assert us_cell({"median_us": 30.0}, {"median_us": 10.0}) == "30 µs (3x)"
    assert us_cell({}) is None
    for size in (10, 30, 1000):
        steps = list(grown(size, 20, seed=1).steps())
        assert sum(step.step >= 2 for step in steps) >= 20
        assert max(len(step.state["messages"]) for step in steps) <= max(size + 3, size * 5 // 4)
    with scratch(str(tmp_path)) as folder:
        assert folder.parent == tmp_path
    assert not folder.exists()
