"""A second reader of bundles, written from docs/format.md alone (chapter 11, over 1 to 6).

It imports nothing of casckpt, and refuses (`Refused`) all that the page says must be refused.
States are read by the second reader of stores, with the bundle's objects in place of rows.
"""

from typing import Any

from blake3 import blake3

from tests.format import second_reader
from tests.format.second_reader import PARAMETERS, Cursor, check_names, plain, unframe
from tests.format.second_values import CHECKPOINT, LIST_TREE, TAGS, Parser, Row, need, object_id

LINE = b"casckpt bundle 1\n"


class HeadParser(Parser):
    """The head of a bundle is no value of a store: its lists are never cut."""

    def listing(self, at: int, depth: int) -> tuple[list[Row], int]:
        return self.leaf(at, depth, LIST_TREE)


class Bundle(second_reader.Store):
    """A bundle, read whole."""

    def __init__(self, data: bytes, before: "Bundle | None" = None) -> None:
        self.left = 8 << 30
        self.before = {} if before is None else {**before.before, **before.known}
        self.known: dict[bytes, tuple[int, bytes]] = {}
        at = Cursor(data)
        need(at.take(len(LINE)) == LINE, "not a bundle")
        seal = blake3(LINE).digest()
        kinds = []
        while not kinds or kinds[-1] != b"E":
            kind, length = at.take(1), at.number(4)
            need(length <= 25165824, "a section too long")
            body = at.take(length)
            seal = blake3(seal + kind + length.to_bytes(4) + body).digest()
            need(at.take(32) == seal, "another seal")
            kinds.append(kind)
            if kind == b"H":
                self.head(body)
            elif kind == b"B":
                self.block(body)
        need(not at.rest(), "bytes behind the end")
        need(kinds == [b"H", *[b"B"] * (len(kinds) - 2), b"E"], "sections out of order")
        self.end = self.array(body)
        records = [kind for kind, _ in self.known.values()].count(CHECKPOINT)
        payloads = sum(len(payload) for _, payload in self.known.values())
        need(self.end == [len(self.known), records, payloads], "another count")
        for head, *_ in self.heads.values():
            need(head in self.known or head in self.prerequisites, "a head that is missing")

    def array(self, body: bytes) -> Any:
        out, end = plain(Parser(self, body), 0)
        need(end == len(body) and isinstance(out, list), "no array, or bytes behind it")
        return out

    def head(self, body: bytes) -> None:
        out, end = HeadParser(self, body).value(0, 0)
        need(end == len(body) and isinstance(out, list) and len(out) == 5, "no head")
        need(out[:3] == ["casckpt bundle", 1, PARAMETERS], "another version")
        _, _, _, threads, self.prerequisites = out
        need(max(map(len, out[3:])) <= 65536, "too many")
        self.heads = {name: (head, *info) for name, head, *info in threads}
        check_names(list(self.heads))
        ids = self.prerequisites
        need(ids == sorted(set(ids)) and all(len(i) == 32 for i in ids), "ids out of order")
        names = [name.encode() for name, *_ in threads]
        need(names == sorted(set(names)), "threads out of order")

    def block(self, body: bytes) -> None:
        at = Cursor(body)
        table_length, frame_length, length = at.number(4), at.number(4), at.number(4)
        table = Cursor(unframe(2, at.take(frame_length), table_length, None))
        payloads = Cursor(unframe(2, at.rest(), length, None))
        entries = 0
        while table.at < len(table.data):
            kind, size = table.number(1), table.varint()
            need(size > 0, "an empty payload")
            payload = payloads.take(size)
            id = object_id(kind, payload)
            need(id not in self.known, "an object twice")
            self.known[id] = kind, payload
            entries += 1
        need(not payloads.rest() and 0 < entries <= 65536, "a table that does not fit")

    def object(self, id: bytes, kind: int) -> bytes:
        found = self.known.get(id) or self.before.get(id)
        need(found is not None, f"no object {id.hex()}")
        need(found[0] == kind, "another kind")
        return found[1]

    def children(self, id: bytes) -> Any:
        """Those the rows of a store tell; a bundle's must only stand before."""
        order = list(self.known)
        here = order[: order.index(id)] if id in self.known else order
        return _Before({*self.before, *here})

    def threads(self) -> dict[str, Any]:
        return self.heads

    def moved_tags(self) -> dict[bytes, list[str]]:
        """Checkpoint to its tags now, where they were changed."""
        out = {}
        for kind, payload in {**self.before, **self.known}.values():
            if kind == TAGS:
                id, tags = self.array(payload)
                out[id] = tags
        return out


class _Before:
    """Equal to any list of ids that stand before."""

    def __init__(self, ids: set[bytes]) -> None:
        self.ids = ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and self.ids.issuperset(other)

    __hash__ = None  # type: ignore[assignment]
