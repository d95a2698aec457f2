"""Does a subject give back what it was given? A benchmark of a store that does not is void.

Equality here is exact: 1, 1.0 and True differ, a tuple is no list, a dict's order counts,
NaN equals NaN and -0.0 is not 0.0.

Imports: bench.traces, bench.peers.base.
"""

from __future__ import annotations

import marshal
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.peers.base import Peer
from bench.traces import Step

__all__ = ["Verdict", "same", "verify"]

FAULTS_SHOWN_MAX = 5


def same(a: Any, b: Any, *, plain: bool = False) -> bool:
    """Whether two values are exactly equal. `plain`: `a` holds JSON types only (faster)."""
    if plain:
        try:
            return marshal.dumps(a, 2) == marshal.dumps(b, 2)
        except ValueError:  # b holds something that a cannot hold
            return False
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(key_a, key_b) and same(a[key_a], b[key_b])
            for key_a, key_b in zip(a, b, strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "tobytes") and hasattr(a, "dtype"):  # numpy arrays and scalars
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    return bool(a == b)


@dataclass
class Verdict:
    """What checking one subject found."""

    checked: int = 0
    faults: int = 0
    first_faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """At least one state was checked and none was wrong."""
        return self.checked > 0 and self.faults == 0

    def fault(self, text: str) -> None:
        """One more state that is not what was saved."""
        self.faults += 1
        if len(self.first_faults) < FAULTS_SHOWN_MAX:
            self.first_faults.append(text)

    def as_json(self) -> dict[str, Any]:
        """For the results file."""
        out: dict[str, Any] = {"ok": self.ok, "checked": self.checked, "faults": self.faults}
        if self.first_faults:
            out["first_faults"] = self.first_faults
        return out


def verify(
    peers: Iterable[Peer], steps: Iterable[Step], *, plain: bool, share: float = 1.0, seed: int = 0
) -> dict[str, Verdict]:
    """Load the states of `steps` (a random share of them, and every thread's last) again.

    Each is asked for by thread and index; a thread's last state also as the latest.
    """
    subjects = [peer for peer in peers if not peer.floor]
    verdicts = {peer.name: Verdict() for peer in subjects}
    rng = random.Random(seed)
    last: dict[str, Step] = {}
    for step in steps:
        last[step.thread] = step
        if share < 1 and rng.random() >= share:
            continue
        for peer in subjects:
            _check(verdicts[peer.name], peer, step, latest=False, plain=plain)
    for step in last.values():
        for peer in subjects:
            _check(verdicts[peer.name], peer, step, latest=True, plain=plain)
    return verdicts


def _check(verdict: Verdict, peer: Peer, step: Step, *, latest: bool, plain: bool) -> None:
    where = f"{step.thread}@{'latest' if latest else step.step}"
    verdict.checked += 1
    try:
        loaded = peer.load_latest(step.thread) if latest else peer.load(step.thread, step.step)
    except Exception as error:  # noqa: BLE001 - whatever it is, the state is not there
        verdict.fault(f"{where}: {type(error).__name__}: {error}")
        return
    if not same(step.state, loaded, plain=plain):
        verdict.fault(f"{where}: not what was saved")
