"""Keys: ids of checkpoints that the caller gives."""

import asyncio
import io
import json
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import casckpt
import casckpt.aio
import casckpt.exchange


@pytest.fixture(params=["memory", "lmdb"])
def place(request, tmp_path):
    return "memory:" if request.param == "memory" else str(tmp_path / "store")


@pytest.fixture
def store(place):
    with casckpt.open(place, durability="none") as opened:
        yield opened


@pytest.fixture
def run(store):
    return store.thread("t")


def test_a_key_finds_its_checkpoint(store, run):
    one, two = run.save(1, key="k 1"), run.save(2, key="k2", label="l", tags=["x"])
    run.save(3)
    assert (one.key, two.key, run.head.key) == ("k 1", "k2", None)
    assert run.checkpoint(key="k 1") == one == store.checkpoint('t@="k 1"')
    assert run.checkpoint("@=k2") == two
    assert list(store.find(key="k2", label="l", tag="x", prefix="t", thread="t")) == [two]
    assert not [*store.find(key="k2", label="other"), *store.find(key="none")]
    assert not list(store.find(key="k2", until=two.created_at))


def test_no_such_key(run):
    run.save(1, key="turn-1")
    with pytest.raises(casckpt.NotFoundError, match=r"key 'turn-2' \(near: turn-1\)") as caught:
        run.checkpoint(key="turn-2")
    assert caught.value.details["candidates"] == ["turn-1"]
    with pytest.raises(casckpt.NotFoundError):
        run.checkpoint("~0@=turn-2")


@pytest.mark.parametrize("key", ["", " a", "a\nb", "\ud800", 5, b"k", "x" * 256])
def test_what_can_be_no_key(store, run, key):
    for give in (
        lambda: run.save(1, key=key),
        lambda: run.edit(key=key),
        lambda: store.find(key=key),
    ):
        with pytest.raises((casckpt.InvalidInputError, casckpt.LimitError)):
            give()
    assert run.head is None
    run.save(1)
    with pytest.raises((casckpt.InvalidInputError, casckpt.LimitError)):
        run.checkpoint(key=key)


@pytest.mark.parametrize(
    "other",
    [
        {"state": {"n": 2}},
        {"label": "other"},
        {"tags": ["b"]},
        {"tags": []},
        {"meta": {"cost": 1.0}},
    ],
)
def test_another_save_under_a_key_is_a_conflict(store, run, other):
    said = {"state": {"n": 1}, "label": "l", "tags": ["a"], "meta": {"cost": 1}}
    first = run.save(**said, key="k")
    head = run.save("more")
    with pytest.raises(casckpt.ConflictError, match=first.id[:16]) as caught:
        run.save(**{**said, **other}, key="k")
    assert caught.value.details["existing"] == first.id
    assert run.head == head
    assert store.stats().checkpoints == 2, "nothing was stored"


def test_the_same_save_again_is_the_same_checkpoint(store, run):
    heard = []
    store.on("saved", heard.append)
    long = {"text": "x" * 100_000, "n": list(range(5_000))}
    first = run.save(long, label="l", tags=["a"], meta={"cost": 1}, key="k")
    first.tag("later")
    head = run.save("more")
    again = run.save(long, label="l", tags=["a"], meta={"cost": 1}, key="k", expect=None)
    assert (again, run.head, len(heard)) == (first, head, 2)
    assert store.stats().checkpoints == 2
    assert run.save({**long, "m": 1}).load()["n"] == long["n"], "what saves remember is right"


def test_what_a_failed_expectation_leaves_has_no_key(store, run):
    run.save(1)
    with pytest.raises(casckpt.ConflictError) as caught:
        run.save(2, key="k", expect=None)
    assert store.checkpoint(caught.value.details["saved"]).key is None
    assert run.save(3, key="k").key == "k"


def test_a_rewind_frees_keys_even_if_this_handle_did_not_do_it(store, run):
    first = run.save(0)
    left = run.save(1, key="k")
    run.rewind(first)
    new = run.save(2, key="k")
    assert run.checkpoint(key="k") == new
    assert list(store.find(key="k")) == [new, left]
    assert list(store.find(key="k", thread="t")) == [new]
    run.undo()
    run.undo()
    assert run.checkpoint(key="k") == left


