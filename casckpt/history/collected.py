"""What gc removed, and when: remembered in the store, so that errors can tell.

The newest runs of gc that removed something lie in the info of a ref that never has a
target, so that no object is kept alive by it. They are a memory, not a promise: what is
older, or more than fits, is forgotten, and a gc that was killed is not in it.

Invariants: what cannot be read of it counts as forgotten. At most RUNS_MAX runs and
PREFIXES_MAX ids are kept: less than 40 kB.

Imports: errors, ids, format (cbor), storage (engine interface), history (times).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError, PrunedError
from casckpt.format import cbor
from casckpt.history.times import from_ns
from casckpt.ids import ObjectId
from casckpt.storage.engine import ANY, Engine, RefUpdate

__all__ = [
    "PREFIX_BYTES",
    "REF",
    "Run",
    "error",
    "find",
    "gone",
    "remember",
    "runs",
    "version",
]

REF: Final = "store/gc"
PREFIX_BYTES: Final = 8
"""Kept of an id: enough to tell a few thousand apart."""
PREFIXES_MAX: Final = 4_096
RUNS_MAX: Final = 64


class Run(NamedTuple):
    """A gc that removed something."""

    time_ns: int
    grace_us: int
    checkpoints: int
    objects: int
    prefixes: bytes
    """Of the ids of the checkpoints, one after the other; not of all, if they were many."""


def version(engine: Engine) -> int:
    """Of what is remembered: another one than before means that gc has run in between."""
    ref = engine.ref(REF)
    return 0 if ref is None else ref.version


def runs(engine: Engine) -> list[Run]:
    """What is remembered, newest first."""
    ref = engine.ref(REF)
    if ref is None:
        return []
    try:
        found = cbor.decode_generic(ref.info)
    except CorruptError:
        return []
    return [run for run in map(_run, found) if run] if type(found) is list else []


def _run(item: Any) -> Run | None:
    match item:
        case [int(time_ns), int(grace), int(checkpoints), int(objects), bytes(prefixes)] if (
            time_ns >= 0 and len(prefixes) % PREFIX_BYTES == 0
        ):
            return Run(time_ns, grace, checkpoints, objects, prefixes)
    return None


def remember(engine: Engine, before: list[Run], run: Run, *, moved: bool = False) -> None:
    """Write down a run, if it removed anything, with those `before` it.

    gc forgets refs without a target, this one too; so it is written again after each. Others see
    by its version that what they remember of checkpoints may be out of date (`pruned.catch_up`).
    So it has to be `moved` also where gc has only replaced something; and where it was forgotten
    though there is nothing to write down, for those who have not looked since it came to be.
    """
    kept, left = [], PREFIXES_MAX * PREFIX_BYTES
    for one in [run, *before][:RUNS_MAX]:
        if one.objects:
            kept.append(one._replace(prefixes=one.prefixes[:left]))
            left -= len(kept[-1].prefixes)
    ref = engine.ref(REF)
    info = cbor.encode_plain([[*one] for one in kept])
    if moved or (kept and (ref is None or ref.info != info)):
        engine.commit(refs=[RefUpdate(REF, None, expect=ANY, info=info)])


def find(engine: Engine, digits: str) -> Run | None:
    """The run that removed the checkpoint whose id begins with these hexadecimal digits."""
    digits = digits[: 2 * PREFIX_BYTES]
    for run in runs(engine):
        spelled = run.prefixes.hex()
        for at in range(0, len(spelled), 2 * PREFIX_BYTES):
            if spelled.startswith(digits, at):
                return run
    return None


def gone(engine: Engine, *oids: ObjectId) -> PrunedError:
    """The error for objects that are not stored: what became of the first is told."""
    ids = sorted(oid.hex() for oid in oids)
    facts = {"object": ids[0]} if len(ids) == 1 else {"object": ids[0], "objects": ids}
    for id in ids:
        run = find(engine, id)
        if run is not None:
            return error(f"checkpoint {id[:16]}", run, **{**facts, "object": id})
    what = f"object {ids[0][:16]} is not stored: "
    newest = runs(engine)[:1]
    if newest:
        when = _when(newest[0])
        return PrunedError(f"{what}collected by gc (last at {when}), or lost (run fsck)", **facts)
    return PrunedError(f"{what}collected by gc, or lost (run fsck)", **facts)


def error(what: str, run: Run, **facts: Any) -> PrunedError:
    """The error for something that this run removed."""
    when = _when(run)
    days = run.grace_us / 86_400_000_000
    msg = f"{what} was collected by gc at {when} (grace: {days:.3g} days)"
    return PrunedError(msg, collected_at=when, collected_by="gc", **facts)


def _when(run: Run) -> str:
    return from_ns(run.time_ns).isoformat(timespec="seconds")
