"""Files of hand-made checkpoint managers: what becomes what, what is skipped, and why."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import casckpt
from casckpt.exchange import import_named, import_session_files
from tests.bundle.conftest import Clock


@pytest.fixture
def store():
    with casckpt.open("memory:", clock=Clock()) as store:
        yield store


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "monday"
    place.mkdir()
    return place


def write(folder, name, **fields):
    path = folder / name
    path.write_text(json.dumps(fields))
    os.utime(path, ns=(1_790_000_000_000_000_000, 1_790_000_000_000_000_000))
    return path


def log(store, name):
    return list(reversed(list(store.thread(name).log())))


def test_a_session_of_files(store, folder):
    """As such managers write them: reason, stage, parent session, progress, state."""
    for number, (reason, stage) in enumerate(
        [("manual", "plan"), ("auto", "act"), ("error", "act")]
    ):
        write(
            folder,
            f"checkpoint_{number}.json",
            checkpoint_id=f"cp-{number}",
            session_id="s-1",
            parent_session_id=None,
            timestamp=f"2026-11-20T09:0{number}:00.5",
            reason=reason,
            stage=stage,
            progress={"done": number, "of": 3},
            metadata={"model": "small"},
            state={"messages": ["x"] * number, "ok": True},
        )
    done = import_session_files(store, folder)
    assert (done.checkpoints, done.without_time, done.skipped) == (3, 0, ())
    first, second, third = log(store, "s-1")
    assert [c.label for c in (first, second, third)] == ["manual", "auto", "error"]
    assert second.load() == {"messages": ["x"], "ok": True}
    assert second.meta == {
        "checkpoint_id": "cp-1",
        "session_id": "s-1",
        "parent_session_id": None,
        "stage": "act",
        "progress": {"done": 1, "of": 3},
        "model": "small",
    }
    assert second.created_at.isoformat() == "2026-11-20T09:01:00.500000+00:00"
    assert list(store.fsck()) == []
    # once more: nothing is new; one file more: the thread moves on
    (thread,) = import_session_files(store, folder).threads
    assert thread.how == "unchanged"
    write(folder, "later.json", session_id="s-1", timestamp="2026-11-21T00:00:00Z", state=1)
    (thread,) = import_session_files(store, folder).threads
    assert (thread.how, store.thread("s-1").head.step) == ("forward", 3)


def test_a_session_that_goes_on_from_another(store, folder):
    write(folder, "b0.json", session="b", parent_session="a", timestamp=250, state="b0")
    write(folder, "b1.json", session="b", parent_session="a", timestamp=350, state="b1")
    for number in range(4):
        write(folder, f"a{number}.json", session="a", timestamp=100 * number, state=f"a{number}")
    write(folder, "c.json", session="c", parent_session="gone", timestamp=1, state="c")
    import_session_files(store, folder, prefix="old/")
    assert [c.load() for c in log(store, "old/b")] == ["a0", "a1", "a2", "b0", "b1"]
    forked = {info.name: info.forked_from for info in store.threads()}
    assert forked == {"old/a": None, "old/b": "old/a", "old/c": None}
    assert log(store, "old/c")[0].meta["parent_session"] == "gone"


def test_a_circle_of_parents_is_cut(store, folder):
    write(folder, "a.json", session="a", parent_session="b", timestamp=1, state=1)
    write(folder, "b.json", session="b", parent_session="a", timestamp=2, state=2)
    write(folder, "c.json", session="c", parent_session="c", timestamp=3, state=3)
    assert import_session_files(store, folder).checkpoints == 3
    assert len(store.threads()) == 3


def test_order_without_times(store, folder):
    for number in (10, 9, 1):
        write(folder, f"cp{number}.json", state=number)
    done = import_session_files(store, folder)
    assert done.without_time == 3
    assert [c.load() for c in log(store, "monday")] == [1, 9, 10]
    assert log(store, "monday")[0].created_at.year == 2026  # when the file was changed
    for number in (10, 9, 1):
        write(folder, f"cp{number}.json", state=number, step=-number)
    import_session_files(store, folder, thread="by-step")
    assert [c.load() for c in log(store, "by-step")] == [10, 9, 1]


def test_what_is_skipped_and_why(store, folder):
    write(folder, "good.json", state={"n": float("nan"), "$casckpt": "literally"})
    write(folder, "latest.json", state={"n": float("nan"), "$casckpt": "literally"})
    write(folder, "stateless.json", reason="x")
    write(folder, "deep.json", state=json.loads("[" * 300 + "]" * 300))
    write(folder, "wide.json", state=7, metadata={"many": list(range(20_000))})
    (folder / "cut.json").write_text('{"state": [1, 2')
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (folder / "array.json").write_text("[1]")
    (folder / "half.json.tmp").write_text("{}")
    (folder / "older").mkdir()
    done = import_session_files(store, folder)
    assert done.checkpoints == 2
    why = dict(done.skipped)
    assert why.pop("latest.json") == "the same as good.json"
    assert why.pop("stateless.json").startswith("it has no state")
    assert why.pop("half.json.tmp") == "not a .json file"
    assert why.pop("array.json") == "not a JSON object"
    assert why.pop("older") == "a folder"
    assert why.pop("wide.json").startswith("only its meta: ")
    assert "deep" in why.pop("deep.json")
    assert why.keys() == {"cut.json", "bytes.json"}
    assert all(text.startswith("not JSON: ") for text in why.values())
    assert log(store, "monday")[0].load()["$casckpt"] == "literally"
    assert log(store, "monday")[1].load() == 7
    assert list(store.fsck()) == []


def test_nothing_to_take(store, folder):
    write(folder, "x.json", reason="no state")
    with pytest.raises(casckpt.InvalidInputError, match=r"nothing in .* x.json: it has no state"):
        import_session_files(store, folder)
    assert store.threads() == []
    with pytest.raises(casckpt.InvalidInputError, match="nothing in checkpoints"):
        import_named(store, b"[]")


def test_names_and_labels_that_are_none(store, folder):
    write(folder, "a.json", session="../a:b/./c@1", reason="x" * 300, state=1)
    import_session_files(store, folder)
    (info,) = store.threads()
    assert info.name == "a-b/c-1"
    assert info.head.label is None
    assert info.head.meta["reason"] == "x" * 300
    write(folder, "b.json", session="a@b/c:1", state=1)
    with pytest.raises(casckpt.InvalidInputError, match="two sessions would be the thread a-b/c-1"):
        import_session_files(store, folder)
    write(folder, "b.json", session="..", state=1)
    with pytest.raises(casckpt.InvalidInputError, match="may not be empty"):
        import_session_files(store, folder)


NAMED = [
    {"name": "planned", "data": {"n": 1}, "metadata": {"k": 1}, "timestamp": 1_795_167_000.5},
    {"name": "acted", "data": {"n": 2}, "metadata": None, "timestamp": "2026-11-20T09:30:07Z"},
    {"name": "acted", "data": {"n": 3}, "timestamp": 1_795_167_009_000, "id": "c3"},
]


@pytest.mark.parametrize(
    "shape",
    [
        NAMED,
        {"checkpoints": NAMED, "session_id": "run"},
        {"checkpoints": {"1": NAMED[0], "2": NAMED[1], "3": NAMED[2]}},
        list(reversed(NAMED)),
    ],
    ids=["array", "object", "by id", "newest first"],
)
def test_named_checkpoints(store, shape):
    done = import_named(store, json.dumps(shape).encode(), where="run")
    assert (done.checkpoints, done.without_time, done.skipped) == (3, 0, ())
    found = log(store, "run")
    assert [(c.label, c.load()["n"]) for c in found] == [
        ("planned", 1),
        ("acted", 2),
        ("acted", 3),
    ]
    assert [c.meta for c in found] == [{"k": 1}, {"metadata": None}, {"id": "c3"}]
    assert found[0].created_at.isoformat() == "2026-11-20T09:30:00.500000+00:00"
    assert [c.load()["n"] for c in store.find(label="acted")] == [3, 2]


def test_names_as_keys(store):
    import_named(store, b'{"first": {"data": 1}, "second": {"data": 2}, "odd": 3}', where="run")
    assert [(c.label, c.load()) for c in log(store, "run")] == [("first", 1), ("second", 2)]
    done = import_named(store, b'{"name": "alone", "data": 5}', where="one")
    assert store.thread("one").head.label == "alone"
    assert (done.checkpoints, done.without_time) == (1, 1)


def test_a_thread_that_is_there(store):
    store.thread("run").save("ours")
    text = json.dumps(NAMED).encode()
    with pytest.raises(casckpt.ConflictError, match="has gone another way"):
        import_named(store, text, where="run")
    assert store.thread("run").load() == "ours"
    import_named(store, text, where="run", overwrite=True)
    assert store.thread("run").load() == {"n": 3}
    import_named(store, text, thread="mine", prefix="p/")
    assert [c.load() for c in log(store, "p/mine")] == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize("text", [b"", b"{", b"7", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_export(store, text):
    with pytest.raises(casckpt.InvalidInputError):
        import_named(store, text)
    assert store.threads() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["data", "name", "timestamp", "metadata", "checkpoints", "session", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json_is_taken_or_refused(value):
    with casckpt.open("memory:", clock=Clock()) as store:
        try:
            done = import_named(store, json.dumps(value).encode())
        except casckpt.InvalidInputError:
            assert store.threads() == []
        else:
            heads = [info.head.step + 1 for info in store.threads()]
            assert sum(heads) == done.checkpoints
            assert list(store.fsck()) == []
