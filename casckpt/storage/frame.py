"""How payloads lie at rest: raw, zstd, deflated against a base, or in a block.

A frame is only the compressed bytes; which codec made it and how long the payload is stand
beside it, in the engine's row. The codecs:

- RAW      the payload itself;
- DEFLATE  raw deflate (RFC 1951): read, and no longer written;
- ZSTD     a "magicless" zstd frame without content size and checksum: level 6 up to 32 KiB,
           3 beyond. Against deflate on payloads of 300 B to 8 KB: as small (within 1 %), half
           the time to write, a third to a quarter to read;
- DELTA    raw deflate whose dictionary is the base's payload followed by the base's 32 id
           bytes, its last 32 KiB. A new version of a leaf or of a checkpoint record costs
           what changed; a record's parent id, which is its base's id, costs three bytes.
           Measured against zstd with the same dictionary: 3 µs to decode instead of 19, 16
X
A block is the payloads of many objects in one zstd frame of the same form (`encode_block`);
an object in it has the codec BLOCK and no frame of its own.

Invariants: `decode(*encode(p, base)...) == p`; decoding never allocates more than the stated
length, and every malformed input is a CorruptError, whatever is wrong with it. The bytes are
not canonical and need not be: ids are hashes of payloads, never of frames.

Imports: zlib and zstandard (their only importer), errors, ids, limits.
"""

from __future__ import annotations

import threading
import zlib
from typing import Final, NamedTuple

import zstandard

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.limits import PAYLOAD_BYTES_MAX

__all__ = [
    "BASE_PAYLOAD_BYTES_MAX",
    "BLOCK",
    "DEFLATE",
    "DELTA",
    "DELTA_HEAD_BYTES",
    "RAW",
    "ZSTD",
    "Base",
    "decode",
    "decode_block",
    "decode_delta",
    "encode",
    "encode_block",
]

RAW: Final = 0
DEFLATE: Final = 1
ZSTD: Final = 2
DELTA: Final = 3
BLOCK: Final = 4

WINDOW_BYTES: Final = 32768
"""How far deflate looks back: no dictionary is longer."""
BASE_PAYLOAD_BYTES_MAX: Final = 1 << 17
"""Longer payloads are not deltas, and not what deltas are made against: a chain of them would
cost too much to read."""
RAW_BYTES_MAX: Final = 63
"""Shorter payloads are not worth a compressor's time when there is no base."""
DELTA_HEAD_BYTES: Final = 4
"""What a delta costs in the row besides its frame: gap, depth, shared children."""
LEVEL: Final = 6
MEM_LEVEL: Final = 6
"""zlib's hash and buffer sizes: as small as does not hurt 32 KiB; setting up is half the cost."""
ZSTD_LEVEL: Final = 3
ZSTD_SHORT_LEVEL: Final = 6
"""Up to WINDOW_BYTES, with tables for no more: random bytes are passed by at 900 MB/s."""
ZSTD_BLOCK_LEVEL: Final = 19
"""Packing has time: against level 12, 4 % smaller."""
ZSTD_BLOCK_WINDOW_LOG_MIN: Final = 18
_ZSTD_SIZED: Final = 0xE0
"""Of a frame's first byte (RFC 8878, 3.1.1.1.1): all clear if it states no content size."""
ZSTD_WINDOW_LOG_MAX: Final = 24
"""A hostile frame may ask for no larger window than the largest payload, 16 MiB."""


class Base(NamedTuple):
    """An object that another one is stored against."""

    payload: bytes
    id: ObjectId

    def dictionary(self) -> bytes:
        """What deflate is primed with."""
        return (self.payload + self.id)[-WINDOW_BYTES:]

    def zstd_dictionary(self) -> zstandard.ZstdCompressionDict:
        """What zstd is primed with, of whatever bytes: never read as a dictionary's own format."""
        raw = zstandard.DICT_TYPE_RAWCONTENT
        return zstandard.ZstdCompressionDict(self.payload + self.id, dict_type=raw)


class _Zstd(threading.local):
    """One compressor and one decompressor an OS thread: they are costly to make."""

    def __init__(self) -> None:
        self.compressor = _compressor(ZSTD_LEVEL)
        self.short_compressor = _compressor(ZSTD_SHORT_LEVEL, source_size=WINDOW_BYTES)
        self.decompressor = _decompressor()


def _compressor(
    level: int, dictionary: zstandard.ZstdCompressionDict | None = None, **options: int
) -> zstandard.ZstdCompressor:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
        write_dict_id=False,
        **options,
    )
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary)


def _decompressor(
    dictionary: zstandard.ZstdCompressionDict | None = None,
) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(
        dict_data=dictionary,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        max_window_size=1 << ZSTD_WINDOW_LOG_MAX,
    )


_zstd = _Zstd()


