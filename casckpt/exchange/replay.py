"""Replaying a recording into a store: each of its moments becomes a checkpoint.

Invariants: nothing is written before the whole recording has been read once and none of
its threads has been found in the store; forks of the recording are forks in the store.

Imports: casckpt, exchange.trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import casckpt
from casckpt.exchange import trace

__all__ = ["Survey", "replay", "survey"]


class Survey(NamedTuple):
    """What a recording holds."""

    threads: tuple[str, ...]
    checkpoints: int
    forks: int


def survey(path: str | Path) -> Survey:
    """Read a recording through, without building its states.

    Raises:
        InvalidInputError: not a recording, or an empty one.
    """
    threads: dict[str, None] = {}
    checkpoints = forks = 0
    for event in trace.events(path):
        threads[event["thread"]] = None
        checkpoints += 1
        forks += "fork" in event
    if not checkpoints:
        msg = f"{path} records nothing"
        raise casckpt.InvalidInputError(msg)
    return Survey(tuple(threads), checkpoints, forks)


def replay(
    store: casckpt.Store, path: str | Path, *, prefix: str = ""
) -> Iterator[casckpt.Checkpoint]:
    """Save every moment of a recording; yields each checkpoint once it is saved.

    Args:
        store: where to.
        path: the recording.
        prefix: put before every thread's name.

    Raises:
        ConflictError: the store has a thread of that name (`details`: thread).
        InvalidInputError: not a recording.
    """
    for name in survey(path).threads:
        if store.thread(prefix + name).head is not None:
            msg = f"there is a thread {prefix + name!r} already: choose another prefix"
            raise casckpt.ConflictError(msg, thread=prefix + name)
    saved: dict[tuple[str, int], casckpt.Checkpoint] = {}
    for moment in trace.moments(path):
        thread = store.thread(prefix + moment.thread)
        if moment.fork is not None:
            origin = saved[moment.fork]
            thread = store.thread(prefix + moment.fork[0]).fork(thread.name, at=origin)
        checkpoint = thread.save(
            moment.state, label=moment.label, tags=moment.tags, meta=moment.meta
        )
        if moment.keep:
            saved[moment.thread, moment.step] = checkpoint
        yield checkpoint
