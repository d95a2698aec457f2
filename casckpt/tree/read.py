"""Tree -> value, whole: as few reads and as little Python as can be.

The decoder calls back for each tag; links and leaves are read there and then, so a value
is whole when its outermost item is decoded.

Before something is decoded, the short objects that it links to, and those that they link to,
are read together. They are found by the bytes that links begin with, so a byte string of the
user's may be taken for a link: that costs a look, and nothing else.

Invariants: fresh objects on every load; no more payload bytes than the limit are used for
one load (a hostile store can nest shared objects without end).

Imports: errors, format (cbor, constants), ids, tree (source, fan, hashes, native).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import local
from typing import Any, Final, NoReturn

from casckpt.errors import CorruptError, LimitError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.hashes import Hashes, check_hashes
from casckpt.tree.native import LINK_HEAD
from casckpt.tree.source import Codec, ObjectSource

__all__ = ["LOAD_BYTES_MAX", "Loader"]

LOAD_BYTES_MAX = 8 << 30
"""Payload bytes read for one load, unless the caller says otherwise."""
_BATCH: Final = 256
"""Objects read together: 1 MB of payload."""
_AHEAD_BYTES_MAX: Final = 8 << 20
"""Payloads read ahead of one decoding; what else is linked to is read when it is met."""
_LINK: Final = LINK_HEAD + cbor.head(cbor.BYTES, ID_BYTES)
_SHORT: Final = b"\x19"
"""The head of a size from 256 to 65,535: links to more are not read ahead."""


class Loader:
    """Loads whole values; one is used for one load."""

    def __init__(
        self,
        source: ObjectSource,
        codec: Codec,
        *,
        bytes_max: int = LOAD_BYTES_MAX,
        hashes: Hashes | None = None,
    ) -> None:
        self._source = source
        self._restore = codec.restore
        self._left = self._bytes_max = bytes_max
        self._ahead: dict[ObjectId, bytes] = {}
        self._hashes = hashes or Hashes()

    def value(self, encoded: bytes) -> Any:
        """The value of one encoding.

        Raises:
            CorruptError: it breaks the format, or an object does.
            PrunedError: an object is not stored any more.
            LimitError: more payload bytes than allowed.
        """
        return self._decoded((encoded,))[0]

    def key(self, content: Any) -> Any:
        """The key in the content of a key tag; raises as `value` does."""
        if type(content) is not bytes:
            _fail("a malformed key")
        key = self.value(content)
        try:
            self._hashes.note(key, content)
        except TypeError:
            _fail("a key that cannot be one")
        return key

    def object(self, oid: ObjectId) -> Any:
        """The value in the object `oid` (KIND_VALUE); raises as `value` does."""
        ahead = self._ahead.pop(oid, None)
        payload = self._source.get(oid, c.KIND_VALUE) if ahead is None else ahead
        self._spend(len(payload))
        if ahead is None:
            return self.value(payload)
        return cbor.decode(payload, _TABLE)  # what it links to was read with it

    def restore(self, tag: int, content: Any) -> Any:
        """The value that a tag and its loaded content stand for; raises as `value` does."""
        before, _here.loader = _here.loader, self
        try:
            return _TABLE[tag](content, False)
        finally:
            _here.loader = before

    def list_leaves(self, refs: list[Ref]) -> list[Any]:
        """The items of these leaves of a list."""
        items: list[Any] = []
        for start in range(0, len(refs), _BATCH):
            batch = refs[start : start + _BATCH]
            payloads = self._source.get_many([ref.id for ref in batch], c.KIND_LIST_LEAF)
            self._spend(sum(map(len, payloads)))
            for ref, leaf in zip(batch, self._decoded(payloads), strict=True):
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
            for ref, leaf in zip(batch, self._decoded(payloads), strict=True):
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

    def _decoded(self, payloads: Sequence[bytes]) -> list[Any]:
        """The values of several encodings."""
        before, _here.loader = _here.loader, self
        try:
            self._read_ahead(payloads)
            return [cbor.decode(payload, _TABLE) for payload in payloads]
        finally:
            _here.loader = before

    def _read_ahead(self, payloads: Iterable[bytes]) -> None:
        """Read what these payloads link to, and so on, a batch at a time."""
        left = _AHEAD_BYTES_MAX
        wanted = self._linked(payloads)
        while wanted and left > 0:
            found = self._source.find_many(wanted[:_BATCH], c.KIND_VALUE)
            self._ahead.update(found)
            left -= sum(map(len, found.values()))
            wanted = wanted[_BATCH:] + self._linked(found.values())

    def _linked(self, payloads: Iterable[bytes]) -> list[ObjectId]:
        """What looks like links in these payloads, as far as it is short and not at hand."""
        ids = {
            ObjectId(part[:ID_BYTES])
            for payload in payloads
            if _LINK in payload
            for part in payload.split(_LINK)[1:]
            if part[ID_BYTES : ID_BYTES + 1] == _SHORT
        }
        return [oid for oid in ids if oid not in self._ahead]

    def _spend(self, payload_bytes: int) -> None:
        self._left -= payload_bytes
        if self._left < 0:
            msg = (
                f"loading this needs more than {self._bytes_max} bytes of payload; "
                f"load a path of it, or raise the limit"
            )
            raise LimitError(msg, limit=self._bytes_max)

    def _list_tree(self, content: Any) -> list[Any]:
        *levels, items = content
        if type(items) is not list:
            _fail("a list tree without its open leaf")
        refs = Fan(self._source, levels, keyed=False).leaves()
        return self.list_leaves(refs) + items

    def _map_tree(self, content: Any) -> dict[Any, Any]:
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

    def _bytes_tree(self, content: Any) -> bytes:
        fan = Fan(self._source, content, keyed=False)
        data = self.pieces(fan.leaves())
        if len(data) != fan.count:
            _fail("a long bytes whose length is wrong")
        return data

    def _str_tree(self, content: Any) -> str:
        fan = Fan(self._source, content, keyed=False)
        text = self.pieces(fan.leaves()).decode()
        if len(text) != fan.count:
            _fail("a long str whose length is wrong")
        return text


def link_target(content: Any) -> ObjectId:
    """The id in the content of a link tag."""
    if type(content) in {list, tuple} and len(content) == 2:  # a tuple inside a map key
        oid, size = content
        if type(oid) is bytes and len(oid) == ID_BYTES and type(size) is int and size > 0:
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
    check_hashes(content)
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


class _Here(local):
    """Who is decoding in this OS thread."""

    loader: Any = None


_here = _Here()


def _restored(tag: int) -> Callable[[Any, bool], Any]:
    return lambda content, _: _here.loader._restore(tag, content)  # noqa: SLF001 - its own


# One for all loaders: to make one takes longer than to decode a short state.
_TABLE = cbor.decoders(
    {tag: _restored(tag) for tag in range(c.TAG_COMPLEX, c.TAG_LAST + 1)}
    | {
        c.TAG_LINK: lambda content, _: _here.loader.object(link_target(content)),
        c.TAG_LIST_TREE: lambda content, _: _here.loader._list_tree(content),  # noqa: SLF001
        c.TAG_MAP_TREE: lambda content, _: _here.loader._map_tree(content),  # noqa: SLF001
        c.TAG_STR_TREE: lambda content, _: _here.loader._str_tree(content),  # noqa: SLF001
        c.TAG_BYTES_TREE: lambda content, _: _here.loader._bytes_tree(content),  # noqa: SLF001
        c.TAG_KEY: lambda content, _: _here.loader.key(content),
        c.TAG_TUPLE: _tuple,
        c.TAG_SET: _set,
        c.TAG_FROZENSET: _frozenset,
        c.TAG_BYTEARRAY: _bytearray,
        c.TAG_SURROGATES: _surrogates,
    }
)


def _fail(what: str) -> NoReturn:
    msg = f"the store holds {what}"
    raise CorruptError(msg)
