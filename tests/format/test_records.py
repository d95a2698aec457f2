"""Records and header."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import CorruptError, FormatVersionError, NotAStoreError
from casckpt.format import cbor, header
from casckpt.format.records import CheckpointRecord, PrunedRecord, PruneNote, TagsRecord
from casckpt.ids import CUT, PARTED, cut, object_id

IDS = st.binary(min_size=32, max_size=32)


@st.composite
def records(draw):
    step = draw(st.integers(0, 2**63 - 1))
    parents = (draw(IDS),) if step else ()
    return CheckpointRecord(
        parents=parents,
        jump=draw(IDS) if step else None,
        thread=draw(st.text(min_size=1)),
        step=step,
        created_ns=draw(st.integers(-(2**60), 2**60)),
        label=draw(st.none() | st.text()),
        tags=tuple(draw(st.lists(st.text(), max_size=3))),
        meta=draw(st.binary(max_size=9)),
        root=draw(st.binary(max_size=9)),
        key=draw(st.none() | st.text()),
    )


@given(records())
def test_checkpoint_records(record):
    payload = record.encode()
    assert cbor.is_canonical(payload)
    assert CheckpointRecord.decode(payload) == record


@given(records(), st.binary(max_size=9))
def test_a_cut_record_has_its_id_whatever_is_noted_behind_it(record, noted):
    payload = record.encode()
    oid = object_id(PARTED, payload)
    assert object_id(CUT, cut(payload) + noted) == oid
    assert record._replace(root=record.root + b"!").encode() != payload
    assert object_id(PARTED, record._replace(root=record.root + b"!").encode()) != oid
    assert object_id(PARTED, cut(payload)) != oid, "a digest does not pose as a body"


@given(records(), st.data())
def test_every_byte_of_a_cut_record_counts(record, data):
    left = bytearray(cut(record.encode()))
    left[data.draw(st.integers(0, len(left) - 1))] ^= data.draw(st.integers(1, 255))
    assert object_id(CUT, bytes(left)) != object_id(PARTED, record.encode())


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_what_has_no_parts_has_an_id_of_its_own(one, other):
    ids = {object_id(PARTED, one), object_id(PARTED, other)}
    assert len(ids) == len({one, other})


@given(IDS, st.lists(st.text()))
def test_tags_records(oid, tags):
    record = TagsRecord(oid, tuple(tags))
    assert TagsRecord.decode(record.encode()) == record


ROOT = CheckpointRecord((), None, "t", 0, 1, None, (), b"\xa0", b"\x01")


@pytest.mark.parametrize(
    "change",
    [
        {"parents": (b"x" * 31,)},
        {"parents": (b"x" * 32,)},
        {"step": 1},
        {"step": -1},
        {"step": "0"},
        {"jump": b"x" * 32},
        {"thread": ""},
        {"thread": 5},
        {"created_ns": None},
        {"label": 5},
        {"key": 5},
        {"tags": (5,)},
        {"meta": "x"},
        {"root": None},
    ],
)
def test_malformed_checkpoints_are_corrupt(change):
    with pytest.raises(CorruptError):
        CheckpointRecord.decode(ROOT._replace(**change).encode())


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_corrupt(data):
    for kind in (CheckpointRecord, TagsRecord):
        with contextlib.suppress(CorruptError):
            kind.decode(data)


def test_header():
    assert header.check(header.encode("an-id", 5), "here") == ("an-id", 5)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"casckpt", cbor.encode_plain(["other", 1, {}, "x", 1])]
)
def test_not_a_header(data):
    with pytest.raises(NotAStoreError, match="here"):
        header.check(data, "here")


def test_header_of_the_future():
    future = cbor.encode_plain([header.MAGIC, 2, {}, "more", "fields", 1, 2])
    with pytest.raises(FormatVersionError, match=r"version 2.*upgrade"):
        header.check(future, "here")


def test_header_with_other_parameters():
    other = cbor.encode_plain([header.MAGIC, 1, {**header.PARAMETERS, "inline": 7}, "x", 1])
    with pytest.raises(FormatVersionError, match="inline"):
        header.check(other, "here")


@given(
    records(), st.none() | st.integers(0, 2**63), st.text(max_size=9), st.none() | st.integers(0)
)
def test_what_is_left_of_a_record(record, time_ns, why, size):
    note = PruneNote(time_ns, why, size)
    payload = PrunedRecord.encode(record.encode(), note)
    left = PrunedRecord.decode(payload)
    assert left.record == record._replace(meta=b"", root=b"")
    assert (left.note, left.payload()) == (note, payload)


@given(st.binary(max_size=90))
def test_any_bytes_are_what_is_left_or_corrupt(data):
    for payload in (data, b"\x83" + data, cut(ROOT.encode()) + data):
        with contextlib.suppress(CorruptError):
            PrunedRecord.decode(payload)
