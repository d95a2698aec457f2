"""Row heads: golden bytes, round trips, and no surprises from bytes of a stranger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import CorruptError
from casckpt.storage.frame import DEFLATE, DELTA, RAW, ZSTD
from casckpt.storage.limits import PAYLOAD_BYTES_MAX
from casckpt.storage.lmdb.row import DEPTH_MAX, Head, encode_head, parse
from casckpt.storage.lmdb.tables import SEQ_MAX

GOLDEN = [
    # kind 1 raw, 3 bytes, no children
    (1, Head(1, RAW, 3, 0, 0, 0, (), 3), "100300"),
    # kind 7 deflate, 300 bytes, children 1 and 2 back
    (9, Head(7, DEFLATE, 300, 0, 0, 0, (8, 7), 6), "71ac02020102"),
    # kind 15 zstd, 70,000 bytes, a child 200 back
    (1000, Head(15, ZSTD, 70_000, 0, 0, 0, (800,), 7), "f2f0a20401c801"),
    # kind 7 delta on the row before, depth 2, 5 children shared, one more
    (50, Head(7, DELTA, 900, 49, 2, 5, (49,), 8), "7384070102050101"),
    # kind 2 delta, base 300 back, depth 32, 200 shared, none of its own
    (500, Head(2, DELTA, 64, 200, 32, 200, (), 8), "2340ac0220c80100"),
]


@pytest.mark.parametrize(("seq", "head", "data"), GOLDEN)
def test_golden_heads(seq: int, head: Head, data: str) -> None:
    assert encode_head(seq, head).hex() == data
    assert parse(seq, bytes.fromhex(data)) == head
    assert parse(seq, bytes.fromhex(data) + b"frame") == head


@st.composite
def heads(draw: st.DrawFn) -> tuple[int, Head]:
    seq = draw(st.integers(2, SEQ_MAX) | st.integers(2, 500))
    older = st.integers(1, seq - 1) | st.integers(max(1, seq - 200), seq - 1)
    own = tuple(draw(st.lists(older, max_size=20)))
    size = draw(st.integers(0, PAYLOAD_BYTES_MAX))
    kind = draw(st.integers(1, 15))
    if draw(st.booleans()):
        depth, shared = draw(st.integers(1, DEPTH_MAX)), draw(st.integers(0, 100_000))
        return seq, Head(kind, DELTA, size, draw(older), depth, shared, own, 0)
    return seq, Head(kind, draw(st.sampled_from([RAW, DEFLATE, ZSTD])), size, 0, 0, 0, own, 0)


@given(heads(), st.binary(max_size=5))
def test_heads_round_trip(case: tuple[int, Head], frame: bytes) -> None:
    seq, head = case
    data = encode_head(seq, head)
    assert parse(seq, data + frame) == head._replace(frame_at=len(data))


@given(st.integers(1, 1 << 20), st.binary(max_size=60))
def test_any_bytes_parse_or_are_corrupt(seq: int, data: bytes) -> None:
    try:
        head = parse(seq, data)
    except CorruptError:
        return
    assert all(0 < older < seq for older in head.own)
    assert 0 <= head.base < seq
    assert 0 <= head.size <= PAYLOAD_BYTES_MAX
    assert head.frame_at <= len(data)


@given(heads(), st.data())
def test_a_head_cut_short_is_corrupt(case: tuple[int, Head], data: st.DataObject) -> None:
    whole = encode_head(*case)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CorruptError):
        parse(case[0], whole[:cut])


@pytest.mark.parametrize(
    "data",
    [
        "000300",  # kind 0
        "10ffffffffffffffff0f00",  # a number without end
        "1080808080808080808000",
        "1081808008" + "00",  # a payload over the limit
        "130300010000",  # a delta on itself
        "13030a010000",  # a delta on row 0
        "130301000000",  # depth 0
        "130301210000",  # depth 33
        "10030100",  # a child that is the row itself
        "1003010a",  # a child that is row 0
        "1003ffffffff7f",  # more children than bytes
    ],
)
def test_impossible_heads_are_corrupt(data: str) -> None:
    with pytest.raises(CorruptError):
        parse(10, bytes.fromhex(data))
