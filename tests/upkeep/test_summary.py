"""Thread.summary and `casckpt stats THREAD`: counted in one walk, checked by hand."""

import json
from datetime import timedelta

import pytest

import casckpt
from casckpt import Retention
from casckpt.cli import main
from tests.api.conftest import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path, clock):
    path = "memory:" if request.param == "memory" else tmp_path / "store"
    with casckpt.open(path, durability="none", clock=clock) as store:
        yield store


def test_counts_and_times(store, clock):
    run = store.thread("t")
    first = run.save({"n": 0}, label="planned", tags=["a", "b"])
    for number in range(1, 10):
        clock.advance(timedelta(minutes=6))
        run.save({"n": number}, label="stepped" if number % 3 else None)
    first.untag("a")
    run.checkpoint("~1").tag("b")
    found = run.summary()
    assert (found.thread, found.checkpoints, found.pruned) == ("t", 10, 0)
    assert (found.first, found.last) == (first.id, run.head.id)
    assert (found.begun, found.updated) == (first.created_at, run.head.created_at)
    assert abs(found.span - timedelta(minutes=54)) < timedelta(seconds=1)
    assert found.per_hour == pytest.approx(10, rel=0.01)
    assert found.labels == {"stepped": 6, "planned": 1}
    assert found.tags == {"b": 2}
    assert found.state_bytes == run.head.size
    assert found.states_bytes == sum(c.size for c in run.log())
    assert json.loads(json.dumps(found.to_dict()))["labels"] == found.labels


def test_a_fork_counts_what_it_shares(store):
    run = store.thread("t")
    run.save(1)
    run.save(2)
    fork = run.fork("u", at="@0")
    assert fork.summary().checkpoints == 1
    assert fork.summary().per_hour is None
    fork.save(3)
    assert fork.summary().checkpoints == 2


def test_pruned_ones_are_counted_without_their_states(store):
    run = store.thread("t")
    for number in range(6):
        run.save({"n": number})
    run.prune(Retention(keep_last=2))
    before = run.summary()
    assert (before.checkpoints, before.pruned) == (6, 4)
    assert before.states_bytes == run.head.size * 2
    store.gc(grace=0)
    assert run.summary() == before


def test_no_thread(store):
    with pytest.raises(casckpt.NotFoundError):
        store.thread("t").summary()


def test_the_command(tmp_path, capsys):
    store = tmp_path / "s.casckpt"
    with casckpt.open(store) as opened:
        run = opened.thread("support/alice")
        for number in range(12):
            run.save({"text": "x" * 5_000 * number}, label=f"label {number}", tags=["t"])

    def stats(*arguments):
        code = main.run(["-s", str(store), "stats", *arguments])
        return code, capsys.readouterr()

    code, printed = stats("support/alice")
    assert code == 0
    assert "checkpoints  12" in printed.out
    assert "label 11 1, " in printed.out
    assert "and 2 more" in printed.out
    assert "text" in printed.out.splitlines()[-1]
    found = json.loads(stats("support/alice", "--json")[1].out)
    assert found["largest"][0]["path"] == "text"
    assert found["tags"] == {"t": 12}
    code, printed = stats("support/bob")
    assert code == 3
    assert "support/alice" in printed.err
