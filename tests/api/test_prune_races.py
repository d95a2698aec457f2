"""Prune and gc between the looking of a move and its commit: nobody comes to stand at nothing.

A head whose state is gone would be a thread that nobody can load. So a move either comes first,
and keeps the state, or is told that it came too late, and moves nothing.
"""

from __future__ import annotations

import io

import pytest

import casckpt
from casckpt import Retention
from casckpt.history import pruned

LAST = Retention(keep_last=1)


class Race:
    """A store, and somebody else who comes between a move's looking and its commit."""

    def __init__(self, mine, other, monkeypatch):
        self.mine, self.other = mine, other
        self.patch = monkeypatch
        self.run = mine.thread("a")
        for step in range(10):
            self.run.save({"n": step})
        self.oid = self.run.checkpoint("@8").id

    def prune(self):
        self.other.thread("a").prune(LAST)

    def take(self):
        self.prune()
        assert self.other.gc(grace=0).objects_replaced

    def between(self, act):
        """What is to happen before the next commit of this handle that moves a thread."""
        engine, told = self.mine._ledger.engine, []
        real = type(engine).commit

        def commit(this, objects=(), refs=(), **more):
            moves = any(update.name.startswith("thread/") for update in refs)
            if this is engine and moves and not told:
                told.append(True)
                act()
            return real(this, objects, refs, **more)

        self.patch.setattr(type(engine), "commit", commit)
        return told


@pytest.fixture
def race(place, clock, monkeypatch):
    path = place()
    with casckpt.open(path, durability="none", clock=clock) as mine:
        if path == "memory:":
            yield Race(mine, mine, monkeypatch)
            return
        with casckpt.open(path, durability="none", clock=clock) as other:
            yield Race(mine, other, monkeypatch)


def fork(race):
    return lambda: race.run.fork("b", "@8")


def rewind(race):
    return lambda: race.run.rewind("@8")


def undo(race):
    return race.run.undo


def unbundle(race):
    file = io.BytesIO()
    race.run.fork("b", "@8")
    race.mine.bundles.create(file, ["b"])
    race.mine.thread("b").delete()
    race.mine.gc(grace=0)
    return lambda: race.mine.bundles.unbundle(io.BytesIO(file.getvalue()))


MOVES = pytest.mark.parametrize("begin", [fork, rewind, undo, unbundle])


@MOVES
def test_a_state_that_gc_takes_meanwhile_is_refused(race, begin):
    move, heard = begin(race), []
    for kind in ("forked", "rewound"):
        race.mine.on(kind, heard.append)
    told = race.between(race.take)
    with pytest.raises(casckpt.PrunedError, match=r"a@8 .*was pruned.*has been collected") as got:
        move()
    assert told
    assert got.value.details["object"] == race.oid
    assert not got.value.details["recoverable"]
    for store in (race.mine, race.other):
        assert [(info.name, info.step) for info in store.threads()] == [("a", 9)]
        assert store.thread("a").load() == {"n": 9}
        assert not [move.kind for move in store.thread("a").reflog() if move.kind != "save"]
        assert store.fsck(level="data").ok
        assert list(store.fsck(level="structure")) == []
    assert heard == []
    assert race.run.fork("c").load() == {"n": 9}, "and all goes on"


@MOVES
def test_a_state_that_is_only_pruned_meanwhile_is_taken_up(race, begin):
    move = begin(race)
    told = race.between(race.prune)
    move()
    assert told
    assert race.other.checkpoint(race.oid).load() == {"n": 8}
    race.other.gc(grace=0)
    for store in (race.mine, race.other):
        assert store.checkpoint(race.oid).load() == {"n": 8}
        assert store.fsck(level="data").ok


@MOVES
def test_what_was_pruned_before_is_taken_up_by_the_commit_of_the_move(race, begin, monkeypatch):
    """A process may be killed right behind it, and gc would take the state."""
    move = begin(race)
    race.prune()
    monkeypatch.setattr(pruned, "revive", lambda *_: None)
    move()
    race.other.gc(grace=0)
    for store in (race.mine, race.other):
        assert store.checkpoint(race.oid).load() == {"n": 8}
