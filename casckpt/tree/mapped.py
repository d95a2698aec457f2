"""Large dicts: their leaves, and which of them an earlier version's guide proves unchanged.

A leaf holds entries that lie together in the order of their keys' encodings. Its guide is the
fingerprint of its keys and values, so a dict of which a few values changed costs one pass of
fingerprints and the leaves they lie in; its other leaves are taken over unread.

Invariants: those of `tree.fast` and `tree.guide`. Only dicts whose keys are short texts or
ints are guided; keys, which cannot change, are all of the user's value that is kept.

Imports: ids, format (cbor, constants), tree (assembly, guide, keyed, spine, split).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final, NamedTuple, Protocol

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId, object_id
from casckpt.tree.assembly import Assembly
from casckpt.tree.guide import print_of
from casckpt.tree.keyed import Leaf
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import ends_chunk

__all__ = ["Form", "MapGuide", "MapRun", "MapWriter", "map_guide"]

Form = tuple[bytes, tuple[ObjectId, ...], int]
"""An encoding, its links, and the bytes linked by them."""
_KEY_CHARS_MAX: Final = 255
_KEY_BITS_MAX: Final = 64
_KEY_BYTES: Final = 100
"""Of a key and its encoding, but for what they spell, with the references to them."""
_LEAF_BYTES: Final = 500


class Keys(NamedTuple):
    """The keys of a dict."""

    print: bytes | None
    """The fingerprint of the keys in the dict's own order."""
    sorted: list[Any]
    """In the order of their encodings."""
    names: list[bytes]
    """The encodings, in order."""
    order: Form | None
    """What stands in the tree for the dict's own order; None: it is that of the encodings."""
    memory: int
    """Bytes, about."""


class MapGuide:
    """A dict that is a tree."""

    __slots__ = ("_firsts", "keys", "leaves", "memory")

    def __init__(self, keys: Keys, leaves: list[Leaf]) -> None:
        self.keys = keys
        self.leaves = leaves
        """The closed ones, in order."""
        self._firsts: list[bytes] = []
        at = 0
        for leaf in leaves:
            self._firsts.append(keys.names[at])
            at += leaf.chunk.items
        self.memory = keys.memory + _LEAF_BYTES * len(leaves)

    def leaf_with(self, name: bytes) -> tuple[Leaf | None, bool]:
        """The leaf in which this key lay or would have lain; whether it was the first there."""
        index = bisect_right(self._firsts, name) - 1
        if index < 0:
            return None, False
        return self.leaves[index], self._firsts[index] == name


def map_guide(
    value: dict[Any, Any],
    names: list[bytes],
    order: Form | None,
    leaves: list[Leaf],
    *,
    printed: bool,
) -> MapGuide | None:
    """The guide of a dict that was written without one; None: its keys are not guided.

    Args:
        value: the dict.
        names: the encodings of its keys, in its order.
        order: see `Keys`.
        leaves: what it became, without fingerprints.
        printed: whether to take those now: nothing in the dict is opaque.
    """
    keys = _keys_of(value, names)
    if keys is None:
        return None
    at = 0
    for leaf in leaves if printed else ():
        end = at + leaf.chunk.items
        leaf.chunk.print = print_of(_items(value, keys, at, end))
        at = end
    return MapGuide(keys._replace(order=order), leaves)


