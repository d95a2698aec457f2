"""Which threads a checkpoint is the head of.

Invariant: a listing of a few checkpoints costs no look at a hundred thousand threads: where
there are many, only the thread that a checkpoint was saved in is asked.

Imports: casckpt.
"""

from __future__ import annotations

from typing import Final

import casckpt

__all__ = ["Heads"]

_ALL_MAX: Final = 1000
"""Threads whose heads are all looked up, forks that have no checkpoint of their own included."""


class Heads:
    """The heads of a store, looked up as they are needed."""

    def __init__(self, store: casckpt.Store) -> None:
        self._store = store
        self._of_thread: dict[str, casckpt.Checkpoint | None] = {}
        self._names: dict[str, list[str]] | None = None
        infos = store.threads(limit=_ALL_MAX + 1)
        if len(infos) <= _ALL_MAX:
            self._names = {}
            for info in infos:
                self._names.setdefault(info.head.id, []).append(info.name)

    def at(self, checkpoint: casckpt.Checkpoint) -> list[str]:
        """The threads whose head it is."""
        if self._names is not None:
            return self._names.get(checkpoint.id, [])
        name = checkpoint.thread
        if name not in self._of_thread:
            self._of_thread[name] = self._store.thread(name).head
        return [name] if self._of_thread[name] == checkpoint else []
