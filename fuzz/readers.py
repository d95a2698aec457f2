"""Targets: readers of what lies in a store (values, records, frames, rows, books, files)."""

from __future__ import annotations

import io

from casckpt.errors import CasckptError, CorruptError, InvalidInputError, StoreFileError
from casckpt.exchange.cborform import from_cbor, to_cbor
from casckpt.exchange.jsonform import to_json
from casckpt.exchange.read_jsonform import from_json
from casckpt.format import cbor, header
from casckpt.format import constants as c
from casckpt.format.records import CheckpointRecord, PrunedRecord, TagsRecord
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.ids import object_id
from casckpt.storage import frame
from casckpt.storage.engine import StoredObject
from casckpt.storage.lmdb import blocks, refs, row, young
from casckpt.storage.lmdb.tables import Tables
from casckpt.storage.lmdb.wreck import Wreck
from casckpt.upkeep.contents import references
from casckpt.values import Registry

EXPANDED_BYTES_MAX = 1 << 20
"""What a frame may be said to hold, here: larger ones only take longer."""


def read_cbor(data: bytes) -> None:
    """The CBOR profile: refused, or, if canonical, written back as it was."""
    try:
        item = cbor.decode_generic(data)
    except CorruptError:
        assert not cbor.is_canonical(data)
        return
    if cbor.is_canonical(data):
        assert cbor.encode_plain(item) == data


def read_value(data: bytes) -> None:
    """A state: refused, or a value that is written as it stood, and has a JSON form."""
    try:
        value = from_cbor(data)
    except InvalidInputError:
        return
    try:
        again = to_cbor(value)
    except CasckptError:
        return  # what fsck's slow builder would call out
    assert to_cbor(from_cbor(again)) == again
    assert to_cbor(from_json(to_json(value))) == again


def read_object(data: bytes) -> None:
    """An object of any kind (its first byte): refused, or its children, as ids."""
    kind, payload = (data[0] % 10, data[1:]) if data else (0, b"")
    try:
        found = references(StoredObject(object_id(kind, payload), kind, payload))
    except CorruptError:
        return
    assert len(set(found)) == len(found)
    assert all(type(oid) is bytes and len(oid) == 32 for oid in found)
    if kind == c.KIND_CHECKPOINT:
        assert CheckpointRecord.decode(payload).encode() == payload


RECORDS = (
    CheckpointRecord.decode,
    PrunedRecord.decode,
    TagsRecord.decode,
    ThreadOrigin.decode,
    Note.decode,
)


def read_record(data: bytes) -> None:
    """Records, origins and notes, by the first byte."""
    which, payload = (data[0], data[1:]) if data else (0, b"")
    try:
        RECORDS[which % len(RECORDS)](payload)
    except CorruptError:
        return


def read_header(data: bytes) -> None:
    """A store's header: refused as no store of ours, or its id and time."""
    try:
        store_id, created_ns = header.check(data, "x")
    except StoreFileError:
        return
    assert type(store_id) is str
    assert type(created_ns) is int


def read_frame(data: bytes) -> None:
    """Codec, size (3 bytes), frame: never more bytes than were stated."""
    if len(data) < 4:
        return
    codec, size = data[0] % 6, int.from_bytes(data[1:4], "big") % EXPANDED_BYTES_MAX
    base = None
    body = data[4:]
    if codec == frame.DELTA:
        content, body = body[:64], body[64:]
        base = frame.Base(object_id(1, content), content)
    try:
        assert len(frame.decode(codec, size, body, base)) == size
    except CorruptError:
        return


def read_row(data: bytes) -> None:
    """A row's head: refused, or children, base and frame within bounds; and written back."""
    seq = 1 << 20
    try:
        head = row.parse(seq, data)
    except CorruptError:
        return
    assert 0 <= head.base < seq
    assert all(0 < child < seq for child in head.own)
    assert head.frame_at <= len(data)
    assert row.parse(seq, row.encode_head(seq, head) + data[head.frame_at :]).own == head.own


def read_books(data: bytes) -> None:
    """Refs, log entries, young postings and blocks."""
    for read in (
        lambda: refs.parse_ref(b"thread/a", data),
        lambda: refs.parse_entry(bytes(7) + b"\1", data),
        lambda: young._parse(data),
        lambda: blocks.read(1, b"\0" + data),
    ):
        try:
            read()
        except CorruptError:
            continue


def read_wreck(data: bytes) -> None:
    """A damaged file, read without LMDB: some entries, or none."""
    wreck = Wreck(io.BytesIO(data))
    for name in Tables._fields:
        for entry in wreck.entries(name):
            assert len(entry.key) + len(entry.value) <= len(data)
    for name, _ in wreck.strays():
        assert name in wreck.damage


def restore(data: bytes) -> None:
    """A tag (2 bytes) and content for the registry of types: refused, or written the same."""
    if len(data) < 2:
        return
    tag = c.TAG_COMPLEX + data[0] % (c.TAG_LAST - c.TAG_COMPLEX + 2)
    read_value(cbor.head(cbor.TAG, tag) + data[1:])
    try:
        content = cbor.decode(data[1:], cbor.decoders({}))
        Registry().restore(tag, content)
    except CorruptError:
        return
