"""Dicts, as `FastBuilder` writes them: small ones as they stand, large ones as trees.

Invariants: those of `tree.fast`.

Imports: errors, ids, format (cbor, constants), tree (assembly, guide, hashes, keyed, mapped,
native, stream).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from casckpt.errors import InvalidInputError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.assembly import Assembly, Mark
from casckpt.tree.guide import Guide, UnitGuide, print_of, worth_a_guide
from casckpt.tree.hashes import check_hashes
from casckpt.tree.keyed import Entry, fan_out
from casckpt.tree.mapped import Form, MapGuide, MapRun, map_guide
from casckpt.tree.stream import Stream

__all__ = ["GUIDED_BYTES_MIN", "DictBuilder"]

GUIDED_BYTES_MIN: Final = 192
"""A dict with less below it is encoded anew each time: that is as quick."""
_GUIDED_KEYS_MAX: Final = 4096
"""In a dict with more keys, not each value has a guide of its own from the first time on."""


class DictBuilder(ABC):
    """The part of `FastBuilder` that writes dicts."""

    _assembly: Assembly
    _base: ObjectId | None
    _made: Guide | None
    _mapped: MapGuide | None = None
    """The guide of the dict written last, if it became a tree."""

    @abstractmethod
    def _entry(self, value: Any, depth: int) -> bytes:
        """A value as it stands in its parent."""

    @abstractmethod
    def _guided(self, value: Any, depth: int, guide: Guide | None, *, whole: bool = False) -> bytes:
        """As `_entry`, using and making a guide."""

    @abstractmethod
    def _list(
        self, value: Sequence[Any], depth: int, prefix: bytes, *, whole: bool = False
    ) -> bytes:
        """A list as it stands in its parent."""

    def _guided_dict(
        self, value: dict[Any, Any], depth: int, guide: UnitGuide | None, *, whole: bool
    ) -> bytes:
        assembly = self._assembly
        if guide is not None and guide.print is not None and print_of(value) == guide.print:
            assembly.links += guide.links
            assembly.linked += guide.linked
            self._made = guide
            return guide.entry
        outer, assembly.opaque = assembly.opaque, False
        start, before = assembly.mark()
        children: dict[Any, Guide] | None = {} if len(value) <= _GUIDED_KEYS_MAX else None
        old = guide.children if guide is not None else {}
        outer_base = self._base
        if guide is not None and guide.oid is not None:
            self._base = guide.oid
        entry, mapped = None, None
        if guide is not None and guide.mapped is not None:
            native.check_depth(depth)
            mark = assembly.mark()
            writer = _Writer(self, old)
            made = MapRun(assembly, writer, value, depth, guide.mapped, self._base).form()
            if made is not None:
                mapped, children = made[1], writer.kept(value)
                entry = assembly.settle(made[0], mark, whole=whole, is_tree=True, base=self._base)
        if entry is None:
            self._mapped = None
            entry = self._dict(
                value,
                depth,
                whole=whole,
                base=self._base,
                children=children,
                old=old,
                guided=True,
            )
            mapped = self._mapped
        self._base, self._mapped = outer_base, None
        linked = assembly.linked - before
        self._made = None
        if children or mapped or len(entry) + linked >= GUIDED_BYTES_MIN:
            links = tuple(assembly.links[start:])
            # Where larger values are recognised by themselves, the whole is only worth a
            # fingerprint (one more pass over all below) while it stays as it is.
            known = children or mapped
            settled = not known or (not whole and (guide is None or guide.entry == entry))
            print_ = print_of(value) if settled and not assembly.opaque else None
            oid = links[0] if entry.startswith(native.LINK_HEAD) else None
            self._made = UnitGuide(print_, entry, links, linked, oid, children or {}, mapped)
        assembly.opaque |= outer
        return entry

    def _dict(
        self,
        value: dict[Any, Any],
        depth: int,
        prefix: bytes = b"",
        *,
        whole: bool = False,
        base: ObjectId | None = None,
        children: dict[Any, Guide] | None = None,
        old: dict[Any, Guide] | None = None,
        guided: bool = False,
    ) -> bytes:
        native.check_depth(depth)
        assembly, links = self._assembly, self._assembly.links
        mark = assembly.mark()
        parts = [prefix, cbor.head(cbor.MAP, len(value))]
        marks: list[Mark] = []
        odd_keys = numbers = False
        for key, item in value.items():
            marks.append((len(links), assembly.linked))
            try:
                name = native.SHORT_KEYS[key] if type(key) is str else None
                if name is None:
                    odd_keys |= type(key) is not int and type(key) is not str
                    numbers |= type(key) is int
                    name = native.as_key(self._entry(key, depth + 1))
                if type(item) is str and len(item) < 256 and item.isascii():  # most are
                    entry = cbor.TEXT_HEADS[len(item)] + item.encode()
                elif children is None or not (worth_a_guide(item) or type(item) is Stream):
                    entry = self._entry(item, depth + 1)
                else:
                    entry = self._guided(item, depth + 1, old.get(key) if old is not None else None)
                    if self._made is not None:
                        children[key] = self._made
            except InvalidInputError as error:
                error.details.setdefault("steps", []).append(key)
                raise
            parts += (name, entry)
        if odd_keys or numbers:
            check_hashes(value)
        if odd_keys:
            native.check_distinct(parts[2::2])
        if sum(map(len, parts)) - len(prefix) - len(parts[1]) < c.CHUNK_BYTES_MAX:
            return assembly.settle(b"".join(parts), mark, whole=whole, base=base)
        return self._map_tree(
            value, parts, marks, depth, whole=whole, base=base, guided=guided and not prefix
        )

    def _map_tree(
        self,
        value: dict[Any, Any],
        parts: list[bytes],
        marks: list[Mark],
        depth: int,
        *,
        whole: bool,
        base: ObjectId | None,
        guided: bool,
    ) -> bytes:
        assembly, mark = self._assembly, marks[0]
        links, linked = assembly.take(mark)
        marks.append((mark[0] + len(links), mark[1] + linked))
        entries = []
        for index in range(len(value)):
            (start, before), (end, after) = marks[index : index + 2]
            key = parts[2 + 2 * index]
            held = links[start - mark[0] : end - mark[0]]
            entries.append(Entry(key, key + parts[3 + 2 * index], held, after - before))
        ordered = sorted(entries)
        order: Form | None = None
        if ordered != entries:
            before_order = assembly.mark()
            data = self._list(list(value), depth + 1, b"")
            order = (data, *assembly.take(before_order))
            assembly.links += order[1]
            assembly.linked += order[2]
        spine, leaf, leaves = fan_out(assembly, ordered, keyed=True)
        if guided:
            known = not assembly.opaque  # else it is told leaf by leaf the next time
            self._mapped = map_guide(value, parts[2::2], order, leaves, printed=known)
        form = spine.form(parts[0], c.TAG_MAP_TREE, leaf, cbor.NULL if order is None else order[0])
        return assembly.settle(form, mark, whole=whole, is_tree=True, base=base)


class _Writer:
    """What a `MapRun` writes a dict's parts with."""

    def __init__(self, builder: DictBuilder, old: dict[Any, Guide]) -> None:
        self._builder = builder
        self.children = dict(old)
        """The guides of larger values; of those not written again, as they were."""

    def kept(self, value: dict[Any, Any]) -> dict[Any, Guide]:
        """The guides of values that are still there."""
        return {key: guide for key, guide in self.children.items() if key in value}

    def name(self, key: Any, depth: int) -> bytes:
        """A key."""
        builder = self._builder
        try:
            name = native.SHORT_KEYS[key] if type(key) is str else None
            return native.as_key(builder._entry(key, depth + 1)) if name is None else name  # noqa: SLF001 - it is the builder's
        except InvalidInputError as error:
            error.details.setdefault("steps", []).append(key)
            raise

    def value(self, key: Any, item: Any, depth: int) -> bytes:
        """What is under a key."""
        builder = self._builder
        old = self.children.pop(key, None)
        try:
            if not (worth_a_guide(item) or type(item) is Stream):
                return builder._entry(item, depth + 1)  # noqa: SLF001 - it is the builder's
            entry = builder._guided(item, depth + 1, old)  # noqa: SLF001 - it is the builder's
        except InvalidInputError as error:
            error.details.setdefault("steps", []).append(key)
            raise
        made = builder._made  # noqa: SLF001 - it is the builder's
        # Leaf by leaf a small value is known already; a large one is worth knowing by itself.
        if made is not None and (type(made) is not UnitGuide or made.linked):
            self.children[key] = made
        return entry

    def order(self, keys: list[Any], depth: int) -> bytes:
        """The list of the keys in the dict's own order."""
        return self._builder._list(keys, depth + 1, b"")  # noqa: SLF001 - it is the builder's
