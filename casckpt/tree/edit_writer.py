# ruff: noqa: SLF001 - it knows drafts as they know each other
"""Drafts -> tree: what is unchanged as it is, the rest merged into it.

Invariants: the result is what `build.SlowBuilder` makes of the same value, to the byte (a
property test); an object that holds nothing new is neither read nor written, but where a
chunk ends elsewhere than before.

Imports: errors, format (cbor, constants), tree (assembly, draft, draft_dict, draft_list,
draft_set, edit_bytes, edit_depth, edit_merge, edit_order, fast, guide, keyed,
located, native, recall, view).
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from typing import Any

from casckpt.errors import CasckptError, InvalidInputError, LimitError, UnsupportedValueError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.tree import native
from casckpt.tree.draft import Draft, Slot, Stored
from casckpt.tree.draft_dict import DictDraft
from casckpt.tree.draft_list import ListDraft
from casckpt.tree.draft_set import SetDraft
from casckpt.tree.edit_bytes import held, unkey
from casckpt.tree.edit_depth import fits
from casckpt.tree.edit_merge import Merge
from casckpt.tree.edit_order import Order
from casckpt.tree.fast import Built, FastBuilder
from casckpt.tree.guide import Guide
from casckpt.tree.keyed import Entry, fan_out
from casckpt.tree.located import located
from casckpt.tree.recall import has_long, recalled_items
from casckpt.tree.view import MappingView, SequenceView

__all__ = ["EditWriter"]

_SET_HEAD = cbor.head(cbor.TAG, c.TAG_SET)
_GONE = object()


class EditWriter(FastBuilder):
    """Writes one root draft, and all in it."""

    def write(self, root: Draft) -> Built:
        """The whole state.

        Raises:
            UnsupportedValueError: a value that cannot be stored exactly; names its path.
            LimitError: nested too deep (or in itself).
        """
        root._session.check()
        self._session = root._session
        self._writing: list[Draft] = []
        try:
            data = self._draft(root, 0, whole=True)
        except InvalidInputError as error:
            raise located(error, root) from error.__cause__
        except RecursionError:
            msg = f"nested deeper than {c.DEPTH_MAX} containers"
            raise LimitError(msg, limit=c.DEPTH_MAX) from None
        return Built(data, tuple(self._assembly.links), self._assembly.linked, None)

    def _other(self, value: Any, depth: int, prefix: bytes = b"", *, whole: bool = False) -> bytes:
        """Drafts and views, wherever they lie in plain values."""
        if isinstance(value, Draft):
            if not prefix and value._session is self._session:
                return self._draft(value, depth, whole=whole)
            value = value.load()
        elif isinstance(value, MappingView | SequenceView):
            value = value.load()
        return super()._other(value, depth, prefix, whole=whole)

    def _slot(self, slot: Slot, depth: int) -> bytes:
        """What stands in a slot, as it stands in its parent."""
        if type(slot) is not Stored:
            return self._entry(slot, depth)
        source = self._session.source
        if depth > slot.depth and not fits(source, slot.entry, depth):
            native.check_depth(c.DEPTH_MAX + 1)
        return self._raw(slot.entry)

    def _raw(self, entry: bytes) -> bytes:
        links, linked = held(entry)
        self._assembly.links += links
        self._assembly.linked += linked
        return entry

    def _draft(self, draft: Draft, depth: int, *, whole: bool = False) -> bytes:
        origin = draft._origin
        if any(draft is other for other in self._writing):
            msg = "a value that contains itself cannot be stored"
            raise UnsupportedValueError(msg, type="cycle")
        if depth > origin.depth and not fits(self._session.source, origin.form, depth):
            # What makes it too deep may be gone: only the value as it is now can tell.
            return self._entry(draft.load(), depth)
        if not draft.changed:
            return self._raw(origin.form if whole else origin.entry)
        native.check_depth(depth)
        self._writing.append(draft)
        if isinstance(draft, ListDraft):
            entry = self._list_draft(draft, depth, whole=whole)
        elif isinstance(draft, DictDraft):
            merged = self._large_dict(draft, depth, whole=whole)
            entry = self._small_dict(draft, depth, whole=whole) if merged is None else merged
        else:
            assert isinstance(draft, SetDraft)  # noqa: S101 - there are no others
            entry = self._set_draft(draft, depth, whole=whole)
        self._writing.pop()
        return entry

    # Lists.

    def _list_draft(self, draft: ListDraft, depth: int, *, whole: bool) -> bytes:
        assembly, oid = self._assembly, draft._origin.oid
        mark = assembly.mark()
        merge = Merge(assembly, draft._tree, base=oid or self._base)
        kept = draft._kept
        changed = sorted(kept)
        position = 0
        for piece in draft._pieces:
            if isinstance(piece, list):
                for slot in piece:
                    try:
                        inner = isinstance(slot, Draft)
                        merge.add((self._draft if inner else self._slot)(slot, depth + 1))
                    except InvalidInputError as error:
                        error.details.setdefault("steps", []).append(position)
                        raise
                    position += 1
                continue
            at = piece.start
            for place in changed[bisect_left(changed, at) : bisect_left(changed, piece.stop)]:
                merge.keep(at, place)
                try:
                    merge.add(self._draft(kept[place], depth + 1))
                except InvalidInputError as error:
                    step = position + place - piece.start
                    error.details.setdefault("steps", []).append(step)
                    raise
                at = place + 1
            merge.keep(at, piece.stop)
            position += len(piece)
        form = merge.form(b"", c.TAG_LIST_TREE)
        return assembly.settle(form, mark, whole=whole, is_tree=True, base=oid)

    # Sets.

    def _set_draft(self, draft: SetDraft, depth: int, *, whole: bool) -> bytes:
        assembly, oid = self._assembly, draft._origin.oid
        mark = assembly.mark()
        members = draft._members
        added = draft._added if members is None else members
        entries = []
        for member in added:
            inner = assembly.mark()
            stored = None if members is None else members[member]
            try:
                data = self._entry(member, depth + 1) if stored is None else self._raw(stored)
            except InvalidInputError as error:
                error.details.setdefault("steps", []).append(member)
                raise
            entries.append(Entry(data, data, *assembly.take(inner)))
        entries.sort()
        native.check_distinct(entry.key for entry in entries)
        if members is not None:
            spine, leaf, _ = fan_out(assembly, entries, keyed=False)
            form = spine.form(_SET_HEAD, c.TAG_LIST_TREE, leaf) if spine else _SET_HEAD + leaf
            return assembly.settle(form, mark, whole=whole, is_tree=True, base=oid)
        new: dict[bytes, Entry | None] = dict.fromkeys(draft._removed)
        new |= {entry.data: entry for entry in entries}
        tree = draft._tree
        merge = Merge(assembly, tree, base=oid or self._base)
        at = 0
        for data in sorted(new):
            place, found = tree.rank(data)
            merge.keep(at, place)
            at = place + found
            entry = new[data]
            if entry is not None:
                if found and data not in draft._removed:
                    native.check_distinct([data, data])
                self._put(merge, entry)
        merge.keep(at, len(tree))
        form = merge.form(_SET_HEAD, c.TAG_LIST_TREE)
        return assembly.settle(form, mark, whole=whole, is_tree=True, base=oid)

    def _put(self, merge: Merge, entry: Entry) -> None:
        self._assembly.links += entry.links
        self._assembly.linked += entry.linked
        merge.add(entry.data, entry.key)

    # Dicts.

    def _small_dict(self, draft: DictDraft, depth: int, *, whole: bool) -> bytes:
        """One that was taken apart: it is written from its first entry to its last."""
        assembly, oid = self._assembly, draft._origin.oid
        items = draft._whole()
        mark = assembly.mark()
        entries = []
        guides = self._recalled(draft, items)
        for key, slot in items.items():  # a loop: one frame less a level
            name = draft._keys.get(key)
            entries.append(self._pair(key, slot, depth, name, guides.get(key) if guides else None))
        native.check_distinct(entry.key for entry in entries)
        if sum(len(entry.data) for entry in entries) < c.CHUNK_BYTES_MAX:
            for entry in entries:
                assembly.links += entry.links
                assembly.linked += entry.linked
            form = cbor.head(cbor.MAP, len(entries)) + b"".join(e.data for e in entries)
            return assembly.settle(form, mark, whole=whole, base=oid)
        ordered = sorted(entries)
        order = cbor.NULL
        if ordered != entries:
            order = self._order(Order(None, [], [unkey(entry.key) for entry in entries]), depth)
        spine, leaf, _ = fan_out(assembly, ordered, keyed=True)
        form = spine.form(b"", c.TAG_MAP_TREE, leaf, order)
        return assembly.settle(form, mark, whole=whole, is_tree=True, base=oid)

    def _recalled(self, draft: DictDraft, items: dict[Any, Slot]) -> dict[Any, Guide]:
        """What was stored where there are new long texts and bytes."""
        long = {k: v for k, v in items.items() if type(v) is not Stored and has_long(v)}
        found: dict[Any, Guide] = {}
        if long:
            with suppress(CasckptError):  # only to be quicker
                opener = self._session.opener
                found = recalled_items(opener, opener.node(draft._origin.form), long)
        return found

    def _pair(
        self, key: Any, slot: Slot, depth: int, name: bytes | None, guide: Guide | None = None
    ) -> Entry:
        """An entry of a dict, with its links; none of them stay on the assembly's account."""
        assembly = self._assembly
        mark = assembly.mark()
        try:
            if name is None:
                name = native.as_key(self._entry(key, depth + 1))
            else:
                self._raw(name)
            if isinstance(slot, Draft):  # as in _slot, with one frame less a level
                data = self._draft(slot, depth + 1)
            elif guide is not None:
                data = self._guided(slot, depth + 1, guide)
            else:
                data = self._slot(slot, depth + 1)
        except InvalidInputError as error:
            error.details.setdefault("steps", []).append(key)
            raise
        return Entry(name, name + data, *assembly.take(mark))

    def _order(self, order: Order, depth: int) -> bytes:
        """The order of a large dict, as it stands in the top of its tree."""
        native.check_depth(depth + 1)
        assembly = self._assembly
        mark = assembly.mark()
        merge = Merge(assembly, order.tree, base=order.oid or self._base)
        at = 0
        for place in order.gone:
            merge.keep(at, place)
            at = place + 1
        if order.tree is not None:
            merge.keep(at, len(order.tree))
        for entry in order.added:
            merge.add(self._raw(entry))
        form = merge.form(b"", c.TAG_LIST_TREE)
        return assembly.settle(form, mark, is_tree=True, base=order.oid)

    def _large_dict(self, draft: DictDraft, depth: int, *, whole: bool) -> bytes | None:
        """Merge what is new into a tree; None: it is none, or so little is left that it may be."""
        if draft._items is not None:
            return None
        assembly, oid, tree = self._assembly, draft._origin.oid, draft._tree
        mark = assembly.mark()
        added = []
        for key, slot in draft._added.items():  # a loop: one frame less a level
            added.append(self._pair(key, slot, depth, None))
        native.check_distinct(entry.key for entry in added)
        new: dict[bytes, Any] = dict.fromkeys(draft._removed, _GONE)
        new |= draft._replaced
        new |= {entry.key: entry for entry in added}
        places = {name: tree.find(name) for name in sorted(new)}
        taken = sum(len(entry or b"") for _, entry in places.values())
        if taken and not tree.at_least(taken + c.CHUNK_BYTES_MAX):
            return None
        for entry in added:
            if places[entry.key][1] is not None and entry.key not in draft._removed:
                native.check_distinct([entry.key, entry.key])
        order = self._new_order(draft, [entry.key for entry in added], depth)
        merge = Merge(assembly, tree, keyed=True, base=oid or self._base)
        at = 0
        for name, (place, stored) in places.items():
            merge.keep(at, place)
            at = place + (stored is not None)
            slot = new[name]
            if type(slot) is not Entry and slot is not _GONE:
                slot = self._pair(draft._session.value(name), slot, depth, name)
            if slot is not _GONE:
                self._put(merge, slot)
        merge.keep(at, len(tree))
        form = merge.form(b"", c.TAG_MAP_TREE, order)
        return assembly.settle(form, mark, whole=whole, is_tree=True, base=oid)

    def _new_order(self, draft: DictDraft, added: list[bytes], depth: int) -> bytes:
        """The order of a large dict after the edit: null if it is that of the keys."""
        tree, removed = draft._tree, draft._removed
        if not added and not removed:
            return self._raw(tree.order or cbor.NULL)
        old = draft._old_order()
        order = Order.edited(tree, old, draft._order_id, removed, added)
        return cbor.NULL if order is None else self._order(order, depth)
