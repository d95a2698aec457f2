"""The logical half of the second reader: values and trees, from docs/format.md 2 to 4 alone.

It imports nothing of casckpt and no CBOR library. Where it and casckpt disagree, one of the two or
the page is wrong. It refuses all that the page says must be refused, and checks what readers need
not: where chunks end (3.1, 3.4), and the children of rows, in all that is loaded. What the contents
of the tags from 51802 on may be (values.md) it does not judge: they come back as `Tag`s.

Slow and plain on purpose: no cache, no lazy anything.
"""

import re
import struct
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

from blake3 import blake3

from tests.format.second_pieces import ARRAY_BLOCK, CDC_BITS, piece_end

VALUE, LIST_LEAF, MAP_LEAF, NODE, MAP_NODE, CHUNK, CHECKPOINT, TAGS, PRUNED = range(1, 10)
LINK, LIST_TREE, MAP_TREE, TEXT_TREE, BYTES_TREE = range(51792, 51797)
TUPLE, SET, FROZENSET, BYTEARRAY, SURROGATES = range(51797, 51802)
NDARRAY, KEY, TAG_LAST = 51815, 51821, 51820


class Refused(Exception):
    """The page says that this is no store, or not a sound one."""


class Tag(NamedTuple):
    """A value of one of the tags from 51802 on; an array as its content is a tuple."""

    number: int
    content: Any

    def __hash__(self) -> int:
        return hash(self.number)


class Row(NamedTuple):
    """A chunk's entry: what decides whether the chunk ends behind it, and what it holds."""

    hashed: bytes
    bytes: int
    content: Any


class Reference(NamedTuple):
    id: bytes
    count: int
    size: int


def need(holds: bool, what: str) -> None:
    if not holds:
        raise Refused(what)


def object_id(kind: int, payload: bytes) -> bytes:
    if kind == PRUNED:
        _, length, at = head(payload, 1)
        kind, payload = CHECKPOINT, payload[: at + length + 32]
    elif kind == CHECKPOINT:
        _, length, at = head(payload, 1)
        payload = payload[: at + length] + blake3(payload[at + length :]).digest()
    return blake3(bytes([kind]) + payload).digest()


def decode(raw: bytes, *, lone: bool = False) -> str:
    """UTF-8; with at least one surrogate if `lone`, with none if not."""
    try:
        out = raw.decode("utf-8", "surrogatepass" if lone else "strict")
    except UnicodeDecodeError as error:
        raise Refused("text that is not UTF-8") from error
    need(not lone or re.search("[\ud800-\udfff]", out) is not None, "no lone surrogate")
    return out


