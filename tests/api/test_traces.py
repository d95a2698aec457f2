"""The main job: runs saved step by step come back equal, in any order, before and after gc."""

import copy
import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings

import casckpt
from casckpt.exchange import trace
from casckpt.exchange.replay import replay
from tests.exact import same
from tests.samples import register_all
from tests.strategies import any_values

RECORDING = Path(casckpt.__file__).parent / "cli" / "data" / "support.jsonl"


def test_a_recorded_run(store):
    saved = list(replay(store, RECORDING))
    states = [moment.state for moment in trace.moments(RECORDING)]
    pairs = list(zip(saved, states, strict=True))
    assert len(pairs) > 20
    random.Random(1).shuffle(pairs)
    for checkpoint, state in pairs:
        assert same(checkpoint.load(), state)
    store.gc(grace=0)
    for checkpoint, state in pairs:
        assert same(store.checkpoint(checkpoint.id).load(), state)
    for (a, old), (b, new) in itertools.pairwise(pairs):
        assert same(store.diff(a, b).apply(old), new)


class Run:
    """A made-up agent run: states edited in every way, saved in threads that fork and rewind."""

    def __init__(self, store, seed):
        self.store = store
        self.rng = random.Random(seed)
        self.states = {}  # id -> state
        self.lines = {"main": {"messages": [], "files": {}, "notes": "", "step": 0}}

    def text(self, size):
        words = ("plan", "tool", "search", "result", "naïve", "日本", "\ud83d", "ok")
        return " ".join(self.rng.choices(words, k=max(1, size // 5)))

    def edit(self, state):
        rng, messages, files = self.rng, state["messages"], state["files"]
        act = rng.randrange(9)
        if act <= 2 or not messages:
            messages += [
                {"role": rng.choice("ua"), "content": self.text(rng.choice([10, 200, 3_000]))}
                for _ in range(rng.choice([1, 1, 2, 30]))
            ]
        elif act == 3:
            messages.insert(rng.randrange(len(messages)), {"role": "system", "n": rng.random()})
        elif act == 4:
            del messages[rng.randrange(len(messages))]
        elif act == 5:
            rng.choice(messages)["edited"] = (rng.randrange(3), 1.0, b"\x00", None)
        elif act == 6:
            files[f"file {rng.randrange(200)}"] = self.text(rng.choice([50, 20_000]))
        elif act == 7:
            state["notes"] = state["notes"][: rng.randrange(40_000)] + self.text(5_000)
        else:
            state["files"] = dict(sorted(files.items(), reverse=bool(rng.randrange(2))))
        state["step"] += 1

    def step(self):
        name = self.rng.choice(list(self.lines))
        thread, state = self.store.thread(name), self.lines[name]
        odds = self.rng.random()
        if odds < 0.9 or not thread.exists:
            self.edit(state)  # in place, as agents do
            self.states[thread.save(state).id] = copy.deepcopy(state)
        elif odds < 0.95:
            back = self.rng.randrange(thread.head.step + 1)
            self.lines[name] = thread.rewind(f"~{back}").load()
        else:
            fork = thread.fork(f"fork {len(self.lines)}")
            self.lines[fork.name] = fork.load()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_made_up_run(store, seed):
    run = Run(store, seed)
    for _ in range(150):
        run.step()
    ids = list(run.states)
    run.rng.shuffle(ids)
    for id in ids:
        checkpoint = store.checkpoint(id)
        assert same(checkpoint.load(), run.states[id])
        assert checkpoint.view() == run.states[id]
    for a, b in zip(ids[:40], ids[40:80], strict=True):
        assert same(store.diff(a, b).apply(store.checkpoint(a).load()), run.states[b])
    for name in list(run.lines)[1:]:
        store.thread(name).delete()
    stays = {checkpoint.id for checkpoint in store.thread("main").log()}
    store.gc(grace=0)
    assert list(store.fsck()) == []
    for id in ids:
        if id in stays:
            assert same(store.checkpoint(id).load(), run.states[id])
        else:
            with pytest.raises(casckpt.NotFoundError):
                store.checkpoint(id)


def test_what_was_saved_is_there_when_opened_again(disk):
    with casckpt.open(disk, durability="none") as store:
        run = Run(store, 3)
        for _ in range(60):
            run.step()
        heads = {info.name: info.head.id for info in store.threads()}
    with casckpt.open(disk, read_only=True) as store:
        assert {info.name: info.head.id for info in store.threads()} == heads
        for id, state in run.states.items():
            assert same(store.checkpoint(id).load(), state)


@settings(max_examples=60)
@given(any_values())
def test_any_value_comes_back_exactly(value):
    with casckpt.open("memory:") as store:
        register_all(store)
        saved = store.thread("t").save({"value": value, "again": [value]})
        assert same(saved.load("value"), value)
        assert same(saved.load("again[0]"), value)
        assert saved.root == store.thread("u").save({"value": value, "again": [value]}).root
