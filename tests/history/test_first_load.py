"""The first load from a ledger: what is read, and that gc in between is seen."""

from collections import Counter
from datetime import timedelta

import pytest

from casckpt.errors import CorruptError, PrunedError
from casckpt.history import collected, moves, pruned
from casckpt.history.ledger import Ledger
from casckpt.storage.engine import ANY, RefUpdate
from casckpt.upkeep.gc import collect
from tests.history.ledgers import Clock, NativeOnly, new_ledger


def beside(ledger):
    """Another ledger on the same engine, as another process has one."""
    return Ledger(ledger.engine, NativeOnly(), Clock())


def counted(engine, monkeypatch):
    """How often each object is asked for, from now on."""
    asked = Counter()
    read = engine.read

    def counting(ids):
        asked.update(ids)
        return read(ids)

    monkeypatch.setattr(engine, "read", counting)
    return asked


def test_reads_the_record_once(monkeypatch):
    ledger = new_ledger()
    saved = ledger.append("t", {"n": 1})
    ledger.engine.commit(refs=[RefUpdate(collected.REF, None, expect=ANY, info=b"\x80")])
    asked = counted(ledger.engine, monkeypatch)
    fresh = beside(ledger)
    pruned.record(fresh, fresh.head("t"))
    assert asked == {saved.id: 1}


def test_sees_a_gc_since_the_opening():
    ledger = new_ledger()
    ledger.append("keeps", 1)
    saved = ledger.append("goes", 2)
    fresh = beside(ledger)
    fresh.ancestry.point(saved.id)
    moves.delete(ledger, "goes")
    collect(ledger, grace=timedelta(0))
    assert collected.version(ledger.engine) != fresh.ancestry.gc_seen
    with pytest.raises(PrunedError):
        pruned.record(fresh, saved)


def test_damage_where_gc_is_remembered_is_told_by_the_load_not_the_opening(monkeypatch):
    ledger = new_ledger()
    saved = ledger.append("t", 1)
    ref = ledger.engine.ref

    def damaged(name):
        if name == collected.REF:
            raise CorruptError("damaged")
        return ref(name)

    monkeypatch.setattr(ledger.engine, "ref", damaged)
    fresh = beside(ledger)
    with pytest.raises(CorruptError, match="damaged"):
        pruned.record(fresh, saved)