def encode(payload: bytes, base: Base | None = None) -> tuple[int, bytes]:
    """Codec and frame of a payload: the smallest sensible.

    Args:
        payload: up to PAYLOAD_BYTES_MAX bytes.
        base: an object that it resembles, if one is known.
    """
    size = len(payload)
    best = (RAW, payload)
    if base is not None and 0 < size <= BASE_PAYLOAD_BYTES_MAX:
        delta = _delta(payload, base)
        if len(delta) * 4 < size:
            return DELTA, delta
        if len(delta) + DELTA_HEAD_BYTES < size:
            best = DELTA, delta
    if size > RAW_BYTES_MAX:
        frame = (_zstd.compressor if size > WINDOW_BYTES else _zstd.short_compressor).compress(
            payload
        )
        if _pays(len(frame), size) and len(frame) < len(best[1]) + DELTA_HEAD_BYTES:
            best = ZSTD, frame
    return best


def _pays(stored: int, size: int) -> bool:
    """Whether compression saved 5 %, without which raw is the better reading."""
    return stored * 20 <= size * 19


def _delta(payload: bytes, base: Base) -> bytes:
    if len(payload) > WINDOW_BYTES:
        return _compressor(ZSTD_LEVEL, base.zstd_dictionary()).compress(payload)
    return _deflate(payload, base.dictionary())


def _deflate(payload: bytes, dictionary: bytes) -> bytes:
    packer = zlib.compressobj(
        LEVEL, zlib.DEFLATED, -15, MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, dictionary
    )
    return packer.compress(payload) + packer.flush()


def decode(codec: int, size: int, frame: bytes, base: Base | None = None) -> bytes:
    """The payload of a frame.

    Args:
        codec: as `encode` said.
        size: length of the payload in bytes, as stored beside the frame.
        frame: the whole frame and nothing else.
        base: for DELTA: the base it was encoded against.

    Raises:
        CorruptError: an unknown codec, a wrong length, or bytes that do not decode.
    """
    if not 0 <= size <= PAYLOAD_BYTES_MAX:
        raise CorruptError(f"a frame says it holds {size} bytes: over the limit")
    if codec == DELTA and base is not None:
        return decode_delta(size, frame, base)
    if codec == RAW:
        if len(frame) != size:
            raise CorruptError(f"a raw frame of {len(frame)} bytes should have {size}")
        return frame
    if codec == DEFLATE:
        return _inflate(frame, size, zlib.decompressobj(-15))
    if codec == ZSTD:
        return _unzstd(frame, size)
    raise CorruptError(f"a frame of unknown codec {codec}, or a delta without its base")


def decode_delta(size: int, frame: bytes, base: Base) -> bytes:
    """The payload of a delta; `size` is within the limit. Raises as `decode` does."""
    if size > WINDOW_BYTES:
        return _unzstd(frame, size, _decompressor(base.zstd_dictionary()))
    return _inflate(frame, size, zlib.decompressobj(-15, base.dictionary()))


def _inflate(frame: bytes, size: int, unpacker: zlib._Decompress) -> bytes:
    try:
        # One byte more than stated: so that the end of the stream is seen, and a bomb is not.
        payload = unpacker.decompress(frame, size + 1)
    except zlib.error as error:
        raise CorruptError(f"a deflated frame does not decode: {error}") from None
    if len(payload) != size or not unpacker.eof or unpacker.unused_data:
        raise CorruptError(f"a deflated frame does not hold the {size} bytes it should")
    return payload


def _unzstd(
    frame: bytes, size: int, decompressor: zstandard.ZstdDecompressor | None = None
) -> bytes:
    if not frame or frame[0] & _ZSTD_SIZED:
        # The library would believe a content size, and allocate it.
        raise CorruptError("a zstd frame is empty or states a content size: none of ours does")
    try:
        # With exactly the stated length, the library looks for trailing bytes too.
        payload = (decompressor or _zstd.decompressor).decompress(
            frame, max_output_size=size, read_across_frames=False, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise CorruptError(f"a zstd frame does not decode: {error}") from None
    if len(payload) != size:
        raise CorruptError(f"a zstd frame does not hold the {size} bytes it should")
    return payload


def encode_block(raw: bytes) -> bytes:
    """The frame of a block; slow.

    Args:
        raw: payloads one behind the other, up to PAYLOAD_BYTES_MAX bytes.
    """
    window_log = min(max(len(raw).bit_length(), ZSTD_BLOCK_WINDOW_LOG_MIN), ZSTD_WINDOW_LOG_MAX)
    packer = _compressor(ZSTD_BLOCK_LEVEL, source_size=len(raw), window_log=window_log)
    return packer.compress(raw)


def decode_block(size: int, frame: bytes) -> bytes:
    """What `encode_block` was given.

    Raises:
        CorruptError: bytes that do not decode to so many.
    """
    return decode(ZSTD, size, frame)
