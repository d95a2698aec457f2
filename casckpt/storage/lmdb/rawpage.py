"""Pages of an LMDB file as bytes, for a file that LMDB must not map.

py-lmdb's verifier says what is wrong with a file, and gives no values; these are read here.
The layout of pages, nodes and roots is that of LMDB's mdb.c (64 bits, little-endian), data
versions 1 (LMDB 0.9) and 3 (1.0).

Invariants: nothing is believed: what a page says is held against the page's and the file's
bounds, and a node that leads out of them is None.

Imports: the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import BinaryIO, Final, NamedTuple

__all__ = ["NO_PAGE", "File", "Node", "Page", "Root", "Tree"]

NO_PAGE: Final = (1 << 64) - 1
"""The root of an empty tree."""
_METAS: Final = 2
_MAGIC: Final = 0xBEEFC0DE
_BRANCH, _LEAF, _OVERFLOW, _LEAF2, _SUBPAGE = 1, 2, 4, 32, 64
_DIRTY: Final = 16  # stays set in pages inside pages
_BIG, _SUBTREE, _DUPLICATES = 1, 2, 4
_PAGE_BYTES: Final = (4096, 8192, 16384, 32768, 65536, 2048, 1024, 512, 256)
"""Page sizes there can be, the likeliest first."""
_NODE: Final = Struct("<HHHH")
_TREE: Final = Struct("<IHHQQQQQ")
_NUMBER: Final = Struct("<Q")


class _Version(NamedTuple):
    number: int
    header: int
    """Bytes of a page's header."""
    base: int
    """From here the offsets of nodes count."""
    even_keys: bool


_VERSIONS: Final = (_Version(1, 16, 0, False), _Version(3, 24, 24, True))


class Tree(NamedTuple):
    """A table's record."""

    flags: int
    root: int


class Root(NamedTuple):
    """One of the two places where commits are recorded in turn."""

    txnid: int
    free: Tree
    main: Tree


class Node(NamedTuple):
    """One entry of a page."""

    key: bytes
    child: int = 0
    """In a branch: the page with the keys from this one on."""
    data: bytes | None = None
    """In a leaf, if none of what follows is there: the value."""
    away: tuple[int, int] | None = None
    """The value has pages of its own: the first, and its bytes (`File.away`)."""
    tree: Tree | None = None
    """The key's values have a tree of their own, or this is a table's record."""
    values: list[bytes] | None = None
    """The key's values."""


class Page(NamedTuple):
    """A page whose bounds are sound."""

    leaf: bool
    nodes: list[Node | None]
    """None: one that leads out of the page."""


