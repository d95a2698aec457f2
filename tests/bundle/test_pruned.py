"""Bundles of histories in which states were pruned."""

import io

import pytest

import casckpt
from casckpt.bundle.stream import BundleReader
from casckpt.history.left import checked_left
from casckpt.ids import object_id
from tests.bundle.test_bundle import bundled, unbundle, verify
from tests.bundle.test_hostile import forged, refused


def pruned_history(store):
    run = store.thread("t")
    for number in range(8):
        run.save({"n": number, "long": [number] * 3_000}, tags=["t"] if number == 7 else [])
    run.prune(casckpt.Retention(keep_last=2, keep_first=1))
    return [c.step for c in run.log() if c.pruned is not None]


@pytest.mark.parametrize("collected", [False, True], ids=["marked", "collected"])
def test_pruned_states_do_not_go_along(store, other, collected):
    """Of a pruned checkpoint goes what is left of it, under its id; the others come whole."""
    gone = pruned_history(store)
    assert gone == [5, 4, 3, 2, 1]
    whole = bundled(store, have=["00" * 32])
    if collected:
        store.gc(grace=0)
        assert all(c.pruned.collected for c in store.thread("t").log() if c.step in gone)
    made = store.bundles.create(file := io.BytesIO())
    assert (made.checkpoints, made.pruned) == (8, 5)
    found = verify(file.getvalue())
    assert (found.checkpoints, found.pruned) == (8, 5)
    unbundle(other, file.getvalue())
    assert [c.id for c in other.thread("t").log()] == [c.id for c in store.thread("t").log()]
    for checkpoint in other.thread("t").log():
        if checkpoint.step in gone:
            assert checkpoint.pruned.why == "keep_last=2 keep_first=1"
            with pytest.raises(casckpt.PrunedError):
                checkpoint.load()
        else:
            assert checkpoint.load()["n"] == checkpoint.step
    assert list(other.fsck(level="structure")) == []
    assert bundled(other) == file.getvalue()
    other.gc(grace=0)
    assert bundled(other) == file.getvalue()
    if not collected:
        # what is whole here stays whole, whatever comes
        assert whole == file.getvalue()
        store.thread("t").unprune()
        unbundle(store, file.getvalue())
        assert [c.load()["n"] for c in store.thread("t").log()] == list(range(7, -1, -1))


def test_an_increment_on_a_pruned_prerequisite(store, other):
    """What builds on a state that is gone here is refused, and says so."""
    pruned_history(store)
    whole = bundled(store)
    unbundle(other, whole)
    pruned = other.checkpoint("t@4").id
    more = bundled(store, have=[pruned])
    with pytest.raises(casckpt.NotFoundError, match="take in the bundle before it first"):
        unbundle(other, more)
    assert verify(more).prerequisites == (pruned,)


def test_what_is_left_is_checked(store):
    pruned_history(store)
    reader = BundleReader(io.BytesIO(bundled(store)))
    entries = list(reader.entries())
    (at, *_) = [number for number, entry in enumerate(entries) if entry.kind == 9]
    left = entries[at].payload
    for wrong in (
        left[:-1],
        left + b"\0",
        left[:40],
        b"\x83" + left,
        left.replace(b"keep", b"\xff"),
    ):
        with pytest.raises(casckpt.CorruptError):
            checked_left(wrong)


def test_a_head_that_is_marked_here_is_taken_up_again(store, other):
    """A thread's head can be loaded, whatever was marked before it came."""
    run = store.thread("t")
    for number in range(4):
        run.save(number)
    run.fork("f", at="@1")
    fork = bundled(store, threads=["f"])
    unbundle(other, bundled(store, threads=["t"]))
    other.thread("t").prune(casckpt.Retention(keep_last=1))
    assert other.checkpoint("t@1").pruned is not None
    unbundle(other, fork)
    assert other.thread("f").load() == 1
    assert other.checkpoint("t@0").pruned is not None
    assert list(other.fsck()) == []


def test_a_head_that_is_gone_here_is_refused(store, other):
    run = store.thread("t")
    for number in range(4):
        run.save([number] * 3_000)
    run.fork("f", at="@1")
    fork = bundled(store, threads=["f"])
    unbundle(other, bundled(store, threads=["t"]))
    for number in range(9):  # its clock is behind: what came is from its future
        other.thread("mine").save(number)
    other.thread("t").prune(casckpt.Retention(keep_last=1))
    other.gc(grace=0)
    assert other.checkpoint("t@1").pruned.collected
    for overwrite in (False, True):
        with pytest.raises(casckpt.PrunedError, match="was pruned"):
            unbundle(other, fork, overwrite=overwrite)
    assert [info.name for info in other.threads()] == ["mine", "t"]


def test_a_head_without_a_state_is_refused(store):
    pruned_history(store)
    reader = BundleReader(io.BytesIO(bundled(store)))
    entries = [(entry.kind, entry.payload) for entry in reader.entries() if entry.kind != 8]
    last = max(number for number, (kind, _) in enumerate(entries) if kind == 9)
    head = object_id(*entries[last])
    refused(forged(entries[: last + 1], head=head), "there is no state")
