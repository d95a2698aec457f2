"""Bundles: what goes in comes out, in another store, whole; incrementally, too; all or nothing."""

import io
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import casckpt
from casckpt.bundle.handle import Bundles
from casckpt.exchange.replay import replay
from tests.api.test_traces import RECORDING
from tests.bundle.histories import contents, write_history
from tests.strategies import any_values, register_all, same


def bundled(store, *args, **how):
    file = io.BytesIO()
    report = store.bundles.create(file, *args, **how)
    assert report.file_bytes == len(file.getvalue())
    return file.getvalue()


def unbundle(store, data, **how):
    return store.bundles.unbundle(io.BytesIO(data), **how)


def verify(data):
    return Bundles.verify(io.BytesIO(data))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_history_comes_over_whole(store, other, seed):
    write_history(store, seed)
    data = bundled(store)
    report = unbundle(other, data)
    assert contents(other) == contents(store)
    assert list(other.fsck(level="structure")) == []
    assert {thread.how for thread in report.threads} == {"new"}
    found = verify(data)
    assert found.checkpoints == report.checkpoints == report.checkpoints_new
    assert (found.objects, found.payload_bytes) == (report.objects, found.payload_bytes)
    assert found.threads == tuple(info.name for info in store.threads())
    for tag in ("t", "u", "later", "n1"):
        assert [c.id for c in other.find(tag=tag)] == [
            c.id for c in store.find(tag=tag) if c.id in {d.id for d in other.find()}
        ]
    # and the same threads give the same bytes, from whichever store
    assert bundled(other) == data


def test_between_memory_and_disk(tmp_path):
    with casckpt.open("memory:") as memory, casckpt.open(tmp_path / "s", durability="none") as disk:
        write_history(memory, 4)
        unbundle(disk, bundled(memory))
        disk.pack()
        data = bundled(disk)
        assert data == bundled(memory)
    with casckpt.open("memory:") as again:
        unbundle(again, data)
        assert list(again.fsck()) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(any_values(), min_size=1, max_size=5))
def test_any_value_comes_over_exactly(values):
    with casckpt.open("memory:") as one, casckpt.open("memory:") as two:
        register_all(one)
        register_all(two)
        for value in values:
            one.thread("t").save({"value": value})
        unbundle(two, bundled(one))
        for number, value in enumerate(values):
            assert same(two.thread("t").load(f"@{number}")["value"], value)
        assert list(two.fsck(level="structure")) == []


def test_only_what_was_named_goes(store, other):
    write_history(store, 5)
    store.thread("lonely").save("secret")
    report = store.bundles.create(file := io.BytesIO(), ["a"])
    assert report.threads == ("a",)
    unbundle(other, file.getvalue())
    assert contents(other) == contents(store, {"a"})
    assert other.stats().checkpoints == report.checkpoints == store.thread("a").head.step + 1
    assert not list(other.find(thread="a", meta={"nothing": 1}))
    by_prefix = store.bundles.create(io.BytesIO(), prefix="lon")
    assert by_prefix.threads == ("lonely",)
    for wrong in ({"threads": ["nobody"]}, {"prefix": "nobody"}):
        with pytest.raises(casckpt.NotFoundError):
            store.bundles.create(io.BytesIO(), **wrong)
    with pytest.raises(casckpt.InvalidInputError, match=r"write \['a'\]"):
        store.bundles.create(io.BytesIO(), "a")


def test_a_chain_of_increments(store, other):
    """Each bundle holds what came since the one before; they go in one after the other."""
    chain, sizes = [], []
    for seed in range(4):
        write_history(store, seed, steps=30)
        since = io.BytesIO(chain[-1]) if chain else None
        chain.append(bundled(store, since=since))
        sizes.append(verify(chain[-1]).checkpoints)
    assert sum(sizes) < 4 * max(sizes)
    with pytest.raises(casckpt.NotFoundError, match="take in the bundle before it first") as caught:
        unbundle(other, chain[1])
    assert set(caught.value.details["prerequisites"]) == set(verify(chain[1]).prerequisites)
    assert other.threads() == []
    for number, data in enumerate(chain):
        # a rewind is no way forward: the thread has gone another way since
        unbundle(other, data, overwrite=number > 0)
        assert list(other.fsck()) == []
    assert contents(other) == contents(store)
    for data in chain:  # once more: nothing is new
        assert unbundle(other, data, overwrite=True).objects_new == 0
    unbundle(other, chain[-1], overwrite=True)
    assert contents(other) == contents(store)


