"""The fan-out of a tree: from the open chunks in its top to its leaves.

Invariants: every count is checked against what is found; a node's level is one less than
its parent's, so no walk can be endless.

Imports: errors, ids, format (cbor, constants), tree.source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, NoReturn

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree.source import ObjectSource

__all__ = ["Fan", "Ref"]

_PLAIN = cbor.decoders({})


class Ref(NamedTuple):
    """A reference to a closed chunk."""

    id: ObjectId
    items: int
    """Items (list, map), code points (str) or bytes below it."""
    size: int
    """Bytes of payload in it and below it."""
    key: bytes = b""
    """In a map: the encoding of its last key."""


_ref: Callable[[tuple[Any, ...]], Ref] = partial(tuple.__new__, Ref)
"""Without a step through Python, for a path looks at some two hundred of them."""


class Fan:
    """The levels above the leaves of one tree: `levels[0]` is the top, `levels[-1]` level 1."""

    __slots__ = ("_keyed", "_source", "count", "levels")

    def __init__(self, source: ObjectSource, levels: list[Any], *, keyed: bool) -> None:
        """Parse the open chunks of levels K .. 1.

        Raises:
            CorruptError: malformed references.
        """
        if not 1 <= len(levels) <= c.TREE_LEVEL_MAX:
            _fail(f"a tree of {len(levels)} levels")
        self._source = source
        self._keyed = keyed
        self.levels = [_refs(flat, 0, keyed=keyed) for flat in levels]
        if not self.levels[0]:
            _fail("a tree with an empty top")
        self.count = sum(ref.items for refs in self.levels for ref in refs)

    def children(self, ref: Ref, level: int) -> list[Ref]:
        """The references in the node `ref`, a closed chunk of `level` (>= 1)."""
        kind = c.KIND_MAP_NODE if self._keyed else c.KIND_NODE
        return self._parse_node(ref, level, self._source.get(ref.id, kind))

    def _parse_node(self, ref: Ref, level: int, payload: bytes) -> list[Ref]:
        node = cbor.decode(payload, _PLAIN)
        if type(node) is not list or not node or node[0] != level:
            _fail(f"a node that is not of level {level}")
        refs = _refs(node, 1, keyed=self._keyed)
        if sum(child.items for child in refs) != ref.items or not refs:
            _fail("a node whose counts do not add up")
        return refs

    def expand(self, refs: list[Ref], level: int) -> list[list[Ref]]:
        """The children of several nodes of one level, read together."""
        kind = c.KIND_MAP_NODE if self._keyed else c.KIND_NODE
        payloads = self._source.get_many([ref.id for ref in refs], kind)
        return [
            self._parse_node(ref, level, payload)
            for ref, payload in zip(refs, payloads, strict=True)
        ]

    def leaves(self) -> list[Ref]:
        """References to all leaves, in order; nodes are read a level at a time."""
        found: list[Ref] = []
        top = len(self.levels)
        for depth, refs in enumerate(self.levels):
            for level in range(top - depth - 1, 0, -1):
                refs = [child for children in self.expand(refs, level) for child in children]
            found += refs
        return found

    def leaves_from(self, start: int) -> Iterator[tuple[int, Ref]]:
        """(position of its first item, leaf) for the leaves from the one with item `start`."""
        at = 0
        top = len(self.levels)
        for depth, refs in enumerate(self.levels):
            for ref in refs:
                if at + ref.items > start:
                    yield from self._below(ref, top - depth - 1, at, start)
                at += ref.items

    def _below(self, ref: Ref, level: int, at: int, start: int) -> Iterator[tuple[int, Ref]]:
        if not level:
            yield at, ref
            return
        for child in self.children(ref, level):
            if at + child.items > start:
                yield from self._below(child, level - 1, at, start)
            at += child.items

    def leaf_of_key(self, key: bytes) -> Ref | None:
        """The leaf of a map that holds `key` if any closed one does; None: look in the open."""
        top = len(self.levels)
        for depth, refs in enumerate(self.levels):
            found = _first_not_below(refs, key)
            if found is None:
                continue
            for level in range(top - depth - 1, 0, -1):
                below = _first_not_below(self.children(found, level), key)
                if below is None:
                    _fail("a node whose keys end before its parent says")
                found = below
            return found
        return None


def _first_not_below(refs: list[Ref], key: bytes) -> Ref | None:
    low, high = 0, len(refs)
    while low < high:
        middle = (low + high) // 2
        if refs[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return refs[low] if low < len(refs) else None


def _refs(flat: Any, start: int, *, keyed: bool) -> list[Ref]:
    width = 4 if keyed else 3
    if type(flat) is not list or (len(flat) - start) % width:
        _fail("malformed references")
    keys = flat[start::width] if keyed else None
    first = start + 1 if keyed else start
    ids, counts, sizes = flat[first::width], flat[first + 1 :: width], flat[first + 2 :: width]
    if ids and (  # the checks run in C: a tree may have thousands of leaves
        {*map(type, ids)} != {bytes}
        or {*map(len, ids)} != {ID_BYTES}
        or {*map(type, counts), *map(type, sizes)} != {int}
        or min(counts) < 1
        or min(sizes) < 1
    ):
        _fail("malformed references")
    if keys is None:
        return list(map(_ref, zip(ids, counts, sizes, repeat(b""), strict=False)))
    if any(type(key) is not bytes for key in keys):
        _fail("malformed keys")
    return list(map(_ref, zip(ids, counts, sizes, keys, strict=True)))


def _fail(what: str) -> NoReturn:
    msg = f"the store holds {what}"
    raise CorruptError(msg)
