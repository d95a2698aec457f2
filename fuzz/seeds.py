"""What fuzzing begins with: the golden vectors, and small true examples of each input."""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import casckpt
from casckpt.bundle import layout
from casckpt.exchange import export_jsonl
from casckpt.exchange.cborform import to_cbor
from casckpt.format import cbor, header
from casckpt.ids import object_id
from casckpt.storage import frame

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
VALUES = (
    None, -1, 2**64, -(2**70), 1.5, float("nan"), "é", "\ud800", b"x", bytearray(b"y"), (1, [2]),
    {"b": 1, "a": {1: b"x"}}, {3, 1, "x"}, frozenset({(1, 2)}), [[[[]]]], complex(1, -0.0),
    {"text": "x" * 3_000, "n": list(range(300))}, Path("a/b"), range(3),
)  # fmt: skip
COMMANDS = (
    "log\0a", "show\0a~0\0--path\0n[0]", "diff\0a\0a~0", "checkout\0a\0-o\0x.json",
    "fork\0a\0b", "rewind\0a\0@0", "tag\0a\0u", "find\0--label\0x\0--since\0" + "2h", "threads\0--json",
    "export\0a\0--json", "bundle\0create\0-o\0x.bundle", "gc\0--grace\0" + "0", "prune\0a\0--keep-last\0" + "1",
    "fsck\0--level\0structure", "stats\0--json", "save\0b\0-", "import\0jsonl\0-", "pack",
)  # fmt: skip
TEXTS = (
    "support/alice~3", "@17", ":planned", ':"odd label"', "a@{2}^^~1", "0123abcd", "x:y@3",
    "messages[-1].content", "a[1:2]", "/a~1b/0", "['k'][(1, 'x')]", "x[b'\\x00']", "a.b[None]",
)  # fmt: skip
SESSION = (
    b'{"session_id":"s","timestamp":"2026-01-02T03:04:05Z","reason":"r","state":{"a":[1]},'
    b'"parent_session_id":"p"}'
)
NAMED = b'{"session_id":"s","checkpoints":[{"name":"n","timestamp":1767322800,"state":{"a":1}}]}'


def vectors() -> list[bytes]:
    """Every encoding on the page of the format."""
    found = re.findall(r"`((?:[0-9a-f]{2})+)`", PAGE)
    return [bytes.fromhex(text) for text in found]


def values() -> list[bytes]:
    """Encodings of values of every built-in kind."""
    return [to_cbor(value) for value in VALUES]


def file() -> bytes:
    """The file of a small store."""
    with TemporaryDirectory() as folder:
        with casckpt.open(Path(folder) / "s", durability="none") as store:
            store.thread("a").save({"text": "word " * 5_000, "items": list(range(300))}, tags=["t"])
            store.thread("a").fork("b")
        return (Path(folder) / "s" / "data.mdb").read_bytes()


def _history() -> casckpt.Store:
    store = casckpt.open("memory:", clock=iter(range(10**9, 2 * 10**9)).__next__)
    thread = store.thread("a/b")
    thread.save({"n": 1}, label="x", tags=["t"], meta={"cost": 0.5})
    thread.save({"n": 2, "text": "word " * 5_000, "items": list(range(4_000))})
    thread.fork("c").save([1, (2, 3)])
    return store


def bundle() -> bytes:
    """Of a small store."""
    target = io.BytesIO()
    with _history() as store:
        store.bundles.create(target)
    return target.getvalue()


def sections() -> bytes:
    """The same bundle as `read_sealed_bundle` takes it: without seals."""
    data, at, out = bundle(), len(layout.MAGIC), b""
    kinds = (layout.HEAD, layout.BLOCK, layout.END)
    while at < len(data):
        kind, size = layout.SECTION.unpack_from(data, at)
        at += layout.SECTION.size
        out += bytes([kinds.index(kind)]) + size.to_bytes(3, "big") + data[at : at + size]
        at += size + layout.SEAL_BYTES
    return out


def objects() -> list[bytes]:
    """Kind and payload of each object of a small store."""
    with _history() as store:
        engine = store._ledger.engine
        return [bytes([o.kind]) + o.payload for o in engine.read(list(engine.objects())) if o]


def lines(*, changes: bool) -> bytes:
    """The JSON Lines of a small store."""
    target = io.BytesIO()
    with _history() as store:
        export_jsonl(store, target, changes=changes)
    return target.getvalue()


def frames() -> list[bytes]:
    """One of each codec."""
    text, base = b"all that is said twice, " * 300, b"said twice".ljust(64, b".")
    found = []
    for payload, against in ((b"short", None), (text, None), (base * 9, base)):
        known = None if against is None else frame.Base(object_id(1, against), against)
        codec, body = frame.encode(payload, known)
        found.append(bytes([codec]) + len(payload).to_bytes(3, "big") + (against or b"") + body)
    return found


def headers() -> list[bytes]:
    """A store's, and one of a later version."""
    return [header.encode("0" * 36, 1), cbor.encode_plain(["casckpt", 2, {}, "more", 1, 2])]


def records() -> list[bytes]:
    """With a first byte that says which reader is meant."""
    found = [bytes([0]) + data[1:] for data in objects() if data[0] == 7]
    return [
        *found,
        b"\3\x83\x01\xf6\xf6",
        b"\4\x81\x66rewind",
        b"\2\x82\x58\x20" + bytes(32) + b"\x80",
    ]
