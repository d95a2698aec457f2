"""What is left of a file that LMDB must not open: its tables' entries, read page by page.

The tables are walked from the newest root. Where a page is damaged, a range of keys is missing:
a *gap*. What belongs there is looked for in the commit before (which no commit overwrites), and
then among the *strays*, all pages of the file that nothing has led to: a leaf whose keys all lie
in gaps of a table, and whose values could be that table's, is taken for one of its pages. Rows,
blocks and log entries never change, so that old copies of their pages serve as well; of the other
tables only pages that are not free.

Invariants: the file is only read, and not mapped. In a table without duplicates no key comes
twice. Entries need not be right: whoever reads rows verifies them by their ids.

Imports: errors, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.storage.limits import PAYLOAD_BYTES_MAX
from casckpt.storage.lmdb import refs, row, young
from casckpt.storage.lmdb.blocks import LENGTH_BYTES
from casckpt.storage.lmdb.rawpage import NO_PAGE, File, Node, Page, Tree
from casckpt.storage.lmdb.tables import NUMBER_BYTES

__all__ = ["Entry", "Wreck"]

DEPTH_MAX: Final = 32
"""Of a tree of LMDB's."""
_BLOCK_BYTES: Final = 2 * PAYLOAD_BYTES_MAX
_FRAME_BYTES: Final = 64
"""Added at most to what a frame holds."""


class Entry(NamedTuple):
    """A key and one value."""

    key: bytes
    value: bytes


class _Gap(NamedTuple):
    """Missing keys: from `low` on, before `high` (None: all that follow)."""

    low: bytes
    high: bytes | None

    def has(self, key: bytes) -> bool:
        return self.low <= key and (self.high is None or key < self.high)


