"""Damage to the file of a small store, and children that read what is left of it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import casckpt
from tests.docs.blocks import ROOT

PAGE_BYTES = 4096
SECONDS_MAX = 20
"""For one variant: more is a hang."""


class Variant(NamedTuple):
    """One way to damage a file."""

    how: str
    """flip, cut, swap, fill or pages."""
    at: int
    """A byte; for pages, a seed."""
    with_: int = 1
    """Bits to flip; page to swap with; byte to fill with."""
    write: bool = False
    """Whether something is saved in the damaged store."""


def damaged(whole: bytes, variant: Variant) -> bytes:
    """A copy of a file with the damage."""
    data = bytearray(whole)
    how, at, with_, _ = variant
    match how:
        case "flip":
            data[at] ^= with_
        case "cut":
            del data[at:]
        case "fill":
            data[at : at + PAGE_BYTES] = bytes([with_]) * len(data[at : at + PAGE_BYTES])
        case "swap":
            _swap(data, at, with_)
        case "pages":
            rng = random.Random(at)
            pages = len(data) // PAGE_BYTES
            for _ in range(rng.randint(1, 4)):
                _swap(data, rng.randrange(pages), rng.randrange(pages))
        case _:
            raise AssertionError(how)
    return bytes(data)


def _swap(data: bytearray, one: int, two: int) -> None:
    first = slice(one * PAGE_BYTES, (one + 1) * PAGE_BYTES)
    second = slice(two * PAGE_BYTES, (two + 1) * PAGE_BYTES)
    data[first], data[second] = data[second], data[first]


def make(folder: Path, *, saves: int = 14, dense: bool = False) -> bytes:
    """A small store with all kinds of pages; its bytes, and beside it what it holds."""
    states = {}
    noise = random.Random(3)
    with casckpt.open(folder / "source", durability="none") as store:
        for number in range(saves):
            state = {"n": number, "text": "word " * 600, "noise": noise.randbytes(1_500)}
            state["list"] = list(range(900 + number))
            made = store.thread("a").save(state, label=f"l{number % 3}", tags=["t"] * (number % 2))
            states[made.id] = made.load()
        store.thread("a").fork("b", at="@1")
        made = store.thread("b").save({"forked": True, "long": noise.randbytes(30_000)})
        states[made.id] = made.load()
        store.thread("a").rewind("~1")
        store.pack()
        made = store.thread("a").save([1, 2, 3])
        states[made.id] = [1, 2, 3]
        if dense:
            store.compact()
    (folder / "states").write_bytes(pickle.dumps(states))
    return (folder / "source" / "data.mdb").read_bytes()


def outcomes(
    folder: Path, variants: Iterable[Variant], *, place: str = "place"
) -> Iterator[tuple[Variant, str]]:
    """What came of each; a child that dies or hangs is an outcome, and the next one goes on."""
    child: subprocess.Popen[str] | None = None
    for variant in variants:
        for seconds in (SECONDS_MAX, 6 * SECONDS_MAX):  # what hangs twice was not just starved
            child = child or _child(folder, place)
            outcome = _asked(child, variant, seconds)
            if outcome:
                break
            code = _end(child)
            child = None
            outcome = "hang" if code == -signal.SIGKILL else f"killed by signal {-code}"
            if outcome != "hang":
                break
        yield variant, outcome
    if child is not None:
        _end(child)


def _child(folder: Path, place: str) -> subprocess.Popen[str]:
    source = str(folder / "source")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.damage.child", source, str(folder / place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def _asked(child: subprocess.Popen[str], variant: Variant, seconds: float) -> str:
    """What a child says of a variant; "" if it died, or was killed as too slow."""
    assert child.stdin is not None
    assert child.stdout is not None
    late = threading.Timer(seconds, child.kill)
    late.start()
    child.stdin.write(json.dumps(variant) + "\n")
    child.stdin.flush()
    outcome = child.stdout.readline().strip()
    late.cancel()
    return outcome


def _end(child: subprocess.Popen[str]) -> int:
    with contextlib.suppress(BrokenPipeError):
        child.communicate()
    return child.returncode


def bad(found: Iterable[tuple[Variant, str]]) -> list[tuple[Variant, str]]:
    """Those that came to anything but the right values or a documented refusal."""
    fine = ("right", "refused: ")
    return [(v, o) for v, o in found if not o.startswith(fine) or "fsck finds" in o]
