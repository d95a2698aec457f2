"""Read a recorded trace (NAME.jsonl.zst): one JSON event a line, one event a checkpoint.

An event is `{"thread", "step", "label", OPERATIONS...}`; the state of a step is the state of
the thread's previous step ({} before the first) changed by, in this order: `fork` (start from
another thread's step), `state` (replace the whole), `patch` ([[path, value] sets or appends,
[path] deletes]), `set` and `unset` (top-level keys), `append` (to top-level lists). `keep`
marks a state that a later line forks from.

Invariants: a yielded state is never changed afterwards; consecutive states share what did not
change. `fresh` makes the deep copy that a program which loads its state would hand over.

Imports: zstandard.
"""

from __future__ import annotations

import copy
import io
import json
import marshal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

__all__ = ["Step", "advance", "fresh", "read_events", "replay", "zstd_bytes"]

WINDOW_BYTES_MAX = 1 << 27
Event = dict[str, Any]


class Step(NamedTuple):
    """One checkpoint to be saved."""

    thread: str
    step: int
    """0, 1, 2 ... within the thread, in order of saving."""
    label: str | None
    state: Any


def read_events(path: Path) -> Iterator[Event]:
    """The events of a trace file, in order."""
    with path.open("rb") as raw:
        reader = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).stream_reader(raw)
        for line in io.TextIOWrapper(reader, encoding="utf-8", newline="\n"):
            yield json.loads(line)


def _patched(node: Any, path: list[Any], args: list[Any]) -> Any:
    key, deeper = path[0], path[1:]
    node = node.copy()
    if deeper:
        node[key] = _patched(node[key], deeper, args)
    elif not args:
        del node[key]
    elif isinstance(node, list) and key == len(node):
        node.append(args[0])
    else:
        node[key] = args[0]
    return node


def advance(state: Any, event: Event) -> Any:
    """The next state; `state` is left as it is and may be shared by the result."""
    state = event["state"] if "state" in event else dict(state)
    for path, *args in event.get("patch", ()):
        state = _patched(state, path, args)
    if "set" in event:
        state = {**state, **event["set"]}
    for key in event.get("unset", ()):
        state = {k: v for k, v in state.items() if k != key}
    for key, items in event.get("append", {}).items():
        state = {**state, key: state.get(key, []) + items}
    return state


def replay(events: Iterable[Event]) -> Iterator[Step]:
    """The checkpoint of each event, with its full state."""
    current: dict[str, Any] = {}
    counts: dict[str, int] = {}
    kept: dict[tuple[str, int], Any] = {}
    for event in events:
        thread = event["thread"]
        if "fork" in event:
            before = kept[event["fork"]["thread"], event["fork"]["step"]]
        else:
            before = current.get(thread, {})
        state = current[thread] = advance(before, event)
        if event.get("keep"):
            kept[thread, event["step"]] = state
        number = counts.get(thread, 0)
        counts[thread] = number + 1
        yield Step(thread, number, event["label"], state)


def fresh(state: Any, *, plain: bool) -> Any:
    """A deep copy that shares no container; `plain`: JSON types only, which is much faster."""
    if plain:
        return marshal.loads(marshal.dumps(state, 2))
    return copy.deepcopy(state)


def zstd_bytes(events: Iterable[Event], level: int = 19) -> int:
    """Size of the events as a trace file: what all the information takes, near enough."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, window_log=27, enable_ldm=True
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    total = 0
    for event in events:
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n"
        total += len(compressor.compress(line.encode("utf-8", "surrogatepass")))
    return total + len(compressor.flush())
