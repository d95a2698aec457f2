"""Object ids: BLAKE3-256 of an object's kind and payload.

Invariants: the kind is hashed before the payload, so bytes of one kind can never pose as
another; an id depends on nothing else (not on compression, place or time).

Imports: blake3 (this is its only importer).
"""

from __future__ import annotations

from typing import NewType

from blake3 import blake3

__all__ = ["ID_BYTES", "ObjectId", "fingerprint", "hash32", "object_id"]

ObjectId = NewType("ObjectId", bytes)
"""32 raw bytes. Written as 64 hex digits wherever people see it."""

ID_BYTES = 32


def object_id(kind: int, payload: bytes) -> ObjectId:
    """The id of an object: BLAKE3-256 over one byte of kind, then the payload."""
    return ObjectId(blake3(bytes((kind,)) + payload).digest())


def hash32(data: bytes) -> int:
    """The first four bytes of BLAKE3(data), big-endian: the cut rule's random number."""
    return int.from_bytes(blake3(data).digest(4), "big")


def fingerprint(data: bytes) -> bytes:
    """16 bytes of BLAKE3 that stand for `data` in memory; never stored."""
    return blake3(data).digest(16)