class _Lost:
    """What is missing of a table, and what of that was found elsewhere."""

    def __init__(self) -> None:
        self.gaps: list[_Gap] = []
        self.found: set[bytes] = set()

    def wants(self, key: bytes) -> bool:
        return key not in self.found and any(gap.has(key) for gap in self.gaps)

    def take(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if self.wants(entry.key):
                self.found.add(entry.key)
                yield entry


class Wreck:
    """The entries of a damaged file, table by table, and then the strays.

    Args:
        file: open for reading, in binary.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = File(file)
        self._seen = bytearray(self._file.pages)
        self._free = bytearray(self._file.pages)
        self._lost: dict[str, _Lost] = {}
        roots = self._file.roots
        self._tables = [self._catalog(root.main) for root in roots]
        if roots:
            self._note_free(roots[0].free)

    @property
    def tables(self) -> frozenset[str]:
        """Names of the tables that can be found; none if no root can be read."""
        return frozenset().union(*self._tables)

    @property
    def damage(self) -> dict[str, str]:
        """What is not whole of the tables that were read, in words."""
        return {
            name: f"{len(lost.gaps)} places are damaged; {len(lost.found)} entries of them were"
            " found elsewhere in the file"
            for name, lost in self._lost.items()
            if lost.gaps
        }

    def entries(self, table: str) -> Iterator[Entry]:
        """What the newest two commits lead to; of a key with many values, each in turn."""
        lost = self._lost[table] = _Lost()
        newest, *older = [tables.get(table) for tables in self._tables] or [None]
        if newest is None:
            lost.gaps.append(_Gap(b"", None))
        else:
            yield from self._walk(newest, lost.gaps)
        for tree in older:
            if lost.gaps and tree is not None:
                yield from lost.take(self._walk(tree, []))

    def strays(self) -> Iterator[tuple[str, Entry]]:
        """What only pages have that nothing leads to, with the table's name; after all `entries`."""
        wanting = {name: lost for name, lost in self._lost.items() if lost.gaps}
        if wanting.keys().isdisjoint(_PLAUSIBLE):
            return
        for number in range(self._file.pages):
            page = None if self._seen[number] else self._file.page(number, stray=True)
            if page is None or not page.leaf:
                continue
            names = list(self._could_be(page, wanting, free=bool(self._free[number])))
            entries = (
                list(filter(None, map(self._entry, filter(None, page.nodes)))) if names else []
            )
            name = next((name for name in names if all(map(_PLAUSIBLE[name], entries))), None)
            if name is not None:
                yield from ((name, entry) for entry in wanting[name].take(iter(entries)))

    @staticmethod
    def _could_be(page: Page, wanting: Mapping[str, _Lost], *, free: bool) -> Iterator[str]:
        """The tables in gaps of which all keys of a stray page lie."""
        nodes = [node for node in page.nodes if node and not (node.tree or node.values)]
        for name in _PLAUSIBLE:
            if name in wanting and (name in _UNCHANGING or not free) and nodes:
                gaps = wanting[name].gaps
                if all(any(gap.has(node.key) for gap in gaps) for node in nodes):
                    yield name

    def _entry(self, node: Node) -> Entry | None:
        """The one entry of a node, if it has one that can be read."""
        data = self._file.away(*node.away) if node.away else node.data
        return None if data is None else Entry(node.key, data)

    def _catalog(self, main: Tree) -> dict[str, Tree]:
        """The tables that a root leads to."""
        seen, self._seen = self._seen, bytearray(self._file.pages)
        try:
            nodes = self._nodes(main.root, _Gap(b"", None), [], 0)
            return {_name(node.key): node.tree for node in nodes if node.tree}
        finally:
            self._seen = seen

    def _note_free(self, free: Tree) -> None:
        """Mark the pages that the newest commit calls free."""
        for node in self._nodes(free.root, _Gap(b"", None), [], 0, ordered=False):
            data = node.data or b""
            for at in range(8, len(data) - 7, 8):
                number = int.from_bytes(data[at : at + 8], "little")
                if number < len(self._free):
                    self._free[number] = 1

    def _walk(self, tree: Tree, gaps: list[_Gap]) -> Iterator[Entry]:
        for node in self._nodes(tree.root, _Gap(b"", None), gaps, 0):
            if node.values is not None:
                yield from (Entry(node.key, value) for value in node.values)
            elif node.tree is not None:  # what is missing of these is not looked for
                values = self._nodes(node.tree.root, _Gap(b"", None), gaps, 0, keys=False)
                yield from (Entry(node.key, value.key) for value in values)
            elif entry := self._entry(node):
                yield entry
            else:
                gaps.append(_Gap(node.key, node.key + b"\0"))

    def _nodes(
        self,
        number: int,
        bounds: _Gap,
        gaps: list[_Gap],
        depth: int,
        *,
        keys: bool = True,
        ordered: bool = True,
    ) -> Iterator[Node]:
        """The nodes of the leaves below a page; what cannot be read becomes a gap.

        Args:
            number: the page; each is visited once.
            bounds: between which keys lie that belong there.
            gaps: taken down here.
            depth: of the page in its tree.
            keys: False: what is read are the values of one key.
            ordered: False: by numbers in the machine's order, as the list of free pages.
        """
        if number == NO_PAGE and not depth:
            return
        page = None
        if number < len(self._seen) and depth < DEPTH_MAX and not self._seen[number]:
            page = self._file.page(number, keys=keys)
        if page is None:
            gaps.append(bounds if keys else _Gap(b"", b""))
            return
        self._seen[number] = 1
        if page.leaf:
            yield from _sound(page, bounds, gaps) if ordered else filter(None, page.nodes)
        else:
            for child, within in _children(page, bounds, gaps):
                inner = within if ordered else bounds
                yield from self._nodes(child, inner, gaps, depth + 1, keys=keys, ordered=ordered)


def _name(key: bytes) -> str:
    """A table's; LMDB 1.0 writes a zero byte behind it."""
    return key.removesuffix(b"\0").decode("latin-1")


def _sound(page: Page, bounds: _Gap, gaps: list[_Gap]) -> Iterator[Node]:
    """The nodes of a leaf that are in order; between which of them others are missing."""
    low, whole = bounds.low, True
    for node in page.nodes:
        if node is None or not bounds.has(node.key) or node.key < low:
            whole = False
            continue
        if not whole:
            gaps.append(_Gap(low, node.key))
        yield node
        low, whole = node.key + b"\0", True
    if not whole:
        gaps.append(_Gap(low, bounds.high))


def _children(page: Page, bounds: _Gap, gaps: list[_Gap]) -> Iterator[tuple[int, _Gap]]:
    """The pages below a branch, and between which keys each must be."""
    nodes = [node for node in page.nodes if node]
    cuts = [node.key for node in nodes[1:]]  # the first key of a branch is not written
    if len(nodes) < len(page.nodes) or not nodes or any(a >= b for a, b in pairwise(cuts)):
        gaps.append(bounds)  # what is below is looked for among the strays
        return
    lows, highs = [bounds.low, *cuts], [*cuts, bounds.high]
    for node, low, high in zip(nodes, lows, highs, strict=True):
        yield node.child, _Gap(low, high)


def _is_row(entry: Entry) -> bool:
    if len(entry.key) != NUMBER_BYTES:
        return False
    row.parse(int.from_bytes(entry.key, "big"), entry.value)
    return True


def _is_block(entry: Entry) -> bool:
    length = int.from_bytes(entry.value[:LENGTH_BYTES], "big")
    sound = LENGTH_BYTES < len(entry.value) <= length + _FRAME_BYTES and length <= _BLOCK_BYTES
    return sound and len(entry.key) == NUMBER_BYTES


def _is_log(entry: Entry) -> bool:
    return len(entry.key) == NUMBER_BYTES and bool(refs.parse_entry(*entry).name)


def _is_ref(entry: Entry) -> bool:
    ref = refs.parse_ref(*entry)
    return ref.version > 0 and entry.value[16] <= 1


def _is_meta(entry: Entry) -> bool:
    return entry.key.startswith(
        (b"layout", b"header", b"state", b"lease", b"gc", b"fed", b"upkeep")
    )


def _is_young(entry: Entry) -> bool:
    return entry.key == young.KEY


def _safely(plausible: Callable[[Entry], bool]) -> Callable[[Entry], bool]:
    def asked(entry: Entry) -> bool:
        try:
            return plausible(entry)
        except CorruptError:
            return False

    return asked


_PLAUSIBLE: Final = {
    "log": _safely(_is_log),
    "meta": _is_meta,
    "young": _is_young,
    "rows": _safely(_is_row),
    "blocks": _is_block,
    "refs": _safely(_is_ref),
}
"""By table, the most particular first: whether it could have an entry."""
_UNCHANGING: Final = frozenset({"log", "rows", "blocks"})
"""Tables of which an old copy of an entry is as good as the last."""
