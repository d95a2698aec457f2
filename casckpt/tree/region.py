"""Two trees side by side: the stretches in which they differ, found by ids alone.

From the top downward: references with equal ids stand for equal entries and are skipped, with
all that lies below them; of the others the children are looked at. The two trees may be of
different heights. What remains are pairs of short lists of leaves.

Invariants: nothing below equal ids is read; entries in front of, between and behind the
regions are the same on both sides, in the same order.

Imports: errors, format (constants), tree (align, fan, raw).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from casckpt.errors import CorruptError, LimitError
from casckpt.format import constants as c
from casckpt.tree.align import align
from casckpt.tree.fan import Fan, Ref
from casckpt.tree.raw import Raw, Reader, tag_of

__all__ = ["Region", "Side", "entries", "items", "regions", "side"]

WINDOW_LEAVES = 2048
"""Leaves of one side held in memory together (some 8 MB of payload). Only where a longer
stretch differs from end to end is it compared in several parts."""

NODES_MAX = 1 << 14
"""Nodes of one level in which two trees may differ: some 6 GB of leaves below them."""


class Side(NamedTuple):
    """A list or dict, taken apart: `fan` is None if it is one leaf."""

    fan: Fan | None
    open: Any
    """The entries of the last, open leaf: a list or dict of raw items."""

    @property
    def length(self) -> int:
        """Its entries."""
        return len(self.open) + (self.fan.count if self.fan is not None else 0)


class Region(NamedTuple):
    """A stretch in which two sides differ, or may differ."""

    skipped: int
    """Entries between the region before this one and this one, equal on both sides."""
    a: list[Ref]
    b: list[Ref]
    """Leaves."""
    is_last: bool
    """Whether the open leaves belong to it."""


def side(reader: Reader, raw: Raw, *, keyed: bool = False) -> Side:
    """Take apart a raw list or dict, or tree of one.

    Raises:
        CorruptError: it is neither.
    """
    if type(raw) is (dict if keyed else list):
        return Side(None, raw)
    if tag_of(raw) == (c.TAG_MAP_TREE if keyed else c.TAG_LIST_TREE):
        content = raw[2][1:] if keyed else raw[2]
        if content and type(content[-1]) is (dict if keyed else list):
            return Side(Fan(reader.source, content[:-1], keyed=keyed), content[-1])
    msg = "the store holds a tree that is none"
    raise CorruptError(msg)


class _Stretch(NamedTuple):
    """References of both sides, in order: (level of the chunk, reference)."""

    a: list[tuple[int, Ref]]
    b: list[tuple[int, Ref]]


def regions(a: Side, b: Side) -> list[Region]:
    """The regions in which two sides differ; the last one always has the open leaves."""
    stretch = _Stretch(_references(a), _references(b))
    # Counts of equal entries and stretches, alternating as they lie; a stretch at the end.
    pieces: list[int | _Stretch] = [stretch]
    top = max((level for level, _ in stretch.a + stretch.b), default=0)
    for level in range(top, -1, -1):
        pieces = _matched(pieces)
        if level:
            _expand(pieces, 0, a.fan, level)
            _expand(pieces, 1, b.fan, level)
    found: list[Region] = []
    skipped = 0
    for number, piece in enumerate(pieces):
        if isinstance(piece, int):
            skipped += piece
            continue
        is_last = number == len(pieces) - 1
        left, right = [ref for _, ref in piece.a], [ref for _, ref in piece.b]
        found.append(Region(skipped, left, right, is_last))
        skipped = 0
    return found


def _references(a: Side) -> list[tuple[int, Ref]]:
    if a.fan is None:
        return []
    top = len(a.fan.levels) - 1
    return [(top - depth, ref) for depth, refs in enumerate(a.fan.levels) for ref in refs]


def _matched(pieces: list[int | _Stretch]) -> list[int | _Stretch]:
    """Cut equal references out of every stretch."""
    found: list[int | _Stretch] = []
    for number, piece in enumerate(pieces):
        if isinstance(piece, int):
            found.append(piece)
            continue
        i = j = 0
        runs = align([ref.id for _, ref in piece.a], [ref.id for _, ref in piece.b])
        for run in runs:
            if run.a > i or run.b > j:
                found.append(_Stretch(piece.a[i : run.a], piece.b[j : run.b]))
            i, j = run.a + run.length, run.b + run.length
            found.append(sum(ref.items for _, ref in piece.a[run.a : i]))
        if i < len(piece.a) or j < len(piece.b) or number == len(pieces) - 1:
            found.append(_Stretch(piece.a[i:], piece.b[j:]))
    return found


def _expand(pieces: list[int | _Stretch], which: int, fan: Fan | None, level: int) -> None:
    """Put children in the place of nodes of one level, on one side."""
    stretches = [piece[which] for piece in pieces if not isinstance(piece, int)]
    nodes = [ref for stretch in stretches for at, ref in stretch if at == level]
    if fan is None or not nodes:
        return
    # Nodes can be shared without end, so what a hostile tree says it holds may be anything.
    if len(nodes) > NODES_MAX:
        msg = f"trees that differ in more than {NODES_MAX} nodes of a level"
        raise LimitError(msg, limit=NODES_MAX)
    children = iter(fan.expand(nodes, level))
    for stretch in stretches:
        grown: list[tuple[int, Ref]] = []
        for at, ref in stretch:
            if at == level:
                grown += ((level - 1, child) for child in next(children))
            else:
                grown.append((at, ref))
        stretch[:] = grown


def items(
    reader: Reader, region: Region, a: Side, b: Side
) -> Iterator[tuple[list[Raw], list[Raw]]]:
    """The items of both sides of a region of lists, a window at a time."""
    for left, right, is_last in _windows(region):
        yield (
            _list_items(reader, left) + (a.open if is_last else []),
            _list_items(reader, right) + (b.open if is_last else []),
        )


def entries(
    reader: Reader, region: Region, a: Side, b: Side
) -> tuple[list[tuple[Raw, Raw]], list[tuple[Raw, Raw]]]:
    """The entries of both sides of a region of dicts, as pairs of key and value."""
    return (
        _map_entries(reader, region.a, a.open if region.is_last else {}),
        _map_entries(reader, region.b, b.open if region.is_last else {}),
    )


def _windows(region: Region) -> Iterator[tuple[list[Ref], list[Ref], bool]]:
    end = max(len(region.a), len(region.b), 1)
    for at in range(0, end, WINDOW_LEAVES):
        behind = at + WINDOW_LEAVES
        yield region.a[at:behind], region.b[at:behind], region.is_last and behind >= end


def _list_items(reader: Reader, refs: list[Ref]) -> list[Raw]:
    found: list[Raw] = []
    leaves = reader.leaves([ref.id for ref in refs], c.KIND_LIST_LEAF) if refs else []
    for ref, leaf in zip(refs, leaves, strict=True):
        if type(leaf) is not list or len(leaf) != ref.items:
            msg = "the store holds a list leaf whose count is wrong"
            raise CorruptError(msg)
        found += leaf
    return found


def _map_entries(reader: Reader, refs: list[Ref], last: dict[Raw, Raw]) -> list[tuple[Raw, Raw]]:
    found: list[tuple[Raw, Raw]] = []
    leaves = reader.leaves([ref.id for ref in refs], c.KIND_MAP_LEAF) if refs else []
    for ref, leaf in zip(refs, leaves, strict=True):
        if type(leaf) is not dict or len(leaf) != ref.items:
            msg = "the store holds a map leaf whose count is wrong"
            raise CorruptError(msg)
        found += leaf.items()
    found += last.items()
    return found
