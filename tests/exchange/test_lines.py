"""JSON Lines: what is exported comes back with the same ids; what is malformed names its line."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import casckpt
from casckpt.exchange import export_jsonl, export_thread, from_json, import_jsonl
from casckpt.exchange.read_lines import time_ns
from tests.bundle.conftest import Clock
from tests.bundle.histories import contents, write_history
from tests.strategies import any_values, register_all, same


@pytest.fixture
def store():
    with casckpt.open("memory:", clock=Clock()) as store:
        yield store


@pytest.fixture
def other(tmp_path):
    with casckpt.open(tmp_path / "other", durability="none", clock=Clock()) as store:
        yield store


def lines(store, *args, **how):
    file = io.BytesIO()
    done = export_jsonl(store, file, *args, **how)
    assert done.bytes == len(file.getvalue())
    return [json.loads(line) for line in file.getvalue().splitlines()]


def take(store, records, **how):
    text = "".join(r if isinstance(r, str) else json.dumps(r) + "\n" for r in records)
    return import_jsonl(store, io.BytesIO(text.encode()), **how)


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_history_comes_back_with_its_ids(store, other, seed, changes):
    write_history(store, seed)
    exported = lines(store, changes=changes)
    done = take(other, exported)
    assert contents(other) == contents(store)
    assert list(other.fsck(level="structure")) == []
    assert done.checkpoints == exported[-1]["checkpoints"]
    assert {thread.how for thread in done.threads} == {"new"}
    assert lines(other, changes=changes) == exported
    assert {thread.how for thread in take(other, exported).threads} == {"unchanged"}
    if changes:
        assert any("changes" in line for line in exported)
        assert not any("changes" in line and line["parent"] is None for line in exported)


@settings(max_examples=40)
@given(values=st.lists(any_values(), min_size=1, max_size=4), changes=st.booleans())
def test_any_value_comes_back_exactly(values, changes):
    with casckpt.open("memory:") as one, casckpt.open("memory:") as two:
        register_all(one)
        register_all(two)
        for value in values:
            one.thread("t").save(value)
        take(two, lines(one, changes=changes))
        assert [c.id for c in two.thread("t").log()] == [c.id for c in one.thread("t").log()]
        for number, value in enumerate(values):
            assert same(two.thread("t").load(f"@{number}"), value)


@settings(max_examples=20)
@given(value=any_values(), changes=st.booleans())
def test_classes_that_nobody_knows_pass_through(value, changes):
    with casckpt.open("memory:") as one, casckpt.open("memory:") as two:
        register_all(one)
        one.thread("t").save([1])
        one.thread("t").save([1, value])
        take(two, lines(one, changes=changes))
        assert two.thread("t").head.id == one.thread("t").head.id


def test_deep_states(store, other):
    deep = 1
    for _ in range(250):
        deep = (deep,)
    for state in (deep, [deep], {"a": {"b": [deep]}}):
        store.thread("t").save(state)
    for changes in (False, True):
        take(other, lines(store, changes=changes), overwrite=True)
        assert contents(other) == contents(store)


def test_only_some_threads(store, other):
    write_history(store, 4)
    exported = lines(store, ["a"])
    assert {line["thread"] for line in exported if line["type"] == "thread"} == {"a"}
    take(other, exported)
    assert contents(other) == contents(store, {"a"})
    with pytest.raises(casckpt.NotFoundError, match="no thread nobody"):
        lines(store, ["nobody"])
    with pytest.raises(casckpt.NotFoundError, match="no thread to export"):
        lines(store, prefix="nobody")
    with pytest.raises(casckpt.InvalidInputError):
        lines(store, "a")


def test_lines_made_by_hand(other):
    take(
        other,
        [
            {"thread": "t", "state": {"n": 1}},
            "\n",
            {"thread": "u", "state": [1], "label": "x", "tags": ["y"], "meta": {"k": 1.5}},
            {"thread": "t", "state": {"n": 2}, "created_at": "2033-01-02T03:04:05+01:00"},
            {"thread": "t", "changes": [{"op": "replace", "path": ["n"], "value": 3}]},
        ],
    )
    assert [c.load() for c in other.thread("t").log()] == [{"n": 3}, {"n": 2}, {"n": 1}]
    second = other.checkpoint("t~1")
    assert second.created_at.isoformat() == "2033-01-02T02:04:05+00:00"
    assert other.thread("t").head.created_at >= second.created_at  # later, by a nanosecond
    head = other.thread("u").head
    assert (head.label, head.tags, head.meta) == ("x", ("y",), {"k": 1.5})
    assert [c.id for c in other.find(tag="y")] == [head.id]
    assert list(other.fsck()) == []


def test_forks_made_by_hand(store, other):
    saved = [store.thread("t").save(n).id for n in range(3)]
    exported = lines(store)[1:-1]
    fork = {"type": "checkpoint", "thread": "f", "parent": saved[1], "state": "other"}
    take(other, [*exported[1:], fork])
    assert [c.load() for c in other.thread("f").log()] == ["other", 1, 0]
    assert other.thread("t").head.id == saved[2]


def test_a_line_that_was_changed(store, other):
    for number in range(4):
        store.thread("t").save({"n": number}, tags=["all"])
    store.checkpoint("t@1").tag("more")
    exported = lines(store)
    exported[3]["state"]["n"] = 10
    with pytest.raises(casckpt.InvalidInputError, match="line 4: the checkpoint comes out as"):
        take(other, exported)
    assert other.threads() == []
    done = take(other, exported, new_ids=True)
    assert [c.load()["n"] for c in other.thread("t").log()] == [3, 2, 10, 0]
    assert other.checkpoint("t@0").id == exported[2]["id"]
    assert other.checkpoint("t@1").tags == ("all", "more")
    assert done.threads[0].head.hex() != exported[1]["head"]
    assert list(other.fsck()) == []


def test_prefix_and_overwriting(store, other):
    store.thread("t").save(1)
    store.thread("t").fork("u")
    take(other, lines(store), prefix="from/")
    assert [(i.name, i.forked_from) for i in other.threads()] == [
        ("from/t", None),
        ("from/u", "from/t"),
    ]
    other.thread("t").save("ours")
    before = contents(other)
    with pytest.raises(casckpt.ConflictError, match="has gone another way"):
        take(other, lines(store))
    assert contents(other) == before
    take(other, lines(store), overwrite=True)
    assert other.thread("t").load() == 1
    other.thread("t").undo()
    assert other.thread("t").load() == "ours"


A = {"thread": "t", "state": 1}
ID = "ab" * 32
MALFORMED = [
    (["{"], "line 1: not JSON"),
    ([A, "[1]\n"], "line 2: not a JSON object"),
    ([A, "\n", {"thread": "t"}], 'line 3: a checkpoint has a "state", or "changes"'),
    ([{**A, "changes": []}], 'a checkpoint has a "state", or "changes"'),
    ([{"state": 1}], 'line 1: "thread" is missing'),
    ([{**A, "thread": 7}], '"thread" must be text'),
    ([{**A, "thread": "../x"}], "not a thread name"),
    ([{**A, "label": 3}], '"label" must be text'),
    ([{**A, "tags": "x"}], '"tags" must be an array'),
    ([{**A, "tags": [1]}], "a tag is a str"),
    ([{**A, "meta": [1]}], "meta is a dict"),
    ([{**A, "id": "xyz"}], '"id" must be the id'),
    ([{**A, "id": ID}], "line 1: the checkpoint comes out as"),
    ([{**A, "parent": ID}], "is neither in a line before nor in this store"),
    ([{**A, "created_ns": "now"}], '"created_ns" must be a whole number'),
    ([{**A, "created_ns": -1}], "out of range"),
    ([{**A, "created_at": "soon"}], "not a time"),
    ([{**A, "type": "x"}], "no line has the type 'x'"),
    ([{**A, "type": [1]}], "no line has the type"),
    ([{**A, "state": {"$casckpt": "nonsense", "value": 1}}], "there is no wrapper named"),
    ([{**A, "state": {"$casckpt": "object", "value": ["x"]}}], "line 1: malformed"),
    (['{"thread": "t", "thread": "u", "state": 1}\n'], "stands twice"),
    (['{"thread": "t", "state": NaN}\n'], "NaN is not JSON"),
    (['{"thread": "t", "state": ' + "[" * 300 + "]" * 300 + "}\n"], "deep"),
    (['{"thread": "t", "state": ' + "[" * 100_000 + "\n"], "deep"),
    ([{"thread": "t", "changes": []}], "changes need a parent"),
    ([A, {"thread": "t", "changes": [1]}], "a change is a JSON object"),
    ([A, {"thread": "t", "changes": [{"op": "add", "path": "n"}]}], "an array of steps"),
    ([A, {"thread": "t", "changes": [{"op": "add", "path": ["n"]}]}], "line 2: the changes do not"),
    ([A, {"thread": "t", "changes": [{"op": "eval", "path": []}]}], "a change is one of"),
    ([{"type": "casckpt", "version": 2}], "line 1: lines of version 2"),
    ([{"type": "casckpt", "version": 1}, A], "line 3: the lines are cut off"),
    ([A, {"type": "end", "checkpoints": 3}], "counts other checkpoints"),
    ([A, {"type": "end", "checkpoints": 1}, A], "line 3: something stands behind the end"),
    ([{"type": "thread", "thread": "t", "head": ID}], "is neither in a line before"),
    ([{"type": "thread", "thread": "t", "head": ID}] * 2, "line 2: the thread t stands twice"),
    ([{"type": "thread", "thread": "t", "head": ID, "forked_at": ID}], '"forked_from" is missing'),
    ([{"type": "tags", "id": ID, "tags": []}], "is neither in a line before"),
    ([], "line 1: there is no checkpoint"),
]


@pytest.mark.parametrize(("records", "match"), MALFORMED, ids=[match for _, match in MALFORMED])
def test_malformed_lines(store, records, match):
    store.thread("kept").save(1)
    before = contents(store)
    with pytest.raises(casckpt.InvalidInputError, match=match) as caught:
        take(store, records)
    assert type(caught.value.details["line"]) is int
    assert contents(store) == before
    store.gc(grace=0)
    assert store.stats().objects == 1


def test_times_grow_where_ids_are_said(store, other):
    store.thread("t").save(1)
    store.thread("t").save(2)
    exported = lines(store)
    exported[3]["created_ns"] = exported[2]["created_ns"]
    with pytest.raises(casckpt.InvalidInputError, match="line 4: its time is not later"):
        take(other, exported)


@given(st.binary(max_size=80))
def test_any_bytes(data):
    with casckpt.open("memory:") as store:
        try:
            import_jsonl(store, io.BytesIO(data))
        except casckpt.InvalidInputError as error:
            assert error.details["line"] >= 1  # noqa: PT017 - whatever else it says
            assert store.threads() == []


def test_a_thread_for_people(store):
    store.thread("t").save({"a": (1, b"x")}, label="first", meta={"k": 1})
    store.thread("t").save({"a": 2})
    store.checkpoint("t~1").tag("later")
    store.thread("t").fork("f", at="~1")
    file = io.BytesIO()
    assert export_thread(store, file, "t").checkpoints == 2
    document = json.loads(file.getvalue())
    assert (document["thread"], document["forked_from"]) == ("t", None)
    first, second = document["checkpoints"]
    assert first["id"] == second["parent"] == store.checkpoint("t~1").id
    assert (first["label"], first["tags"], first["meta"]) == ("first", ["later"], {"k": 1})
    assert from_json(json.dumps(first["state"])) == {"a": (1, b"x")}
    assert second["state"] == {"a": 2}
    assert file.getvalue().count(b"\n") > 20
    export_thread(store, file := io.BytesIO(), "f")
    assert json.loads(file.getvalue())["forked_from"] == "t"
    with pytest.raises(casckpt.NotFoundError):
        export_thread(store, io.BytesIO(), "nobody")


def test_many_at_once_in_bounded_pieces(store, other, monkeypatch):
    """Checkpoints go in batches; a batch's own parents and states are found."""
    monkeypatch.setattr("casckpt.exchange.grafter._BATCH_OBJECTS", 7)
    monkeypatch.setattr("casckpt.exchange.grafter._STATES_MAX", 1)
    write_history(store, 9)
    take(other, lines(store, changes=True))
    assert contents(other) == contents(store)


