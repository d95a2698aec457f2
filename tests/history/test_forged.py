"""Stores from strangers: what is forged makes an operation fail, never hang or lie."""

import pytest

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.format.records import TagsRecord
from casckpt.history import moves, notes, states, times
from casckpt.history.tags import tag, tags_of
from casckpt.storage.engine import RefUpdate
from tests.history.ledgers import new_ledger


def test_a_log_in_a_circle():
    ledger = new_ledger()
    first = ledger.append("t", 1)
    ledger.append("t", 2)
    moves.rewind(ledger, "t", lambda _: first)
    log = ledger.engine._log
    (number,) = log
    log[number] = log[number]._replace(previous=number)
    walks = (
        lambda: list(moves.moves(ledger, "t")),
        lambda: moves.undo(ledger, "t"),
        lambda: moves.head_moves_ago(ledger, "t", ledger.ref("t"), 10**17),
    )
    for walk in walks:
        with pytest.raises(CorruptError, match="circle"):
            walk()
    log.clear()
    for walk in walks:
        with pytest.raises(CorruptError, match="is missing"):
            walk()


def test_a_log_that_leads_elsewhere():
    ledger = new_ledger()
    first = ledger.append("t", 1)
    high = [ledger.append("u", n) for n in range(5)][-1]
    moves.rewind(ledger, "t", lambda _: first)
    ledger.append("t", 2)
    moves.rewind(ledger, "t", lambda _: first)
    log = ledger.engine._log
    (number,) = log
    log[number] = log[number]._replace(new=high.id)
    with pytest.raises(CorruptError, match="does not lead"):
        moves.head_moves_ago(ledger, "t", ledger.ref("t"), 3)


@pytest.mark.parametrize("note", [[], [3], ["undo"], ["undo", -1], ["undo", "x"], "undo", None])
def test_notes(note):
    ledger = new_ledger()
    ledger.append("t", 1)
    other = ledger.append("u", 1)
    move = RefUpdate("thread/t", other.id, log=cbor.encode_plain(note))
    ledger.engine.commit(refs=[move])
    with pytest.raises(CorruptError):
        moves.undo(ledger, "t")


@pytest.mark.parametrize("info", [[], [1, 2, 3], [1, b"short", "x"], [None, None, None], 7])
def test_origins(info):
    with pytest.raises(CorruptError):
        notes.ThreadOrigin.decode(cbor.encode_plain(info))


def test_tags_of_another_checkpoint():
    ledger = new_ledger()
    one, two = ledger.append("t", 1), ledger.append("t", 2)
    tag(ledger, one, ("x",))
    draft = ledger.vault.draft()
    oid = draft.put(c.KIND_TAGS, TagsRecord(two.id, ("y",)).encode(), (two.id,))
    draft.commit([RefUpdate(notes.tags_ref(one.id), oid)])
    with pytest.raises(CorruptError, match="those of another"):
        tags_of(ledger, one)


@pytest.mark.parametrize(
    "root",
    [
        cbor.Tag(c.TAG_LIST_TREE, [["a", "b", "c"], []]),
        cbor.Tag(c.TAG_LIST_TREE, [3, []]),
        cbor.Tag(c.TAG_MAP_TREE, [None, [b"", b"", 1, "x"], {}]),
        cbor.Tag(c.TAG_STR_TREE, [{}]),
    ],
)
def test_sizes(root):
    with pytest.raises(CorruptError):
        states.size_of(cbor.encode_plain(root))


def test_times_beyond_the_calendar():
    for time_ns in (10**30, -(10**30)):
        with pytest.raises(CorruptError):
            times.from_ns(time_ns)