def test_a_fork_sees_keys_and_may_give_them_anew(run):
    run.save(0, key="k")
    fork = run.fork("f")
    assert fork.checkpoint(key="k") == run.head
    new = fork.save(1, key="k")
    assert (fork.checkpoint(key="k"), run.checkpoint(key="k")) == (new, run.head)
    deeper = fork.fork("g")
    deeper.save(2)
    assert deeper.checkpoint(key="k") == new
    with pytest.raises(casckpt.ConflictError):
        fork.save(2, key="k")


def test_edit(run):
    with run.edit(key="k") as draft:
        draft["n"] = 1
    assert run.checkpoint(key="k") == draft.checkpoint
    with run.edit(key="l"):
        pass
    assert run.head.key == "l", "a key alone is worth a checkpoint"
    with pytest.raises(casckpt.ConflictError, match="key 'k'"), run.edit(key="k"):
        pytest.fail("the block is not begun")


def test_in_a_batch(store, run):
    run.save(0, key="before")
    with store.batch():
        one = run.save(1, key="k")
        assert run.checkpoint(key="k") == one
        assert run.save(1, key="k") == one
        for key in ("k", "before"):
            with pytest.raises(casckpt.ConflictError):
                run.save(2, key=key)
    assert run.checkpoint(key="k") == one == run.head


def test_a_batch_that_failed_leaves_no_key(store, run):
    with pytest.raises(casckpt.UnsupportedValueError), store.batch():
        run.save([run.save(1, key="k"), object()])
    assert run.save(2, key="k").load() == 2


def test_a_key_lasts_through_pruning_gc_packing_and_reindex(place):
    with casckpt.open(place, durability="none") as store:
        run = store.thread("t")
        first = run.save({"n": list(range(9_000))}, key="k")
        for number in range(5):
            run.save(number)
        run.prune(casckpt.Retention(keep_last=1))
        store.gc(grace=0)
        store.pack()
        store.compact()
        assert run.checkpoint(key="k") == first
        assert run.checkpoint(key="k").pruned.collected
        assert run.save({"n": list(range(9_000))}, key="k") == first, "still the same"
        with pytest.raises(casckpt.ConflictError):
            run.save(1, key="k")
        assert store.reindex() == 0
        assert not store.fsck(level="structure")


def test_lists_of_keys_can_be_made_anew(store, run):
    saved = run.save(1, key="k")
    engine = store._ledger.engine
    (posting,) = engine.postings(b"key\0k")
    engine.commit(remove=[posting], add=[posting._replace(rank=posting.rank + 1)])
    assert "'key k'" in str(store.fsck())
    with pytest.raises(casckpt.NotFoundError):
        store.thread("other").checkpoint(key="k")
    assert store.reindex() == 2
    assert run.checkpoint(key="k") == saved
    assert not store.fsck()


def test_bundles_and_json_lines_carry_keys(tmp_path, store, run):
    saved = run.save(1, key="k")
    run.save({"x": [1] * 9_000}, key="l")
    run.fork("f").save(3, key="k")
    run.prune(casckpt.Retention(keep_last=1))
    store.bundles.create(tmp_path / "b", ["t", "f"])
    lines = io.BytesIO()
    casckpt.exchange.export_jsonl(store, lines)
    for take in (
        lambda there: there.bundles.unbundle(tmp_path / "b"),
        lambda there: casckpt.exchange.import_jsonl(there, io.BytesIO(lines.getvalue())),
    ):
        with casckpt.open("memory:") as there:
            take(there)
            assert there.thread("t").checkpoint(key="k").id == saved.id
            assert there.thread("f").checkpoint(key="k").load() == 3
            assert [c.key for c in there.thread("f").log()] == ["k", "l", "k"]
            assert not there.fsck()


def test_lines_in_which_a_thread_has_a_key_twice(store, run):
    lines = [{"thread": "t", "state": n, "key": "k" if n in {1, 600} else None} for n in range(700)]
    for count, place in ((700, "line 601"), (600, None)):
        text = "\n".join(json.dumps(line) for line in lines[:count]).encode()
        if place is None:
            casckpt.exchange.import_jsonl(store, io.BytesIO(text))
            assert run.load("@=k") == 1
        else:
            with pytest.raises(casckpt.InvalidInputError, match=f"{place}: .* 'k' twice"):
                casckpt.exchange.import_jsonl(store, io.BytesIO(text))
            assert run.head is None


