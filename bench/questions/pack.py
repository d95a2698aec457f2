"""What does packing cost, what does it save, and how long does a writer wait for it?

Chats (or a recorded run, `--trace`) are saved step by step. A process of its own packs, and once
more, where there is nothing new; then the store is compacted. The floor is zstd -19 of the events
and 100 B a checkpoint. A copy of the store is packed while another process saves short states into
it without pause, which it has done for `--alone` seconds before by itself. In both, every thread's
last state is loaded and compared afterwards.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bench.children import measured
from bench.measure import Samples, disk_usage, timed_ns
from bench.questions.common import add_common, footer, scratch
from bench.questions.filling import add_workload, fill, workload_of
from bench.report import ROOT, document, human_bytes, human_us, ratio, table

__all__ = ["add_arguments", "all_verified", "render", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    add_workload(parser)
    parser.add_argument("--alone", type=float, default=5.0, metavar="S")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fill, pack beside a writer, compact."""
    import casckpt

    workload = workload_of(arguments)
    floor_bytes, _ = workload.floor_bytes()
    with scratch(arguments.folder, arguments.durability) as base:
        path = base / "store.casckpt"
        with casckpt.open(path, durability="none") as store:
            last, count = fill(store, workload)
        hot = disk_usage(path).apparent_bytes
        busy = base / "busy.casckpt"
        shutil.copytree(path, busy)
        packed = measured("bench.questions.pack:pack", str(path), arguments.durability)
        after = disk_usage(path).apparent_bytes
        again = measured("bench.questions.pack:pack", str(path), arguments.durability)
        compacted = measured("bench.questions.pack:compact", str(path))
        writer = _Writer(busy, arguments.durability)
        time.sleep(arguments.alone)
        writer.mark()
        beside = measured("bench.questions.pack:pack", str(busy), arguments.durability)
        waits = writer.end()
        wrong = []
        for one in (path, busy):
            with casckpt.open(one) as store:
                wrong += [
                    name for name, state in last.items() if store.thread(name).load() != state
                ]
                wrong += map(str, store.fsck(level="data"))
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "workload": workload.name,
        "alone_s": arguments.alone,
    }  # fmt: skip
    result = {
        "checkpoints": count, "floor_bytes": floor_bytes, "hot_bytes": hot,
        "packed_bytes": after, "pack": packed, "again": again, "compact": compacted,
        "beside": beside, "writer": waits, "wrong": wrong,
    }  # fmt: skip
    return document("pack", settings, result)


def pack(path: str, durability: Any) -> dict[str, Any]:
    """What the process that packs does."""
    import casckpt

    with casckpt.open(path, durability=durability) as store:
        return dict(store.pack()._asdict())


def compact(path: str) -> dict[str, Any]:
    """And the one that compacts."""
    import casckpt

    with casckpt.open(path) as store:
        return dict(store.compact()._asdict())


class _Writer:
    """A process that saves without pause."""

    def __init__(self, path: Path, durability: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.questions.pack", str(path), durability],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._child.stdout
        self._child.stdout.readline()

    def mark(self) -> None:
        """From now on the samples are others."""
        assert self._child.stdin
        self._child.stdin.write("mark\n")
        self._child.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Let it stop; its samples alone and beside."""
        found: dict[str, Any] = json.loads(self._child.communicate()[0])
        return found


def _write(path: str, durability: Any) -> None:
    import casckpt

    samples = [Samples()]
    done = threading.Event()

    def listen() -> None:
        while sys.stdin.readline():
            samples.append(Samples())
        done.set()

    with casckpt.open(path, durability=durability) as store:
        run = store.thread("beside")
        print("ready", flush=True)
        threading.Thread(target=listen, daemon=True).start()
        number = 0
        while not done.is_set():
            number += 1
            state = {"turn": number, "messages": [f"message {number}"] * 10}
            samples[-1].add(timed_ns(run.save, state)[0])
    print(json.dumps({"alone": samples[0].as_json(), "beside": samples[-1].as_json()}))


def render(content: dict[str, Any]) -> str:
    """What it came to; what the writer saw."""
    r = content["results"]
    did = r["pack"]
    floor = r["floor_bytes"]
    sizes = [
        ["floor", human_bytes(floor), "1x"],
        ["hot", human_bytes(r["hot_bytes"]), ratio(r["hot_bytes"], floor)],
        ["packed", human_bytes(r["packed_bytes"]), ratio(r["packed_bytes"], floor)],
        ["packed and compacted", human_bytes(r["compact"]["bytes_after"]),
         ratio(r["compact"]["bytes_after"], floor)],
    ]  # fmt: skip
    payload = did["payload_bytes"]
    facts = [
        ["pack", (f"{did['seconds']:.2f} s = {payload / did['seconds'] / 1e6:.1f} MB/s of"
                 f" {human_bytes(payload)}, {did['objects_packed'] / did['seconds']:,.0f} objects/s")],
        ["rows before, rows and blocks after",
         f"{human_bytes(did['bytes_before'])}, {human_bytes(did['bytes_after'])}"],
        ["slowest step, alone", human_us(1e6 * did["longest_write_seconds"])],
        ["slowest step, beside a writer", human_us(1e6 * r["beside"]["longest_write_seconds"])],
        ["memory", human_bytes(did["peak_own_bytes"])],
        ["pack again", (f"{r['again']['seconds']:.2f} s,"
                       f" {r['again']['objects_packed']:,} objects")],
        ["compact", f"{r['compact']['seconds']:.2f} s"],
    ]  # fmt: skip
    waits = [
        [name, w["n"] if w else 0, *(human_us(w.get(f"{q}_us")) for q in ("median", "p99", "max"))]
        for name, w in r["writer"].items()
    ]
    lines = [
        f"{content['settings']['workload']}: {r['checkpoints']:,} checkpoints\n",
        table(["all files", "bytes", "times floor"], sizes),
        "",
        table(["pack", ""], facts),
        "",
        table(["a writer's saves", "n", "median", "p99", "slowest"], waits),
        *(f"VOID: {what}" for what in r["wrong"][:5]),
        footer(content),
    ]
    return "\n".join(lines)


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every thread came back."""
    return not content["results"]["wrong"]


if __name__ == "__main__":
    _write(*sys.argv[1:])
