"""The CBOR form of a state: one item of standard CBOR (RFC 8949), and back exactly.

It is the encoding of docs/format.md before anything is split: no links, no trees; a long
list is one array. What CBOR has no type for carries the tags of that page.

Invariant: `from_cbor(to_cbor(v))` is exactly v; nothing named in a form is imported or
called.

Imports: values, tree (its loader), format (cbor, constants), ids, errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from casckpt.errors import CorruptError, InvalidInputError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.native import as_key, encode_atom
from casckpt.tree.read import Loader
from casckpt.values import Registry

__all__ = ["from_cbor", "to_cbor"]


def to_cbor(value: Any, *, registry: Registry | None = None) -> bytes:
    """The CBOR form.

    Raises:
        UnsupportedValueError: a value that no store could hold either.
    """
    return _Writer(registry or Registry()).item(value)


def from_cbor(data: bytes, *, registry: Registry | None = None) -> Any:
    """The value of a CBOR form.

    Raises:
        InvalidInputError: not one item of the profile of docs/format.md, or one with links.
    """
    # What comes from outside has no id that proves its one encoding.
    if not cbor.is_canonical(data):
        msg = "not a state in CBOR: not one item in the only encoding that docs/format.md allows"
        raise InvalidInputError(msg)
    try:
        return Loader(_NoObjects(), registry or Registry()).value(data)
    except CorruptError as error:
        msg = f"not a state in CBOR: {error.message}"
        raise InvalidInputError(msg) from error


class _NoObjects:
    """What a form may refer to: nothing."""

    def get(self, oid: ObjectId, kind: int) -> bytes:
        del oid, kind
        self._refuse()

    def get_many(self, oids: Sequence[ObjectId], kind: int) -> list[bytes]:
        del oids, kind
        self._refuse()

    def find_many(self, oids: Sequence[ObjectId], kind: int) -> dict[ObjectId, bytes]:
        del oids, kind
        return {}

    @staticmethod
    def _refuse() -> NoReturn:
        msg = "it has links to objects of a store"
        raise CorruptError(msg)


def _tagged(tag: int, content: bytes) -> bytes:
    return cbor.head(cbor.TAG, tag) + content


class _Writer:
    def __init__(self, registry: Registry) -> None:
        self._reduce = registry.reduce

    def item(self, value: Any) -> bytes:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is list:
            return self._array(value)
        if kind is dict:
            pairs = (as_key(self.item(key)) + self.item(entry) for key, entry in value.items())
            return cbor.head(cbor.MAP, len(value)) + b"".join(pairs)
        if value is None or kind is bool or kind is int or kind is float:
            return encode_atom(value)
        if kind is bytes:
            return cbor.encode_bytes(value)
        if kind is tuple:
            return _tagged(c.TAG_TUPLE, self._array(value))
        if kind is set or kind is frozenset:
            members = sorted(map(self.item, value))
            head = cbor.head(cbor.ARRAY, len(members))
            tag = c.TAG_SET if kind is set else c.TAG_FROZENSET
            return _tagged(tag, head + b"".join(members))
        if kind is bytearray:
            return _tagged(c.TAG_BYTEARRAY, cbor.encode_bytes(bytes(value)))
        tag, content = self._reduce(value)
        return _tagged(tag, self.item(content))

    def _array(self, items: Sequence[Any]) -> bytes:
        return cbor.head(cbor.ARRAY, len(items)) + b"".join(map(self.item, items))

    @staticmethod
    def _text(value: str) -> bytes:
        try:
            return cbor.encode_text(value)
        except UnicodeEncodeError:
            data = cbor.encode_bytes(value.encode("utf-8", "surrogatepass"))
            return _tagged(c.TAG_SURROGATES, data)
