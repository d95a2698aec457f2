"""import trace on a generated recording: every state of it, forks included, comes back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard

import casckpt
from casckpt import InvalidInputError
from casckpt.exchange.trace import moments
from tests.cli.harness import casckpt as run


def recording(seed: int) -> tuple[list[dict[str, Any]], dict[tuple[str, int], Any]]:
    """Events of three interleaved threads and a fork, and the states they stand for."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    states: dict[tuple[str, int], Any] = {}
    steps = dict.fromkeys(["a", "b/c", "d"], 0)
    state: dict[str, Any] = {name: {} for name in steps}

    def emit(thread: str, **operations: Any) -> None:
        label = chance.choice([None, "user", "tool:x"])
        found.append({"thread": thread, "step": steps[thread], "label": label, **operations})
        states[thread, steps[thread]] = json.loads(json.dumps(state[thread]))
        steps[thread] += 1

    for n in range(60):
        thread = chance.choice(["a", "b/c", "d"])
        now = state[thread]
        match chance.randrange(4):
            case 0:
                now = {"messages": [n], "deep": {"x": [n]}}
                operations: dict[str, Any] = {"state": json.loads(json.dumps(now))}
            case 1 if "deep" in now:
                now["deep"]["x"] = [n, *now["deep"]["x"]]
                operations = {"patch": [[["deep", "x"], list(now["deep"]["x"])]]}
            case 2 if now.get("messages"):
                del now["messages"][0]
                now["n"] = n
                operations = {"patch": [[["messages", 0]]], "set": {"n": n}}
            case _:
                now["messages"] = [*now.get("messages", []), {"text": f"ä{n}"}, n]
                operations = {"append": {"messages": [{"text": f"ä{n}"}, n]}}
        state[thread] = now
        emit(thread, **operations, **({"keep": True} if thread == "a" else {}))
    at = steps["a"] // 2
    steps["e"], state["e"] = 0, json.loads(json.dumps(states["a", at]))
    state["e"]["forked"] = True
    emit("e", fork={"thread": "a", "step": at}, set={"forked": True})
    return found, states


@pytest.mark.parametrize("compressed", [True, False])
def test_every_state_comes_back(folder: Path, compressed: bool) -> None:
    found, states = recording(7)
    data = "".join(f"{json.dumps(event)}\n" for event in found).encode()
    (folder / "run").write_bytes(zstandard.compress(data) if compressed else data)
    done = run(["-s", "s", "import", "trace", "run", "--json"])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert (report["threads"], report["checkpoints"], report["forks"]) == (4, 61, 1)
    with casckpt.open("s", create=False) as store:
        for (name, step), state in states.items():
            begin = store.thread(name).head.step - max(s for t, s in states if t == name)
            checkpoint = store.thread(name).checkpoint(f"@{begin + step}")
            assert checkpoint.load() == state
            assert list(checkpoint.load()) == list(state)
        fork = next(info for info in store.threads() if info.name == "e")
        assert fork.forked_from == "a"
        assert store.checkpoint(fork.forked_at).load() == states["a", fork.head.step - 1]
        labels = [c.label for c in store.thread("b/c").log()]
        assert labels == [e["label"] for e in reversed(found) if e["thread"] == "b/c"]
        assert list(store.fsck()) == []


BAD = [
    {"thread": "t", "step": 0, "patch": [[["x", 0], 1]]},
    {"thread": "t", "step": 0, "unset": ["x"]},
    {"thread": "t", "step": 0, "fork": {"thread": "u", "step": 3}},
    {"thread": "t", "step": 0, "fork": 3},
    {"thread": "t", "step": 0, "append": {"x": 1}},
    {"thread": "t", "step": 0, "set": [1]},
    {"thread": "t", "step": 0, "state": [1], "set": {"x": 1}},
    {"thread": "t", "step": 0, "patch": [[[], 1]]},
    {"thread": "t", "step": 0, "meta": 5},
]


@pytest.mark.parametrize("event", BAD, ids=lambda event: str(event)[25:])
def test_a_recording_that_contradicts_itself(folder: Path, event: dict[str, Any]) -> None:
    (folder / "run").write_text(json.dumps(event))
    with pytest.raises(InvalidInputError, match="event 1"):
        list(moments(folder / "run"))
    done = run(["-s", "s", "import", "trace", "run"])
    assert done.exit_code == 2, done.output


LINE = b'{"thread": "t", "step": 0, "state": {}}\n'
NO_RECORDING = {
    "a broken frame": b"\x28\xb5\x2f\xfd broken",
    "a frame that is cut off": zstandard.compress(LINE * 2)[:-3],
    "a second frame that is cut off": zstandard.compress(LINE) + zstandard.compress(LINE)[:-3],
    "not UTF-8": b"\xff\xfe\n",
    "nothing": b"",
    "empty lines": b"\n\n",
}


@pytest.mark.parametrize("data", NO_RECORDING.values(), ids=NO_RECORDING)
def test_bytes_that_are_no_recording(folder: Path, data: bytes) -> None:
    (folder / "run").write_bytes(data)
    done = run(["-s", "s", "import", "trace", "run"])
    assert done.exit_code == 2, done.output
    assert not (folder / "s").exists()


def test_frames_one_after_another(folder: Path) -> None:
    lines = [json.dumps({"thread": "t", "step": n, "set": {"n": n}}) for n in range(5)]
    frames = [zstandard.compress(f"{line}\n".encode()) for line in lines]
    (folder / "run").write_bytes(b"".join(frames))
    assert [moment.state for moment in moments(folder / "run")] == [{"n": n} for n in range(5)]


def test_states_are_not_changed_afterwards(folder: Path) -> None:
    """A consumer may keep them: the next step builds on copies."""
    found, states = recording(3)
    (folder / "run").write_text("\n".join(map(json.dumps, found)))
    kept = [(moment.thread, moment.step, moment.state) for moment in moments(folder / "run")]
    assert {(t, s): state for t, s, state in kept} == states
