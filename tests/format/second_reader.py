"""A second reader of stores, written from docs/format.md and docs/values.md alone.

This half reads records and the files of the LMDB engine (1 and 5 to 10); `second_values` what is
in a state. It imports nothing of casckpt and no CBOR library, opens the directory read-only, and
refuses (`Refused`) all that the page says must be refused.
"""

import functools
import sys
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import lmdb
import zstandard

from tests.format.second_values import CHECKPOINT, PRUNED, TAGS, Parser, Refused, need, object_id
from tests.format.second_values import head as head_of

PAYLOAD_BYTES_MAX = 16777216
PARAMETERS = {
    "hash": "blake3-256",
    "inline": 1024,
    "tree-inline": 8192,
    "root-inline": 16384,
    "chunk": [512, 4096, 16384, 21361414],
    "blob": [16384, 2048, 8192, 32768],
    "blob-long": [262144, 32768, 65536, 131008],
    "array-block": 65472,
    "record": "head, body",
    "encryption": None,
}


class Row(NamedTuple):
    """One object as it lies in its row; `children` are seqs."""

    kind: int
    payload: bytes
    children: list[int]
    deltas: int


class Ref(NamedTuple):
    """A ref: its version, its newest log entry, its target or None, its info."""

    version: int
    log: int
    target: bytes | None
    info: bytes


class Move(NamedTuple):
    """A log entry."""

    time: int
    previous: int
    ref: str
    old: bytes | None
    new: bytes | None
    note: bytes


class Checkpoint(NamedTuple):
    """A checkpoint record; `meta` is read, `root` is the encoding."""

    parents: list[bytes]
    jump: bytes | None
    thread: str
    step: int
    created: int
    label: str | None
    tags: list[str]
    meta: Any
    root: bytes
    key: str | None


