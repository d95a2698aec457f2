"""Who may be inside: many that use the map, or one that moves it.

LMDB's map can be resized, and its environment reopened, only while no transaction of the
process is live. Transactions are short and never nested, so the one who wants to do that
shuts the gate, waits until everybody is out, and opens it again.

Invariants: whoever is inside never enters again before leaving (else both sides would wait).

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
        self._shut = False
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
        """Nobody else is inside, and nobody comes in."""
        with self._lock:
            while self._shut:
                self._changed.wait()
            self._shut = True
            while self.inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._lock:
                self._shut = False
                self._changed.notify_all()
