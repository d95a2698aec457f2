"""Targets: readers of what comes from outside (bundles, imports, spellings, command lines)."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

import casckpt
from casckpt.bundle import layout
from casckpt.cli import exits
from casckpt.cli.main import run
from casckpt.errors import CasckptError, InvalidInputError
from casckpt.exchange import import_jsonl
from casckpt.exchange.foreign import import_named, import_session_files
from casckpt.exchange.jsonform import to_json
from casckpt.exchange.read_jsonform import from_json
from casckpt.exchange.trace import events
from casckpt.history.names import check_thread_name
from casckpt.history.revision import format_revision, parse_revision
from casckpt.path import format_path, parse_path

EXPANDED_BYTES_MAX = 1 << 22
UNUSABLE = frozenset({"-h", "--help"})


def _unbundle(data: bytes) -> None:
    with casckpt.open("memory:") as store:
        try:
            store.bundles.unbundle(io.BytesIO(data), bytes_max=EXPANDED_BYTES_MAX)
        except CasckptError:
            assert store.stats().objects == 0
            assert store.threads() == []
        else:
            assert list(store.fsck()) == []


def read_bundle(data: bytes) -> None:
    """A bundle as it comes: refused with nothing stored, or a store without a fault."""
    _unbundle(data)


def read_sealed_bundle(data: bytes) -> None:
    """The same, every section sealed rightly: lengths and seals keep nobody out."""
    out, seal, at = layout.MAGIC, layout.first_seal(), 0
    while at + 4 <= len(data):
        kind = (layout.HEAD, layout.BLOCK, layout.END)[data[at] % 3]
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        at += 4 + size
        seal = layout.seal(seal, kind, body)
        out += layout.SECTION.pack(kind, len(body)) + body + seal
    _unbundle(out)


def read_jsonl(data: bytes) -> None:
    """JSON Lines: refused, or a store without a fault."""
    with casckpt.open("memory:") as store:
        with contextlib.suppress(CasckptError):
            import_jsonl(store, io.BytesIO(data))
        assert list(store.fsck()) == []


def read_named(data: bytes) -> None:
    """Named checkpoints of other programs."""
    with casckpt.open("memory:") as store:
        with contextlib.suppress(CasckptError):
            import_named(store, data)
        assert list(store.fsck()) == []


def read_session_files(data: bytes) -> None:
    """A folder of session files; a zero byte begins the next."""
    with casckpt.open("memory:") as store, tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(data.split(b"\0")[:4]):
            (Path(folder) / f"{number}.json").write_bytes(text)
        with contextlib.suppress(CasckptError):
            import_session_files(store, folder)
        assert list(store.fsck()) == []


def read_json(data: bytes) -> None:
    """The JSON form of a state: refused, or written and read back the same."""
    try:
        value = from_json(data)
    except InvalidInputError:
        return
    text = to_json(value)
    assert to_json(from_json(text)) == text


def read_trace(data: bytes) -> None:
    """A recording, compressed or not."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(InvalidInputError):
            for number, _ in enumerate(events(file.name)):
                if number > 1_000:
                    break


def spell(data: bytes) -> None:
    """Revisions, paths and names: refused, or spelled again to the same."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(InvalidInputError):
        revision = parse_revision(text)
        assert parse_revision(format_revision(revision)) == revision
    with contextlib.suppress(InvalidInputError):
        path = parse_path(text)
        assert parse_path(format_path(path)) == path
    with contextlib.suppress(InvalidInputError):
        check_thread_name(text)


def command_line(data: bytes) -> None:
    """Arguments, a zero byte between two, in an empty folder with a store: an exit code of ours.

    No argument leads out of the folder: slashes are taken away.
    """
    words = data.decode("utf-8", "replace").replace("/", "_").replace("..", "_").split("\0")[:8]
    if not words[0] or UNUSABLE & {*words} or "completion" in words or "demo" in words:
        return
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with casckpt.open(".casckpt", durability="none") as store:
                store.thread("a").save({"n": [1, 2]}, label="x", tags=["t"])
            code = _run(words)
            assert code in exits.MEANINGS, code
            assert code != exits.BUG
            with casckpt.open(".casckpt", create=False) as store:
                assert list(store.fsck()) == []
        finally:
            os.chdir(here)


def _run(words: list[str]) -> int:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3)]
    with (
        mock.patch.object(sys, "stdin", streams[0]),
        mock.patch.object(sys, "stdout", streams[1]),
        mock.patch.object(sys, "stderr", streams[2]),
        mock.patch.dict(os.environ, {"CASCKPT_STORE": ""}),
    ):
        try:
            return run(words)
        except SystemExit as error:
            return int(error.code or 0)
