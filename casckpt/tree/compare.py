"""What differs between two raw items: the walk behind `tree.diff`.

Containers of one type are compared inside, everything else is replaced. A generator a
container, on a stack of our own: depth costs no Python frames, and changes stream.

Invariants: nothing below equal ids is read; the changes, applied one after the other, make the
second value of the first, exactly.

Imports: errors, path, format (constants), tree (align, change, kinship, order, raw, region).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import constants as c
from casckpt.path import Path
from casckpt.tree import region
from casckpt.tree.align import align
from casckpt.tree.change import ADD, REMOVE, REORDER, REPLACE, Change, Later
from casckpt.tree.kinship import Sketch, likeness, pairs
from casckpt.tree.lazy import Node
from casckpt.tree.order import Order, keys_of, order_of
from casckpt.tree.raw import Raw, Reader, same_end, same_start, tag_of, token

__all__ = ["Comparison", "Pair", "later"]

REPLACED_ITEMS_MIN: Final = 16
"""Lists longer than this on both sides that have nothing in common are one change."""


class Pair(NamedTuple):
    """Two places that correspond."""

    path: Path
    a: Raw
    b: Raw
    in_json: bool
    """Whether the path is a place in a JSON document."""


class Comparison:
    """Finds the changes between raw items of one source."""

    def __init__(self, reader: Reader, *, ordered: bool = True) -> None:
        """Compare; without `ordered` the order of dicts does not count."""
        self._reader = reader
        self._ordered = ordered

    def changes(self, first: Pair) -> Iterator[Change]:
        """The changes, in the order in which to apply them."""
        if token(first.a) == token(first.b):
            return
        stack = [self._compare(first)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            elif isinstance(found, Change):
                yield found
            else:
                stack.append(self._compare(found))

    def _compare(self, pair: Pair) -> Iterator[Change | Pair]:
        """Changes, and pairs whose changes belong in their place."""
        a, b = self._reader.open(pair.a), self._reader.open(pair.b)
        kind = _kind(a)
        if kind is None or kind != _kind(b):
            yield self._replace(pair)
            return
        opened = Pair(pair.path, a, b, pair.in_json)
        if kind == c.TAG_OBJECT:
            yield from self._instances(opened)
        elif kind is dict:
            yield from self._dicts(opened)
        else:
            inner = opened
            if kind is not list:  # a tuple or set: JSON has neither
                content = [self._reader.open(raw[2]) for raw in (a, b)]
                inner = Pair(pair.path, content[0], content[1], False)
            walk = self._lists if kind in {list, c.TAG_TUPLE} else self._sets
            yield from walk(inner, opened)

    # --- lists and tuples ------------------------------------------------------------------

    def _lists(self, pair: Pair, whole: Pair) -> Iterator[Change | Pair]:
        a, b = (region.side(self._reader, raw) for raw in (pair.a, pair.b))
        found = region.regions(a, b)
        position = 0
        for stretch in found:
            position += stretch.skipped
            for left, right in region.items(self._reader, stretch, a, b):
                script: Iterable[_Step] = self._script(left, right)
                is_all = len(left) == a.length and len(right) == b.length
                if is_all and min(a.length, b.length) > REPLACED_ITEMS_MIN:
                    script = list(script)
                    if not any(step.keeps for step in script):
                        yield self._replace(whole)
                        return
                for step in script:
                    if step.op == _SAME:
                        position += step.length
                        continue
                    path = (*pair.path, position)
                    if step.op == REMOVE:
                        yield self._remove(path, left[step.a], pair.in_json)
                        continue
                    if step.op == ADD:
                        yield self._add(path, right[step.b], pair.in_json)
                    else:
                        inner = Pair(path, left[step.a], right[step.b], pair.in_json)
                        yield inner if step.op == _EDITED else self._replace(inner)
                    position += 1

    def _script(self, a: list[Raw], b: list[Raw]) -> Iterator[_Step]:
        """The steps from a few items to a few others."""
        start = same_start(a, b)
        end = same_end(a, b, min(len(a), len(b)) - start)
        if start:
            yield _Step(_SAME, 0, 0, start)
        i = j = start
        left = [token(item) for item in a[start : len(a) - end]]
        right = [token(item) for item in b[start : len(b) - end]]
        for run in align(left, right):
            yield from self._between(a, b, (i, start + run.a), (j, start + run.b))
            i, j = start + run.a + run.length, start + run.b + run.length
            yield _Step(_SAME, i, j, run.length)
        yield from self._between(a, b, (i, len(a) - end), (j, len(b) - end))
        if end:
            yield _Step(_SAME, 0, 0, end)

    def _between(
        self, a: list[Raw], b: list[Raw], a_range: tuple[int, int], b_range: tuple[int, int]
    ) -> Iterator[_Step]:
        """The steps where nothing is equal: edits, removals and additions."""
        (i, i_end), (j, j_end) = a_range, b_range
        found: list[tuple[int, int]] = []
        left: list[Sketch] = []
        right: list[Sketch] = []
        if i < i_end and j < j_end:
            left = [Sketch(self._reader, raw) for raw in a[i:i_end]]
            right = [Sketch(self._reader, raw) for raw in b[j:j_end]]
            found = pairs(left, right)
        for p, q in [*found, (i_end - i, j_end - j)]:
            while i < a_range[0] + p:
                yield _Step(REMOVE, i, j)
                i += 1
            while j < b_range[0] + q:
                yield _Step(ADD, i, j)
                j += 1
            if i < i_end and j < j_end:
                is_edit = likeness(left[p], right[q]) > 0 and _kind(left[p].raw) is not None
                yield _Step(_EDITED if is_edit else REPLACE, i, j)
                i, j = i + 1, j + 1

    # --- dicts, instances, sets ------------------------------------------------------------

    def _dicts(self, pair: Pair) -> Iterator[Change | Pair]:
        a, b = (region.side(self._reader, raw, keyed=True) for raw in (pair.a, pair.b))
        removed: set[bytes] = set()
        added: dict[bytes, tuple[Raw, Raw]] = {}
        for stretch in region.regions(a, b):
            left, right = region.entries(self._reader, stretch, a, b)
            start = same_start(left, right)
            end = same_end(left, right, min(len(left), len(right)) - start)
            others = {token(entry[0]): entry for entry in right[start : len(right) - end]}
            for key, value in left[start : len(left) - end]:
                name = token(key)
                other = others.pop(name, None)
                if other is None:
                    removed.add(name)
                    path, in_json = self._under(pair, key)
                    yield self._remove(path, value, in_json)
                elif token(value) != token(other[1]):
                    path, in_json = self._under(pair, key)
                    yield Pair(path, value, other[1], in_json)
            added |= others
        # Additions come after all removals: 1 and 1.0 are one key while both are there.
        order = self._order(pair, removed, added)
        for name in order.added:
            key, value = added[name]
            path, in_json = self._under(pair, key)
            later_ = _RawLater(self._reader, value)
            before = (self._step(order.before[name]),) if name in order.before else ()
            yield Change.lazy(ADD, path, None, later_, before=before, in_json=in_json)
        if order.differs:
            old = _KeysLater(self._reader, pair.a, removed, [added[n][0] for n in order.added])
            new = _KeysLater(self._reader, pair.b)
            yield Change.lazy(REORDER, pair.path, old, new, in_json=pair.in_json)

    def _order(self, pair: Pair, removed: set[bytes], added: dict[bytes, tuple[Raw, Raw]]) -> Order:
        if not self._ordered:
            return Order(list(added), differs=False)
        return order_of(self._reader, pair.a, pair.b, removed, {n: e[0] for n, e in added.items()})

    def _under(self, pair: Pair, key: Raw) -> tuple[Path, bool]:
        step = self._step(key)
        return (*pair.path, step), pair.in_json and type(step) is str

    def _step(self, key: Raw) -> Any:
        return key if type(key) is str else self._reader.value(key)

    def _instances(self, pair: Pair) -> Iterator[Change | Pair]:
        """Instances of one class by their fields, unless they hold more than these."""
        mine, theirs = pair.a[2], pair.b[2]
        for content in (mine, theirs):
            if type(content) is not list or len(content) < 3:
                raise CorruptError("the store holds a malformed instance of a class")
        if token([*mine[:2], mine[3:]]) != token([*theirs[:2], theirs[3:]]):
            yield self._replace(pair)
            return
        inner = [self._reader.open(content[2]) for content in (mine, theirs)]
        yield from self._dicts(Pair(pair.path, inner[0], inner[1], False))

    def _sets(self, pair: Pair, _whole: Pair) -> Iterator[Change]:
        a, b = (region.side(self._reader, raw) for raw in (pair.a, pair.b))
        added: dict[bytes, Raw] = {}
        for stretch in region.regions(a, b):
            mine: dict[bytes, Raw] = {}
            theirs: dict[bytes, Raw] = {}
            for left, right in region.items(self._reader, stretch, a, b):
                mine |= {token(member): member for member in left}
                theirs |= {token(member): member for member in right}
            for name, member in mine.items():
                if name not in theirs:  # in their order: the same in every run
                    path = (*pair.path, self._reader.value(member))
                    yield self._remove(path, member, False)
            added |= {name: theirs[name] for name in theirs if name not in mine}
        for member in added.values():
            yield self._add((*pair.path, self._reader.value(member)), member, False)

    # --- changes ---------------------------------------------------------------------------

    def _add(self, path: Path, raw: Raw, in_json: bool) -> Change:  # noqa: FBT001
        return Change.lazy(ADD, path, None, _RawLater(self._reader, raw), in_json=in_json)

    def _remove(self, path: Path, raw: Raw, in_json: bool) -> Change:  # noqa: FBT001
        return Change.lazy(REMOVE, path, _RawLater(self._reader, raw), None, in_json=in_json)

    def _replace(self, pair: Pair) -> Change:
        old, new = _RawLater(self._reader, pair.a), _RawLater(self._reader, pair.b)
        return Change.lazy(REPLACE, pair.path, old, new, in_json=pair.in_json)


_SAME: Final = "same"
_EDITED: Final = "edited"


class _Step(NamedTuple):
    """One step of a script: a run of equal items, or a change at `a`, `b`."""

    op: str
    a: int
    b: int
    length: int = 1

    @property
    def keeps(self) -> bool:
        """Whether something of the old list is in the new one."""
        return self.op in {_SAME, _EDITED}


def _kind(raw: Raw) -> Any:
    """What is compared inside; None: nothing."""
    tag = tag_of(raw)
    if tag is None:
        return type(raw) if type(raw) in {list, dict} else None
    if tag == c.TAG_LIST_TREE:
        return list
    if tag == c.TAG_MAP_TREE:
        return dict
    return tag if tag in {c.TAG_TUPLE, c.TAG_SET, c.TAG_FROZENSET, c.TAG_OBJECT} else None


def later(reader: Reader, raw: Raw) -> Later:
    """The value of a raw item, to be read when it is asked for."""
    return _RawLater(reader, raw)


class _RawLater:
    """The value of a raw item."""

    __slots__ = ("_raw", "_reader")

    def __init__(self, reader: Reader, raw: Raw) -> None:
        self._reader = reader
        self._raw = raw

    def load(self) -> Any:
        return self._reader.value(self._raw)

    def node(self) -> Node:
        return self._reader.node(self._reader.open(self._raw))


class _KeysLater:
    """The keys of a raw dict, some taken away and some put behind them."""

    __slots__ = ("_added", "_raw", "_reader", "_removed")

    def __init__(
        self, reader: Reader, raw: Raw, removed: set[bytes] | None = None, added: Any = ()
    ) -> None:
        self._reader = reader
        self._raw = raw
        self._removed = removed or set()
        self._added = added

    def load(self) -> list[Any]:
        keys = keys_of(self._reader, self._raw)
        kept = [key for key in keys if token(key) not in self._removed] if self._removed else keys
        return [self._reader.value(key) for key in [*kept, *self._added]]

    def node(self) -> Node:
        return []  # a reorder does not print its keys
