"""The header of a store: what it is, and everything that shapes its trees.

Written once, when the store is created, and compared before anything else is read. A store
with another version or other parameters is refused by name: opening it with the wrong ones
would silently stop sharing.

Imports: errors, cbor, constants.
"""

from __future__ import annotations

from typing import Any

from casckpt.errors import CorruptError, FormatVersionError, NotAStoreError
from casckpt.format import cbor
from casckpt.format import constants as c

__all__ = ["MAGIC", "PARAMETERS", "check", "encode", "is_one"]

MAGIC = "casckpt"

PARAMETERS: dict[str, Any] = {
    "hash": "blake3-256",
    "inline": c.INLINE_BYTES_MAX,
    "tree-inline": c.TREE_INLINE_BYTES_MAX,
    "root-inline": c.ROOT_INLINE_BYTES_MAX,
    "chunk": [c.CHUNK_BYTES_MIN, c.CHUNK_BYTES_TARGET, c.CHUNK_BYTES_MAX, c.CUT_FACTOR],
    "blob": [c.BLOB_BYTES_MAX, c.CDC_BYTES_MIN, c.CDC_BYTES_NORMAL, c.CDC_BYTES_MAX],
    "blob-long": [
        c.CDC_LONG_FROM,
        c.CDC_LONG_BYTES_MIN,
        c.CDC_LONG_BYTES_NORMAL,
        c.CDC_LONG_BYTES_MAX,
    ],
    "array-block": c.ARRAY_BLOCK_BYTES_MAX,
    "record": "head, body",
    "encryption": None,
}
"""Whatever changes an id. `encryption` is reserved; null says: none."""


def encode(store_id: str, created_ns: int) -> bytes:
    """A new store's header.

    Args:
        store_id: a UUID as text; names the store, is never used for safety.
        created_ns: nanoseconds since 1970-01-01 UTC.
    """
    return cbor.encode_plain([MAGIC, c.FORMAT_VERSION, PARAMETERS, store_id, created_ns])


def check(header: bytes, where: str) -> tuple[str, int]:
    """The store's id and creation time (ns), if this version can open the store.

    Raises:
        NotAStoreError: not a header of casckpt.
        FormatVersionError: another format version, or other parameters.
    """
    try:
        fields = cbor.decode_generic(header)
        magic, version, parameters, store_id, created_ns = fields
        if magic != MAGIC or type(version) is not int:
            raise TypeError
        known = [*map(type, (parameters, store_id, created_ns))] == [dict, str, int]
        if version == c.FORMAT_VERSION and not known:
            raise TypeError
    except (CorruptError, TypeError, ValueError) as error:
        # A header of a later version may have more fields; its first two never change.
        if isinstance(error, ValueError) and _later(fields):
            _refuse_version(where, fields[1])
        msg = f"{where} is not a casckpt store"
        raise NotAStoreError(msg, where=where) from None
    if version != c.FORMAT_VERSION:
        _refuse_version(where, version)
    if parameters != PARAMETERS:
        differing = sorted(
            str(name)
            for name in {*PARAMETERS, *parameters}
            if PARAMETERS.get(name, ...) != parameters.get(name, ...)
        )
        msg = (
            f"{where} was made with other parameters ({', '.join(differing)}); "
            f"open it with the casckpt that made it"
        )
        raise FormatVersionError(msg, where=where, parameters=differing)
    return store_id, created_ns


def is_one(header: bytes) -> bool:
    """Whether it is a header, be it of another version."""
    try:
        check(header, "")
    except NotAStoreError:
        return False
    except FormatVersionError:
        pass
    return True


def _later(fields: Any) -> bool:
    return (
        type(fields) is list
        and len(fields) >= 2
        and fields[0] == MAGIC
        and type(fields[1]) is int
        and fields[1] != c.FORMAT_VERSION
    )


def _refuse_version(where: str, version: int) -> None:
    mend = "upgrade casckpt" if version > c.FORMAT_VERSION else "open it with an older casckpt"
    msg = f"{where} has format version {version}, this is version {c.FORMAT_VERSION}: {mend}"
    raise FormatVersionError(msg, where=where, version=version, supported=c.FORMAT_VERSION)
