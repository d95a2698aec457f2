"""How fast are large bytes and arrays with few changes?

Random bytes of `--megabytes` (nothing compresses) as one value in a small state: saved, saved
again with 1 % changed (ten runs of 0.1 %), with one byte inserted near the front, loaded. The
same for a float32 array with 1 % of its rows changed, and for a log of a quarter of the size as
one str (it compresses). Each save and load is that of a store just opened. Beside it: BLAKE3 of
the bytes (one thread) and writing and syncing them as a file.

Then the same bytes as a stream: saved from an iterator and read as a file, each in a process of
its own, with the peak of its memory beyond the start.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

from bench.children import Memory, measured
from bench.measure import disk_usage
from bench.questions.common import add_common, footer, scratch
from bench.report import document, human_bytes, table
from bench.verify import same

__all__ = ["add_arguments", "all_verified", "render", "run"]

RUNS_CHANGED = 10
ROW_FLOATS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--megabytes", type=int, default=256)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Bytes, then an array."""
    size = arguments.megabytes * 1_000_000
    rng = random.Random(arguments.seed)
    data = rng.randbytes(size)
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    missing = []
    with scratch(arguments.folder, arguments.durability) as base:
        hashed_s = _seconds(lambda: blake3(data).digest())
        file_s = _seconds(lambda: _write(base / "plain", data, arguments.durability == "full"))
        values: list[tuple[str, Any, int | None]] = [
            ("bytes", data, None),
            ("bytes, 1 % changed", _changed(data, rng), size // 100),
            ("bytes, one byte inserted", data[:1000] + b"!" + data[1000:], 1),
        ]
        _series(values, base / "bytes", arguments.durability, rows, faults)
        try:
            import numpy as np
        except ImportError as error:
            missing.append(str(error))
        else:
            floats = np.random.default_rng(arguments.seed)
            shape = (size // 4 // ROW_FLOATS, ROW_FLOATS)
            array = floats.standard_normal(shape, dtype=np.float32)
            other = array.copy()
            other[len(array) // 3 : len(array) // 3 + len(array) // 100] *= np.float32(0.5)
            values = [("float32 array", array, None),
                      ("float32 array, 1 % changed", other, array.nbytes // 100)]  # fmt: skip
            _series(values, base / "array", arguments.durability, rows, faults)
        log = _log(size // 4, rng)
        line = log[: log.index("\n") + 1]
        half = log.index("\n", len(log) // 2) + 1
        values = [
            ("str, a log", log, None),
            ("str, a log, a line appended", log + line, len(line)),
            ("str, a log, a line inserted", log[:half] + line + log[half:], len(line)),
        ]
        _series(values, base / "str", arguments.durability, rows, faults)
        streams = {}
        for name in ("in", "out"):
            words = (str(base / "stream"), size, arguments.seed, arguments.durability)
            found = streams[name] = measured(f"bench.questions.blob:stream_{name}", *words)
            faults += [] if found["ok"] else [f"stream {name}"]
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "bytes": size,
        "not_run": missing,
    }  # fmt: skip
    result = {
        "blake3_s": hashed_s,
        "file_s": file_s,
        "rows": rows,
        "streams": streams,
        "faults": faults,
    }
    return document("blob", settings, result)


def _log(size: int, rng: random.Random) -> str:
    """Lines of a server's log, numbers and paths by chance."""
    lines = []
    for second in range(size // 95):
        hour, minute = second // 3600 % 24, second // 60 % 60
        lines.append(
            f"2026-11-20T{hour:02d}:{minute:02d}:{second % 60:02d}Z INFO worker-{rng.randrange(16)} "
            f"request={rng.getrandbits(48):012x} path=/v1/threads/{rng.randrange(500)} "
            f"status={rng.choice((200, 200, 200, 404, 500))} ms={rng.random() * 90:.2f}\n"
        )
    return "".join(lines)


def _blocks(size: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for start in range(0, size, 1 << 20):
        yield rng.randbytes(min(1 << 20, size - start))


def stream_in(folder: str, size: int, seed: int, durability: Any) -> dict[str, Any]:
    """Save the bytes from an iterator."""
    import casckpt

    with casckpt.open(folder, durability=durability) as store:
        run = store.thread("blob")
        run.save({"blob": casckpt.Stream([b"first"])})
        with Memory() as memory:
            state = {"blob": casckpt.Stream(_blocks(size, seed))}
            seconds = _seconds(lambda: run.save(state))
        return {**memory.as_json(), "seconds": seconds, "ok": run.head.size > size}


def stream_out(folder: str, size: int, seed: int, durability: Any) -> dict[str, Any]:
    """Read them as a file."""
    import casckpt

    with casckpt.open(folder, durability=durability) as store:
        run = store.thread("blob")
        ok = True
        with Memory() as memory:
            start = time.perf_counter()
            with run.open(path="blob") as file:
                while file.read(1 << 20):
                    pass
            seconds = time.perf_counter() - start
        with run.open(path="blob") as file:
            ok = all(file.read(1 << 20) == block for block in _blocks(size, seed))
            ok = ok and not file.read(1)
        return {**memory.as_json(), "seconds": seconds, "ok": ok}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _write(path: Path, data: bytes, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def _changed(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    run = len(data) // 100 // RUNS_CHANGED
    for number in range(RUNS_CHANGED):
        place = number * (len(data) // RUNS_CHANGED) + 777
        out[place : place + run] = rng.randbytes(run)
    return bytes(out)


def _series(
    values: list[tuple[str, Any, int | None]],
    path: Path,
    durability: Any,
    rows: list[dict[str, Any]],
    faults: list[str],
) -> None:
    """Save one after the other in a thread; load each again from a store just opened."""
    import casckpt

    for number, (name, value, changed) in enumerate(values):
        before = disk_usage(path).apparent_bytes if path.exists() else 0
        with casckpt.open(path, durability=durability) as store:
            thread = store.thread("blob")
            saved_s = _seconds(lambda: thread.save({"n": number, "blob": value}))  # noqa: B023
        grown = disk_usage(path).apparent_bytes - before
        with casckpt.open(path) as store:
            start = time.perf_counter()
            loaded = store.thread("blob").load()
            loaded_s = time.perf_counter() - start
        if not same({"n": number, "blob": value}, loaded):
            faults.append(name)
        size = len(value) if isinstance(value, bytes | str) else value.nbytes
        rows.append(
            {"what": name, "bytes": size, "changed_bytes": changed, "save_s": saved_s,
             "grown_bytes": grown, "load_s": loaded_s}
        )  # fmt: skip


def render(content: dict[str, Any]) -> str:
    """A row a value."""
    r = content["results"]
    size = content["settings"]["bytes"]
    rows = [
        ["BLAKE3 alone", f"{r['blake3_s']:.3f} s", _speed(size, r["blake3_s"]), None, None],
        ["a file, written", f"{r['file_s']:.3f} s", _speed(size, r["file_s"]), human_bytes(size), None],
    ]  # fmt: skip
    rows += [
        [
            row["what"],
            f"{row['save_s']:.3f} s",
            _speed(row["bytes"], row["save_s"]),
            human_bytes(row["grown_bytes"]),
            f"{row['load_s']:.3f} s = {_speed(row['bytes'], row['load_s'])}",
        ]
        for row in r["rows"]
    ]
    streams = [
        [
            f"stream {name}",
            f"{found['seconds']:.3f} s",
            _speed(size, found["seconds"]),
            *(
                None if found[key] is None else human_bytes(found[key])
                for key in ("peak_own_bytes", "peak_rss_bytes")
            ),
        ]
        for name, found in r["streams"].items()
    ]
    lines = [
        table(["what", "save", "speed", "files grew by", "load"], rows),
        table(["as a stream", "time", "speed", "memory", "with mapped pages"], streams),
        *(f"VOID: {name}" for name in r["faults"]),
        footer(content),
    ]
    return "\n".join(lines)


def _speed(size: int, seconds: float) -> str:
    return f"{size / seconds / 1e6:,.0f} MB/s"


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every value came back exactly."""
    return not content["results"]["faults"]
