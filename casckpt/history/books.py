"""Books: an engine with what reads it, and the ones that an OS thread has open besides.

Imports: errors, storage (engine interface), vault, history (ancestry, collected, events).
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Event, local
from typing import NamedTuple

from casckpt.errors import CasckptError
from casckpt.history.ancestry import Ancestry, Point
from casckpt.history.collected import gone, version
from casckpt.history.events import Happening
from casckpt.storage.engine import Engine
from casckpt.vault import Vault

__all__ = ["Books", "Here", "books_of"]


class Books(NamedTuple):
    """An engine with what reads it."""

    engine: Engine
    vault: Vault
    ancestry: Ancestry
    told: list[Happening]
    """What happened in a batch and is not told yet."""
    keyed: list[Point]
    """What a batch holds back that has a key: it is in no list yet."""
    over: Event
    """Set when a batch has ended, in whatever OS thread that was."""


def books_of(engine: Engine, below: Books | None = None) -> Books:
    """The books of an engine; `below`: those of the one that it holds commits back for."""
    vault = Vault(engine, gone=partial(gone, engine if below is None else below.engine))
    ancestry = Ancestry(vault, below=below and below.ancestry)
    if below is None:
        # Asked for while nothing is remembered: else the first load would forget, and read
        # again, what it has just read. If the engine is damaged there, the first load tells.
        with suppress(CasckptError):
            ancestry.gc_seen = version(engine)
    return Books(engine, vault, ancestry, [], [], Event())


class Here(local):
    """What only this OS thread sees."""

    _batch: Books | None = None

    @property
    def batch(self) -> Books | None:
        """The books of the batch that this OS thread began, until it ends."""
        held = self._batch
        if held is not None and held.over.is_set():
            held = self._batch = None
        return held

    def begin(self, held: Books) -> None:
        """Let this OS thread see what a batch holds back."""
        self._batch = held
