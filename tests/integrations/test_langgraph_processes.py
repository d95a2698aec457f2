"""Several processes on one store: writers, readers with open iterators, one thread for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, put

from langchain_core.messages import AIMessage  # isort: skip

from casckpt import ConflictError
from casckpt.integrations.langgraph import CasckptSaver

ROOT = Path(__file__).parents[2]
STEPS = 15
WRITERS = 3
READERS = 2
SECONDS_MAX = 120


def values(who: str, step: int) -> dict[str, Any]:
    """What a writer's state is at a step: a reader can tell whether it is whole."""
    messages = [AIMessage(f"{who} {n} " + "x" * 200, id=f"{who}-{n}") for n in range(step + 1)]
    return {"messages": messages, "step": step, "who": who}


def write(path: str, who: str) -> dict[str, Any]:
    """Steps of an own thread, of one that all write to, and of one where forks are refused."""
    done: dict[str, Any] = {"own": 0, "shared": 0, "chain": [], "refused": 0}
    with CasckptSaver(path) as saver, CasckptSaver(saver.store, refuse_silent_forks=True) as strict:
        parent: str | None = None
        for step in range(STEPS):
            id = f"{step:04}"
            put(saver, id, values(who, step), parent=parent, thread=who)
            saver.put_writes(config(who, id), [("a", step), ("b", who)], f"task-{who}")
            done["own"] += 1
            put(saver, f"{id}{who}", values(who, step), thread="shared")
            saver.put_writes(config("shared", f"{id}{who}"), [("a", step)], who)
            done["shared"] += 1
            parent = id
            newest = strict.get_tuple(config("chain"))
            before = newest.checkpoint["id"] if newest is not None else None
            child = f"{int(before[:4]) + 1 if before else 0:04}{who}"
            try:
                put(strict, child, values(who, step), parent=before, thread="chain")
                done["chain"].append([before, child])
            except ConflictError:
                done["refused"] += 1
    return done


def check_whole(found: Any) -> None:
    """A tuple is of one moment: all its channels are of the step that its id names."""
    state, id = found.checkpoint["channel_values"], found.checkpoint["id"]
    if found.config["configurable"]["thread_id"] != "chain":
        assert state["step"] == int(id[:4])
    assert len(state["messages"]) == state["step"] + 1
    assert {m.id.split("-")[0] for m in state["messages"]} == {state["who"]}


def read(path: str, who: str) -> dict[str, Any]:
    """Lists while others write: whole lists, and one iterator that is left open meanwhile."""
    lists = seen = 0
    with CasckptSaver(path) as saver:
        slow = None
        while not (Path(path).parent / "done").exists():
            for thread in ("shared", *(f"w{n}" for n in range(WRITERS))):
                found = list(saver.list(config(thread), limit=20))
                ids = [t.checkpoint["id"] for t in found]
                assert ids == sorted(ids, reverse=True), ids
                for each in found:
                    check_whole(each)
                seen += len(found)
                newest = saver.get_tuple(config(thread))
                assert newest is None or not ids or newest.checkpoint["id"] >= ids[0]
            slow = slow or saver.list(None)
            one = next(slow, None)
            if one is None:
                slow = None
            else:
                check_whole(one)
            lists += 1
    return {"who": who, "lists": lists, "seen": seen}


def start(path: Path, role: str, who: str) -> subprocess.Popen[str]:
    script = (
        "import json, sys\n"
        "from tests.integrations import test_langgraph_processes as here\n"
        f"print(json.dumps(here.{role}(sys.argv[1], sys.argv[2])))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, str(path), who],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[Any]]:
    """The store, what the writers say and what the readers say."""
    folder = tmp_path_factory.mktemp("processes")
    path = folder / "store"
    CasckptSaver(str(path)).close()
    readers = [start(path, "read", f"r{n}") for n in range(READERS)]
    writers = [start(path, "write", f"w{n}") for n in range(WRITERS)]
    try:
        written = [result(process) for process in writers]
        time.sleep(0.1)
        (folder / "done").touch()
        return path, written, [result(process) for process in readers]
    finally:
        for process in (*readers, *writers):
            if process.poll() is None:
                process.kill()
                process.wait()


Run = tuple[Path, list[Any], list[Any]]


def test_nobody_fails(run: Run) -> None:
    _, written, read_ = run
    assert [done["own"] for done in written] == [STEPS] * WRITERS
    assert all(done["lists"] > 0 for done in read_)
    assert sum(done["seen"] for done in read_) > 0


def test_every_writer_finds_all_of_its_own(run: Run) -> None:
    path, _, _ = run
    with CasckptSaver(str(path)) as saver:
        for n in range(WRITERS):
            found = list(saver.list(config(f"w{n}")))
            assert [t.checkpoint["id"] for t in found] == [
                f"{step:04}" for step in reversed(range(STEPS))
            ]
            for step, each in zip(reversed(range(STEPS)), found, strict=True):
                assert each.checkpoint["channel_values"] == values(f"w{n}", step)
                assert each.pending_writes == [
                    (f"task-w{n}", "a", step),
                    (f"task-w{n}", "b", f"w{n}"),
                ]
                assert bool(each.parent_config) == (step > 0)
            assert len(list(saver.store.thread(f"w{n}").log())) == STEPS


def test_the_shared_thread_has_what_all_put(run: Run) -> None:
    path, _, _ = run
    with CasckptSaver(str(path)) as saver:
        found = {t.checkpoint["id"]: t for t in saver.list(config("shared"))}
        assert found.keys() == {f"{step:04}w{n}" for step in range(STEPS) for n in range(WRITERS)}
        for id, each in found.items():
            assert each.checkpoint["channel_values"] == values(id[4:], int(id[:4]))
            assert each.pending_writes == [(id[4:], "a", int(id[:4]))]
        assert list(saver.store.fsck()) == []


def test_refused_forks_leave_one_line(run: Run) -> None:
    """Across processes: whoever was told that it was stored is in the one line there is."""
    path, written, _ = run
    with CasckptSaver(str(path)) as saver:
        found = list(saver.list(config("chain")))
    links = {
        t.checkpoint["id"]: t.parent_config and t.parent_config["configurable"]["checkpoint_id"]
        for t in found
    }
    stored = {child: before for done in written for before, child in done["chain"]}
    assert links == stored
    assert len(set(links.values())) == len(links), "two children of one parent"
    assert len(links) + sum(done["refused"] for done in written) == STEPS * WRITERS
