"""Moves and undo against a model: the list of everywhere the head has ever been."""

import random

import pytest

from casckpt.errors import ConflictError, CorruptError, NotFoundError, PrunedError
from casckpt.history import moves
from casckpt.upkeep.gc import collect, timedelta
from tests.history.ledgers import new_ledger


class Model:
    """Where a head has been, oldest first; undo walks back along it, and is a move itself."""

    def __init__(self):
        self.been, self.undone_to = [None], None

    @property
    def head(self):
        return self.been[-1]

    def move(self, head):
        if head != self.head:
            self.been.append(head)
            self.undone_to = None

    def undo(self):
        at = len(self.been) - 1 if self.undone_to is None else self.undone_to
        if at == 0:
            raise NotFoundError("nothing")
        self.been.append(self.been[at - 1])
        self.undone_to = at - 1


def outcome(call):
    try:
        call()
    except NotFoundError:
        return "nothing"
    return "done"


@pytest.mark.parametrize("seed", range(12))
def test_undo_is_that_of_the_model(seed):
    rng = random.Random(seed)
    ledger, model, stored = new_ledger(), Model(), []
    other = ledger.append("other", 0)
    for n in range(120):
        act = rng.choice(["save", "save", "save", "undo", "undo", "rewind", "delete", "fork"])
        if act == "save":
            point = ledger.append("t", n)
            stored.append(point)
            model.move(point.id)
        elif act == "undo":
            assert outcome(lambda: moves.undo(ledger, "t")) == outcome(model.undo)
        elif act == "rewind" and model.head is not None:
            target = rng.choice([*stored[-5:], other])
            moves.rewind(ledger, "t", lambda _, target=target: target)
            model.move(target.id)
        elif act == "delete" and model.head is not None:
            moves.delete(ledger, "t")
            model.move(None)
        elif act == "fork" and model.head is None:
            moves.fork(ledger, "other", "t", other)
            model.move(other.id)
        head = ledger.head("t")
        assert (head.id if head else None) == model.head
    lines = list(moves.moves(ledger, "t"))
    pairs = list(zip(model.been, model.been[1:], strict=False))[::-1]
    assert [(line.old, line.new) for line in lines] == pairs
    assert [line.moves_ago for line in lines] == list(range(len(lines)))
    times = [line.time_ns for line in lines]
    assert times == sorted(times, reverse=True)
    ref = ledger.ref("t")
    for ago in range(len(lines) + 1):
        assert moves.head_moves_ago(ledger, "t", ref, ago) == model.been[-1 - ago]
    with pytest.raises(NotFoundError, match=f"has made {len(lines)} moves"):
        moves.head_moves_ago(ledger, "t", ref, len(lines) + 1)


def test_a_long_run_of_saves_is_jumped_over():
    ledger = new_ledger()
    points = [ledger.append("t", n) for n in range(400)]
    ref = ledger.ref("t")
    ledger.forget()
    reads = 0
    read = ledger.engine.read

    def counting(ids):
        nonlocal reads
        reads += len(ids)
        return read(ids)

    ledger.engine.read = counting
    assert moves.head_moves_ago(ledger, "t", ref, 390) == points[9].id
    assert reads < 40


def test_reflog_says_what_kind_and_why():
    ledger = new_ledger()
    first = ledger.append("a", 1, label="planned")
    second = ledger.append("a", 2)
    moves.fork(ledger, "a", "b", first)
    moves.rewind(ledger, "a", ledger.ancestry.parent)
    moves.delete(ledger, "a")
    moves.undo(ledger, "a")
    lines = [(m.kind, m.old, m.new, m.message) for m in moves.moves(ledger, "a")]
    assert lines == [
        ("undo", None, first.id, ""),
        ("delete", first.id, None, ""),
        ("rewind", second.id, first.id, ""),
        ("save", first.id, second.id, ""),
        ("save", None, first.id, "planned"),
    ]
    assert [(m.kind, m.message) for m in moves.moves(ledger, "b")] == [("fork", "from a")]
    assert [m.number is None for m in moves.moves(ledger, "a")] == [False, False, False, True, True]


