"""What a stored state says of its long texts and bytes: a guide for whoever has not built it.

The pieces of a long value are named in a few nodes. Read, they let the next build prove by
hashing alone what is as before, with nothing cut, and store what is new against what it
replaces; that is worth it for values of a megabyte and more, in dicts.

Invariants: as `tree.guide`: a guide never changes what is built.

Imports: format (constants), tree (fan, guide, lazy, source, stream).
"""

from __future__ import annotations

from typing import Any, Final

from casckpt.format import constants as c
from casckpt.tree.guide import BlobGuide, Guide, Piece, UnitGuide
from casckpt.tree.lazy import BlobTree, MapTree, Node, Opener
from casckpt.tree.source import Codec, ObjectSource
from casckpt.tree.stream import Stream

__all__ = ["has_long", "recalled", "recalled_items"]

LONG_BYTES_MIN: Final = 1 << 20
"""Shorter values are cut as quickly as their nodes are read."""
_KEYS_MAX: Final = 1000
_DEPTH_MAX: Final = 6


def has_long(value: Any, depth: int = 0) -> bool:
    """Whether it is, or holds in dicts, a long str or bytes, or a stream."""
    kind = type(value)
    if kind is dict:
        if depth == _DEPTH_MAX or len(value) > _KEYS_MAX:
            return False
        return any(has_long(item, depth + 1) for item in value.values())
    return kind is Stream or ((kind is str or kind is bytes) and len(value) >= LONG_BYTES_MIN)


def recalled(source: ObjectSource, codec: Codec, root: bytes, value: Any) -> Guide | None:
    """What the state with this root has where `value` has long texts, bytes and streams.

    Raises:
        PrunedError, CorruptError: it cannot be read.
    """
    opener = Opener(source, codec)
    return _guide(opener, opener.node(root), value, 0)


def _guide(opener: Opener, node: Node, value: Any, depth: int) -> Guide | None:
    node = opener.open(node)
    if isinstance(node, BlobTree):
        return _of_blob(node)
    if type(value) is not dict or not isinstance(node, dict | MapTree):
        return None
    children = recalled_items(opener, node, value, depth)
    return UnitGuide(None, b"", (), 0, None, children) if children else None


def recalled_items(
    opener: Opener, node: Node, value: dict[Any, Any], depth: int = 0
) -> dict[Any, Guide]:
    """As `recalled`, by key, for what a stored dict has under the keys of a new one."""
    children: dict[Any, Guide] = {}
    for key, item in value.items():
        if has_long(item, depth + 1):
            try:
                child = _guide(opener, opener.get(node, key), item, depth + 1)
            except KeyError:
                continue
            if child is not None:
                children[key] = child
    return children


def _of_blob(tree: BlobTree) -> BlobGuide:
    pieces: dict[int, Piece] = {}
    at = 0
    for ref in tree.fan.leaves():
        pieces[at] = Piece(ref.size, ref.id, ref.items)
        at += ref.size
    return BlobGuide(pieces, at, c.TAG_STR_TREE if tree.is_text else c.TAG_BYTES_TREE)
