"""Tree -> nodes that open when they are touched: what paths, views and diffs stand on.

A *node* is a decoded value in which everything tagged stays closed: `Link`, `ListTree`,
`MapTree`, `BlobTree` and `Wrapped` stand for what is not read yet. Plain None, bool, int,
float, str, bytes, list and dict stand for themselves (their items are nodes in turn). Keys
of dicts are always whole values.

Invariants: opening reads only what is asked for; `load` gives exactly what `Loader` gives.

Imports: errors, format (cbor, constants), ids, tree (source, fan, hashes, keys, read, build).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from casckpt.errors import CasckptError, CorruptError, InvalidInputError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.hashes import Hashes
from casckpt.tree.keys import spellings
from casckpt.tree.read import LOAD_BYTES_MAX, Loader, link_target
from casckpt.tree.source import Codec, Nowhere, ObjectSource

__all__ = ["BlobTree", "Link", "ListTree", "MapTree", "Node", "Opener", "Wrapped", "reading"]

Node = Any


class Link(NamedTuple):
    """A value in an object of its own."""

    id: ObjectId
    size: int
    """Bytes of payload in it and below it."""


class ListTree(NamedTuple):
    """A list of more than one leaf."""

    fan: Fan
    open: list[Node]
    """The items of the last, open leaf."""

    def __len__(self) -> int:
        return self.fan.count + len(self.open)


class MapTree(NamedTuple):
    """A dict of more than one leaf."""

    order: Node
    """None (key order) or a list of the keys in their order."""
    fan: Fan
    open: dict[Any, Node]
    """The entries of the last, open leaf: those with the highest keys."""

    def __len__(self) -> int:
        return self.fan.count + len(self.open)


class BlobTree(NamedTuple):
    """A long str or bytes."""

    fan: Fan
    is_text: bool

    def __len__(self) -> int:
        return self.fan.count


class Wrapped(NamedTuple):
    """A tagged value: tuple, set, frozenset, bytearray, or one the codec knows."""

    tag: int
    content: Node


@contextmanager
def reading() -> Iterator[None]:
    """Name what goes wrong where stored items do not fit together.

    Raises:
        CorruptError: instead of what Python says of such items (no hash, no such key ...).
    """
    try:
        yield
    except CasckptError:
        raise
    except (TypeError, ValueError, LookupError, OverflowError, RecursionError) as error:
        msg = f"the store holds a malformed value: {error}"
        raise CorruptError(msg) from error


class Opener:
    """Decodes into nodes, and opens them."""

    def __init__(
        self, source: ObjectSource, codec: Codec, *, bytes_max: int = LOAD_BYTES_MAX
    ) -> None:
        self.source = source
        self.codec = codec
        self._bytes_max = bytes_max
        self._hashes = Hashes()
        self._table: dict[int, Any] = {
            **_WRAPPERS,
            c.TAG_KEY: self._key,
            c.TAG_LINK: self._link,
            c.TAG_LIST_TREE: self._list_tree,
            c.TAG_MAP_TREE: self._map_tree,
            c.TAG_STR_TREE: lambda levels, _: BlobTree(self._fan(levels), is_text=True),
            c.TAG_BYTES_TREE: lambda levels, _: BlobTree(self._fan(levels), is_text=False),
        }

    def node(self, encoded: bytes) -> Node:
        """The node of an encoding, opened once (never a `Link`)."""
        return self.open(cbor.decode(encoded, self._table))

    def open(self, node: Node) -> Node:
        """Follow links until something else is there."""
        while type(node) is Link:
            payload = self.source.get(node.id, c.KIND_VALUE)
            node = cbor.decode(payload, self._table)
        return node

    def load(self, node: Node, loader: Loader | None = None) -> Any:
        """The whole value of a node, of fresh objects; by a loader that is given, if one is."""
        with reading():
            return self._load(node, loader or self.loader())

    def loader(self) -> Loader:
        """A loader with the same limit, for one whole value."""
        return Loader(self.source, self.codec, bytes_max=self._bytes_max, hashes=self._hashes)

    def closed(self, tag: int, content: Any) -> Node:
        """The node of a tagged item whose content is made of nodes."""
        return self._table[tag](content, False)

    def _load(self, node: Node, loader: Loader) -> Any:
        kind = type(node)
        if kind is list:
            return [self._load(item, loader) for item in node]
        if kind is dict:
            return {key: self._load(item, loader) for key, item in node.items()}
        if kind is Link:
            return loader.object(node.id)
        if kind is ListTree:
            return loader.list_leaves(node.fan.leaves()) + self._load(node.open, loader)
        if kind is MapTree:
            entries = loader.map_leaves(node.fan.leaves()) | self._load(node.open, loader)
            if node.order is None:
                return entries
            return {key: entries[key] for key in self._load(node.order, loader)}
        if kind is BlobTree:
            data = loader.pieces(node.fan.leaves())
            return data.decode() if node.is_text else data
        if kind is Wrapped:
            return loader.restore(node.tag, self._load(node.content, loader))
        return node

    def items(self, node: list[Node] | ListTree, start: int = 0) -> Iterator[Node]:
        """The items from position `start` on, a leaf at a time."""
        if not isinstance(node, ListTree):
            if type(node) is not list:
                raise CorruptError("the store holds a list that is none")
            yield from node[start:]
            return
        for at, ref in node.fan.leaves_from(start):
            leaf = self.list_leaf(ref)
            yield from leaf[max(0, start - at) :]
        yield from node.open[max(0, start - node.fan.count) :]

    def list_leaf(self, ref: Ref) -> list[Node]:
        """The items in one leaf of a list."""
        leaf = cbor.decode(self.source.get(ref.id, c.KIND_LIST_LEAF), self._table)
        if type(leaf) is not list or len(leaf) != ref.items:
            msg = "the store holds a list leaf whose count is wrong"
            raise CorruptError(msg)
        return leaf

    def map_leaf(self, ref: Ref) -> dict[Any, Node]:
        """The entries in one leaf of a map."""
        leaf = cbor.decode(self.source.get(ref.id, c.KIND_MAP_LEAF), self._table)
        if type(leaf) is not dict or len(leaf) != ref.items:
            msg = "the store holds a map leaf whose count is wrong"
            raise CorruptError(msg)
        return leaf

    def get(self, node: dict[Any, Node] | MapTree, key: Any) -> Node:
        """The node under a key; 1, 1.0 and True are one key, as in any dict.

        Raises:
            KeyError: there is no such key.
        """
        if not isinstance(node, MapTree):
            return node[key]
        if key in node.open:
            return node.open[key]
        for spelled in spellings(key):
            try:
                ref = node.fan.leaf_of_key(self.encoded_key(spelled))
            except InvalidInputError:
                continue  # no value that can be stored, so no key
            leaf = {} if ref is None else self.map_leaf(ref)
            if spelled in leaf:
                return leaf[spelled]
        raise KeyError(key)

    def keys(self, node: dict[Any, Node] | MapTree) -> Iterator[Any]:
        """The keys, in the dict's own order."""
        if not isinstance(node, MapTree):
            yield from node
        elif node.order is None:
            for key, _ in self.entries(node):
                yield key
        else:
            for key in self.items(self.open(node.order)):
                yield self.load(key)

    def entries(self, node: MapTree) -> Iterator[tuple[Any, Node]]:
        """Keys and nodes in the order of the keys' encodings, a leaf at a time."""
        for _, ref in node.fan.leaves_from(0):
            yield from self.map_leaf(ref).items()
        yield from node.open.items()

    def encoded_key(self, key: Any) -> bytes:
        """The encoding of a key, as maps are sorted by."""
        return SlowBuilder(Nowhere(), self.codec).key(key)

    def _fan(self, levels: Any, *, keyed: bool = False) -> Fan:
        return Fan(self.source, levels, keyed=keyed)

    def _key(self, content: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2's signature
        return self.loader().key(content)

    def _link(self, content: Any, _immutable: bool) -> Link:  # noqa: FBT001
        return Link(link_target(content), content[1])

    def _list_tree(self, content: Any, _immutable: bool) -> ListTree:  # noqa: FBT001
        *levels, items = content
        if type(items) is not list:
            msg = "the store holds a list tree without its open leaf"
            raise CorruptError(msg)
        return ListTree(self._fan(levels), items)

    def _map_tree(self, content: Any, _immutable: bool) -> MapTree:  # noqa: FBT001
        order, *levels, last = content
        if type(last) is not dict:
            msg = "the store holds a map tree without its open leaf"
            raise CorruptError(msg)
        return MapTree(order, self._fan(levels, keyed=True), last)


def _wrapper(tag: int) -> Any:
    return lambda content, _immutable: Wrapped(tag, content)


_WRAPPERS = cbor.decoders({tag: _wrapper(tag) for tag in range(c.TAG_TUPLE, c.TAG_LAST + 1)})