def test_rewind_to_the_head_is_no_move():
    ledger = new_ledger()
    ledger.append("a", 1)
    head = ledger.append("a", 2)
    moves.rewind(ledger, "a", lambda head: head)
    assert len(list(moves.moves(ledger, "a"))) == 2
    moves.undo(ledger, "a")
    assert ledger.head("a").id == head.parent


def test_fork_refuses_a_name_that_is_taken_and_takes_a_deleted_one():
    ledger = new_ledger()
    head = ledger.append("a", 1)
    ledger.append("b", 1)
    for name in ("a", "b"):
        with pytest.raises(ConflictError) as caught:
            moves.fork(ledger, "a", name, head)
        assert caught.value.details["actual"] == ledger.head(name).id.hex()
    moves.delete(ledger, "b")
    moves.fork(ledger, "a", "b", head)
    assert ledger.head("b") == head


def test_undo_of_a_delete_restores_where_the_thread_came_from():
    ledger = new_ledger()
    head = ledger.append("a", 1)
    moves.fork(ledger, "a", "b", head)
    before = ledger.ref("b")
    moves.delete(ledger, "b")
    ledger.append("b", "another life")
    moves.undo(ledger, "b")  # the save
    moves.undo(ledger, "b")  # the delete
    assert ledger.ref("b").info == before.info
    assert ledger.head("b") == head


def test_what_gc_has_taken_cannot_be_undone_and_does_not_break_the_reflog():
    ledger = new_ledger()
    first = ledger.append("a", 1)
    ledger.append("a", 2)
    gone = ledger.append("a", 3)
    moves.rewind(ledger, "a", lambda _: first)
    ledger.clock.now_ns += 10**15
    report = collect(ledger, grace=timedelta(days=1))
    assert report.objects_removed == 2
    with pytest.raises(PrunedError):
        moves.undo(ledger, "a")
    lines = list(moves.moves(ledger, "a"))
    # How the collected line of saves came to be went with it.
    assert [(m.kind, m.old, m.new) for m in lines] == [("rewind", gone.id, first.id)]


def test_gc_within_its_grace_keeps_what_undo_needs():
    ledger = new_ledger()
    first = ledger.append("a", 1)
    second = ledger.append("a", 2)
    moves.rewind(ledger, "a", lambda _: first)
    assert collect(ledger).objects_removed == 0
    assert moves.undo(ledger, "a") == second


def forgetting(ledger):
    """Deletes the thread and lets gc forget it, log and all."""
    moves.delete(ledger, "t")
    collect(ledger, grace=timedelta(0))


@pytest.mark.parametrize("then", ["gone", "begun anew"])
def test_a_reflog_that_gc_forgets_meanwhile_is_no_damage(then):
    ledger = new_ledger()
    first = ledger.append("t", 0)
    for n in range(3):
        ledger.append("t", n + 1)
        moves.rewind(ledger, "t", lambda _: first)
    ref = ledger.ref("t")
    listed = moves.moves(ledger, "t")
    assert next(listed).kind == "rewind"
    forgetting(ledger)
    if then == "begun anew":
        second = ledger.append("t", "new")
        ledger.append("t", "newer")
        moves.rewind(ledger, "t", lambda _: second)
        moves.rewind(ledger, "t", lambda _: ledger.append("other", 5))
    assert list(listed) == []
    with pytest.raises(PrunedError, match="reflog of t"):
        moves.head_moves_ago(ledger, "t", ref, 2)


def test_an_entry_that_is_led_to_and_missing_is_damage():
    ledger = new_ledger()
    first = ledger.append("t", 0)
    for n in range(3):
        ledger.append("t", n + 1)
        moves.rewind(ledger, "t", lambda _: first)
    for number in (ledger.ref("t").last_log, 2):
        listed = moves.moves(ledger, "t")
        del ledger.engine._log[number]
        with pytest.raises(CorruptError, match="missing"):
            list(listed)


def test_undo_beside_a_gc_that_forgets():
    ledger = new_ledger()
    first = ledger.append("t", 0)
    ledger.append("t", 1)
    moves.rewind(ledger, "t", lambda _: first)
    real, calls = ledger.ref, []

    def ref(name):
        found = real(name)
        if not calls:
            calls.append(1)
            forgetting(ledger)
        return found

    ledger.ref = ref
    with pytest.raises(NotFoundError, match="nothing to undo"):
        moves.undo(ledger, "t")
