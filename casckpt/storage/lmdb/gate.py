"""Who may be inside: many that use the map, or one that moves it.

LMDB's map can be resized, and its environment reopened, only while no transaction of the
process is live. Transactions are short and never nested, so the one who wants to do that
shuts the gate, waits until everybody is out, and opens it again.

A write transaction that fails shuts it, too, while it is aborted: py-lmdb 3.0 lets an abort
wait for as long as other OS threads begin transactions (measured: ten seconds and more
against three busy readers).

Invariants: whoever is inside never enters again before leaving (else both sides would
wait); at most one who is inside calls `calm` at a time (the writer).

Imports: nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """Counts who is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._shut = 0
        """How many keep it shut."""
        self._taken = False
        """One is alone."""
        self.inside = 0

    def enter(self) -> None:
        """Go in; waits while it is shut."""
        with self._lock:
            while self._shut:
                self._changed.wait()
            self.inside += 1

    def leave(self) -> None:
        """Go out."""
        with self._lock:
            self.inside -= 1
            if self._shut:
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody is inside, and nobody comes in."""
        with self._lock:
            self._shut += 1
            while self.inside or self._taken:
                self._changed.wait()
            self._taken = True
        try:
            yield
        finally:
            with self._lock:
                self._taken = False
                self._shut -= 1
                self._changed.notify_all()

    @contextmanager
    def calm(self) -> Iterator[None]:
        """For one who is inside: nobody else is, and nobody comes in."""
        with self._lock:
            self._shut += 1
            while self.inside > 1:
                self._changed.wait()
        try:
            yield
        finally:
            with self._lock:
                self._shut -= 1
                self._changed.notify_all()
