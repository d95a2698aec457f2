"""Views: a stored state as read-only Mappings and Sequences that read what is asked for.

::

    view(opener, node)    None, bool, int, float, str, bytes: the value itself
                          dict: MappingView        list, tuple: SequenceView
                          an instance of a class: RecordView, its fields as a mapping
                          sets, arrays, dates and all other types: the value, restored whole

A long str or bytes is read when it is reached; slice it by path to read a part. A view of
something that is not kept open: nothing is cached here, and no transaction outlives a call.

Invariants: `load()` gives exactly what was saved; a view equals what its `load()` equals;
nothing is read to make a view, to print it, or to ask for its length.

Imports: format (constants), tree (lazy, locate, part).
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from typing import Any, ClassVar, NamedTuple, cast, overload

from casckpt.format import constants as c
from casckpt.path import format_step
from casckpt.tree import part
from casckpt.tree.lazy import BlobTree, Link, ListTree, MapTree, Node, Opener, Wrapped, reading
from casckpt.tree.locate import Fields, fields

__all__ = ["Excerpt", "MappingView", "RecordView", "SequenceView", "excerpts", "view"]

_KEYS_SHOWN_MAX = 5


def view(opener: Opener, node: Node) -> Any:
    """The view of a node, or its value where there is nothing to be lazy about.

    Raises:
        CorruptError, PrunedError: reading the one object it may take.
    """
    node = opener.open(node)
    if isinstance(node, dict | MapTree):
        return MappingView(opener, node)
    if isinstance(node, list | ListTree):
        return SequenceView(opener, node, list)
    if isinstance(node, Wrapped):
        if node.tag == c.TAG_TUPLE and isinstance(node.content, list | ListTree):
            return SequenceView(opener, node.content, tuple)
        if node.tag == c.TAG_OBJECT:
            return RecordView(opener, node, fields(opener, node))
    return opener.load(node)


class Excerpt(NamedTuple):
    """Of a long str or bytes: its length and how it begins."""

    length: int
    begin: str | bytes


def excerpts(shown: MappingView | SequenceView, limit: int) -> Iterator[tuple[Any, Any]]:
    """Keys (or indexes) and views, but of long texts and bytes only an `Excerpt` is read.

    Args:
        shown: a view.
        limit: characters or bytes of an excerpt.
    """
    opener = shown._opener  # noqa: SLF001 - of the same family
    nodes = shown._entries() if isinstance(shown, MappingView) else enumerate(shown._nodes())  # noqa: SLF001
    for key, closed in nodes:
        node = opener.open(closed)
        if isinstance(node, BlobTree):
            yield key, Excerpt(len(node), part.blob(opener, node, slice(limit)))
        else:
            yield key, view(opener, node)


class SequenceView(Sequence[Any]):
    """A stored list or tuple. A slice of it is a view too."""

    __slots__ = ("_node", "_opener", "_wanted", "type")
    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a list

    def __init__(
        self,
        opener: Opener,
        node: list[Node] | ListTree,
        type: type[list[Any] | tuple[Any, ...]],
        wanted: range | None = None,
    ) -> None:
        self._opener = opener
        self._node = node
        self._wanted = range(len(node)) if wanted is None else wanted
        self.type = type
        """What `load` gives: list or tuple."""

    def load(self) -> Any:
        """The whole value, of fresh objects."""
        if self._wanted == range(len(self._node)):
            items = self._opener.load(self._node)
        else:
            items = self._opener.load(list(self._nodes()))
        return self.type(items)

    def __len__(self) -> int:
        return len(self._wanted)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> SequenceView: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return SequenceView(self._opener, self._node, self.type, self._wanted[index])
        try:
            position = self._wanted[index]
        except IndexError:
            msg = f"{self.type.__name__} index out of range: {index} of {len(self):,}"
            raise IndexError(msg) from None
        return view(self._opener, part.item(self._opener, self._node, position))

    def __iter__(self) -> Iterator[Any]:
        for node in self._nodes():
            yield view(self._opener, node)

    def __reversed__(self) -> Iterator[Any]:
        return iter(self[::-1])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SequenceView):
            if other.type is not self.type or len(other) != len(self):
                return False
            opener = other._opener
            pairs = zip(self._nodes(), other._nodes(), strict=True)
            return all(
                _same_object(mine, theirs) or view(self._opener, mine) == view(opener, theirs)
                for mine, theirs in pairs
            )
        if not isinstance(other, self.type):
            return NotImplemented
        items = cast("Sequence[Any]", other)
        if len(items) != len(self):
            return False
        return all(mine == theirs for mine, theirs in zip(self, items, strict=True))

    def __repr__(self) -> str:
        return f"<view of a {self.type.__name__} of {len(self):,}>"

    def _nodes(self) -> Iterator[Node]:
        return part.items(self._opener, self._node, self._wanted)


class MappingView(Mapping[Any, Any]):
    """A stored dict, in its own order."""

    __slots__ = ("_node", "_opener")
    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a dict

    def __init__(self, opener: Opener, node: dict[Any, Node] | MapTree) -> None:
        self._opener = opener
        self._node = node

    def load(self) -> Any:
        """The whole value, of fresh objects."""
        return self._opener.load(self._node)

    def __getitem__(self, key: Any) -> Any:
        return view(self._opener, self._opener.get(self._node, key))

    def __contains__(self, key: object) -> bool:
        try:
            self._opener.get(self._node, key)
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        return len(self._node)

    def __iter__(self) -> Iterator[Any]:
        return self._opener.keys(self._node)

    def items(self) -> ItemsView[Any, Any]:
        """Keys and views, streaming."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """Views, streaming."""
        return _Values(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RecordView) or not isinstance(other, dict | MappingView):
            return NotImplemented
        if len(other) != len(self):
            return False
        if isinstance(other, MappingView):
            opener, node = other._opener, other._node
            pairs = ((mine, _get(opener, node, key)) for key, mine in self._entries())
            return all(
                _same_object(mine, theirs)
                or (theirs is not _ABSENT and view(self._opener, mine) == view(opener, theirs))
                for mine, theirs in pairs
            )
        return all(
            view(self._opener, node) == other.get(key, _ABSENT) for key, node in self._entries()
        )

    def __repr__(self) -> str:
        return f"<view of a dict of {len(self):,}{self._shown_keys()}>"

    def _shown_keys(self) -> str:
        """Some keys, if they are at hand."""
        if not isinstance(self._node, dict) or not self._node:
            return ""
        shown = [format_step(key)[:40] for key in list(self._node)[:_KEYS_SHOWN_MAX]]
        more = ", ..." if len(self._node) > _KEYS_SHOWN_MAX else ""
        return f": {', '.join(shown)}{more}"

    def _entries(self) -> Iterator[tuple[Any, Node]]:
        node = self._node
        if not isinstance(node, MapTree):
            yield from node.items()
        elif node.order is None:
            yield from self._opener.entries(node)
        else:
            for key in self._opener.keys(node):
                with reading():  # a key of the order that the dict has not
                    found = self._opener.get(node, key)
                yield key, found


class RecordView(MappingView):
    """A stored instance of a class: its fields as a mapping, and as attributes.

    Whether the class is known here plays no part until `load()`.
    """

    __slots__ = ("_fields", "_whole")
    __hash__: ClassVar[None]  # as of a dict

    def __init__(self, opener: Opener, whole: Wrapped, parts: Fields) -> None:
        super().__init__(opener, parts.fields)
        self._whole = whole
        self._fields = parts

    @property
    def type_name(self) -> str:
        """The name its type was stored under."""
        return self._fields.type_name

    @property
    def flavour(self) -> str:
        """What kind of class it is: dataclass, pydantic, attrs, namedtuple, object."""
        return self._fields.flavour

    def load(self) -> Any:
        """The instance, if its type is registered or allowed; else a `Record`."""
        return self._opener.load(self._whole)

    def __getattr__(self, name: str) -> Any:
        # Only asked where there is no such method; a field of that name is reached by key.
        if not name.startswith("__"):
            try:
                return self[name]
            except KeyError:
                pass
        msg = f"a view of {self.type_name} has no field {name!r}"
        raise AttributeError(msg)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RecordView):
            return bool(self.load() == other.load())
        if isinstance(other, MappingView | dict):
            return NotImplemented
        return bool(self.load() == other)

    def __repr__(self) -> str:
        return f"<view of {self.type_name}{self._shown_keys()}>"


class _Items(ItemsView[Any, Any]):
    """Like any ItemsView, but a leaf at a time."""

    __slots__ = ()
    _mapping: MappingView

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        opener = self._mapping._opener  # noqa: SLF001 - of the same family
        for key, node in self._mapping._entries():  # noqa: SLF001
            yield key, view(opener, node)


class _Values(ValuesView[Any]):
    """Like any ValuesView, but a leaf at a time."""

    __slots__ = ()
    _mapping: MappingView

    def __iter__(self) -> Iterator[Any]:
        for _, value in _Items(self._mapping):
            yield value


_ABSENT = object()


def _get(opener: Opener, node: dict[Any, Node] | MapTree, key: Any) -> Node:
    try:
        return opener.get(node, key)
    except KeyError:
        return _ABSENT


def _same_object(a: Node, b: Node) -> bool:
    """Whether both are links to one object: equal, without reading it."""
    return isinstance(a, Link) and isinstance(b, Link) and a.id == b.id
