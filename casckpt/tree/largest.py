"""The largest values of a state, by path, without reading what is small.

Every reference says how many bytes lie below it. So a walk from the root, into whatever has at
least a thousandth of the whole, reads some thousand chunks at most, however large the state is.

Invariants: sizes are those of encodings, exact for what is referred to and within a few bytes
for what lies inline; what is counted under a path is counted under its prefixes, too.

Imports: errors, format (constants), path (types), tree (lazy, locate).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from casckpt.format import constants as c
from casckpt.path import Path
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.lazy import BlobTree, Link, ListTree, MapTree, Node, Opener, Wrapped, reading

__all__ = ["Sized", "largest"]

FLOOR_BYTES: Final = 1_024
PARTS_MAX: Final = 1_000
"""A value with less than this part of the whole is not looked into."""
MOST: Final = 0.9
"""A value of which one part has so much is not told: its part is."""


class Sized(NamedTuple):
    """A value in a state."""

    path: Path
    size: int
    """Bytes of its encoding, with all it refers to."""


def largest(opener: Opener, node: Node, limit: int) -> list[Sized]:
    """The largest values, largest first; of a chain of wrappers the innermost.

    Raises:
        CorruptError, PrunedError: something of it is damaged or gone.
    """
    floor = max(FLOOR_BYTES, size_of(node) // PARTS_MAX)
    found: list[Sized] = []
    todo: list[tuple[Path, Node, int]] = [((), node, size_of(node))]
    with reading():
        while todo:
            path, closed, size = todo.pop()
            parts = [
                ((*path, step), part, part_size)
                for step, part in _parts(opener, opener.open(closed), floor)
                if (part_size := size_of(part)) >= floor
            ]
            todo += parts
            if not any(part_size >= MOST * size for _, _, part_size in parts):
                found.append(Sized(path, size))
    return sorted(found, key=lambda one: -one.size)[:limit]


def size_of(node: Node) -> int:
    """Bytes of a node's encoding, with all it refers to; within a few bytes."""
    kind = type(node)
    if kind is Link:
        return int(node.size)
    if kind is ListTree:
        return _below(node.fan) + size_of(node.open)
    if kind is MapTree:
        return _below(node.fan) + size_of(node.open) + size_of(node.order)
    if kind is BlobTree:
        return _below(node.fan)
    if kind is Wrapped:
        return 3 + size_of(node.content)
    if kind is list:
        return 1 + sum(map(size_of, node))
    if kind is dict:
        return 1 + sum(size_of(key) + size_of(value) for key, value in node.items())
    if kind is str:
        return 1 + len(node.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return 1 + len(node)
    if isinstance(node, int):
        return 1 + (node.bit_length() + 7) // 8
    return 9 if kind is float else 1


def _below(fan: Fan) -> int:
    return sum(ref.size for refs in fan.levels for ref in refs)


def _parts(opener: Opener, node: Node, floor: int) -> Iterator[tuple[Any, Node]]:
    """The steps and nodes of a container's parts, but for leaves that have less than `floor`."""
    kind = type(node)
    if kind is Wrapped:
        if node.tag == c.TAG_OBJECT and isinstance(node.content, list) and len(node.content) > 2:
            yield from _parts(opener, opener.open(node.content[2]), floor)
        elif node.tag == c.TAG_TUPLE:
            yield from _parts(opener, opener.open(node.content), floor)
    elif kind is list:
        yield from enumerate(node)
    elif kind is dict:
        yield from node.items()
    elif kind is ListTree:
        for at, ref in _leaves(node.fan, floor):
            yield from enumerate(opener.list_leaf(ref), at)
        yield from enumerate(node.open, node.fan.count)
    elif kind is MapTree:
        for _, ref in _leaves(node.fan, floor):
            yield from opener.map_leaf(ref).items()
        yield from node.open.items()


def _leaves(fan: Fan, floor: int) -> Iterator[tuple[int, Ref]]:
    """(position of its first item, leaf) for leaves with at least `floor` bytes below them."""
    at = 0
    top = len(fan.levels)
    for depth, refs in enumerate(fan.levels):
        for ref in refs:
            yield from _large(fan, ref, top - depth - 1, at, floor)
            at += ref.items


def _large(fan: Fan, ref: Ref, level: int, at: int, floor: int) -> Iterator[tuple[int, Ref]]:
    if ref.size < floor:
        return
    if not level:
        yield at, ref
        return
    for child in fan.children(ref, level):
        yield from _large(fan, child, level - 1, at, floor)
        at += child.items
