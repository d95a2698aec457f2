"""A dict whose values are known in part: taken over whole, grown from what they were, or new.

For whoever can prove by other means what did not change, so that nothing of it is looked at:
the cost is that of the change.

Invariants: if what is claimed is true, the result equals `SlowBuilder`'s to the byte (a property
test); what was made is never changed by a later build.

Imports: errors, ids, format (cbor, constants), tree (fast, guide, located, native, source, spine,
split).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from casckpt.errors import InvalidInputError, LimitError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.fast import Built, FastBuilder
from casckpt.tree.located import located
from casckpt.tree.spine import Spine, reference
from casckpt.tree.split import ends_chunk

__all__ = ["Made", "Part", "PartBuilder"]


class _Items(NamedTuple):
    """A list as it was built."""

    spine: Spine
    closed: int
    """Items in closed leaves."""
    entries: tuple[bytes, ...]
    """Those in the open leaf, with what belongs to them alone."""
    links: tuple[ObjectId, ...]
    linked: int
    oid: ObjectId | None
    """The object it became, if it did."""


class Made(NamedTuple):
    """What a part became."""

    entry: bytes
    links: tuple[ObjectId, ...]
    linked: int
    items: _Items | None = None

    def kept(self, same: int) -> int:
        """Of a list whose first `same` items are as they were: how many need not be given."""
        items = self.items
        if items is None:
            return 0
        whole = items.closed + len(items.entries)
        if same >= whole:
            return whole
        if same >= items.closed:
            return items.closed
        return sum(chunk.items for _, chunk in _before(items.spine, same))


def _before(spine: Spine, same: int) -> list[tuple[int, Any]]:
    """(level, chunk) of the closed chunks that end within the first `same` items."""
    found = []
    at = 0
    for level, chunk in spine.tops():
        if at + chunk.items <= same:
            found.append((level, chunk))
            at += chunk.items
            continue
        for leaf in chunk.leaves():
            if at + leaf.items > same:
                return found
            found.append((0, leaf))
            at += leaf.items
    return found


class Part:
    """A value on its way into a tree; `made` is what it became, once it is built."""

    __slots__ = ("_kept", "_old", "_value", "made")

    made: Made

    def __init__(self, value: Any, old: Made | None = None, kept: int | None = None) -> None:
        """A new value.

        Args:
            value: it; or, of a list, the items behind those that are kept.
            old: what an earlier version became.
            kept: so many items of it, as `Made.kept` says; None: all, and there is no value.
        """
        self._value = value
        self._old = old
        self._kept = kept

    @classmethod
    def same(cls, made: Made) -> Part:
        """A value that is as it was."""
        return cls(None, made)

    @classmethod
    def items(cls, items: Sequence[Any], old: Made | None = None, kept: int = 0) -> Part:
        """A list: so many items of an earlier version, and what comes behind them."""
        return cls(items, old, kept)


class PartBuilder(FastBuilder):
    """Builds one dict of parts."""

    def build_parts(self, parts: Mapping[str, Any]) -> Built:
        """The dict; every part, at whatever depth in it, says then what it became.

        Raises:
            UnsupportedValueError, LimitError: as `build`.
        """
        assembly = self._assembly
        try:
            data = self._dict(dict(parts), 0, whole=True, base=self._base)
        except InvalidInputError as error:
            raise located(error, parts) from error.__cause__
        except RecursionError:
            msg = f"nested deeper than {c.DEPTH_MAX} containers"
            raise LimitError(msg, limit=c.DEPTH_MAX) from None
        return Built(data, tuple(assembly.links), assembly.linked, None)

    def _other(self, value: Any, depth: int, prefix: bytes = b"", *, whole: bool = False) -> bytes:
        if type(value) is not Part:
            return super()._other(value, depth, prefix, whole=whole)
        assembly = self._assembly
        old = value._old  # noqa: SLF001 - of the same module
        start, before = assembly.mark()
        items = None
        if value._kept is None and old is not None:  # noqa: SLF001
            assembly.links += old.links
            assembly.linked += old.linked
            value.made = old
            return old.entry
        if value._kept is None:  # noqa: SLF001
            entry = self._entry(value._value, depth)  # noqa: SLF001
        else:
            was = None if old is None else old.items
            entry, items = self._items(value._value, depth, was, value._kept)  # noqa: SLF001
        links = tuple(assembly.links[start:])
        value.made = Made(entry, links, assembly.linked - before, items)
        return entry

    def _items(
        self, new: Sequence[Any], depth: int, old: _Items | None, kept: int
    ) -> tuple[bytes, _Items]:
        """A list: the first `kept` items of the old one, then the new ones."""
        native.check_depth(depth)
        assembly = self._assembly
        mark = leaf = assembly.mark()
        base = self._base if old is None or old.oid is None else old.oid
        spine, entries, closed = self._begin(old, kept, base)
        size = sum(map(len, entries))
        for index, item in enumerate(new):
            try:
                entry = self._entry(item, depth + 1)
            except InvalidInputError as error:
                error.details.setdefault("steps", []).append(index)
                raise
            entries.append(entry)
            width = len(entry)
            size += width
            if size >= c.CHUNK_BYTES_MIN and ends_chunk(0, size, len(entries), width, entry):
                payload = cbor.head(cbor.ARRAY, len(entries)) + b"".join(entries)
                oid, total = assembly.close(c.KIND_LIST_LEAF, payload, leaf, base)
                spine.push(0, reference(oid, len(entries), total), base)
                closed += len(entries)
                entries, size = [], 0
        links, linked = tuple(assembly.links[leaf[0] :]), assembly.linked - leaf[1]
        form = cbor.head(cbor.ARRAY, len(entries)) + b"".join(entries)
        if spine:
            tops = [chunk for _, chunk in spine.tops()]
            assembly.links[mark[0] : mark[0]] = [chunk.oid for chunk in tops]
            assembly.linked += sum([chunk.size for chunk in tops])
            form = spine.form(b"", c.TAG_LIST_TREE, form)
        whole = assembly.settle(form, mark, is_tree=True, base=base)
        oid_or_none = None if whole is form else assembly.links[-1]
        return whole, _Items(spine, closed, tuple(entries), links, linked, oid_or_none)

    def _begin(
        self, old: _Items | None, kept: int, base: ObjectId | None
    ) -> tuple[Spine, list[bytes], int]:
        """What is there before the first new item: closed chunks, the open leaf's entries."""
        sink = self._assembly.sink
        if old is None or not kept:
            return Spine(sink), [], 0
        if kept < old.closed:
            spine = Spine(sink)
            for level, chunk in _before(old.spine, kept):
                spine.push(level, chunk, base)
            return spine, [], kept
        if kept > old.closed:
            self._assembly.links += old.links
            self._assembly.linked += old.linked
            return old.spine.copy(sink), list(old.entries), old.closed
        return old.spine.copy(sink), [], old.closed
