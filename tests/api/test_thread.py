"""What a thread does: saving, looking back, moving its head."""

from datetime import UTC, datetime, timedelta

import pytest

import casckpt


def test_a_handle_is_a_name(store):
    run = store.thread("a/b")
    assert (run.name, run.exists, run.head) == ("a/b", False, None)
    assert run == store.thread("a/b")
    assert run != store.thread("a/c")
    assert repr(run) == "<Thread 'a/b'>"
    saved = run.save(0)
    assert run.exists
    assert run.head == run.checkpoint() == saved == store.thread("a/b").head
    run.delete()
    assert not run.exists
    assert store.threads() == []


@pytest.mark.parametrize(
    "call", ["load", "view", "log", "checkpoint", "undo", "delete", "fork", "rewind", "reflog"]
)
def test_what_does_not_exist_is_said_with_what_may_be_meant(store, call):
    store.thread("support/alice").save(0)
    run = store.thread("support/alcie")
    args = {"fork": ["x"], "rewind": ["~1"]}.get(call, [])
    with pytest.raises(casckpt.NotFoundError) as caught:
        getattr(run, call)(*args)
    assert isinstance(caught.value, KeyError)
    assert "support/alcie" in str(caught.value)
    if call not in {"undo", "reflog"}:
        assert caught.value.details["candidates"] == ["support/alice"]


def test_saving_the_same_twice_makes_two_checkpoints(store):
    run = store.thread("t")
    one, two = run.save([1]), run.save([1])
    assert (one.step, two.step, two.parent) == (0, 1, one.id)
    assert one.root == two.root


def test_times_grow_whatever_the_clock_does(store, clock):
    run = store.thread("t")
    one = run.save(0)
    clock.advance(timedelta(days=-400))
    two = run.save(0)
    assert one.created_at <= two.created_at
    assert list(run.log()) == [two, one]
    assert list(store.find()) == [two, one]


@pytest.mark.parametrize("bad", ["", "a\nb", " a", "x" * 256, 3, "\ud800"])
def test_labels(store, bad):
    run = store.thread("t")
    with pytest.raises(casckpt.InvalidInputError):
        run.save(0, label=bad)
    assert not run.exists
    assert run.save(0, label='odd: ~"\\').label == 'odd: ~"\\'
    assert run.load(':"odd: ~\\"\\\\"') == 0


def test_log_filters(store):
    run = store.thread("t")
    points = [
        run.save(n, label="even" if n % 2 == 0 else None, tags=["five"] if n % 5 == 0 else [])
        for n in range(20)
    ]
    steps = lambda **filters: [c.step for c in run.log(**filters)]  # noqa: E731
    assert steps(limit=3) == [19, 18, 17]
    assert steps(label="even", limit=2) == [18, 16]
    assert steps(tag="five") == [15, 10, 5, 0]
    assert steps(label="even", tag="five") == [10, 0]
    assert steps(since=points[17].created_at) == [19, 18, 17]
    assert steps(until=points[2].created_at) == [1, 0]
    assert steps(since=points[3].created_at, until=points[5].created_at) == [4, 3]
    assert steps(at="~16") == [3, 2, 1, 0]
    assert steps(at=points[1]) == [1, 0]
    assert steps(limit=0) == []
    for bad in (datetime(2026, 1, 1), "yesterday", 3):  # noqa: DTZ001 - naive on purpose
        with pytest.raises(casckpt.InvalidInputError):
            run.log(since=bad)
    with pytest.raises(casckpt.InvalidInputError):
        run.log(limit=-1)
    other = timedelta(hours=5)
    elsewhere = points[17].created_at.astimezone(datetime.now(UTC).astimezone().tzinfo) + other
    assert steps(since=elsewhere - other) == [19, 18, 17]


def test_a_stream_goes_on_while_others_write(store):
    run = store.thread("t")
    for n in range(300):
        run.save(n)
    stream = run.log()
    first = [next(stream).step for _ in range(5)]
    run.save("later")
    run.rewind("@3")
    assert first + [c.step for c in stream] == list(range(299, -1, -1))


