"""Changes of a thread's state: on the newest one, all or nothing, nothing left by a loser."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import casckpt
from casckpt.integrations.appending import UnchangedError, as_json, as_label, change
from tests.docs.blocks import ROOT

WRITER = """
import sys
import casckpt
from casckpt.integrations.appending import change

path, me = sys.argv[1:]
with casckpt.open(path) as store:
    for n in range(20):
        how = lambda draft: draft.setdefault("items", []).append([me, n])
        change(store, store.thread("run"), how, label="added")
"""


@pytest.fixture
def store() -> Any:
    with casckpt.open("memory:") as opened:
        yield opened


def test_a_change_that_loses_is_made_anew_and_leaves_nothing(store: Any) -> None:
    run = store.thread("run")
    run.save({"items": ["first"]})
    seen = []

    def how(draft: Any) -> int:
        seen.append(draft["items"].load())
        if len(seen) == 1:
            # Another process: a handle that is not in this OS thread's batch.
            _elsewhere(lambda: run.save({"items": ["first", "theirs"]}))
        draft["items"].append("mine")
        return len(seen)

    assert change(store, run, how, label=None) == 2
    assert seen == [["first"], ["first", "theirs"]]
    assert run.load() == {"items": ["first", "theirs", "mine"]}
    assert len(list(store.find())) == 3


def test_processes_at_once_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    casckpt.open(path).close()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, me], env={"PYTHONPATH": str(ROOT)})
        for me in "abc"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with casckpt.open(path) as store:
        items = store.thread("run").load()["items"]
        for me in "abc":
            assert [n for who, n in items if who == me] == list(range(20))
        assert len(items) == len(list(store.find())) == 60
        assert list(store.fsck()) == []


def test_nothing_to_save(store: Any) -> None:
    def how(draft: Any) -> None:
        draft["x"] = 1
        raise UnchangedError

    assert change(store, store.thread("run"), how, label="a") is None
    assert not store.thread("run").exists


def test_a_state_that_is_no_dict_is_refused(store: Any) -> None:
    store.thread("run").save(["a list"])
    with pytest.raises(casckpt.InvalidInputError, match="run is not one of this kind"):
        change(store, store.thread("run"), lambda draft: draft.clear(), label=None)


def test_as_json_gives_what_json_gives() -> None:
    value = {"a": (1, 2.0, None, True), 3: "\ud800", "nan": math.inf}
    (fresh,) = as_json([value])
    assert fresh == {"a": [1, 2.0, None, True], "3": "\ud800", "nan": math.inf}
    with pytest.raises(
        casckpt.UnsupportedValueError, match=r"^\[1\] has no form in JSON"
    ) as caught:
        as_json([1, {"a": b"bytes"}, 2])
    assert caught.value.details == {"path": "[1]", "type": "dict"}
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(casckpt.UnsupportedValueError):
        as_json([circle])


def test_labels() -> None:
    assert as_label("user") == "user"
    assert [as_label(text) for text in (None, 3, "", " a", "a\nb", "\ud800")] == [None] * 6
    assert as_label("x" * 59 + " " + "y" * 300) == "x" * 59


def _elsewhere(call: Any) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