def test_an_increment_against_ids(store, other):
    run = store.thread("t")
    for number in range(20):
        run.save({"n": number, "long": list(range(5_000))})
    unbundle(other, bundled(store))
    had = [info.head.id for info in other.threads()]
    run.save({"n": 20, "long": list(range(5_000))})
    data = bundled(store, have=[*had, "00" * 32])  # what is not here tells nothing
    found = verify(data)
    assert (found.checkpoints, found.objects) == (1, 1)
    assert found.prerequisites == tuple(had)
    assert unbundle(other, data).threads[0].how == "forward"
    assert contents(other) == contents(store)
    with pytest.raises(casckpt.InvalidInputError, match="64 hexadecimal digits"):
        bundled(store, have=["abc"])


def test_nothing_new_is_a_bundle_too(store, other):
    write_history(store, 6)
    whole = bundled(store)
    nothing = bundled(store, since=io.BytesIO(whole))
    assert verify(nothing).checkpoints == 0
    unbundle(other, whole)
    assert {thread.how for thread in unbundle(other, nothing).threads} == {"unchanged"}


def test_a_thread_that_went_another_way_stays(store, other):
    store.thread("t").save(1)
    unbundle(other, bundled(store))
    store.thread("t").save(2)
    ours = other.thread("t").save("ours")
    other.thread("u").save("and this")
    before = contents(other)
    data = bundled(store)
    with pytest.raises(casckpt.ConflictError, match="has gone another way") as caught:
        unbundle(other, data)
    assert caught.value.details["actual"] == ours.id
    assert contents(other) == before
    assert other.stats().checkpoints == 3  # nothing was stored
    assert [t.how for t in unbundle(other, data, overwrite=True).threads] == ["overwritten"]
    assert other.thread("t").load() == 2
    other.thread("t").undo()
    assert contents(other) == before


def test_a_thread_that_is_ahead_stays(store, other):
    store.thread("t").save(1)
    data = bundled(store)
    unbundle(other, data)
    ahead = other.thread("t").save(2)
    (thread,) = unbundle(other, data).threads
    assert (thread.how, thread.head) == ("ahead", ahead.id)
    assert other.thread("t").head == ahead


def test_other_names(store, other):
    store.thread("t/x").save(1)
    store.thread("t/x").fork("t/y")
    data = bundled(store)
    unbundle(other, data, prefix="from/bob/")
    unbundle(other, data, rename={"t/x": "mine"})
    assert [(info.name, info.forked_from) for info in other.threads()] == [
        ("from/bob/t/x", None),
        ("from/bob/t/y", "from/bob/t/x"),
        ("mine", None),
        ("t/y", "mine"),
    ]
    assert other.thread("mine").head.thread == "t/x"  # what is hashed does not change
    assert list(other.fsck()) == []
    for wrong in ("../up", "/etc/passwd", "a//b", "-x", "a\0b"):
        with pytest.raises(casckpt.InvalidInputError):
            unbundle(other, data, rename={"t/x": wrong})
    with pytest.raises(casckpt.InvalidInputError, match="one name"):
        unbundle(other, data, rename={"t/x": "t/y"})
    with pytest.raises(casckpt.NotFoundError, match="no thread nobody to rename"):
        unbundle(other, data, rename={"nobody": "x"})


def test_tags_of_both_sides_are_put_together(store, other):
    checkpoint = store.thread("t").save(1, tags=["born"])
    unbundle(other, bundled(store))
    there = other.checkpoint(checkpoint.id)
    checkpoint.tag("theirs").untag("born")
    unbundle(other, bundled(store))
    assert there.tags == ("theirs",)  # not changed here: what came holds
    there.tag("ours")
    checkpoint.tag("more")
    unbundle(other, bundled(store))
    assert there.tags == ("theirs", "ours", "more")
    unbundle(other, bundled(store), overwrite=True)
    assert there.tags == ("theirs", "more")
    assert [list(other.find(tag=tag)) for tag in ("born", "ours", "more")] == [[], [], [there]]
    assert list(other.fsck()) == []


def test_what_was_deleted_comes_back_and_is_in_the_reflog(store, other):
    store.thread("t").save(1)
    data = bundled(store)
    unbundle(other, data)
    assert [move.kind for move in other.thread("t").reflog()] == ["import"]
    other.thread("t").delete()
    assert unbundle(other, data).threads[0].how == "new"
    other.thread("t").undo()
    assert not other.thread("t").exists