def test_a_store_that_is_read_only(store, tmp_path):
    store.thread("t").save(1)
    casckpt.open(tmp_path / "s").close()
    with (
        casckpt.open(tmp_path / "s", read_only=True) as disk,
        pytest.raises(casckpt.StorageError, match="read-only"),
    ):
        take(disk, lines(store))


def test_progress(store, other):
    write_history(store, 1, steps=10)
    told = []
    records = lines(store, progress=lambda *what: told.append(what))
    take(other, records, progress=lambda *what: told.append(what))
    assert told[-1] == ("importing", len(records), 0)
    exporting = [what for what in told if what[0] == "exporting"]
    assert exporting[-1][1] == exporting[-1][2] == records[-1]["checkpoints"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-11-20T09:30:00Z", 1_795_167_000_000_000_000),
        ("2026-11-20T09:30:00", 1_795_167_000_000_000_000),
        ("2026-11-20T10:30:00.000001+01:00", 1_795_167_000_000_001_000),
        (1_795_167_000, 1_795_167_000_000_000_000),
        (1_795_167_000.25, 1_795_167_000_250_000_000),
        (1_795_167_000_123, 1_795_167_000_123_000_000),
        (1_795_167_000_123_456, 1_795_167_000_123_456_000),
        (1_795_167_000_123_456_789, 1_795_167_000_123_456_789),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        ("1900-01-01", None),
    ],
)
def test_times_of_others(value, found):
    assert time_ns(value) == found