class MapRun:
    """Writes one dict that was a tree before."""

    def __init__(
        self,
        assembly: Assembly,
        writer: MapWriter,
        value: dict[Any, Any],
        depth: int,
        old: MapGuide,
        base: ObjectId | None,
    ) -> None:
        """Prepare; `depth` is that of the dict, `base` what its top resembles."""
        self._assembly = assembly
        self._writer = writer
        self._value = value
        self._depth = depth
        self._old = old
        self._base = base
        self._held = _Held()

    def form(self) -> tuple[bytes, MapGuide] | None:
        """The dict's encoding, and the guide for its next version.

        None: it is no tree any more, or its keys are not guided. No leaf was put then.
        """
        assembly = self._assembly
        mark, outer = assembly.mark(), assembly.opaque
        made = self._form()
        assembly.opaque |= outer
        if made is None:
            assembly.take(mark)
            return None
        for put in self._held.puts:
            assembly.sink.put(*put)
        return made

    def _form(self) -> tuple[bytes, MapGuide] | None:
        assembly = self._assembly
        keys = self._keys()
        if keys is None:
            return None
        order = cbor.NULL
        if keys.order is not None:
            order, links, linked = keys.order
            assembly.links += links
            assembly.linked += linked
        start = len(assembly.links)
        spine = Spine(self._held, keyed=True)
        leaves: list[Leaf] = []
        parts: list[bytes] = []
        at, total, opaque = 0, 0, False
        while at < len(keys.names):
            parts = []
            leaf = self._unchanged(keys, at)
            if leaf is None:
                assembly.opaque = False
                leaf = self._written(keys, at, parts)
                opaque |= assembly.opaque
            if leaf is None:
                total += sum(map(len, parts))
                break
            leaves.append(leaf)
            total += leaf.own
            at += leaf.chunk.items
            parts = []
            spine.push(0, leaf.chunk, self._base)
        assembly.opaque = opaque
        if not spine or total < c.CHUNK_BYTES_MAX:
            return None
        tops = spine.tops()
        assembly.links[start:start] = [chunk.oid for _, chunk in tops]
        assembly.linked += sum([chunk.size for _, chunk in tops])
        open_leaf = cbor.head(cbor.MAP, len(parts)) + b"".join(parts)
        return spine.form(b"", c.TAG_MAP_TREE, open_leaf, order), MapGuide(keys, leaves)

    def _keys(self) -> Keys | None:
        """The keys; what is known of them where none has changed."""
        value, assembly = self._value, self._assembly
        old = self._old.keys
        if print_of(list(value)) == old.print:
            return old
        if not _are_guided(value):
            return None
        names = [self._writer.name(key, self._depth) for key in value]
        keys = _keys_of(value, names)
        if keys is None or keys.names == names:
            return keys
        mark = assembly.mark()
        order = self._writer.order(list(value), self._depth)
        return keys._replace(order=(order, *assembly.take(mark)))

    def _unchanged(self, keys: Keys, at: int) -> Leaf | None:
        """The old leaf that has just the entries that come now."""
        leaf, is_first = self._old.leaf_with(keys.names[at])
        if leaf is None or not is_first or leaf.chunk.print is None:
            return None
        end = at + leaf.chunk.items
        if end > len(keys.names) or keys.names[end - 1] != leaf.chunk.key:
            return None
        same = print_of(_items(self._value, keys, at, end)) == leaf.chunk.print
        return leaf if same else None

    def _written(self, keys: Keys, at: int, parts: list[bytes]) -> Leaf | None:
        """Encode entries into `parts` until a leaf is full; None: they end before that."""
        assembly, value, write = self._assembly, self._value, self._writer.value
        mark = assembly.mark()
        size = 0
        for index in range(at, len(keys.names)):
            name, key = keys.names[index], keys.sorted[index]
            entry = name + write(key, value[key], self._depth)
            parts.append(entry)
            size += len(entry)
            if ends_chunk(0, size, len(parts), len(entry), name):
                break
        else:
            return None
        resembled, _ = self._old.leaf_with(keys.names[at])
        payload = cbor.head(cbor.MAP, len(parts)) + b"".join(parts)
        base = None if resembled is None else resembled.chunk.oid
        children, linked = assembly.take(mark)
        oid = self._held.put(c.KIND_MAP_LEAF, payload, children, base)
        print_ = None
        if not assembly.opaque:
            print_ = print_of(_items(value, keys, at, at + len(parts)))
        chunk = reference(oid, len(parts), len(payload) + linked, key=name, print_=print_)
        return Leaf(chunk, size)


class MapWriter(Protocol):
    """How the parts of a dict are encoded."""

    def name(self, key: Any, depth: int) -> bytes:
        """A key."""

    def value(self, key: Any, item: Any, depth: int) -> bytes:
        """What is under a key."""

    def order(self, keys: list[Any], depth: int) -> bytes:
        """The list of the keys in the dict's own order."""


class _Held:
    """A sink that keeps what is put, to be put elsewhere, or nowhere."""

    def __init__(self) -> None:
        self.puts: list[tuple[int, bytes, tuple[ObjectId, ...], ObjectId | None]] = []

    def put(
        self,
        kind: int,
        payload: bytes,
        children: tuple[ObjectId, ...] = (),
        base: ObjectId | None = None,
    ) -> ObjectId:
        """The id that the object will have."""
        self.puts.append((kind, payload, children, base))
        return object_id(kind, payload)


def _are_guided(value: dict[Any, Any]) -> bool:
    """Whether all keys are of exact types, and short enough to stand in their place."""
    return all(
        len(key) <= _KEY_CHARS_MAX
        if type(key) is str
        else type(key) is int and key.bit_length() <= _KEY_BITS_MAX
        for key in value
    )


def _keys_of(value: dict[Any, Any], names: list[bytes]) -> Keys | None:
    """The keys of a dict, of which `names` are the encodings; None: they are not guided."""
    if not _are_guided(value):
        return None
    pairs = sorted(zip(names, value, strict=True))
    memory = _KEY_BYTES * len(names) + 2 * sum(map(len, names))
    print_ = print_of(list(value))
    return Keys(print_, [key for _, key in pairs], [name for name, _ in pairs], None, memory)


def _items(value: dict[Any, Any], keys: Keys, at: int, end: int) -> list[Any]:
    """Keys and values of some entries, as they are fingerprinted."""
    found: list[Any] = []
    for key in keys.sorted[at:end]:
        found += (key, value[key])
    return found
