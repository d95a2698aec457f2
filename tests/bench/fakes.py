"""Peers made for the tests: an honest one in memory, and three that do not keep their word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.measure import Usage
from bench.peers.base import Durability, PeerBase
from bench.traces import fresh


class HonestPeer(PeerBase):
    name = "honest"

    def __init__(self) -> None:
        self.saved: dict[str, list[Any]] = {}
        self.opened = 0

    def open(self, folder: Path, durability: Durability) -> None:  # noqa: ARG002
        self.opened += 1

    def save(self, thread: str, prepared: Any, label: str | None) -> None:  # noqa: ARG002
        self.saved.setdefault(thread, []).append(prepared)

    def load_latest(self, thread: str) -> Any:
        return self.load(thread, len(self.saved[thread]) - 1)

    def load(self, thread: str, index: int) -> Any:
        return fresh(self.saved[thread][index], plain=True)

    def size(self) -> Usage | None:
        return None

    def close(self) -> None:
        pass


class StalePeer(HonestPeer):
    """Its latest state is the one before."""

    name = "stale"

    def load_latest(self, thread: str) -> Any:
        return self.load(thread, max(0, len(self.saved[thread]) - 2))


class SloppyPeer(HonestPeer):
    """Its ints come back as floats, which `==` would not notice."""

    name = "sloppy"

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        super().save(thread, _floats(prepared), label)


class ForgetfulPeer(HonestPeer):
    """Raises for one old state."""

    name = "forgetful"

    def load(self, thread: str, index: int) -> Any:
        if index == 2:
            raise LookupError("no such step")
        return super().load(thread, index)


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if type(value) is int else value
