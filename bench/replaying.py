"""Replay one workload through several subjects, side by side.

Order "steps": at each step every subject saves the same state, in an order shuffled by a seed,
so that a slow moment of the machine hits them alike. Order "blocks": each subject replays the
whole workload by itself, on a disk that has settled. Durable runs need blocks: the subjects
share the file system's journal, and a small save would pay for the large ones before it.

Each subject gets its own deep copy of every state (`isolate`), because a store may gain from
object identity as a real program would not allow. Then all are closed and opened again, the
latest state of the threads and random old ones are loaded, sizes are taken after a last close,
and every state (or a sample) is compared with the replay.

Imports: bench.measure, bench.peers, bench.traces, bench.verify, bench.workloads.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.measure import IoCounter, Samples, quiet_gc, settle, timed_ns
from bench.peers.base import Durability, Peer
from bench.peers.casckpt_store import rows_of_a_save
from bench.peers.floors import SameBytesFloor
from bench.traces import Step, fresh
from bench.verify import Verdict, verify
from bench.workloads import Workload

__all__ = ["Settings", "replay_workload"]

COLLECT_EVERY_STEPS = 32


@dataclass(frozen=True)
class Settings:
    """How to replay."""

    durability: Durability = "full"
    order: Literal["auto", "steps", "blocks"] = "auto"
    """auto: blocks if durable, else steps."""
    isolate: bool = True
    seed: int = 1
    warmup: int = 0
    """So many first checkpoints of each thread are saved but not counted."""
    loads: int = 200
    """Random old states to load, and at most so many threads to load the latest of."""
    verify_states_max: int = 3000
    """More states than that: a random sample of so many, and every thread's last."""
    folder: str | None = None
    """Where the stores are made (a file system matters); default: the temporary folder."""
    keep: bool = False
    """Leave the stores there."""


@dataclass
class _Subject:
    peer: Peer
    folder: Path
    save: Samples = field(default_factory=Samples)
    load_first: Samples = field(default_factory=Samples)
    load_again: Samples = field(default_factory=Samples)
    load_old: Samples = field(default_factory=Samples)
    written_bytes: int = 0
    fsync_us_before: float | None = None
    """What a small write and its sync took just before, if the run is durable."""
    failure: str | None = None
    """Why it was taken out of the run; its figures are void."""

    def timed(self, samples: Samples, call: Callable[..., Any], *args: Any) -> None:
        """Measure one call; a subject that raises takes part no longer."""
        try:
            duration, result = timed_ns(call, *args)
        except Exception as error:  # noqa: BLE001 - the others go on without it
            self.failure = f"{type(error).__name__}: {error}"
            return
        samples.add(duration)
        del result