def test_paths(store, other, tmp_path):
    """A file is replaced whole, or stays as it was."""
    file = tmp_path / "t.bundle"
    file.write_bytes(b"before")
    with pytest.raises(casckpt.NotFoundError):
        store.bundles.create(file)
    assert file.read_bytes() == b"before"
    store.thread("t").save(1)
    store.bundles.create(str(file))
    other.bundles.unbundle(file)
    assert other.thread("t").load() == 1
    assert sorted(path.name for path in tmp_path.glob("*.bundle*")) == ["t.bundle"]
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(casckpt.InvalidInputError, match="is a folder"):
        store.bundles.create(tmp_path)
    with pytest.raises(FileNotFoundError):
        other.bundles.unbundle(tmp_path / "nothing")


class Pipe(io.RawIOBase):
    """Bytes that come a few at a time, and once only."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._data.read(min(size, 7) if size > 0 else size)


def test_a_pipe(store, other):
    write_history(store, 7, steps=15)
    data = bundled(store)
    other.bundles.unbundle(Pipe(data))
    assert contents(other) == contents(store)
    assert Bundles.verify(Pipe(data)).file_bytes == len(data)


def test_a_store_that_is_read_only(tmp_path):
    with casckpt.open(tmp_path / "s") as disk:
        disk.thread("t").save(1)
    with casckpt.open(tmp_path / "s", read_only=True) as disk:
        data = bundled(disk)
        with pytest.raises(casckpt.StorageError, match="read-only"):
            unbundle(disk, data)


def test_not_in_a_batch(store, other):
    store.thread("t").save(1)
    data = bundled(store)
    with (
        other.batch(),
        pytest.raises(casckpt.InvalidInputError, match="not taken in inside a batch"),
    ):
        unbundle(other, data)
    assert other.threads() == []


def test_gc_meanwhile(store, other):
    """Gc that takes what no thread has yet, at the worst moment: it is stored again."""
    write_history(store, 8)
    data = bundled(store)
    calls = []

    def interfere(stage, *_):
        if stage == "storing" and not calls:
            calls.append(stage)
            other.gc(grace=0)

    other.bundles.unbundle(io.BytesIO(data), progress=interfere)
    assert calls
    assert contents(other) == contents(store)
    assert list(other.fsck()) == []


def test_progress_tells_stages(store, other):
    write_history(store, 9, steps=20)
    stages = []
    data = bundled(store, progress=lambda *told: stages.append(told))
    unbundle(other, data, progress=lambda *told: stages.append(told))
    assert {stage for stage, _, _ in stages} >= {"bundling", "storing"}
    _, done, total = [told for told in stages if told[0] == "bundling"][-1]
    assert done == total > 0


KILLED = """
import sys, time, casckpt
store = casckpt.open(sys.argv[1])
print("open", flush=True)
def slow(stage, done, total):
    print(stage, done, flush=True)
    if stage == "storing" and done >= int(sys.argv[3]):
        time.sleep(60)
import casckpt.bundle.unbundle as u
u._BATCH_OBJECTS = 5
store.bundles.unbundle(sys.argv[2], progress=slow)
print("done", flush=True)
"""


@pytest.mark.parametrize("batches", [1, 3, 5])
def test_killed_in_the_midst(tmp_path, batches):
    """SIGKILL: no thread of it is there; gc takes the rest; the next time it goes through."""
    with casckpt.open("memory:") as source:
        list(replay(source, RECORDING))
        source.bundles.create(tmp_path / "b")
        expected = contents(source)
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("mine").save("kept")
        before = contents(store)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "s"), str(tmp_path / "b"), str(5 * batches)],
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = 0
    while seen < batches:
        line = child.stdout.readline()
        assert line, "it ended before it was killed"
        seen += line.startswith("storing")  # and there it waits
    child.kill()
    child.wait()
    child.stdout.close()
    with casckpt.open(tmp_path / "s", durability="none") as store:
        assert contents(store) == before
        assert store.stats().objects == 1 + 5 * batches
        assert store.fsck().ok  # nothing is damaged; lists of tags may lack garbage
        store.gc(grace=0)
        assert store.stats().objects == 1
        assert list(store.fsck()) == []
        store.bundles.unbundle(tmp_path / "b")
        assert contents(store) == {**expected, **before}
        assert list(store.fsck()) == []
