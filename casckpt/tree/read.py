"""Tree -> value, whole: as few reads and as little Python as can be.

The decoder calls back for each tag; links and leaves are read there and then, so a value
is whole when its outermost item is decoded.

Invariants: fresh objects on every load; no more payload bytes than the limit are read for
one load (a hostile store can nest shared objects without end).

Imports: errors, format (cbor, constants), tree.source, tree.fan.
"""

from __future__ import annotations

from typing import Any, NoReturn

from casckpt.errors import CorruptError, LimitError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.source import Codec, ObjectSource

__all__ = ["LOAD_BYTES_MAX", "Loader"]

LOAD_BYTES_MAX = 8 << 30
"""Payload bytes read for one load, unless the caller says otherwise."""
_BATCH = 1024
"""Leaves read together: 4 MB of payload."""


class Loader:
    """Loads whole values; one is used for one load."""

    def __init__(
        self, source: ObjectSource, codec: Codec, *, bytes_max: int = LOAD_BYTES_MAX
    ) -> None:
        self._source = source
        self._left = self._bytes_max = bytes_max
        restore = codec.restore
        tags: dict[int, Any] = {
            tag: lambda content, _immutable, tag=tag: restore(tag, content)
            for tag in range(c.TAG_COMPLEX, c.TAG_LAST + 1)
        }
        tags |= {
            c.TAG_LINK: self._link,
            c.TAG_LIST_TREE: self._list_tree,
            c.TAG_MAP_TREE: self._map_tree,
            c.TAG_STR_TREE: self._str_tree,
            c.TAG_BYTES_TREE: self._bytes_tree,
            c.TAG_TUPLE: _tuple,
            c.TAG_SET: _set,
            c.TAG_FROZENSET: _frozenset,
            c.TAG_BYTEARRAY: _bytearray,
            c.TAG_SURROGATES: _surrogates,
            c.TAG_KEY: self.key,
        }
        self._table = cbor.decoders(tags)

    def value(self, encoded: bytes) -> Any:
        """The value of one encoding.

        Raises:
            CorruptError: it breaks the format, or an object does.
            PrunedError: an object is not stored any more.
            LimitError: more payload bytes than allowed.
        """
        return cbor.decode(encoded, self._table)

    def key(self, content: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2's signature
        """The key in the content of a key tag."""
        if type(content) is not bytes:
            _fail("a malformed key")
        return cbor.decode(content, self._table)

    def object(self, oid: ObjectId) -> Any:
        """The value in the object `oid` (KIND_VALUE)."""
        payload = self._source.get(oid, c.KIND_VALUE)
        self._spend(len(payload))
        return cbor.decode(payload, self._table)

    def restore(self, tag: int, content: Any) -> Any:
        """The value that a tag above the trees and its loaded content stand for."""
        return self._table[tag](content, False)

    def list_leaves(self, refs: list[Ref]) -> list[Any]:
        """The items of these leaves of a list."""
        items: list[Any] = []
        for start in range(0, len(refs), _BATCH):
            batch = refs[start : start + _BATCH]
            payloads = self._source.get_many([ref.id for ref in batch], c.KIND_LIST_LEAF)
            self._spend(sum(map(len, payloads)))
            for ref, payload in zip(batch, payloads, strict=True):
                leaf = cbor.decode(payload, self._table)
                if type(leaf) is not list or len(leaf) != ref.items:
                    _fail("a list leaf whose count is wrong")
                items += leaf
        return items

    def map_leaves(self, refs: list[Ref]) -> dict[Any, Any]:
        """The entries of these leaves of a map."""
        entries: dict[Any, Any] = {}
        count = 0
        for start in range(0, len(refs), _BATCH):
            batch = refs[start : start + _BATCH]
            payloads = self._source.get_many([ref.id for ref in batch], c.KIND_MAP_LEAF)
            self._spend(sum(map(len, payloads)))
            for ref, payload in zip(batch, payloads, strict=True):
                leaf = cbor.decode(payload, self._table)
                if type(leaf) is not dict or len(leaf) != ref.items:
                    _fail("a map leaf whose count is wrong")
                count += ref.items
                entries.update(leaf)
        if len(entries) != count:
            _fail("a map with one key twice")
        return entries

    def pieces(self, refs: list[Ref]) -> bytes:
        """The bytes of these chunks."""
        parts: list[bytes] = []
        for start in range(0, len(refs), _BATCH):
            ids = [ref.id for ref in refs[start : start + _BATCH]]
            payloads = self._source.get_many(ids, c.KIND_CHUNK)
            self._spend(sum(map(len, payloads)))
            parts += payloads
        return b"".join(parts)

    def _spend(self, payload_bytes: int) -> None:
        self._left -= payload_bytes
        if self._left < 0:
            msg = (
                f"loading this needs more than {self._bytes_max} bytes of payload; "
                f"load a path of it, or raise the limit"
            )
            raise LimitError(msg, limit=self._bytes_max)

    def _link(self, content: Any, _immutable: bool) -> Any:  # noqa: FBT001
        return self.object(link_target(content))

    def _list_tree(self, content: Any, _immutable: bool) -> list[Any]:  # noqa: FBT001
        *levels, items = content
        if type(items) is not list:
            _fail("a list tree without its open leaf")
        refs = Fan(self._source, levels, keyed=False).leaves()
        return self.list_leaves(refs) + items

    def _map_tree(self, content: Any, _immutable: bool) -> dict[Any, Any]:  # noqa: FBT001
        order, *levels, last = content
        fan = Fan(self._source, levels, keyed=True)
        entries = self.map_leaves(fan.leaves())
        if type(last) is not dict:
            _fail("a map tree without its open leaf")
        entries.update(last)
        if len(entries) != fan.count + len(last):
            _fail("a map with one key twice")
        if order is None:
            return entries
        if type(order) is not list or len(order) != len(entries):
            _fail("a map whose order is not that of its keys")
        ordered = {key: entries[key] for key in order}
        if len(ordered) != len(entries):
            _fail("a map whose order is not that of its keys")
        return ordered

    def _bytes_tree(self, content: Any, _immutable: bool) -> bytes:  # noqa: FBT001
        fan = Fan(self._source, content, keyed=False)
        data = self.pieces(fan.leaves())
        if len(data) != fan.count:
            _fail("a long bytes whose length is wrong")
        return data

    def _str_tree(self, content: Any, _immutable: bool) -> str:  # noqa: FBT001
        fan = Fan(self._source, content, keyed=False)
        text = self.pieces(fan.leaves()).decode()
        if len(text) != fan.count:
            _fail("a long str whose length is wrong")
        return text


def link_target(content: Any) -> ObjectId:
    """The id in the content of a link tag."""
    match content:  # a list, or a tuple inside a map key
        case [bytes(oid), int(size)] if len(oid) == ID_BYTES and size > 0:
            return ObjectId(oid)
    raise CorruptError("the store holds a malformed link")


def _tuple(content: Any, _immutable: bool) -> tuple[Any, ...]:  # noqa: FBT001
    if type(content) not in (list, tuple):
        _fail("a tuple that is none")
    return tuple(content)


def _set(content: Any, immutable: bool) -> set[Any]:  # noqa: FBT001
    return set(_frozenset(content, immutable))


def _frozenset(content: Any, _immutable: bool) -> frozenset[Any]:  # noqa: FBT001
    if type(content) not in (list, tuple):
        _fail("a set that is none")
    members = frozenset(content)
    if len(members) != len(content):
        _fail("a set with one member twice")
    return members


def _bytearray(content: Any, _immutable: bool) -> bytearray:  # noqa: FBT001
    if type(content) is not bytes:
        _fail("a bytearray that is none")
    return bytearray(content)


def _surrogates(content: Any, _immutable: bool) -> str:  # noqa: FBT001
    if type(content) is not bytes:
        _fail("a str that is none")
    return content.decode("utf-8", "surrogatepass")


def _fail(what: str) -> NoReturn:
    msg = f"the store holds {what}"
    raise CorruptError(msg)
