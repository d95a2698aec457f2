"""The vault: only what is sound comes out, and looking ahead raises nothing."""

from __future__ import annotations

import pytest

from casckpt.errors import CorruptError, PrunedError
from casckpt.ids import object_id
from casckpt.storage.engine import StoredObject
from casckpt.vault import Vault

SOUND, DAMAGED, BROKEN, MISSING = (object_id(1, name) for name in (b"s", b"d", b"b", b"m"))
CHUNK = object_id(6, b"c")


class Rows:
    """An engine that only reads: one sound object, three kinds of trouble, one of another kind."""

    def __init__(self):
        self.asked = []

    def read(self, ids):
        self.asked.append(list(ids))
        if BROKEN in ids:
            raise CorruptError("row 1: a frame that does not decode")
        rows = {
            SOUND: StoredObject(SOUND, 1, b"s"),
            DAMAGED: StoredObject(DAMAGED, 1, b"x"),
            CHUNK: StoredObject(CHUNK, 6, b"c"),
        }
        return [rows.get(oid) for oid in ids]


def test_find_many_gives_what_is_sound_and_keeps_it():
    rows = Rows()
    vault = Vault(rows)
    assert vault.find_many([DAMAGED, SOUND, CHUNK, MISSING, SOUND], 1) == {SOUND: b"s"}
    assert vault.find_many([SOUND], 1) == {SOUND: b"s"}
    assert vault.find_many([SOUND], 2) == {}
    assert vault.get(SOUND, 1) == b"s"
    assert len(rows.asked) == 1


def test_find_many_does_without_what_cannot_be_read():
    vault = Vault(Rows())
    assert vault.find_many([SOUND, BROKEN], 1) == {}
    assert vault.find_many([SOUND], 1) == {SOUND: b"s"}


@pytest.mark.parametrize(
    ("oid", "kind", "error"),
    [(DAMAGED, 1, CorruptError), (BROKEN, 1, CorruptError), (MISSING, 1, PrunedError), (SOUND, 2, CorruptError)],
)  # fmt: skip
def test_whoever_needs_it_is_told(oid, kind, error):
    vault = Vault(Rows())
    vault.find_many([oid], kind)
    for read in (lambda: vault.get(oid, kind), lambda: vault.get_many([SOUND, oid], kind)):
        with pytest.raises(error):
            read()
