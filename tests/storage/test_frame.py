"""Frames: what goes in comes out, and nothing else comes out of anything else."""

from __future__ import annotations

import base64
import zlib
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import CorruptError
from casckpt.ids import object_id
from casckpt.storage.frame import DEFLATE, DELTA, RAW, ZSTD, Base, decode, encode
from casckpt.storage.limits import PAYLOAD_BYTES_MAX
from casckpt.testing.common import noise, text

prose = st.integers(0, 50).map(lambda n: text(n, 40 * n))
payloads = st.one_of(
    st.binary(max_size=300),
    prose,
    st.builds(lambda a, b: a * 40 + b, st.binary(max_size=1500), prose),
)
bases = st.none() | payloads.map(lambda p: Base(p, object_id(1, p)))


def base_of(payload: bytes) -> Base:
    return Base(payload, object_id(1, payload))


@given(payloads, bases)
def test_what_goes_in_comes_out(payload: bytes, base: Base | None) -> None:
    codec, frame = encode(payload, base)
    assert decode(codec, len(payload), frame, base) == payload
    assert len(frame) <= len(payload)
    assert codec != DELTA or base is not None


@pytest.mark.parametrize(
    ("payload", "base", "codec"),
    [
        (b"", None, RAW),
        (text(1, 63), None, RAW),
        (text(1, 300), None, ZSTD),
        (noise(5000), None, RAW),
        (noise(40_000), None, RAW),
        (text(1, 32_768), None, ZSTD),
        (text(1, 32_769), None, ZSTD),
        (text(1, 32_769), base_of(text(1, 32_768)), DELTA),
        (noise(90_000) + b"!", base_of(noise(90_000)), DELTA),
        (noise(90_000), base_of(text(1, 90_000)), RAW),
        (noise(131_073), base_of(noise(131_072)), RAW),
        (text(1, 3000), base_of(text(1, 2900)), DELTA),
        (noise(3000) + b"!", base_of(noise(3000)), DELTA),
        (text(1, 3000), base_of(noise(3000)), ZSTD),
        (text(2, 40), base_of(text(2, 38)), DELTA),
        (b"abc", base_of(b"abcd"), RAW),
    ],
)
def test_the_codec_fits(payload: bytes, base: Base | None, codec: int) -> None:
    assert encode(payload, base)[0] == codec


def test_the_ids_of_base_and_parent_cost_nothing() -> None:
    """A record that names its base's id is hardly longer than one that does not."""
    base = base_of(text(3, 500))
    without = encode(base.payload + b"x", base)[1]
    with_id = encode(base.payload + base.id + b"x", base)[1]
    assert len(with_id) <= len(without) + 4


def test_a_long_delta_costs_what_changed() -> None:
    old = noise(120_000)
    new = old[:50_000] + b"inserted" + old[50_000:]
    codec, frame = encode(new, base_of(old))
    assert codec == DELTA
    assert len(frame) < 200
    assert decode(codec, len(new), frame, base_of(old)) == new


def test_golden_frames() -> None:
    """Frozen: these bytes must decode for ever."""
    base = Base(b"The quick brown fox jumps over the lazy dog. " * 3, object_id(1, b"x"))
    dog = b"The quick brown fox jumps over the lazy cat. "
    assert decode(RAW, 3, b"abc") == b"abc"
    assert decode(DEFLATE, 400, bytes.fromhex("4b4c1c0583090000")) == b"a" * 400
    assert decode(DELTA, 45, bytes.fromhex("23d6b0e4c4123d0500"), base) == dog
    assert decode(ZSTD, 400, bytes.fromhex("00004d000010616101008b2ac002")) == b"a" * 400
    base = Base(bytes(range(256)) * 150, object_id(1, b"x"))
    new = base.payload[:20_000] + b"new" + base.payload[20_000:]
    frame = "0038d50000186e65770400fd8541c376d06d0231753a968162877e232b0104"
    assert decode(DELTA, 38_403, bytes.fromhex(frame), base) == new


@given(payloads, bases, st.data())
def test_malformed_frames_are_corrupt_and_nothing_else(
    payload: bytes, base: Base | None, data: st.DataObject
) -> None:
    codec, frame = encode(payload, base)
    size = len(payload)
    match data.draw(st.sampled_from(["cut", "add", "flip", "size", "codec", "bytes"])):
        case "cut" if frame:
            frame = frame[: data.draw(st.integers(0, len(frame) - 1))]
        case "add":
            frame += data.draw(st.binary(min_size=1, max_size=20))
        case "flip" if frame:
            at = data.draw(st.integers(0, len(frame) - 1))
            bit = 1 << data.draw(st.integers(0, 7))
            flipped = frame[:at] + bytes((frame[at] ^ bit,)) + frame[at + 1 :]
            assert_payload_or_corrupt(codec, size, flipped, base)
            return
        case "size":
            size = data.draw(st.integers(-5, PAYLOAD_BYTES_MAX + 5).filter(lambda n: n != size))
        case "codec":
            codec = data.draw(st.integers(-1, 20))
            assert_payload_or_corrupt(codec, size, frame, base)
            return
        case _:
            frame = data.draw(st.binary(max_size=200))
            assert_payload_or_corrupt(data.draw(st.integers(0, 3)), size, frame, base)
            return
    with pytest.raises(CorruptError):
        decode(codec, size, frame, base)


def assert_payload_or_corrupt(codec: int, size: int, frame: bytes, base: Base | None) -> None:
    """Other bytes may decode, to the stated length: the id will tell."""
    with suppress(CorruptError):
        assert len(decode(codec, size, frame, base)) == size


def test_bombs_do_not_go_off() -> None:
    """A frame that holds more than it says is refused before it is unpacked."""
    deflated = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(deflated.compress(bytes(1 << 20)) for _ in range(64)) + deflated.flush()
    options = {"format": zstandard.FORMAT_ZSTD1_MAGICLESS}
    for extra in ({"write_content_size": True}, {"write_content_size": False}):
        parameters = zstandard.ZstdCompressionParameters(**options, **extra)
        packed = zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(64 << 20))
        for size in (0, 1, 1000, PAYLOAD_BYTES_MAX):
            with pytest.raises(CorruptError):
                decode(ZSTD, size, packed)
    for size in (0, 1, 1000, PAYLOAD_BYTES_MAX):
        with pytest.raises(CorruptError):
            decode(DEFLATE, size, bomb)


def test_a_window_larger_than_any_payload_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(
        window_log=27, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = packer.compress(b"a" * 1000) + packer.flush()
    with pytest.raises(CorruptError):
        decode(ZSTD, 1000, frame)


def test_a_delta_needs_its_base() -> None:
    base = base_of(text(1, 900))
    codec, frame = encode(text(1, 900) + b"!", base)
    assert codec == DELTA
    with pytest.raises(CorruptError):
        decode(codec, 901, frame)
    assert decode(codec, 901, frame, base) == text(1, 900) + b"!"


def test_noise_lies_raw_and_what_shrinks_is_compressed() -> None:
    """Random bytes lie raw; text, base64 and half-random payloads are still compressed."""
    random = noise(12_000)
    assert encode(random) == (RAW, random)
    half = random[:6000] + bytes(6000)
    for payload in (b"some text, again " * 700, base64.b64encode(random), half):
        codec, data = encode(payload)
        assert codec == ZSTD
        assert len(data) < len(payload) * 0.8
        assert decode(codec, len(payload), data) == payload