def test_fork_shares_history_and_goes_its_own_way(store):
    run = store.thread("a")
    for n in range(5):
        run.save(n)
    before = store.stats().objects
    fork = run.fork("b", at="~2")
    assert store.stats().objects == before
    assert fork.name == "b"
    assert [c.step for c in fork.log()] == [2, 1, 0]
    fork.save("x")
    assert run.load() == 4
    assert [c.thread for c in fork.log()] == ["b", "a", "a", "a"]
    assert run.fork("c").head == run.head
    assert store.thread("a").fork("d", at="b").load() == "x"
    with pytest.raises(casckpt.ConflictError):
        run.fork("b")
    with pytest.raises(casckpt.ConflictError):
        run.fork("a")
    with pytest.raises(casckpt.InvalidInputError):
        run.fork("x~1")


def test_rewind_anywhere_and_save_from_there(store):
    run, other = store.thread("a"), store.thread("b")
    points = [run.save(n) for n in range(6)]
    foreign = other.save("foreign")
    assert run.rewind("~3") == run.head == points[2]
    new = run.save("new")
    assert (new.step, new.parent) == (3, points[2].id)
    assert run.rewind(foreign).load() == "foreign"
    assert run.rewind(points[5].id[:16]) == points[5]
    assert run.rewind("b") == foreign
    with pytest.raises(casckpt.NotFoundError):
        run.rewind("~99")
    assert run.head == foreign
    for _ in range(10):
        run.undo()
    assert run.head is not None
    with pytest.raises(casckpt.InvalidInputError):
        run.rewind(3)


def test_undo_brings_back_a_deleted_thread(store):
    run = store.thread("t")
    saved = run.save(1)
    run.delete()
    assert run.undo() == saved == run.head
    assert run.undo() is None  # the save that began it
    assert not run.exists
    with pytest.raises(casckpt.NotFoundError, match="nothing left to undo"):
        run.undo()
    assert run.load("@{1}") == 1


def test_expect(store):
    run = store.thread("t")
    one = run.save(1, expect=None)
    two = run.save(2, expect=one)
    three = run.save(3, expect=two.id)
    four = run.save(4, expect=three.id[:10])
    for stale in (one, one.id, None):
        with pytest.raises(casckpt.ConflictError) as caught:
            run.save("late", expect=stale, label="late", tags=["pin"])
        details = caught.value.details
        assert details["expected"] == (None if stale is None else one.id)
        assert details["actual"] == four.id
        assert run.head == four
        orphan = store.checkpoint(details["saved"])
        assert orphan.load() == "late"
        assert orphan.parent == details["expected"]
        assert orphan in list(store.find(label="late"))
        assert orphan not in list(run.log())
        assert not list(store.find(tag="pin"))
    assert list(store.fsck()) == []
    store.gc(grace=0)
    assert not list(store.find(label="late"))
    for bad in ("~0", "t", 3):
        with pytest.raises(casckpt.InvalidInputError):
            run.save(5, expect=bad)
    with pytest.raises(casckpt.NotFoundError):
        run.save(5, expect="0" * 64)
    run.delete()
    assert run.save("anew", expect=None).step == 0


def test_reflog_entries(store):
    run = store.thread("t")
    one = run.save(1, label="planned")
    two = run.save(2)
    run.rewind(one)
    rewound, second, first = run.reflog()
    assert (rewound.kind, rewound.old, rewound.new) == ("rewind", two.id, one.id)
    assert (second.kind, second.old, second.new, second.number) == ("save", one.id, two.id, None)
    assert (first.kind, first.old, first.message) == ("save", None, "planned")
    assert first.time == one.created_at
    assert [m.moves_ago for m in run.reflog(limit=2)] == [0, 1]
    for move in run.reflog():
        assert run.checkpoint(f"@{{{move.moves_ago}}}").id == move.new


def test_deep_history(store):
    run = store.thread("t")
    for n in range(5_000):
        run.save(n)
    assert run.load("@17") == 17
    assert run.load("~4999") == 0
    assert [c.step for c in run.log()] == list(range(4_999, -1, -1))
    assert run.checkpoint("@2500").is_ancestor_of(run.head)
    assert run.load("@{3000}") == 1_999
    middle = run.checkpoint("@2500").created_at
    assert next(run.log(until=middle)).step == 2_499
