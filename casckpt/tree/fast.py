"""Value -> tree, fast: what a guide proves unchanged is used again, the rest is encoded.

Invariants: the result equals `SlowBuilder`'s to the byte, with any guide or none (a property
test); links are noted in the order of the payload; nothing of the user's value is kept.

Imports: errors, ids, format (cbor, constants), tree (assembly, blobs, dicts, guide, hashes, keyed,
located, native, runs, source, split, stream).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from casckpt.errors import InvalidInputError, LimitError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.assembly import Assembly
from casckpt.tree.blobs import array_form, formed
from casckpt.tree.dicts import GUIDED_BYTES_MIN, DictBuilder
from casckpt.tree.guide import SHORT_LIST, BlobGuide, Guide, ListGuide, UnitGuide
from casckpt.tree.hashes import check_hashes
from casckpt.tree.keyed import Entry, fan_out
from casckpt.tree.located import located
from casckpt.tree.runs import ListRun
from casckpt.tree.source import Codec, ObjectSink, TaggedValue
from casckpt.tree.split import ends_chunk
from casckpt.tree.stream import Stream, stream_form

__all__ = ["Built", "FastBuilder"]

_TUPLE_HEAD = cbor.head(cbor.TAG, c.TAG_TUPLE)
_BYTEARRAY_HEAD = cbor.head(cbor.TAG, c.TAG_BYTEARRAY)
_SURROGATES_HEAD = cbor.head(cbor.TAG, c.TAG_SURROGATES)
_SET_HEADS: dict[Any, bytes] = {
    set: cbor.head(cbor.TAG, c.TAG_SET),
    frozenset: cbor.head(cbor.TAG, c.TAG_FROZENSET),
}
_SHORT_TEXT = c.INLINE_BYTES_MAX - 3  # with its head it is inlined


class Built(NamedTuple):
    """A built value."""

    data: bytes
    """Its encoding: not linked, however large it is."""
    links: tuple[ObjectId, ...]
    linked: int
    """Bytes of payload in the linked objects and below."""
    guide: Guide | None
    """For the next build of a value like this one."""


class FastBuilder(DictBuilder):
    """Builds one value."""

    def __init__(
        self,
        sink: ObjectSink,
        codec: Codec,
        *,
        guide: Guide | None = None,
        base: ObjectId | None = None,
    ) -> None:
        """Prepare.

        Args:
            sink: where new objects go.
            codec: for types that are not native.
            guide: from the build of an earlier version, if there was one.
            base: an object that holds the earlier version's open parts (its record).
        """
        self._assembly = Assembly(sink)
        self._codec = codec
        self._guide = guide
        self._base = base
        self._made: Guide | None = None  # the guide of the value written last

    def build(self, value: Any) -> Built:
        """Build a whole state.

        Raises:
            UnsupportedValueError: a value that cannot be stored exactly; names its path.
            LimitError: nested too deep (or in itself).
        """
        try:
            data = self._guided(value, 0, self._guide, whole=True)
        except InvalidInputError as error:
            raise located(error, value) from error.__cause__
        except RecursionError:
            msg = f"nested deeper than {c.DEPTH_MAX} containers"
            raise LimitError(msg, limit=c.DEPTH_MAX) from None
        return Built(data, tuple(self._assembly.links), self._assembly.linked, self._made)

    # Values in general. `whole` asks for the form itself, never a link to it.

    def _guided(self, value: Any, depth: int, guide: Guide | None, *, whole: bool = False) -> bytes:
        """As `_entry`, using and making a guide."""
        self._made = None
        kind = type(value)
        if kind is list or kind is tuple:
            old = guide if type(guide) is ListGuide else None
            prefix = b"" if kind is list else _TUPLE_HEAD
            return self._guided_list(value, depth, prefix, old, whole=whole)
        if kind is dict:
            unit = guide if type(guide) is UnitGuide else None
            return self._guided_dict(value, depth, unit, whole=whole)
        if kind is str or kind is bytes:
            old_blob = guide if type(guide) is BlobGuide else None
            if kind is bytes:
                self._assembly.opaque = True
                return self._blob(value, b"", c.TAG_BYTES_TREE, old_blob, whole=whole)
            try:
                data = value.encode()
            except UnicodeEncodeError:
                return self._other(value, depth, whole=whole)
            return self._blob(data, b"", c.TAG_STR_TREE, old_blob, whole=whole)
        if kind is Stream:
            return self._stream(value, b"", guide, whole=whole)
        if whole:
            return self._other(value, depth, whole=True)
        return self._entry(value, depth)

    def _entry(self, value: Any, depth: int) -> bytes:
        """A value as it stands in its parent: itself if small, else a link."""
        kind = type(value)
        if kind is str:
            try:
                data: bytes = value.encode()
            except UnicodeEncodeError:
                return self._other(value, depth)
            if len(data) < _SHORT_TEXT:
                return cbor.head(3, len(data)) + data
            return self._blob(data, b"", c.TAG_STR_TREE, None)
        if kind is int:
            if 0 <= value < 24:
                return cbor.head(0, value)
            return self._assembly.settle(cbor.encode_int(value), self._assembly.mark())
        if kind is dict:
            return self._dict(value, depth)
        if kind is list:
            return self._list(value, depth, b"")
        if value is None or kind is bool or kind is float:
            return native.encode_atom(value)
        if kind is tuple:
            return self._list(value, depth, _TUPLE_HEAD)
        if kind is bytes:
            self._assembly.opaque = True
            return self._blob(value, b"", c.TAG_BYTES_TREE, None)
        return self._other(value, depth)

    def _other(self, value: Any, depth: int, prefix: bytes = b"", *, whole: bool = False) -> bytes:
        """The rarer types, and the contents of tags."""
        kind = type(value)
        if kind is dict:
            return self._dict(value, depth, prefix, whole=whole)
        if kind is list or kind is tuple:
            if kind is tuple:
                prefix += _TUPLE_HEAD
            return self._list(value, depth, prefix, whole=whole)
        if kind is set or kind is frozenset:
            return self._set(value, depth, prefix, whole=whole)
        if kind is str:
            try:
                data = value.encode()
            except UnicodeEncodeError:
                data = value.encode("utf-8", "surrogatepass")
                prefix += _SURROGATES_HEAD
                return self._blob(data, prefix, c.TAG_BYTES_TREE, None, whole=whole)
            return self._blob(data, prefix, c.TAG_STR_TREE, None, whole=whole)
        if kind is bytes or kind is bytearray:
            self._assembly.opaque = True
            if kind is bytearray:
                prefix += _BYTEARRAY_HEAD
            return self._blob(bytes(value), prefix, c.TAG_BYTES_TREE, None, whole=whole)
        if kind is Stream:
            return self._stream(value, prefix, None, whole=whole)
        mark = self._assembly.mark()
        if kind in native.SCALARS:
            return self._assembly.settle(prefix + native.encode_atom(value), mark, whole=whole)
        native.check_depth(depth)
        self._assembly.opaque = True
        reduced = native.reduce(self._codec, value)
        prefix += cbor.head(cbor.TAG, reduced.tag)
        if type(reduced.content) is list:
            return self._fields(reduced, depth + 1, prefix, whole=whole)
        return self._other(reduced.content, depth + 1, prefix, whole=whole)

    def _fields(self, reduced: TaggedValue, depth: int, prefix: bytes, *, whole: bool) -> bytes:
        """A tag's array, which is not split; an array's bytes are cut on a grid of rows."""
        native.check_depth(depth)
        fields: list[Any] = reduced.content
        mark = self._assembly.mark()
        parts = [prefix, cbor.head(cbor.ARRAY, len(fields))]
        if reduced.tag == c.TAG_NDARRAY:
            *fields, data = fields
            parts += [self._entry(field, depth + 1) for field in fields]
            inner = self._assembly.mark()
            form = array_form(self._assembly, fields[1], data)
            is_tree = len(data) > c.BLOB_BYTES_MAX
            parts.append(self._assembly.settle(form, inner, is_tree=is_tree))
        else:
            parts += [self._entry(field, depth + 1) for field in fields]
        return self._assembly.settle(b"".join(parts), mark, whole=whole)

    def _blob(
        self, data: bytes, prefix: bytes, tag: int, old: BlobGuide | None, *, whole: bool = False
    ) -> bytes:
        mark = self._assembly.mark()
        form, made = formed(self._assembly, data, prefix, tag, old)
        self._made = made or self._made
        return self._assembly.settle(form, mark, whole=whole, is_tree=made is not None)

    def _stream(self, value: Stream, prefix: bytes, guide: Guide | None, *, whole: bool) -> bytes:
        mark = self._assembly.mark()
        self._assembly.opaque = True
        old = guide if type(guide) is BlobGuide else None
        form, self._made = stream_form(self._assembly, value, prefix, old)
        return self._assembly.settle(form, mark, whole=whole, is_tree=self._made is not None)

    def _list(
        self,
        value: Sequence[Any],
        depth: int,
        prefix: bytes,
        *,
        whole: bool = False,
    ) -> bytes:
        """A list that no guide is kept of: mostly short ones, inside of something."""
        native.check_depth(depth)
        assembly = self._assembly
        mark = assembly.mark()
        entries: list[bytes] = []
        if len(value) <= SHORT_LIST:
            size = 0
            for index, item in enumerate(value):
                try:
                    entry = self._entry(item, depth + 1)
                except InvalidInputError as error:
                    error.details.setdefault("steps", []).append(index)
                    raise
                entries.append(entry)
                size += len(entry)
                if size >= c.CHUNK_BYTES_MIN and ends_chunk(0, size, index + 1, len(entry), entry):
                    break
            else:
                form = b"".join((prefix, cbor.head(cbor.ARRAY, len(value)), *entries))
                return assembly.settle(form, mark, whole=whole, is_tree=True)
        run = ListRun(assembly, self._entry, value, None, self._base, guided=False)
        if entries:  # the first leaf is full: go on from there, never anew
            run.begin(entries, mark)
        form = run.form(prefix, depth + 1)
        return assembly.settle(form, mark, whole=whole, is_tree=True)

    def _guided_list(
        self, value: Sequence[Any], depth: int, prefix: bytes, old: ListGuide | None, *, whole: bool
    ) -> bytes:
        native.check_depth(depth)
        mark = self._assembly.mark()
        base = old.oid if old is not None and old.oid is not None else self._base
        run = ListRun(self._assembly, self._entry, value, old, base, guided=True)
        form = run.form(prefix, depth + 1)
        entry = self._assembly.settle(form, mark, whole=whole, is_tree=True, base=base)
        self._made = None
        if len(form) >= GUIDED_BYTES_MIN:
            self._made = run.guide(None if entry is form else self._assembly.links[-1])
        return entry

    def _set(self, value: Any, depth: int, prefix: bytes, *, whole: bool) -> bytes:
        native.check_depth(depth)
        check_hashes(value)
        mark = self._assembly.mark()
        entries = []
        for item in value:
            inner = self._assembly.mark()
            try:
                data = self._entry(item, depth + 1)
            except InvalidInputError as error:
                error.details.setdefault("steps", []).append(item)
                raise
            entries.append(Entry(data, data, *self._assembly.take(inner)))
        entries.sort()
        native.check_distinct(entry.key for entry in entries)
        prefix += _SET_HEADS[type(value)]
        spine, leaf, _ = fan_out(self._assembly, entries, keyed=False)
        form = spine.form(prefix, c.TAG_LIST_TREE, leaf) if spine else prefix + leaf
        return self._assembly.settle(form, mark, whole=whole, is_tree=True)
