"""Issue 6, kind 3: named checkpoints of a session."""

import io
import json

import pytest

import casckpt
from casckpt import Retention, exchange


def names(run):
    return [run.save({"n": n}, label=label) for n, label in enumerate("aababc")]


def test_kind3_create_with_name_data_and_metadata(run):
    saved = run.save({"text": "Hi"}, label="drafted", meta={"words": 1})
    assert (saved.label, saved.load(), saved.meta) == ("drafted", {"text": "Hi"}, {"words": 1})


def test_kind3_get(store, run):
    saved = run.save(1, label="a")
    assert store.checkpoint(saved.id).load() == 1


def test_kind3_get_by_name_newest_first(run):
    saved = names(run)
    assert list(run.log(label="a")) == [saved[3], saved[1], saved[0]]
    assert list(run.log(label="z")) == []


def test_kind3_get_latest_of_a_name(run):
    saved = names(run)
    assert run.checkpoint(":a") == saved[3]
    assert next(run.log(label="z"), None) is None
    with pytest.raises(casckpt.NotFoundError):
        run.checkpoint(":z")


def test_kind3_get_all(run):
    saved = names(run)
    assert list(run.log()) == saved[::-1]


def test_kind3_get_since(run):
    saved = names(run)
    assert list(run.log(since=saved[2].created_at)) == saved[:1:-1]


def test_kind3_get_between(run):
    saved = names(run)
    found = run.log(since=saved[1].created_at, until=saved[4].created_at)
    assert list(found) == [saved[3], saved[2], saved[1]]


def test_kind3_rollback_to(run):
    saved = names(run)
    assert run.rewind(saved[1].id) == saved[1]
    assert run.load() == {"n": 1}
    assert run.undo() == saved[-1]


def test_kind3_clear_with_a_count(store, run):
    names(run)
    count = run.summary().checkpoints
    run.delete()
    assert (count, run.exists, list(store.find())) == (6, False, [])


def test_kind3_len(run):
    names(run)
    assert run.head.step + 1 == len(list(run.log())) == 6


def test_kind3_iteration(run):
    names(run)
    assert "".join(checkpoint.label for checkpoint in run.log()) == "cbabaa"


def test_kind3_compression_of_old_checkpoints_keeps_first_last_20_and_newest_of_each_name(run):
    for number in range(60):
        run.save({"n": number}, label=f"name-{number % 7}" if number < 30 else "late")
    run.prune(Retention(keep_first=1, keep_last=20, keep_labels=True))
    stay = [c.step for c in run.log() if c.pruned is None]
    assert stay == [*range(59, 39, -1), *range(29, 22, -1), 0]


def test_kind3_compression_without_loss(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        run = store.thread("t")
        text = "".join(f"line {n}: {n * n}\n" for n in range(3_000))
        states = [{"text": text, "lines": [f"{n} {m}" for m in range(200)]} for n in range(30)]
        for state in states:
            run.save(state)
        before = store.stats().stored_bytes
        store.pack()
        assert store.stats().stored_bytes < before
        assert [c.load() for c in run.log()] == states[::-1]


def test_kind3_summary_total_per_name_first_last_and_duration(run):
    saved = names(run)
    found = run.summary()
    assert (found.checkpoints, found.labels) == (6, {"a": 3, "b": 2, "c": 1})
    assert (found.first, found.last) == (saved[0].id, saved[-1].id)
    assert found.span == saved[-1].created_at - saved[0].created_at


def test_kind3_a_callback_on_creation(store, run):
    heard = []
    store.on("saved", lambda event: heard.append(event.checkpoint.label))
    names(run)
    assert "".join(heard) == "aababc"


def test_kind3_export_as_json_with_counts(store, run):
    names(run)
    lines, document = io.BytesIO(), io.BytesIO()
    done = exchange.export_jsonl(store, lines)
    assert (done.threads, done.checkpoints) == (1, 6)
    assert exchange.export_thread(store, document, "t").checkpoints == 6
    shown = json.loads(document.getvalue())
    assert [c["label"] for c in shown["checkpoints"]] == [*"aababc"]


def test_kind3_import_of_json_with_counts(store, run):
    names(run)
    lines = io.BytesIO()
    exchange.export_jsonl(store, lines)
    with casckpt.open("memory:") as there:
        done = exchange.import_jsonl(there, io.BytesIO(lines.getvalue()))
        assert (len(done.threads), done.checkpoints) == (1, 6)
        assert [c.id for c in there.thread("t").log()] == [c.id for c in run.log()]


def test_kind3_import_of_their_export(store):
    theirs = [
        {"id": n, "name": name, "data": {"n": n}, "timestamp": 1_790_000_000 + n, "metadata": {}}
        for n, name in enumerate("aab")
    ]
    done = exchange.import_named(store, json.dumps(theirs).encode(), thread="letters")
    assert done.checkpoints == 3
    assert store.thread("letters").load(":a") == {"n": 1}
