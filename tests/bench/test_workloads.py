"""Synthetic states are determined by their seed; traces are replayed as their format says."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bench.traces import advance, fresh, replay
from bench.workloads import (
    Workload,
    big_dict,
    chat_messages,
    chat_state,
    deep_nesting,
    synthetic_chat,
    trace,
)

ROOT = Path(__file__).resolve().parents[2]


def workloads(seed: int) -> list[Workload]:
    return [
        synthetic_chat(threads=3, messages=6, seed=seed),
        big_dict(keys=30, steps=5, seed=seed),
        deep_nesting(depth=7, steps=5, seed=seed),
    ]


def dumped(workload: Workload) -> str:
    return json.dumps(list(workload.steps()))


def test_same_seed_same_states_another_seed_others() -> None:
    for one, again, other in zip(workloads(5), workloads(5), workloads(6), strict=True):
        assert dumped(one) == dumped(again)
        assert dumped(one) != dumped(other)


def test_nothing_depends_on_the_process() -> None:
    code = (
        "from bench.workloads import chat_state; import json, zlib;"
        "print(zlib.crc32(json.dumps(chat_state(40, 3)).encode()))"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(sums) == 1


def test_a_longer_chat_begins_as_a_shorter_one() -> None:
    assert chat_state(50, 4)["messages"][:20] == chat_state(20, 4)["messages"]


def test_the_chat_is_like_a_real_one() -> None:
    """About 1 KB a message, ids unique, words repeated; real chats compress 2.5 to 4 times."""
    messages = list(itertools.islice(chat_messages(1), 400))
    data = json.dumps(messages, separators=(",", ":")).encode()
    assert 800 < len(data) / 400 < 1200
    assert 2.5 < len(data) / len(zstandard.compress(data, 3)) < 4.5
    assert len({message["id"] for message in messages}) == 400
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    answers = {m["tool_call_id"] for m in messages if m["role"] == "tool"}
    assert {call["id"] for call in calls} == answers


def test_threads_are_interleaved_and_numbered() -> None:
    steps = [(s.thread, s.step) for s in synthetic_chat(threads=2, messages=2).steps()]
    assert steps == [
        ("support/000", 0), ("support/001", 0), ("support/000", 1), ("support/001", 1),
    ]  # fmt: skip


def test_big_dict_changes_few_keys() -> None:
    states = [step.state["users"] for step in big_dict(keys=50, steps=4).steps()]
    for before, after in itertools.pairwise(states):
        assert list(before) == list(after)
        assert 1 <= sum(before[k] != after[k] for k in before) <= 5


def test_operations_of_a_trace() -> None:
    def after(before: Any, **event: Any) -> Any:
        kept = json.dumps(before)
        result = advance(before, event)
        assert json.dumps(before) == kept, "the state before is left alone"
        return result

    assert after({"a": 1}, set={"b": 2}) == {"a": 1, "b": 2}
    assert after({"a": 1}, unset=["a"]) == {}
    assert after({"a": 1}, state={"z": 1}, set={"y": 2}) == {"z": 1, "y": 2}
    assert after({}, append={"m": [1, 2]}) == {"m": [1, 2]}
    assert after({"m": [1]}, append={"m": [2]}) == {"m": [1, 2]}
    assert after({"m": [1, {"k": 2}]}, patch=[[["m", 1, "k"], 3]]) == {"m": [1, {"k": 3}]}
    assert after({"m": [1, 2]}, patch=[[["m", 2], 3], [["m", 0]]]) == {"m": [2, 3]}
    assert after({"a": {"b": 1}}, patch=[[["a", "b"]]]) == {"a": {}}


def test_forks_start_from_a_kept_state() -> None:
    events = [
        {"thread": "a", "step": 0, "label": None, "set": {"x": 1}, "keep": True},
        {"thread": "a", "step": 1, "label": None, "set": {"x": 2}},
        {"thread": "b", "step": 0, "label": "f", "fork": {"thread": "a", "step": 0},
         "set": {"y": 1}},
    ]  # fmt: skip
    assert [step.state for step in replay(events)] == [{"x": 1}, {"x": 2}, {"x": 1, "y": 1}]


def test_a_trace_file_is_read_and_limited(tmp_path: Path) -> None:
    lines = [{"thread": "t", "step": n, "label": None, "append": {"m": [n]}} for n in range(9)]
    path = tmp_path / "short.jsonl.zst"
    path.write_bytes(zstandard.compress("".join(json.dumps(e) + "\n" for e in lines).encode()))
    whole, some = trace(path), trace(path, limit=4)
    assert (whole.name, whole.seed) == ("short", None)
    assert [step.state["m"][-1] for step in whole.steps()] == list(range(9))
    assert len(list(some.steps())) == 4
    assert whole.floor_bytes() == (path.stat().st_size + 900, 9)
    size, count = some.floor_bytes()
    assert count == 4
    assert 400 < size < 400 + 300


@pytest.mark.parametrize("plain", [True, False])
def test_fresh_states_share_nothing(plain: bool) -> None:
    state = {"m": [{"k": [1]}]}
    copy = fresh(state, plain=plain)
    assert copy == state
    assert copy["m"][0]["k"] is not state["m"][0]["k"]
