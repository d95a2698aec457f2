"""One move of a ref, as every engine makes it: what is expected, what comes out.

Invariants: a version is never used twice for one name, not even after the ref was forgotten
(`floor`), so a stale expectation can not be met by accident.

Imports: the engine interface.
"""

from __future__ import annotations

from casckpt.storage.engine import ABSENT, LogEntry, Ref, RefUpdate

__all__ = ["conflicts", "move"]


def conflicts(update: RefUpdate, current: Ref | None) -> bool:
    """Whether the ref is not what the update expects."""
    expect = update.expect
    if isinstance(expect, Ref):
        return current is None or current.version != expect.version
    return expect is ABSENT and current is not None and current.target is not None


def move(
    update: RefUpdate, current: Ref | None, *, floor: int, number: int
) -> tuple[Ref, LogEntry | None]:
    """The ref after the update, and the entry of the log if the update asks for one.

    Args:
        update: the move; its expectation has been checked.
        current: the ref before it.
        floor: the highest version of any ref that was forgotten.
        number: the number the log entry will have.
    """
    if current is None:
        current = Ref(update.name, None, b"", floor, 0)
    entry = None
    last_log = current.last_log
    if update.log is not None:
        entry = LogEntry(
            number,
            update.name,
            current.target,
            update.target,
            update.time_ns,
            update.log,
            last_log,
        )
        last_log = number
    ref = Ref(update.name, update.target, update.info, current.version + 1, last_log)
    return ref, entry