@pytest.mark.parametrize("changes", [False, True])
def test_pruned_states_do_not_go_along(store, other, changes):
    run = store.thread("t")
    for number in range(8):
        run.save({"n": number, "long": [number] * 3_000}, tags=["odd"] if number % 2 else [])
    run.prune(casckpt.Retention(keep_last=2, keep_first=1, keep_tagged=False))
    exported_why = run.checkpoint("@3").pruned.why
    exported = lines(store, changes=changes)
    take(other, exported)
    assert list(other.fsck(level="structure")) == []
    assert [c.id for c in other.thread("t").log()] == [c.id for c in run.log()]
    assert [c.pruned is None for c in other.thread("t").log()] == [True, True, *[False] * 5, True]
    assert [c.step for c in other.find(tag="odd")] == [c.step for c in store.find(tag="odd")]
    assert other.thread("t").load() == run.load()
    assert lines(other, changes=changes) == exported
    pruned = next(line for line in exported if "pruned" in line)
    assert pruned["pruned"]["why"] == exported_why
    assert not {"state", "changes", "meta"} & pruned.keys()
    export_thread(store, file := io.BytesIO(), "t")
    assert "left" not in json.loads(file.getvalue())["checkpoints"][1]["pruned"]
    pruned["pruned"]["left"] = "AAAA"
    with pytest.raises(casckpt.InvalidInputError, match="line 4: "):
        take(other, exported)


@pytest.mark.parametrize("collected", [False, True])
def test_what_was_pruned_here_stays_so(store, collected):
    run = store.thread("t")
    for number in range(4):
        run.save({"n": number, "long": [number] * 3_000})
    exported = lines(store)
    run.prune(casckpt.Retention(keep_last=1))
    if collected:
        store.gc(grace=0)
    for _ in range(2):
        take(store, exported)
        assert [c.pruned is None for c in run.log()] == [True, False, False, False]
        assert [c.step for c in store.find()] == [3]
        with pytest.raises(casckpt.PrunedError):
            run.load("@0")
    assert list(store.fsck(level="structure")) == []


def test_what_came_before_a_bad_line_is_not_shown(store, other):
    first = store.thread("t").save({"n": 1})
    broken = io.BytesIO()
    export_jsonl(store, broken)
    with pytest.raises(casckpt.InvalidInputError):
        import_jsonl(other, io.BytesIO(broken.getvalue() + b"{bad"))
    with pytest.raises(casckpt.NotFoundError):
        other.checkpoint(first.id)
    assert first.id not in {id.hex() for id in other._ledger.ancestry.cached}