def replay_workload(
    workload: Workload,
    peers: Sequence[Peer],
    settings: Settings,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Replay, load, weigh and verify; the results as JSON-able values."""
    base = Path(tempfile.mkdtemp(prefix="casckpt-bench-", dir=settings.folder))
    subjects = [_Subject(peer, base / peer.name) for peer in peers]
    opened: list[Peer] = []
    try:
        for subject in subjects:
            if subject.peer.name == SameBytesFloor.name:
                base.joinpath("pilot").mkdir()
                subject.peer.rows = rows_of_a_save(workload, base / "pilot")
            subject.peer.open(subject.folder, settings.durability)
            opened.append(subject.peer)
        with quiet_gc() as collect:
            facts: dict[str, Any] = {}
            for group in _groups(subjects, settings):
                if settings.durability == "full":
                    group[0].fsync_us_before = settle(base)
                facts = _save_all(workload, group, settings, collect, progress)
            _reopen(subjects, settings)
            _load_all(facts["lengths"], subjects, settings, collect)
        return _outcome(workload, subjects, settings, facts, progress)
    finally:
        for peer in opened:
            peer.close()
        if not settings.keep:
            shutil.rmtree(base, ignore_errors=True)


def _groups(subjects: list[_Subject], settings: Settings) -> list[list[_Subject]]:
    """Those that save together, step by step."""
    blocks = settings.order == "blocks" or (
        settings.order == "auto" and settings.durability == "full"
    )
    if not blocks:
        return [subjects]
    order = random.Random(settings.seed).sample(subjects, len(subjects))
    return [[subject] for subject in order]


def _save_all(
    workload: Workload,
    subjects: list[_Subject],
    settings: Settings,
    collect: Callable[[], None],
    progress: Callable[[str], None],
) -> dict[str, Any]:
    rng = random.Random(settings.seed)
    io = IoCounter()
    lengths: dict[str, int] = {}
    whole_bytes = count = 0
    for count, step in enumerate(workload.steps(), 1):
        lengths[step.thread] = step.step + 1
        whole_bytes += _json_bytes(step) if workload.plain else 0
        for subject in _shuffled(subjects, rng):
            state = fresh(step.state, plain=workload.plain) if settings.isolate else step.state
            peer = subject.peer
            prepared = peer.prepare(step.thread, state, step.label)
            before = io.bytes_written()
            samples = subject.save if step.step >= settings.warmup else Samples()
            subject.timed(samples, peer.save, step.thread, prepared, step.label)
            after = io.bytes_written()
            if before is not None and after is not None:
                subject.written_bytes += after - before
            del state, prepared
        if count % COLLECT_EVERY_STEPS == 0:
            collect()
            progress(f"{workload.name}: {count} checkpoints")
    io.close()
    return {"lengths": lengths, "whole_bytes": whole_bytes or None, "checkpoints": count}


def _shuffled(subjects: list[_Subject], rng: random.Random) -> list[_Subject]:
    """Those still in the run, in another order each time."""
    return [subject for subject in rng.sample(subjects, len(subjects)) if not subject.failure]


def _json_bytes(step: Step) -> int:
    return len(json.dumps(step.state, separators=(",", ":"), ensure_ascii=False).encode())


def _reopen(subjects: list[_Subject], settings: Settings) -> None:
    for subject in subjects:
        subject.peer.close()
        subject.peer.open(subject.folder, settings.durability)


def _load_all(
    lengths: dict[str, int],
    subjects: list[_Subject],
    settings: Settings,
    collect: Callable[[], None],
) -> None:
    rng = random.Random(settings.seed + 1)
    threads = rng.sample(sorted(lengths), min(len(lengths), settings.loads))
    for again in (False, True):
        for thread in threads:
            for subject in _shuffled(subjects, rng):
                samples = subject.load_again if again else subject.load_first
                subject.timed(samples, subject.peer.load_latest, thread)
            collect()
    stores = [subject for subject in subjects if not subject.peer.floor]
    for number in range(min(settings.loads, sum(lengths.values()))):
        thread = rng.choices(list(lengths), list(lengths.values()))[0]
        index = rng.randrange(lengths[thread])
        for subject in _shuffled(stores, rng):
            subject.timed(subject.load_old, subject.peer.load, thread, index)
        if number % COLLECT_EVERY_STEPS == 0:
            collect()


def _outcome(
    workload: Workload,
    subjects: list[_Subject],
    settings: Settings,
    facts: dict[str, Any],
    progress: Callable[[str], None],
) -> dict[str, Any]:
    sizes = {
        subject.peer.name: _sizes(subject.peer, subject.folder, settings) for subject in subjects
    }
    progress(f"{workload.name}: verifying")
    count = facts["checkpoints"]
    verdicts = verify(
        [subject.peer for subject in subjects if not subject.failure],
        workload.steps(),
        plain=workload.plain,
        share=min(1.0, settings.verify_states_max / max(1, count)),
        seed=settings.seed,
    )
    floor_bytes, _ = workload.floor_bytes()
    return {
        "workload": workload.name,
        "seed": workload.seed,
        "limit": workload.limit,
        "checkpoints": count,
        "threads": len(facts["lengths"]),
        "whole_states_json_bytes": facts["whole_bytes"],
        "floor_bytes": floor_bytes,
        "settings": asdict(settings),
        "subjects": {
            subject.peer.name: {
                "floor": subject.peer.floor,
                "rows": subject.peer.rows,
                "save": subject.save.as_json(),
                "load_latest": subject.load_first.as_json(),
                "load_latest_again": subject.load_again.as_json(),
                "load_old": subject.load_old.as_json(),
                "write_call_bytes": subject.written_bytes,
                "fsync_us_before": subject.fsync_us_before,
                "size": sizes[subject.peer.name],
                "verified": _verified(subject, verdicts),
            }
            for subject in subjects
        },
    }


def _verified(subject: _Subject, verdicts: dict[str, Verdict]) -> dict[str, Any] | None:
    """None for a floor, which keeps nothing."""
    if subject.failure:
        return Verdict(faults=1, first_faults=[subject.failure]).as_json()
    verdict = verdicts.get(subject.peer.name)
    return verdict.as_json() if verdict else None


def _sizes(peer: Peer, folder: Path, settings: Settings) -> dict[str, Any]:
    """While open, after closing, and packed by its own tools if it has any."""
    sizes: dict[str, Any] = {"open": _size(peer)}
    peer.close()
    sizes["closed"] = _size(peer)
    peer.open(folder, settings.durability)
    packed = peer.pack()
    peer.close()
    sizes["packed"] = _size(peer) if packed else None
    peer.open(folder, settings.durability)
    return sizes


def _size(peer: Peer) -> dict[str, int] | None:
    usage = peer.size()
    return usage.as_json() if usage else None