def test_one_of_many_gets_the_key(place):
    """Whoever loses the race for the head looks again."""
    with casckpt.open(place, durability="none") as store:
        store.thread("t").save("first")
        outcomes, start = [], threading.Barrier(4)

        def save(number):
            start.wait()
            for turn in range(20):
                try:
                    outcomes.append(store.thread("t").save((number, turn), key=f"k{turn}").id)
                except casckpt.ConflictError:
                    outcomes.append(None)

        workers = [threading.Thread(target=save, args=(number,)) for number in range(4)]
        [worker.start() for worker in workers]
        [worker.join() for worker in workers]
        keys = [c.key for c in store.thread("t").log() if c.key]
        assert sorted(keys) == sorted(f"k{turn}" for turn in range(20))
        assert len([id for id in outcomes if id]) == 20


def test_many_at_once_awaited(place):
    async def main():
        async with casckpt.aio.open(place, durability="none") as store:
            run = store.thread("t")
            saves = [run.save(number % 10, key=f"k{number % 10}") for number in range(40)]
            saved = await asyncio.gather(*saves)
            assert len({c.id for c in saved}) == 10
            assert await run.checkpoint(key="k3") == saved[3] == await run.checkpoint("@=k3")
            assert await store.find(key="k3") == [saved[3]]
            assert saved[3].key == "k3"
            with pytest.raises(casckpt.ConflictError):
                await run.save("other", key="k3")
            with pytest.raises(casckpt.ConflictError):
                async with run.edit(key="k3"):
                    pass

    asyncio.run(main())


class Keyed(RuleBasedStateMachine):
    """Saves, rewinds and forks, against histories kept as lists."""

    def __init__(self):
        super().__init__()
        self.store = casckpt.open("memory:")
        self.lines = {}
        """Thread -> its history, oldest first: (thread, key, state, id)."""

    def teardown(self):
        for name, line in self.lines.items():
            run = self.store.thread(name)
            assert [c.key for c in run.log()] == [key for _, key, _, _ in reversed(line)]
            for key in "ab":
                found = [id for by, k, _, id in line if k == key and by == line[-1][0]]
                found = found or [id for _, k, _, id in line if k == key]
                known = [c.id for c in self.store.find(thread=name, key=key)]
                assert known == [id for _, k, _, id in reversed(line) if k == key]
                if found:
                    assert run.checkpoint(key=key).id == found[-1]
                else:
                    with pytest.raises(casckpt.NotFoundError):
                        run.checkpoint(key=key)
        assert not self.store.fsck()
        self.store.close()

    @rule(name=st.sampled_from("xy"), key=st.sampled_from(["a", "b", None]), state=st.booleans())
    def save(self, name, key, state):
        line = self.lines.setdefault(name, [])
        taken = [(s, id) for by, k, s, id in line if key is not None and (by, k) == (name, key)]
        if taken and taken[0][0] != state:
            with pytest.raises(casckpt.ConflictError):
                self.store.thread(name).save(state, key=key)
            return
        saved = self.store.thread(name).save(state, key=key)
        if taken:
            assert saved.id == taken[0][1]
        else:
            line.append((name, key, state, saved.id))

    @rule(name=st.sampled_from("xyz"), steps=st.integers(1, 3))
    def rewind(self, name, steps):
        line = self.lines.get(name, [])
        if len(line) > steps:
            self.store.thread(name).rewind(f"~{steps}")
            del line[-steps:]

    @rule(name=st.sampled_from("xyz"), to=st.sampled_from("xyz"))
    def move_to_another_line(self, name, to):
        if self.lines.get(name) and self.lines.get(to):
            self.store.thread(name).rewind(to)
            self.lines[name] = [*self.lines[to]]

    @rule(origin=st.sampled_from("xy"), name=st.sampled_from("yz"))
    def fork(self, origin, name):
        if self.lines.get(origin) and name not in self.lines:
            self.store.thread(origin).fork(name)
            self.lines[name] = [*self.lines[origin]]


TestKeyed = Keyed.TestCase
TestKeyed.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
