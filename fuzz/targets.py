"""The table of targets: name -> what is run, and the seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from casckpt.exchange.jsonform import to_json
from fuzz import outside, readers, seeds

FAILED = Path(__file__).parent / "failed"


class Target(NamedTuple):
    """One reader of bytes."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def _texts(texts: Iterable[str]) -> list[bytes]:
    return [text.encode() for text in texts]


TARGETS: dict[str, Target] = {
    "cbor": Target(readers.read_cbor, lambda: [*seeds.vectors(), *seeds.values()]),
    "value": Target(readers.read_value, lambda: [*seeds.vectors(), *seeds.values()]),
    "restore": Target(readers.restore, lambda: [b"\0" + data for data in seeds.values()]),
    "object": Target(readers.read_object, seeds.objects),
    "record": Target(readers.read_record, seeds.records),
    "header": Target(readers.read_header, seeds.headers),
    "frame": Target(readers.read_frame, seeds.frames),
    "row": Target(
        readers.read_row, lambda: [b"\x10\5\0short", b"\x73\5\1\1\1\1\3xx", b"\x14\5\1\0\0"]
    ),
    "books": Target(readers.read_books, lambda: [bytes(17), bytes(16) + b"\1" + bytes(40)]),
    "wreck": Target(readers.read_wreck, lambda: [seeds.file(), seeds.file()[8192:]]),
    "bundle": Target(outside.read_bundle, lambda: [seeds.bundle()]),
    "sealed": Target(outside.read_sealed_bundle, lambda: [seeds.sections()]),
    "jsonl": Target(
        outside.read_jsonl, lambda: [seeds.lines(changes=False), seeds.lines(changes=True)]
    ),
    "named": Target(outside.read_named, lambda: [seeds.NAMED]),
    "sessions": Target(
        outside.read_session_files, lambda: [seeds.SESSION, seeds.SESSION + b"\0{}"]
    ),
    "json": Target(outside.read_json, lambda: _texts(map(to_json, seeds.VALUES))),
    "trace": Target(outside.read_trace, lambda: [b'{"type":"start"}\n', b"\x28\xb5\x2f\xfd\0"]),
    "spelling": Target(outside.spell, lambda: _texts(seeds.TEXTS)),
    "cli": Target(outside.command_line, lambda: _texts(seeds.COMMANDS)),
}


def failed(name: str) -> list[bytes]:
    """The inputs that a target once failed on, in order of their names."""
    folder = FAILED / name
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []
