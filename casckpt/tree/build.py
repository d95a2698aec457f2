"""Value -> tree, the slow and obvious way: the oracle that the fast builder must equal.

Everything is encoded anew, level by level, from whole lists of entries; nothing is
remembered. docs/format.md, chapter "Trees", is this file in words.

Invariants: the result depends on the value alone. Children are put before their parents.

Imports: errors, ids, format (cbor, constants), tree (hashes, native, source, split).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.hashes import check_hashes
from casckpt.tree.source import Codec, ObjectSink, TaggedValue
from casckpt.tree.split import ends_chunk, piece_ends

__all__ = ["Encoded", "SlowBuilder"]


class Encoded(NamedTuple):
    """An encoded value or part of one."""

    data: bytes
    links: tuple[ObjectId, ...] = ()
    """Objects it refers to, in order."""
    linked: int = 0
    """Bytes of payload in those objects and all below them, each as often as referred to."""
    is_tree: bool = False
    """It is a list (one of a single leaf, too) or the top of another tree."""
    key: bytes = b""
    """For an entry of a map: its (last) key."""
    items: int = 1
    """Items, code points or bytes it stands for."""


class SlowBuilder:
    """Builds one value."""

    def __init__(self, sink: ObjectSink, codec: Codec) -> None:
        self._sink = sink
        self._codec = codec

    def build(self, value: Any) -> Encoded:
        """The encoding of a whole state: not linked, however large it is."""
        return self._form(value, 0)

    def key(self, value: Any) -> bytes:
        """The encoding of a key of a dict."""
        return native.as_key(self._entry(value, 0).data)

    def _entry(self, value: Any, depth: int) -> Encoded:
        """A value as it stands in its parent: itself if small, else a link."""
        return self._settle(self._form(value, depth))

    def _settle(self, form: Encoded) -> Encoded:
        limit = c.TREE_INLINE_BYTES_MAX if form.is_tree else c.INLINE_BYTES_MAX
        if len(form.data) <= limit:
            return form
        oid = self._sink.put(c.KIND_VALUE, form.data, form.links)
        size = len(form.data) + form.linked
        return Encoded(native.link(oid, size), (oid,), size)

    def _form(self, value: Any, depth: int) -> Encoded:
        kind = type(value)
        if kind in native.SCALARS:
            return self._scalar(value)
        native.check_depth(depth)
        if kind is list:
            return self._sequence([self._entry(item, depth + 1) for item in value])
        if kind is dict:
            return self._map(value, depth)
        if kind is tuple:
            items = [self._entry(item, depth + 1) for item in value]
            return _tagged(c.TAG_TUPLE, self._sequence(items))
        if kind is set or kind is frozenset:
            check_hashes(value)
            members = sorted(
                (self._entry(item, depth + 1) for item in value), key=attrgetter("data")
            )
            native.check_distinct(member.data for member in members)
            tag = c.TAG_SET if kind is set else c.TAG_FROZENSET
            return _tagged(tag, self._sequence(members))
        reduced = native.reduce(self._codec, value)
        return _tagged(reduced.tag, self._content(reduced, depth + 1))

    def _content(self, reduced: TaggedValue, depth: int) -> Encoded:
        """The content of a tag: an array is not split, its items may be."""
        content = reduced.content
        if type(content) is not list:
            return self._form(content, depth)
        native.check_depth(depth)
        if reduced.tag == c.TAG_NDARRAY:
            *parts, data = content
            cuts = native.array_cuts(parts[1], data)
            items = [self._entry(part, depth + 1) for part in parts]
            items.append(self._settle(self._blob(data, c.TAG_BYTES_TREE, cuts)))
        else:
            items = [self._entry(item, depth + 1) for item in content]
        return _joined(cbor.head(cbor.ARRAY, len(items)), items)

    def _scalar(self, value: Any) -> Encoded:
        kind = type(value)
        if kind is str:
            try:
                data = value.encode()
            except UnicodeEncodeError:
                data = value.encode("utf-8", "surrogatepass")
                # No valid UTF-8: it can not be text.
                return _tagged(c.TAG_SURROGATES, self._blob(data, c.TAG_BYTES_TREE))
            return self._blob(data, c.TAG_STR_TREE)
        if kind is bytes:
            return self._blob(value, c.TAG_BYTES_TREE)
        if kind is bytearray:
            return _tagged(c.TAG_BYTEARRAY, self._blob(bytes(value), c.TAG_BYTES_TREE))
        return Encoded(native.encode_atom(value))

    def _blob(self, data: bytes, tag: int, cuts: Sequence[int] | None = None) -> Encoded:
        text = tag == c.TAG_STR_TREE
        if len(data) <= c.BLOB_BYTES_MAX:
            return Encoded(cbor.head(cbor.TEXT if text else cbor.BYTES, len(data)) + data)
        if cuts is None:
            cuts = list(piece_ends(data, is_text=text))
        entries: list[Encoded] = []
        for start, end in zip([0, *cuts], cuts, strict=False):
            piece = bytes(data[start:end])
            oid = self._sink.put(c.KIND_CHUNK, piece)
            count = native.count_code_points(piece) if text else len(piece)
            data_ = native.triple(oid, count, len(piece))
            entries.append(Encoded(data_, (oid,), len(piece), items=count))
        return self._fan(entries, 1, _NODES, tag)

    def _sequence(self, entries: list[Encoded]) -> Encoded:
        chunks = _chunked(entries, 0)
        if len(chunks) == 1:
            plain = _joined(cbor.head(cbor.ARRAY, len(entries)), entries)
            return plain._replace(is_tree=True)
        return self._fan(entries, 0, _NODES, c.TAG_LIST_TREE)

    def _map(self, value: dict[Any, Any], depth: int) -> Encoded:
        check_hashes(value)
        entries: list[Encoded] = []
        for key, item in value.items():
            name, content = self._entry(key, depth + 1), self._entry(item, depth + 1)
            name = name._replace(data=native.as_key(name.data))
            entry = _joined(b"", [name, content])
            entries.append(entry._replace(key=name.data))
        native.check_distinct(entry.key for entry in entries)
        plain = _joined(cbor.head(cbor.MAP, len(entries)), entries)
        if sum(len(entry.data) for entry in entries) < c.CHUNK_BYTES_MAX:
            return plain
        ordered = sorted(entries, key=attrgetter("key"))
        order = Encoded(cbor.NULL)
        if ordered != entries:
            order = self._entry(list(value), depth + 1)
        return self._fan(ordered, 0, _MAP_NODES, c.TAG_MAP_TREE, order)

    def _fan(
        self,
        entries: list[Encoded],
        level: int,
        nodes: _Nodes,
        tag: int,
        first: Encoded | None = None,
    ) -> Encoded:
        """Chunk level above level, until one has no closed chunk; the open ones stay here."""
        open_chunks: list[Encoded] = []
        while True:
            chunks = _chunked(entries, level, keyed=nodes is _MAP_NODES)
            last = chunks.pop()
            open_chunks.insert(0, nodes.chunk(last, level))
            if not chunks:
                break
            entries = [self._close(chunk, level, nodes) for chunk in chunks]
            level += 1
        if first is not None:
            open_chunks.insert(0, first)
        array = _joined(cbor.head(cbor.ARRAY, len(open_chunks)), open_chunks)
        return _tagged(tag, array._replace(is_tree=True))

    def _close(self, chunk: list[Encoded], level: int, nodes: _Nodes) -> Encoded:
        body = nodes.payload(chunk, level)
        kind = nodes.node_kind if level else nodes.leaf_kind
        oid = self._sink.put(kind, body.data, body.links)
        count = sum(entry.items for entry in chunk)
        size = len(body.data) + body.linked
        return nodes.entry(oid, count, size, chunk[-1].key)


class _Nodes(NamedTuple):
    """How the chunks of lists (and blobs), or of maps, are written."""

    leaf_kind: int
    node_kind: int
    keyed: bool

    def chunk(self, entries: list[Encoded], level: int) -> Encoded:
        """An open chunk inside the top of its tree."""
        if not level:
            major = cbor.MAP if self.keyed else cbor.ARRAY
            return _joined(cbor.head(major, len(entries)), entries)
        width = 4 if self.keyed else 3
        return _joined(cbor.head(cbor.ARRAY, width * len(entries)), entries)

    def payload(self, entries: list[Encoded], level: int) -> Encoded:
        """A closed chunk, as an object."""
        if not level:
            return self.chunk(entries, 0)
        width = 4 if self.keyed else 3
        head = cbor.head(cbor.ARRAY, width * len(entries) + 1) + cbor.head(0, level)
        return _joined(head, entries)

    def entry(self, oid: ObjectId, count: int, size: int, key: bytes) -> Encoded:
        """The reference to a closed chunk, one level up."""
        data = native.triple(oid, count, size)
        if self.keyed:
            data = cbor.encode_bytes(key) + data
        return Encoded(data, (oid,), size, key=key, items=count)


_NODES = _Nodes(c.KIND_LIST_LEAF, c.KIND_NODE, keyed=False)
_MAP_NODES = _Nodes(c.KIND_MAP_LEAF, c.KIND_MAP_NODE, keyed=True)


def _chunked(entries: list[Encoded], level: int, *, keyed: bool = False) -> list[list[Encoded]]:
    """The closed chunks of a level, then the open one (which may be empty)."""
    chunks: list[list[Encoded]] = [[]]
    size = 0
    for entry in entries:
        chunks[-1].append(entry)
        size += len(entry.data)
        hashed = entry.key if keyed else entry.data
        if ends_chunk(level, size, len(chunks[-1]), len(entry.data), hashed):
            chunks.append([])
            size = 0
    return chunks


def _joined(head: bytes, parts: list[Encoded]) -> Encoded:
    return Encoded(
        head + b"".join(part.data for part in parts),
        tuple(link for part in parts for link in part.links),
        sum(part.linked for part in parts),
    )


def _tagged(tag: int, content: Encoded) -> Encoded:
    return content._replace(data=cbor.head(cbor.TAG, tag) + content.data)
