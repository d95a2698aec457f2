"""Entries in the order of their encodings: large dicts, and sets.

Invariants: as `tree.fast`.

Imports: ids, format (cbor, constants), tree (assembly, guide, spine, split).
"""

from __future__ import annotations

from typing import NamedTuple

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.assembly import Assembly
from casckpt.tree.guide import ChunkGuide
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import ends_chunk

__all__ = ["Entry", "Leaf", "fan_out"]


class Entry(NamedTuple):
    """An encoded member of a set or entry of a map, with the links in it."""

    key: bytes
    """What it is sorted by: the member itself, or the key of the map."""
    data: bytes
    """All of it: of a map's entry key and value."""
    links: tuple[ObjectId, ...]
    linked: int


class Leaf(NamedTuple):
    """A closed leaf."""

    chunk: ChunkGuide
    own: int
    """Bytes of the entries in it, without what they link to."""


def fan_out(
    assembly: Assembly, entries: list[Entry], *, keyed: bool
) -> tuple[Spine, bytes, list[Leaf]]:
    """Chunk sorted entries: the spine over the closed leaves, the open leaf, and the closed ones.

    The links of spine and open leaf are added to the assembly.
    """
    leaves: list[Leaf] = []
    spine = Spine(assembly.sink, keyed=keyed)
    start = len(assembly.links)
    major, kind = (cbor.MAP, c.KIND_MAP_LEAF) if keyed else (cbor.ARRAY, c.KIND_LIST_LEAF)
    mark = assembly.mark()
    parts: list[bytes] = []
    size = 0
    for entry in entries:
        parts.append(entry.data)
        size += len(entry.data)
        assembly.links += entry.links
        assembly.linked += entry.linked
        if not ends_chunk(0, size, len(parts), len(entry.data), entry.key):
            continue
        payload = cbor.head(major, len(parts)) + b"".join(parts)
        oid, total = assembly.close(kind, payload, mark)
        chunk = reference(oid, len(parts), total, key=entry.key if keyed else None)
        spine.push(0, chunk)
        leaves.append(Leaf(chunk, size))
        parts, size = [], 0
    tops = spine.tops()
    assembly.links[start:start] = [chunk.oid for _, chunk in tops]
    assembly.linked += sum([chunk.size for _, chunk in tops])
    return spine, cbor.head(major, len(parts)) + b"".join(parts), leaves