class Cursor:
    """Reads numbers off a row's head, a ref or a log entry."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        need(self.at <= len(self.data), "ends too soon")
        return self.data[self.at - count : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def varint(self) -> int:
        out = shift = 0
        while True:
            byte = self.number(1)
            out |= (byte & 127) << shift
            if byte < 128:
                need(byte > 0 or shift == 0, "a varint that is not the shortest")
                return out
            shift += 7

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)


class Store:
    """A store directory, opened read-only."""

    def __init__(self, path: str) -> None:
        self.env = lmdb.open(path, readonly=True, lock=False, create=False, max_dbs=8)
        self.left = 8 << 30
        self.tables = {
            name: self.env.open_db(name.encode(), create=False)
            for name in ("rows", "index", "posts", "refs", "log", "meta", "blocks", "young")
        }
        self.reading = self.env.begin()
        self.index: dict[bytes, list[int]] = {}
        for key, entry in self.reading.cursor(self.tables["index"]):
            need(key in {b"i", b"y"} and len(entry) == 22, "an index entry of another form")
            self.index.setdefault(entry[:16], []).append(int.from_bytes(entry[16:]))
        need(self.meta("layout") == b"casckpt-lmdb 2", "another layout")
        header, end = Parser(self, self.meta("header")).value(0, 0)
        need(end == len(self.meta("header")), "bytes behind the header")
        need(isinstance(header, list) and len(header) == 5, "no header")
        need(header[:2] == ["casckpt", 1] and header[2] == PARAMETERS, "another version")
        self.store_id, self.created = header[3:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reading.abort()
        self.env.close()

    # -- rows and objects ------------------------------------------------------------------------

    def meta(self, word: str) -> bytes:
        out = self.reading.get(word.encode(), db=self.tables["meta"])
        need(out is not None, f"no {word}")
        return bytes(out)

    def row(self, seq: int) -> Row:
        data = self.reading.get(seq.to_bytes(8), db=self.tables["rows"])
        need(data is not None, f"no row {seq}")
        at = Cursor(bytes(data))
        kind, codec = divmod(at.number(1), 16)
        length = at.varint()
        need(1 <= kind <= 9 and codec <= 4, "kind or codec")
        need(length <= PAYLOAD_BYTES_MAX, "a payload too long")
        self.left -= length
        need(self.left >= 0, "more than one load may read")
        children, base, deltas = list[int](), None, 0
        if codec == 3:
            distance, deltas, shared = at.varint(), at.number(1), at.varint()
            need(1 <= distance <= seq and 1 <= deltas <= 32, "a base that is not older")
            base = self.row(seq - distance)
            need(base.deltas < deltas, "number of deltas")
            need(shared <= len(base.children), "more shared children than the base has")
            children = base.children[:shared]
        elif codec == 4:
            number, begin = at.varint(), at.varint()
        for _ in range(at.varint()):
            distance = at.varint()
            need(1 <= distance <= seq, "a child that is not older")
            children.append(seq - distance)
        need(len(set(children)) == len(children), "a child twice")
        if codec == 4:
            need(not at.rest(), "a packed row with a frame")
            payload = self.block(number)[begin : begin + length]
        else:
            payload = unframe(codec, at.rest(), length, base)
        need(len(payload) == length, "a payload of another length")
        return Row(kind, payload, children, deltas)

    @functools.lru_cache(maxsize=4)  # noqa: B019 (a test's reader may live long)
    def block(self, number: int) -> bytes:
        value = self.reading.get(number.to_bytes(8), db=self.tables["blocks"])
        need(value is not None and len(value) >= 4, f"no block {number}")
        length = int.from_bytes(value[:4])
        need(length <= PAYLOAD_BYTES_MAX, "a block too long")
        payloads = unframe(2, bytes(value[4:]), length, None)
        need(len(payloads) == length, "a block of another length")
        return payloads

    def find(self, id: bytes) -> Row:
        for seq in self.index.get(id[:16], ()):
            row = self.row(seq)
            if object_id(row.kind, row.payload) == id:
                return row
        raise Refused(f"no object {id.hex()}")

    def object(self, id: bytes, kind: int) -> bytes:
        row = self.find(id)
        need(row.kind == kind, f"kind {row.kind} where {kind} is due")
        return row.payload

    def children(self, id: bytes) -> list[bytes]:
        rows = [self.row(seq) for seq in self.find(id).children]
        return [object_id(row.kind, row.payload) for row in rows]

    def objects(self) -> Iterator[tuple[bytes, Row]]:
        """All of them; every one is what the index says."""
        for prefix, seqs in self.index.items():
            for row in map(self.row, seqs):
                id = object_id(row.kind, row.payload)
                need(id[:16] == prefix, "a row of another id")
                yield id, row

    # -- checkpoints -----------------------------------------------------------------------------

    def checkpoint(self, id: bytes) -> Checkpoint:
        parser = Parser(self, self.object(id, CHECKPOINT))
        items, end = plain(parser, 0)
        need(isinstance(items, list) and len(items) == 3, "no checkpoint")
        first, meta, root = items
        parents, jump, thread, step, created, label, tags, key = self.record_head(first)
        need(all(type(part) is bytes for part in (meta, root)), "meta and root")
        self.left, read_root = 8 << 30, Parser(self, root)
        _, stop = self.with_room(lambda: read_root.entry(0, 0, limit=16384))
        need(stop == len(root), "bytes behind the root")
        read_meta = Parser(self, meta)
        out, stop = read_meta.entry(0, 0)
        need(stop == len(meta) and type(out) is dict, "meta is no dict")
        ids = [*(parents if isinstance(parents, list) else [None]), *([jump] * (jump is not None))]
        need(all(type(i) is bytes and len(i) == 32 for i in ids), "parents and jump")
        need(len(parents) <= 1 and (jump is None) == (not parents), "parents and jump")
        need(type(step) is int and type(created) is int, "step and time")
        check_names([thread, *tags, *(name for name in (label, key) if name is not None)])
        need(len(tags) <= 64, "too many tags")
        parser.refs = read_root.refs + read_meta.refs + [(parent, 0) for parent in parents]
        parser.finish(end, id, None)
        record = Checkpoint(parents, jump, thread, step, created, label, tags, out, root, key)
        self.check_place(record)
        return record

    def record_head(self, encoding: Any) -> list[Any]:
        """The seven items of which history is made, and the key or None."""
        need(type(encoding) is bytes, "no head")
        items, end = plain(Parser(self, encoding), 0)
        need(end == len(encoding), "bytes behind the head")
        need(isinstance(items, list) and len(items) in {7, 8}, "a head of seven items, or eight")
        need(type(items[-1]) is str or len(items) == 7, "a key")
        return [*items, None][:8]

    def outline(self, id: bytes) -> tuple[list[bytes], bytes | None, int, int]:
        """Parents, jump, step and time, without what a whole reading checks."""
        try:
            payload = self.object(id, CHECKPOINT)
        except Refused:
            payload = self.object(id, PRUNED)
        items = self.record_head(Parser(self, payload).string(1)[0])
        return items[0], items[1], items[3], items[4]

    def check_place(self, record: Checkpoint) -> None:
        """Step, time and jump follow from the parent."""
        if not record.parents:
            need(record.step == 0, "a first checkpoint with a step")
            return
        parent = record.parents[0]
        _, jump, step, created = self.outline(parent)
        need(record.step == step + 1 and record.created > created, "step or time")
        due = parent
        if jump is not None:
            _, far, near_step, _ = self.outline(jump)
            if far is not None and step - near_step == near_step - self.outline(far)[2]:
                due = far
        need(record.jump == due, "another jump")

    def history(self, id: bytes | None) -> Iterator[tuple[bytes, Checkpoint]]:
        """From a head to the first."""
        while id is not None:
            record = self.checkpoint(id)
            yield id, record
            id = record.parents[0] if record.parents else None

    def load(self, root: bytes) -> Any:
        """The state, as plain Python; tags from 51802 on as `Tag`s."""
        self.left = 8 << 30
        return self.with_room(lambda: Parser(self, root).entry(0, 0, limit=16384)[0])

    @staticmethod
    def with_room(read: Any) -> Any:
        """256 containers inside one another take more frames than Python allows unasked."""
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(before + 10_000)
        try:
            return read()
        finally:
            sys.setrecursionlimit(before)

    def tags(self, id: bytes, record: Checkpoint) -> list[str]:
        """The tags that a checkpoint has now."""
        ref = self.refs().get("tags/" + id.hex())
        if ref is None or ref.target is None:
            return record.tags
        parser = Parser(self, self.object(ref.target, TAGS))
        items, end = plain(parser, 0)
        need(isinstance(items, list) and len(items) == 2 and items[0] == id, "tags of another")
        check_names(items[1])
        parser.refs = [(id, 0)] if items[1] else []
        parser.finish(end, ref.target, None)
        return items[1]

    # -- refs, log, postings ---------------------------------------------------------------------

    def refs(self) -> dict[str, Ref]:
        out = {}
        for name, data in self.reading.cursor(self.tables["refs"]):
            at = Cursor(bytes(data))
            version, log, has = at.number(8), at.number(8), at.number(1)
            need(has <= 1, "a ref's byte")
            target = at.take(32) if has else None
            out[bytes(name).decode()] = Ref(version, log, target, at.rest())
        return out

    def threads(self) -> dict[str, tuple[bytes, int, bytes | None, str | None]]:
        """Name to head, creation time, checkpoint and thread that it was forked from."""
        out = {}
        for name, ref in self.refs().items():
            if name.startswith("thread/") and ref.target is not None:
                info, end = plain(Parser(self, ref.info), 0)
                need(end == len(ref.info) and len(info) == 3, "info of a thread")
                out[name.removeprefix("thread/")] = (ref.target, *info)
        return out

    def log(self) -> dict[int, Move]:
        out = {}
        for number, data in self.reading.cursor(self.tables["log"]):
            at = Cursor(bytes(data))
            time, previous, has = at.number(8), at.number(8), at.number(1)
            need(has <= 3, "a log entry's byte")
            ref = at.take(at.number(2)).decode()
            old = at.take(32) if has & 1 else None
            new = at.take(32) if has & 2 else None
            out[int.from_bytes(number)] = Move(time, previous, ref, old, new, at.rest())
        return out

    def postings(self) -> dict[bytes, list[tuple[int, bytes]]]:
        out: dict[bytes, list[tuple[int, bytes]]] = {}
        entries = [(bytes(name), bytes(e)) for name, e in self.reading.cursor(self.tables["posts"])]
        at = Cursor(self.reading.get(b"p", b"", db=self.tables["young"]))
        while at.at < len(at.data):
            entries.append((at.take(at.number(2)), at.take(14)))
        need(len(set(entries)) == len(entries), "a posting twice")
        for name, entry in sorted(entries):
            need(len(entry) == 14, "a posting of another length")
            row = self.row(int.from_bytes(entry[8:]))
            posting = int.from_bytes(entry[:8]), object_id(row.kind, row.payload)
            out.setdefault(name, []).append(posting)
        return out


def plain(parser: Parser, at: int) -> tuple[Any, int]:
    """An item of a record: no values of chapter 2 but ints, bytes, text, null, arrays of them."""
    major, number, inner = head_of(parser.data, at)
    if major == 4:
        out = []
        for _ in range(number):
            item, inner = plain(parser, inner)
            out.append(item)
        return out, inner
    if major <= 1:
        return (-1 - number if major else number), inner
    if major == 2:
        return parser.string(at)
    if major == 3:
        return parser.text(at)
    need((major, number) == (7, 22), "an item that records have not")
    return None, inner


def check_names(names: Any) -> None:
    need(isinstance(names, list), "no names")
    good = all(type(name) is str and len(name.encode()) <= 255 for name in names)
    need(good, "a name")


def unframe(codec: int, frame: bytes, length: int, base: Row | None) -> bytes:
    """The payload; at most one byte more than `length` is made."""
    if codec == 0:
        return frame
    try:
        if codec == 2:
            reader = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
            return reader.decompress(frame, max_output_size=length, allow_extra_data=False)
        known = base.payload + object_id(base.kind, base.payload) if base else b""
        if codec == 3 and length > 32768:
            raw = zstandard.ZstdCompressionDict(known, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            reader = zstandard.ZstdDecompressor(raw, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
            return reader.decompress(frame, max_output_size=length, allow_extra_data=False)
        inflate = zlib.decompressobj(-15, zdict=known[-32768:])
        payload = inflate.decompress(frame, length + 1)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refused("a frame that does not decompress") from error
    need(inflate.eof and not inflate.unused_data, "a frame that ends elsewhere")
    return payload
