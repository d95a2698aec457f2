"""Object ids: BLAKE3-256 of an object's kind and payload.

A checkpoint's payload has two parts, and its id is the hash of the first part and of the
digest of the second. So the first part, what history is made of, can be verified where the
second, the state, has been dropped (`cut`).

Invariants: the kind is hashed before the payload, so bytes of one kind can never pose as
another (a cut checkpoint stands for the checkpoint, on purpose); an id depends on nothing
else (not on compression, place or time).

Imports: blake3 (this is its only importer).
"""

from __future__ import annotations

from typing import Final, NewType

from blake3 import blake3

__all__ = [
    "CUT",
    "ID_BYTES",
    "PARTED",
    "ObjectId",
    "cut",
    "digest",
    "fingerprint",
    "hash32",
    "hash56",
    "head_end",
    "object_id",
    "view_id",
]

ObjectId = NewType("ObjectId", bytes)
"""32 raw bytes. Written as 64 hex digits wherever people see it."""

ID_BYTES = 32

PARTED: Final = 7
"""The kind whose payload has a head and a body: an array of three, the first a byte string."""
CUT: Final = 9
"""The kind of what is left of such an object without its body, under the same id."""
_THREE: Final = b"\x83"
"""The head of an array of three items."""


_BYTES = [bytes((n,)) for n in range(256)]


def object_id(kind: int, payload: bytes) -> ObjectId:
    """The id of an object: BLAKE3-256 over one byte of kind, then the payload.

    Of a payload in two parts: the first, and the digest of the second. What is left of such
    an object has its id; what is noted behind head and digest is not hashed.
    """
    if kind == PARTED:
        payload = cut(payload)
    elif kind == CUT:
        kind, payload = PARTED, payload[: head_end(payload) + ID_BYTES]
    return ObjectId(blake3(_BYTES[kind] + payload).digest())


def cut(payload: bytes) -> bytes:
    """A payload in two parts without the second: its digest is there instead."""
    end = head_end(payload)
    return payload[:end] + blake3(payload[end:]).digest()


def head_end(payload: bytes) -> int:
    """Where the first part ends; behind the last byte if the payload has no parts."""
    if payload[:1] == _THREE:
        first = payload[1] if len(payload) > 1 else 0
        if 0x40 <= first < 0x58:
            end = 2 + first - 0x40
        elif first == 0x58 and len(payload) > 2:
            end = 3 + payload[2]
        elif first == 0x59 and len(payload) > 3:
            end = 4 + int.from_bytes(payload[2:4], "big")
        else:
            return len(payload)
        if end <= len(payload):
            return end
    return len(payload)


def view_id(kind: int, payload: memoryview) -> ObjectId:
    """As `object_id`, of a kind whose payload has one part; copies it once, not twice."""
    return ObjectId(blake3(bytes((kind,)) + payload).digest())


def digest(*parts: bytes) -> bytes:
    """The 32 bytes of BLAKE3-256 over the parts, one after the other: the seals of a bundle."""
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def hash32(data: bytes) -> int:
    """The first four bytes of BLAKE3(data), big-endian: the cut rule's random number."""
    return int.from_bytes(blake3(data).digest(4), "big")


def hash56(data: bytes) -> int:
    """The first seven bytes of BLAKE3(data), big-endian: where a name stands in a list."""
    return int.from_bytes(blake3(data).digest(7), "big")


def fingerprint(data: bytes) -> bytes:
    """16 bytes of BLAKE3 that stand for `data` in memory; never stored."""
    return blake3(data).digest(16)
