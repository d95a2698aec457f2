"""The second reader, on a store in which states were pruned."""

from __future__ import annotations

import pytest

import casckpt
from casckpt import Retention
from tests.format.second_pruned import Left, left, line
from tests.format.second_reader import Store
from tests.format.second_values import PRUNED, Refused, object_id


@pytest.fixture(params=["hot", "packed"])
def pruned(request, tmp_path):
    """A store's path and what `log` says of its thread, before anything was pruned."""
    place = str(tmp_path / "store")
    with casckpt.open(place, durability="none") as store:
        run = store.thread("a/b")
        messages = []
        for number in range(90):
            messages.append({"role": "tool", "content": f"number {number} " * 40})
            tags = ["t", "u"] if number == 7 else []
            run.save({"messages": messages}, label="x" if number % 11 == 0 else None, tags=tags)
        run.fork("side", at="@40").save([1])
        told = [(c.id, c.parent, c.step, c.label, c.tags, c.size, c.load()) for c in run.log()]
        run.prune(Retention(keep_last=5, keep_labels=True))
        store.gc(grace=0, pack=False)
        run.prune(Retention(keep_last=2))
        if request.param == "packed":
            store.pack()
            store.compact()
    return place, told


def test_a_history_is_whole_and_says_what_it_said(pruned):
    place, told = pruned
    with Store(place) as reader:
        found = line(reader, reader.threads()["a/b"][0])
        assert len(found) == 90
        assert [isinstance(one, Left) for one in found].count(True) == 90 - 5 - 1
        for one, (id, parent, step, label, tags, size, state) in zip(found, told, strict=True):
            assert (one.step, one.label, tuple(one.tags)) == (step, label, tags)
            assert [p.hex() for p in one.parents] == ([parent] if parent else [])
            if isinstance(one, Left):
                assert (one.size, one.why) == (size, "keep_last=5 keep_labels")
                with pytest.raises(Refused, match="kind 9"):
                    reader.checkpoint(bytes.fromhex(id))
            else:
                assert reader.load(one.root) == state
        assert len(line(reader, reader.threads()["side"][0])) == 42


def test_marks_are_postings_and_the_log_says_when_and_why(pruned):
    place, told = pruned
    with Store(place) as reader:
        marks = reader.postings()[b"pruned"]
        # Steps 85 to 87 and the label on 88; 7 has tags, 89 is the head, 88 is among the last two.
        assert sorted(id.hex() for _, id in marks) == sorted(
            id for id, _, step, *_ in told if step in {85, 86, 87}
        )
        assert len(reader.postings()[b"time"]) == 91
        moves = [move for move in reader.log().values() if move.ref == "prune/a/b"]
        assert reader.refs()["prune/a/b"].target is None
        assert moves[-1].note.startswith(b"\x85\x65prune")


def test_a_byte_of_the_head_or_digest_makes_it_another(pruned):
    place, told = pruned
    with Store(place) as reader:
        id = bytes.fromhex(next(id for id, _, step, *_ in told if step == 50))
        payload = bytearray(reader.object(id, PRUNED))
        assert left(reader, id).step == 50
        assert object_id(PRUNED, bytes(payload[:-1])) == id, "the note is not hashed"
        payload[9] ^= 1
        assert object_id(PRUNED, bytes(payload)) != id
