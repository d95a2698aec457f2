"""Recorded agent runs: reading them, and replaying them into a store.

A recording is UTF-8 JSON lines, plain or in one zstd frame, one line a checkpoint:

    {"thread": str, "step": int, "label": str|null, OPERATIONS...}

`step` counts 0, 1, 2 ... within a thread. The state at a step is the state before it ({}
at first) changed by these operations, in this order, each optional:

    "fork":   {"thread": T, "step": N}   start from the state of thread T at step N; only
                                         on a thread's first line
    "state":  {...}                      the whole state is replaced
    "patch":  [[path, value], [path]]    set, or with one element delete; an index equal to
                                         the length appends
    "set":    {key: value}               top-level keys are replaced
    "unset":  [key, ...]                 top-level keys are removed
    "append": {key: [item, ...]}         items are appended to top-level lists
    "keep":   true                       no operation: a later line forks from here
    "tags":   [tag, ...]                 no operation: tags of the checkpoint
    "meta":   {...}                      no operation: meta of the checkpoint

Invariant: states that were yielded are never changed afterwards; states of one thread
share the parts that did not change.

Imports: errors; zstandard (storage.frame is its other importer, for frames at rest: this
one reads files that casckpt did not write).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import zstandard

from casckpt.errors import InvalidInputError

__all__ = ["Moment", "events", "moments"]

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_WINDOW_BYTES_MAX: Final = 1 << 27
"""Recordings are written with windows of up to 128 MiB; more memory is not given to a file."""
_READ_BYTES: Final = 4096
"""Read at once: what so few bytes expand to stays bounded."""


class Moment(NamedTuple):
    """One checkpoint of a recording."""

    thread: str
    step: int
    label: str | None
    state: dict[str, Any]
    fork: tuple[str, int] | None
    """Thread and step that this thread starts from; only at its first moment."""
    keep: bool
    """A later thread starts from here."""
    tags: tuple[str, ...]
    meta: dict[str, Any]


def events(path: str | Path) -> Iterator[dict[str, Any]]:
    """The event lines of a recording, as dicts.

    Raises:
        InvalidInputError: not a recording (`details`: line); an OSError passes through.
    """
    number = 0
    with Path(path).open("rb") as source:
        compressed = source.read(4) == _ZSTD_MAGIC
        source.seek(0)
        try:
            for number, line in enumerate(_lines(source) if compressed else source, 1):
                if line.strip():
                    yield _event(line.decode(), number)
        except (zstandard.ZstdError, UnicodeDecodeError) as error:
            msg = f"line {number + 1}: not a recording: {error}"
            raise InvalidInputError(msg, line=number + 1) from error


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines of a compressed file."""
    begun: list[bytes] = []
    for piece in _decompressed(source):
        first, *more = piece.split(b"\n")
        begun.append(first)
        for line in more:
            yield b"".join(begun)
            begun = [line]
    yield b"".join(begun)


def _decompressed(source: BinaryIO) -> Iterator[bytes]:
    """The bytes in one zstd frame after another; a frame that is cut off is an error."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    frame = None
    while piece := source.read(_READ_BYTES):
        while piece:
            frame = frame or decompressor.decompressobj()
            yield frame.decompress(piece)
            piece = frame.unused_data
            if frame.eof:
                frame = None
    if frame is not None:
        msg = "it is cut off"
        raise zstandard.ZstdError(msg)


def _event(line: str, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        msg = f"line {number}: not JSON: {error}"
        raise InvalidInputError(msg, line=number) from error
    if (
        type(event) is not dict
        or type(event.get("thread")) is not str
        or type(event.get("step")) is not int
    ):
        msg = f'line {number}: not an event of a recording (no "thread" and "step")'
        raise InvalidInputError(msg, line=number)
    return event


def _patched(node: Any, path: list[Any], value: tuple[Any, ...]) -> Any:
    """A copy of `node` with one change; it shares all that is not on the path."""
    key, rest = path[0], path[1:]
    node = node.copy()
    if rest:
        node[key] = _patched(node[key], rest, value)
    elif not value:
        del node[key]
    elif type(node) is list and key == len(node):
        node.append(value[0])
    else:
        node[key] = value[0]
    return node


def _advance(state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    state = event["state"] if "state" in event else dict(state)
    for path, *value in event.get("patch", ()):
        state = _patched(state, path, tuple(value))
    state.update(event.get("set", {}))
    for key in event.get("unset", ()):
        del state[key]
    for key, items in event.get("append", {}).items():
        state[key] = state.get(key, []) + items
    return state


def moments(path: str | Path) -> Iterator[Moment]:
    """The checkpoints of a recording, each with its whole state.

    Raises:
        InvalidInputError: not a recording, or one that contradicts itself (`details`: line).
    """
    current: dict[str, dict[str, Any]] = {}
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    for number, event in enumerate(events(path), 1):
        thread, step = event["thread"], event["step"]
        try:
            fork = (event["fork"]["thread"], event["fork"]["step"]) if "fork" in event else None
            before = kept[fork] if fork else current.get(thread, {})
            state = current[thread] = _advance(before, event)
            tags, meta = tuple(event.get("tags", ())), dict(event.get("meta", {}))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            msg = f"event {number} ({thread} at step {step}) cannot be applied: {error!r}"
            raise InvalidInputError(msg, event=number) from error
        keep = bool(event.get("keep"))
        if keep:
            kept[thread, step] = state
        yield Moment(thread, step, event.get("label"), state, fork, keep, tags, meta)
