"""What is open in this process, by the file it is on; and what a forked parent had open.

Invariants: a forked child finds everything that its parent had open dead.

Imports: the standard library only.
"""

from __future__ import annotations

import os
import threading
from typing import Generic, Protocol, TypeVar

__all__ = ["Registry"]


class _Shared(Protocol):
    path: str
    dead: str
    """Why it cannot be used any more; empty: it can."""


S = TypeVar("S", bound=_Shared)


class Registry(Generic[S]):
    """By device and inode."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.spaces: dict[tuple[int, int], S] = {}
        self.inherited: dict[tuple[int, int], S] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self.lock = threading.Lock()
        for key, space in self.spaces.items():
            space.dead = (
                f"{space.path} was opened before this process was forked: "
                "close it before the fork, or open it again after"
            )
            self.inherited[key] = space
        self.spaces = {}
