"""The bytes of a bundle: magic, sections with seals, head, tables of blocks, end.

A bundle is a line of text and then sections: one head, blocks, one end. Each section ends with
its *seal*, a hash of the seal before it and of the section: whoever has checked a seal knows
that every byte up to it is as it was written. A seal is no signature: whoever forges a bundle
seals it, too. What proves an object is its id.

Invariants: nothing is allocated that the limits below do not allow; whatever is malformed is a
CorruptError, which says where in the file.

Imports: errors, ids, format (cbor, constants, header), history (notes), storage (frame).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from casckpt.errors import CorruptError, FormatVersionError, LimitError
from casckpt.format import cbor, header
from casckpt.format import constants as c
from casckpt.history.notes import ThreadOrigin
from casckpt.ids import ID_BYTES, ObjectId, digest
from casckpt.storage.frame import decode_block, encode_block

__all__ = [
    "BLOCK",
    "BLOCK_BYTES",
    "BLOCK_ENTRIES_MAX",
    "END",
    "HEAD",
    "MAGIC",
    "SEAL_BYTES",
    "SECTION",
    "SECTION_BYTES_MAX",
    "TIME_NS_MAX",
    "BundledThread",
    "End",
    "Head",
    "decode_entries",
    "encode_entries",
    "first_seal",
    "seal",
]

MAGIC: Final = b"casckpt bundle 1\n"
"""The digit is the version of this layout."""
MAGIC_BEGINS: Final = b"casckpt bundle "
HEAD, BLOCK, END = b"H", b"B", b"E"
SECTION: Final = Struct(">cI")
"""What a section begins with: its kind, and the bytes of its body."""
SEAL_BYTES: Final = 32
SECTION_BYTES_MAX: Final = 24 << 20
"""Bytes of a body. A block of the largest payload, should it not compress, fits in."""
BLOCK_BYTES: Final = 8 << 20
"""A block is closed once it has so many bytes of payloads: against 2 MB, up to a tenth smaller."""
BLOCK_ENTRIES_MAX: Final = 1 << 16
THREADS_MAX: Final = 1 << 16
"""Of one bundle; prerequisites, too, are no more than this."""
_BLOCK: Final = Struct(">III")
_NUMBER_MAX: Final = (1 << 63) - 1
TIME_NS_MAX: Final = (1 << 63) - 1
"""Of threads and checkpoints: until 2262. Later ones could not be shown."""


class BundledThread(NamedTuple):
    """A thread in a bundle."""

    name: str
    head: ObjectId
    origin: ThreadOrigin


class Head(NamedTuple):
    """What a bundle says first."""

    threads: tuple[BundledThread, ...]
    """In order of their names."""
    prerequisites: tuple[ObjectId, ...] = ()
    """Checkpoints that must be there already."""

    def encode(self) -> bytes:
        """The body of the section; raises LimitError."""
        for what, items in (("threads", self.threads), ("prerequisites", self.prerequisites)):
            if len(items) > THREADS_MAX:
                msg = f"a bundle holds at most {THREADS_MAX:,} {what}, not {len(items):,}"
                raise LimitError(msg, limit=THREADS_MAX)
        threads = [[t.name, t.head, *t.origin] for t in self.threads]
        fields = [
            *("casckpt bundle", c.FORMAT_VERSION, header.PARAMETERS),
            *(threads, [*self.prerequisites]),
        ]
        return cbor.encode_plain(fields)

    @classmethod
    def decode(cls, body: bytes) -> Head:
        """Read the body of the section.

        Raises:
            FormatVersionError: of stores of another version, or with other parameters.
            CorruptError: malformed.
        """
        fields = cbor.decode_generic(body)
        match fields:
            case ["casckpt bundle", int(version), parameters, *_]:
                if version != c.FORMAT_VERSION or parameters != header.PARAMETERS:
                    msg = (
                        f"the bundle was made from a store of format version {version} with its"
                        f" own parameters; this is version {c.FORMAT_VERSION}: use the casckpt"
                        " that made it"
                    )
                    raise FormatVersionError(msg, version=version, supported=c.FORMAT_VERSION)
        if not cbor.is_canonical(body):
            raise CorruptError("its head is not the one encoding of what it says")
        match fields:
            case [_, _, _, list(threads), list(needed)] if (
                max(len(threads), len(needed)) <= THREADS_MAX
            ):
                head = cls(tuple(map(_thread, threads)), _ids(needed))
            case _:
                raise CorruptError("its head is malformed")
        names = [thread.name for thread in head.threads]
        if names != sorted(set(names), key=str.encode):
            raise CorruptError("its threads are out of order, or one stands twice")
        return head


def _thread(item: object) -> BundledThread:
    match item:
        case [str(name), bytes(head), *origin] if len(head) == ID_BYTES:
            origin_info = ThreadOrigin.decode(cbor.encode_plain(origin))
            if 0 <= origin_info.created_ns <= TIME_NS_MAX:
                return BundledThread(name, ObjectId(head), origin_info)
    raise CorruptError("a thread in its head is malformed")


def _ids(items: list[object]) -> tuple[ObjectId, ...]:
    ids = tuple(ObjectId(oid) for oid in items if type(oid) is bytes and len(oid) == ID_BYTES)
    if len(ids) != len(items) or list(ids) != sorted(set(ids)):
        raise CorruptError("the ids in its head are malformed, or out of order")
    return ids


class End(NamedTuple):
    """What a bundle says last: how much was in it."""

    entries: int
    checkpoints: int
    payload_bytes: int

    def encode(self) -> bytes:
        """The body of the section."""
        return cbor.encode_plain([*self])

    @classmethod
    def decode(cls, body: bytes) -> End:
        """Read the body of the section; raises CorruptError."""
        fields = cbor.decode_generic(body)
        if (
            type(fields) is not list
            or len(fields) != len(cls._fields)
            or any(type(n) is not int or not 0 <= n <= _NUMBER_MAX for n in fields)
            or not cbor.is_canonical(body)
        ):
            raise CorruptError("its end is malformed")
        return cls(*fields)


def first_seal() -> bytes:
    """What the seal of the first section is chained to."""
    return digest(MAGIC)


def seal(before: bytes, kind: bytes, body: bytes) -> bytes:
    """The seal of a section."""
    return digest(before, SECTION.pack(kind, len(body)), body)


def encode_entries(entries: Sequence[tuple[int, bytes]]) -> bytes:
    """The body of a block.

    Args:
        entries: kind and payload of objects; together no more than PAYLOAD_BYTES_MAX bytes.
    """
    table = b"".join([bytes((kind,)) + _varint(len(payload)) for kind, payload in entries])
    payloads = b"".join([payload for _, payload in entries])
    frame = encode_block(table)
    return _BLOCK.pack(len(table), len(frame), len(payloads)) + frame + encode_block(payloads)


def decode_entries(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and payload of each object in a block; raises CorruptError."""
    if len(body) < _BLOCK.size:
        raise CorruptError("a block is cut short")
    table_bytes, frame_bytes, payload_bytes = _BLOCK.unpack_from(body)
    start = _BLOCK.size + frame_bytes
    if not 2 <= table_bytes <= 5 * BLOCK_ENTRIES_MAX or start > len(body):
        raise CorruptError("the table of a block is malformed")
    table = decode_block(table_bytes, body[_BLOCK.size : start])
    payloads = decode_block(payload_bytes, body[start:])
    at = used = entries = 0
    while at < table_bytes:
        kind = table[at]
        size, at = _read_varint(table, at + 1)
        entries += 1
        if entries > BLOCK_ENTRIES_MAX or not 0 < size <= payload_bytes - used:
            raise CorruptError("the table of a block does not fit its payloads")
        yield kind, payloads[used : used + size]
        used += size
    if used != payload_bytes:
        raise CorruptError("the table of a block does not fit its payloads")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift:
                break  # not the shortest spelling
            return number, at
    raise CorruptError("a length in the table of a block is malformed")
