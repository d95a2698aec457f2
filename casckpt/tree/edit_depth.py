"""Whether something stored may be moved to where more containers are around it.

Invariant: the depth of a stored value is that which a builder counts.

Imports: ids, format (constants), tree (fan, raw, read, source).
"""

from __future__ import annotations

from typing import Any

from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import raw
from casckpt.tree.fan import Fan
from casckpt.tree.read import link_target
from casckpt.tree.source import ObjectSource

__all__ = ["fits"]

_CONTAINERS = frozenset((c.TAG_TUPLE, c.TAG_SET, c.TAG_FROZENSET))
_TEXTS = frozenset((c.TAG_STR_TREE, c.TAG_BYTES_TREE, c.TAG_BYTEARRAY, c.TAG_SURROGATES))


def fits(source: ObjectSource, entry: bytes, depth: int) -> bool:
    """Whether no container in a stored entry is too deep with so many around it.

    Reads all of the entry.
    """
    return depth + _Depths(source).of(raw.decode(entry)) - 1 <= c.DEPTH_MAX


class _Depths:
    """Containers inside one another, the outermost counted; 0 for a scalar."""

    def __init__(self, source: ObjectSource) -> None:
        self._source = source
        self._known: dict[ObjectId, int] = {}

    def of(self, item: Any) -> int:
        kind = type(item)
        if kind is list:
            return 1 + max(map(self.of, item), default=0)
        if kind is dict:
            inner = [self.of(key) for key in item] + [self.of(value) for value in item.values()]
            return 1 + max(inner, default=0)
        tag = raw.tag_of(item)
        if tag is None:
            return 0
        content = raw.content_of(item)
        if tag == c.TAG_LINK:
            oid = link_target(content)
            return self._object(oid, c.KIND_VALUE)
        if tag in _CONTAINERS:
            return self.of(content)
        if tag in _TEXTS:
            return 0
        if tag == c.TAG_KEY:
            return self.of(raw.decode(content))
        if tag == c.TAG_LIST_TREE:
            *levels, leaf = content
            return max(self.of(leaf), self._leaves(levels, c.KIND_LIST_LEAF))
        if tag == c.TAG_MAP_TREE:
            order, *levels, leaf = content
            ordered = 1 + self.of(order) if order is not None else 0
            return max(self.of(leaf), ordered, self._leaves(levels, c.KIND_MAP_LEAF))
        return 1 + self.of(content)

    def _leaves(self, levels: list[Any], kind: int) -> int:
        fan = Fan(self._source, levels, keyed=kind == c.KIND_MAP_LEAF)
        return max((self._object(ref.id, kind) for ref in fan.leaves()), default=0)

    def _object(self, oid: ObjectId, kind: int) -> int:
        known = self._known.get(oid)
        if known is None:
            known = self._known[oid] = self.of(raw.decode(self._source.get(oid, kind)))
        return known
