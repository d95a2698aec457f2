"""What a builder has in hand while it writes: the links and sizes of what is open.

`links` and `linked` grow as links are written. Whoever closes an object takes off what was
added since its mark: those are the object's children.

Invariants: links stand in the order of the payload; what is taken off one object's account
is put on its parent's as one link.

Imports: ids, format (constants), tree (native, source).
"""

from __future__ import annotations

from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.source import ObjectSink

__all__ = ["Assembly", "Mark"]

Mark = tuple[int, int]
"""Where a part begins: (links before it, bytes linked before it)."""


class Assembly:
    """The open parts of one build."""

    __slots__ = ("linked", "links", "opaque", "sink")

    def __init__(self, sink: ObjectSink) -> None:
        self.sink = sink
        self.links: list[ObjectId] = []
        self.linked = 0
        """Bytes of payload in the linked objects and all below them."""
        self.opaque = False
        """Something was written that marshal does not prove (see tree.guide)."""

    def mark(self) -> Mark:
        """The beginning of a part."""
        return len(self.links), self.linked

    def take(self, mark: Mark) -> tuple[tuple[ObjectId, ...], int]:
        """Take off all since `mark`: its links, and the bytes linked by them."""
        start, linked = mark
        links, held = tuple(self.links[start:]), self.linked - linked
        del self.links[start:]
        self.linked = linked
        return links, held

    def close(
        self, kind: int, payload: bytes, mark: Mark, base: ObjectId | None = None
    ) -> tuple[ObjectId, int]:
        """Put an object of all since `mark`; its id and its size with all below it."""
        children, linked = self.take(mark)
        return self.sink.put(kind, payload, children, base), len(payload) + linked

    def settle(
        self,
        form: bytes,
        mark: Mark,
        *,
        whole: bool = False,
        is_tree: bool = False,
        base: ObjectId | None = None,
    ) -> bytes:
        """The form of a value itself, or a link to the object it becomes.

        Args:
            form: the encoding.
            mark: where it began.
            whole: never a link (the root of a state).
            is_tree: a list or the top of another tree, linked only from a larger size on.
            base: an object it resembles, if known.
        """
        limit = c.TREE_INLINE_BYTES_MAX if is_tree else c.INLINE_BYTES_MAX
        if whole or len(form) <= limit:
            return form
        oid, size = self.close(c.KIND_VALUE, form, mark, base)
        self.links.append(oid)
        self.linked += size
        return native.link(oid, size)