def head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument and end of the head of the item at `at`; for floats the bits."""
    need(at < len(data), "ends inside an item")
    major, info, at = data[at] >> 5, data[at] & 31, at + 1
    if major == 7:
        need(info in {20, 21, 22, 27}, "simple value or short float")
    if info < 24:
        return major, info, at
    need(info <= 27, "indefinite length")
    width = 1 << (info - 24)
    need(at + width <= len(data), "ends inside a head")
    number = int.from_bytes(data[at : at + width])
    shortest = number >= (24 if width == 1 else 1 << 4 * width)
    need(shortest or major == 7, "a head that is not the shortest")
    return major, number, at + width


def inline_limit(data: bytes, at: int) -> int:
    major, number, inner = head(data, at)
    if major == 6 and TUPLE <= number <= BYTEARRAY:
        major, number, _ = head(data, inner)
    tops = major == 4 or (major == 6 and LIST_TREE <= number <= BYTES_TREE)
    return 8192 if tops else 1024


def check_cut(level: int, rows: list[Row], closed: bool) -> None:
    """3.1: the chunk ends behind its last entry if it is closed, and nowhere before."""
    size = 0
    for number, row in enumerate(rows, 1):
        size += row.bytes
        ends = size >= 512 and number >= (2 if level else 1)
        if ends and size < 16384:
            drawn = int.from_bytes(blake3(bytes([level]) + row.hashed).digest()[:4])
            ends = drawn * 21361414 < 2 * size * row.bytes * 4294967296
        need(ends == (closed and number == len(rows)), f"a chunk of level {level} ends elsewhere")
    need(bool(rows) or not closed, "an empty closed chunk")


def check_pieces(pieces: list[bytes], text: bool, row_bytes: int | None) -> None:
    """3.4: the pieces are cut where the page says."""
    data = b"".join(pieces)
    bits, start = data.translate(CDC_BITS), 0
    for piece in pieces:
        end = len(data)
        if row_bytes is not None:
            end = min(end, start + (ARRAY_BLOCK // row_bytes * row_bytes or ARRAY_BLOCK))
        else:
            end = piece_end(bits, start)
        while text and end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1
        need(start + len(piece) == end, "a piece ends elsewhere")
        start = end


class Parser:
    """Reads one payload; remembers what it refers to, in order."""

    def __init__(self, store: Any, data: bytes) -> None:
        self.store, self.data, self.refs = store, data, list[tuple[bytes, int]]()

    def expect(self, at: int, wanted: int) -> tuple[int, int]:
        major, number, at = head(self.data, at)
        need(major == wanted, f"major type {major} where {wanted} is due")
        return number, at

    def string(self, at: int, major: int = 2, exactly: int | None = None) -> tuple[bytes, int]:
        length, at = self.expect(at, major)
        need(at + length <= len(self.data), "ends inside a string")
        need(exactly is None or length == exactly, "a string of another length")
        return self.data[at : at + length], at + length

    def text(self, at: int) -> tuple[str, int]:
        raw, at = self.string(at, 3)
        return decode(raw), at

    def finish(self, end: int, id: bytes, size: int | None) -> None:
        """All was read, the size is right, the row's children are those of the payload."""
        need(end == len(self.data), "bytes behind the item")
        total = len(self.data) + sum(size for _, size in self.refs)
        need(size is None or total == size, f"size {size} is {total}")
        need(self.store.children(id) == list(dict.fromkeys(i for i, _ in self.refs)), "children")

    # -- values ----------------------------------------------------------------------------------

    def entry(self, at: int, depth: int, read: Any = None, limit: int | None = None) -> Any:
        """The value, or what `read` gives, of the entry at `at`, and the entry's end."""
        read = read or Parser.value
        major, number, inner = head(self.data, at)
        if (major, number) != (6, LINK):
            out, end = read(self, at, depth)
            need(end - at <= (limit or inline_limit(self.data, at)), "should be a link")
            return out, end
        items, inner = self.expect(inner, 4)
        need(items == 2, "a link of two items")
        id, inner = self.string(inner, exactly=32)
        size, end = self.expect(inner, 0)
        self.refs.append((id, size))
        sub = Parser(self.store, self.store.object(id, VALUE))
        need(len(sub.data) > (limit or inline_limit(sub.data, 0)), "should not be a link")
        out, inner = read(sub, 0, depth)
        sub.finish(inner, id, size)
        return out, end

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        major, number, inner = head(self.data, at)
        if major <= 1:
            return (-1 - number if major else number), inner
        if major <= 3:
            return self.blob(at)
        if major == 4:
            rows, end = self.listing(at, depth)
            return [row.content for row in rows], end
        if major == 5 or (number == MAP_TREE and major == 6):
            return self.dict(at, depth)
        if major == 7:
            if inner - at == 1:
                return {20: False, 21: True, 22: None}[number], inner
            return struct.unpack(">d", self.data[inner - 8 : inner])[0], inner
        if number in {2, 3}:
            raw, end = self.string(inner)
            need(len(raw) > 8 and raw[0] > 0, "a long int that is short")
            return (int.from_bytes(raw) if number == 2 else -1 - int.from_bytes(raw)), end
        if number == SURROGATES:
            raw, end = self.blob(inner)
            need(isinstance(raw, bytes), "text where bytes are due")
            return decode(raw, lone=True), end
        if number in {TEXT_TREE, BYTES_TREE}:
            return self.blob(at)
        if number == BYTEARRAY:
            out, end = self.blob(inner)
            need(isinstance(out, bytes), "a bytearray of text")
            return bytearray(out), end
        if number == LIST_TREE or TUPLE <= number <= FROZENSET:
            rows, end = self.listing(at if number == LIST_TREE else inner, depth)
            values = [row.content for row in rows]
            if number in {SET, FROZENSET}:
                need(all(a.hashed < b.hashed for a, b in pairwise(rows)), "order of a set")
                return hashed(frozenset if number == FROZENSET else set, values), end
            return (values if number == LIST_TREE else tuple(values)), end
        need(SURROGATES < number <= TAG_LAST, f"tag {number}")
        return self.tagged(number, inner, depth)

    def tagged(self, number: int, at: int, depth: int) -> tuple[Tag, int]:
        major, items, inner = head(self.data, at)
        need(depth + (major == 4) <= 256, "too deep")
        if major != 4:
            need(major != 6 or items in {2, 3, TEXT_TREE}, "a tag as content of a tag")
            content, end = self.value(at, depth)
            return Tag(number, content), end
        contents: list[Any] = []
        for _ in range(items):
            read = None
            if number == NDARRAY and len(contents) == 2:
                row_bytes = item_bytes(contents[0]) * prod(contents[1][1:])
                read = lambda parser, at, depth: parser.blob(at, row_bytes)  # noqa: B023, E731, ARG005
            content, inner = self.entry(inner, depth + 2, read)
            contents.append(content)
        return Tag(number, tuple(contents)), inner

    # -- trees -----------------------------------------------------------------------------------

    def blob(self, at: int, row_bytes: int | None = None) -> tuple[Any, int]:
        major, number, inner = head(self.data, at)
        if major in {2, 3}:
            need(number <= 16384, "a long str or bytes in one piece")
            return self.string(at) if major == 2 else self.text(at)
        need(major == 6 and number in {TEXT_TREE, BYTES_TREE}, "no str or bytes")
        rows, end = self.tree(inner, 0, number)
        pieces = [row.content for row in rows]
        data = b"".join(pieces)
        need(len(data) > 16384, "a tree of a short str or bytes")
        check_pieces(pieces, number == TEXT_TREE, row_bytes)
        return (data if number == BYTES_TREE else decode(data)), end

    def listing(self, at: int, depth: int) -> tuple[list[Row], int]:
        major, number, inner = head(self.data, at)
        if major == 4:
            rows, end = self.leaf(at, depth, LIST_TREE)
            check_cut(0, rows, closed=False)
            return rows, end
        need((major, number) == (6, LIST_TREE), "no list")
        return self.tree(inner, depth, LIST_TREE)

    def dict(self, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        major, number, inner = head(self.data, at)
        order = None
        if major == 5:
            rows, end = self.leaf(at, depth, MAP_TREE)
            need(sum(row.bytes for row in rows) < 16384, "a long dict in one map")
            need(len({row.hashed for row in rows}) == number, "a key twice")
        else:
            items, inner = self.expect(inner, 4)
            if self.data[inner : inner + 1] == b"\xf6":
                inner += 1
            else:
                order, inner = self.entry(inner, depth + 1, Parser.listing)
            rows, end = self.tree(inner, depth, MAP_TREE, items - 1)
            need(sum(row.bytes for row in rows) >= 16384, "a tree of a short dict")
            need(all(a.hashed < b.hashed for a, b in pairwise(rows)), "order of keys")
        if order is not None:
            by_key = {row.content[2]: row for row in rows}
            need(sorted(r.hashed for r in order) == sorted(by_key), "the order has other keys")
            need([r.hashed for r in order] != list(by_key), "an order that says nothing")
            rows = [by_key[row.hashed] for row in order]
        return hashed(dict, [row.content[:2] for row in rows]), end

    def key(self, at: int, depth: int) -> tuple[tuple[Any, bytes], int]:
        """A key, its entry without tag 51821, and the end."""
        major, number, inner = head(self.data, at)
        if (major, number) != (6, KEY):
            need(major != 6 or number in {2, 3}, "a key with a tag, bare")
            out, end = self.entry(at, depth)
            return (out, self.data[at:end]), end
        raw, end = self.string(inner)
        sub = Parser(self.store, raw)
        out, inner = sub.entry(0, depth)
        major, number, _ = head(raw, 0)
        need(inner == len(raw), "bytes behind a key")
        need(major == 6 and number not in {2, 3}, "a key wrapped that needs none")
        self.refs += sub.refs
        return (out, raw), end

    def leaf(self, at: int, depth: int, shape: int) -> tuple[list[Row], int]:
        """The entries of an array or map."""
        need(depth <= 256, "too deep")
        items, at = self.expect(at, 5 if shape == MAP_TREE else 4)
        rows = []
        for _ in range(items):
            start, key = at, None
            if shape == MAP_TREE:
                key, at = self.key(at, depth + 1)
            stop = at if key else None
            value, at = self.entry(at, depth + 1)
            content = (key[0], value, key[1]) if key else value
            rows.append(Row(self.data[start : stop or at], at - start, content))
        return rows, at

    def tree(self, at: int, depth: int, shape: int, opens: int | None = None) -> Any:
        """The rows of level 0 (for str and bytes: the pieces) below the open chunks at `at`."""
        if opens is None:
            opens, at = self.expect(at, 4)
        bottom = 1 if shape in {TEXT_TREE, BYTES_TREE} else 0
        top = opens - 1 + bottom
        need(1 <= top <= 32, "levels of a tree")
        rows: list[Row] = []
        for level in range(top, bottom - 1, -1):
            if level == 0:
                chunk, at = self.leaf(at, depth, shape)
                rows += chunk
            else:
                items, at = self.expect(at, 4)
                chunk, at = self.references(at, items, shape)
                need(bool(chunk) or level < top, "the highest chunk is empty")
                rows += self.below(chunk, level, depth, shape)
            check_cut(level, chunk, closed=False)
        return rows, at

    def references(self, at: int, items: int, shape: int) -> tuple[list[Row], int]:
        wide = 4 if shape == MAP_TREE else 3
        need(items % wide == 0, "half a reference")
        rows = []
        for _ in range(items // wide):
            start, last = at, b""
            if shape == MAP_TREE:
                last, at = self.string(at)
            id, at = self.string(at, exactly=32)
            count, at = self.expect(at, 0)
            size, at = self.expect(at, 0)
            self.refs.append((id, size))
            hashed = last if shape == MAP_TREE else self.data[start:at]
            rows.append(Row(hashed, at - start, Reference(id, count, size)))
        return rows, at

    def below(self, rows: list[Row], level: int, depth: int, shape: int) -> list[Row]:
        """The rows of level 0 below entries of `level`."""
        out: list[Row] = []
        leaf = {LIST_TREE: LIST_LEAF, MAP_TREE: MAP_LEAF}.get(shape, CHUNK)
        for row in rows:
            id, count, size = row.content
            kind = leaf if level == 1 else MAP_NODE if shape == MAP_TREE else NODE
            sub = Parser(self.store, self.store.object(id, kind))
            if kind == CHUNK:
                found, end = [Row(b"", 0, sub.data)], len(sub.data)
                text = shape == TEXT_TREE
                number = len(decode(sub.data) if text else sub.data)
            elif level == 1:
                found, end = sub.leaf(0, depth, shape)
                check_cut(0, found, closed=True)
                number = len(found)
            else:
                items, at = sub.expect(0, 4)
                own, at = sub.expect(at, 0)
                need(own == level - 1, "a node of another level")
                chunk, end = sub.references(at, items - 1, shape)
                check_cut(level - 1, chunk, closed=True)
                found = sub.below(chunk, level - 1, depth, shape)
                number = sum(child.content.count for child in chunk)
            need(number == count, "a count that is wrong")
            need(shape != MAP_TREE or found[-1].hashed == row.hashed, "another last key")
            sub.finish(end, id, size)
            out += found
        return out


def hashed(make: Any, items: list[Any]) -> Any:
    """A set or dict of the items, which Python must be able to tell apart."""
    try:
        out = make(items)
    except TypeError as error:
        raise Refused("a key or member that is not hashable") from error
    need(len(out) == len(items), "two equal keys or members")
    return out


def item_bytes(dtype: Any) -> int:
    if isinstance(dtype, str):
        letter, number = re.match(r"[|<>](.)(\d+)", dtype).groups()
        return int(number) * (4 if letter == "U" else 1)
    return dtype[0]