class File:
    """The pages of one file. No page counts twice for a value: a hostile file could state that.

    Args:
        file: open for reading, in binary.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        self._version = _VERSIONS[0]
        self._page = _PAGE_BYTES[0]
        self._taken: set[int] = set()
        self.roots = sorted(self._roots(), key=lambda root: -root.txnid)
        """Those that can be read, the newest first."""
        self.pages = self.size // self._page

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)

    def _roots(self) -> Iterator[Root]:
        """The first root says how large pages are; if it cannot be read, the second is searched."""
        for version in _VERSIONS:
            found = self._root(version, 0)
            if found is not None:
                self._version, (root, self._page) = version, found
                yield root
                second = self._root(version, self._page)
                if second is not None and second[1] == self._page:
                    yield second[0]
                return
        for version in _VERSIONS:
            for size in _PAGE_BYTES:
                found = self._root(version, size)
                if found is not None and found[1] == size:
                    self._version, (root, self._page) = version, found
                    yield root
                    return

    def _root(self, version: _Version, at: int) -> tuple[Root, int] | None:
        """A root, and the size of pages that it states."""
        body = self._read(at + version.header, 136)
        if len(body) < 136:
            return None
        magic, number = Struct("<II").unpack_from(body)
        free, main = _TREE.unpack_from(body, 24), _TREE.unpack_from(body, 72)
        (txnid,) = _NUMBER.unpack_from(body, 128)
        if magic != _MAGIC or number != version.number or free[0] not in _PAGE_BYTES:
            return None
        return Root(txnid, Tree(free[1], free[7]), Tree(main[1], main[7])), free[0]

    def page(self, number: int, *, keys: bool = True, stray: bool = False) -> Page | None:
        """A branch or a leaf; None: it is neither, or its bounds are unsound.

        Args:
            number: the page's.
            keys: False: a leaf of items without values, as keys with many values have, is one.
            stray: whether it may call itself by another number, as where pages were mixed up.
        """
        if not _METAS <= number < self.pages:
            return None
        raw = self._read(number * self._page, self._page)
        if len(raw) < self._page:
            return None
        if not stray and int.from_bytes(raw[:8], "little") != number:
            return None
        return self._parse(raw, keys=keys)

    def _parse(self, raw: bytes, *, keys: bool) -> Page | None:
        """A page, or one inside a page."""
        header = self._version.header
        pad, flags, lower, upper = _NODE.unpack_from(raw, header - 8)
        kind = flags & ~(_SUBPAGE | _DIRTY)
        count = (lower - header + self._version.base) // 2
        if count < 0 or lower + self._version.base > len(raw):
            return None
        if kind == _LEAF | _LEAF2:
            if keys or not pad or header + count * pad > len(raw):
                return None
            items = (raw[header + at * pad :][:pad] for at in range(count))
            return Page(True, [Node(item, data=b"") for item in items])
        if kind not in {_BRANCH, _LEAF} or not lower <= upper <= len(raw) - self._version.base:
            return None
        offsets = Struct(f"<{count}H").unpack_from(raw, header)
        leaf = kind == _LEAF
        return Page(leaf, [self._node(raw, at + self._version.base, leaf=leaf) for at in offsets])

    def _node(self, raw: bytes, at: int, *, leaf: bool) -> Node | None:
        try:
            low, high, flags, key_size = _NODE.unpack_from(raw, at)
        except error:
            return None
        start = at + 8
        key = raw[start : start + key_size]
        if len(key) < key_size:
            return None
        if not leaf:
            return Node(key, low | high << 16 | flags << 32)
        start += key_size + (key_size & 1 if self._version.even_keys else 0)
        return self._leaf_node(key, flags, low | high << 16, raw, start)

    def _leaf_node(self, key: bytes, flags: int, size: int, raw: bytes, at: int) -> Node | None:
        if flags & _BIG:
            if flags != _BIG or at + 8 > len(raw):
                return None
            (number,) = _NUMBER.unpack_from(raw, at)
            return Node(key, away=(number, size))
        data = raw[at : at + size]
        if len(data) < size:
            return None
        if flags & _SUBTREE:
            if size != _TREE.size or flags & ~(_SUBTREE | _DUPLICATES):
                return None
            record = _TREE.unpack(data)
            return Node(key, tree=Tree(record[1], record[7]))
        if flags == _DUPLICATES:
            inner = self._parse(data, keys=False) if size >= self._version.header else None
            if inner is None or not inner.leaf:
                return None
            return Node(key, values=[node.key for node in inner.nodes if node])
        return None if flags else Node(key, data=data)

    def away(self, number: int, size: int) -> bytes | None:
        """A value that has pages of its own; None: they are not its own, or it was read before."""
        if number in self._taken:
            return None
        header, at = self._version.header, number * self._page
        if not _METAS <= number < self.pages or at + header + size > self.size:
            return None
        head = self._read(at, header)
        flags = int.from_bytes(head[header - 6 : header - 4], "little")
        pages = int.from_bytes(head[header - 4 :], "little")
        if int.from_bytes(head[:8], "little") != number or flags != _OVERFLOW:
            return None
        if pages != (header - 1 + size) // self._page + 1:
            return None
        self._taken.add(number)
        return self._read(at + header, size)
