"""Packing and compacting a store that has lived: nothing is lost, nothing but sizes changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import casckpt
from casckpt.storage.lmdb import choose

THREADS = 5
STEPS = 24
WORDS = [f"{stem}{end}" for stem in ("plan", "tool", "flight", "price") for end in range(60)]


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(WORDS, k=count))


def live(store: casckpt.Store, rng: random.Random) -> dict[str, Any]:
    """Conversations in turns, with forks, tags, files edited in the middle; id to state."""
    files = {f"src/{n}.py": words(rng, 400) for n in range(6)}
    talks: dict[str, list[Any]] = {f"run/{n}": [] for n in range(THREADS)}
    states: dict[str, Any] = {}
    for step in range(STEPS):
        for name, talk in talks.items():
            talk.append({"role": "tool", "content": words(rng, rng.randrange(5, 120)), "n": step})
            files = {**files, f"src/{step % 6}.py": files[f"src/{step % 6}.py"] + words(rng, 9)}
            state = {"messages": list(talk), "files": files, "step": step}
            made = store.thread(name).save(state, label=rng.choice([None, "planned"]))
            states[made.id] = state
    fork = store.thread("run/0").fork("fork", at="~7")
    states[fork.save({"forked": True}).id] = {"forked": True}
    store.checkpoint("run/1~3").tag("golden")
    return states


def expect(path: Path, states: dict[str, Any]) -> None:
    """All of them, through a handle that remembers nothing."""
    with casckpt.open(path, create=False, read_only=True) as store:
        assert {c.id for c in store.find()} == set(states)
        for id, state in states.items():
            assert store.checkpoint(id).load() == state
        assert not list(store.fsck(level="structure"))


def test_every_checkpoint_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "TARGET_BYTES", 100_000)
    path = tmp_path / "s"
    with casckpt.open(path, durability="none") as store:
        states = live(store, random.Random(1))
    hot = (path / "data.mdb").stat().st_size
    with casckpt.open(path, durability="none") as store:
        diff = [str(change) for change in store.diff("run/2~9", "run/2")]
        stages: list[str] = []
        report = store.pack(keep=40, progress=lambda stage, *_: stages.append(stage))
        assert report.complete
        assert 0 < report.objects_packed < store.stats().objects
        assert report.bytes_after < report.bytes_before * 2 / 3
        assert {"choose", "pack"} <= set(stages)
    expect(path, states)
    with casckpt.open(path, durability="none") as store:
        store.pack()
        assert store.compact().bytes_after < hot * 2 / 3
        assert [str(change) for change in store.diff("run/2~9", "run/2")] == diff
    expect(path, states)
    with casckpt.open(path, durability="none") as store:
        for name in ("run/3", "run/4"):
            gone = [c.id for c in store.thread(name).log()]
            store.thread(name).delete()
            states = {id: state for id, state in states.items() if id not in gone}
        assert store.gc(grace=0).objects_removed
        state = {"messages": ["on a packed head"]}
        states[store.thread("run/1").save(state).id] = state
        with store.thread("run/2").edit() as draft:
            draft["messages"].append("edited")
        head = store.checkpoint("run/2")
        states[head.id] = head.load()
    expect(path, states)
    with casckpt.open(path, durability="none") as store:
        store.pack()
        store.compact()
    expect(path, states)


def test_a_batch_neither_packs_nor_compacts(tmp_path: Path) -> None:
    with casckpt.open(tmp_path / "s", durability="none") as store:
        with store.batch():
            store.thread("t").save([1])
        assert store.pack().complete
        assert store.compact().bytes_after


def test_in_memory_there_is_nothing_to_do() -> None:
    with casckpt.open("memory:") as store:
        store.thread("t").save(["x"] * 1000)
        assert store.pack().objects_packed == store.compact().bytes_after == 0
    with pytest.raises(casckpt.ClosedError):
        store.pack()
