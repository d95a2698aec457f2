"""Events: who is told that something happened in an open store, and the log of it.

Each listener is called in the OS thread in which it happened, after it was committed, in the
order of registration, before the call that did it returns. What happens in a batch is told
when the batch is carried out; of one that failed nothing is told.

Invariants: no listener can break what it is told of: an exception goes to the log. Where
nobody listens and nothing is logged, an event costs a look into a dict.

Imports: errors, history (ancestry).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, get_args

from casckpt.errors import InvalidInputError
from casckpt.history.ancestry import Point

__all__ = [
    "COLLECTED",
    "DELETED",
    "FORKED",
    "KINDS",
    "LOADED",
    "PRUNED",
    "REWOUND",
    "SAVED",
    "EventKind",
    "Events",
    "Happening",
    "complain",
    "happening",
]

SAVED: Final = "saved"
LOADED: Final = "loaded"
FORKED: Final = "forked"
REWOUND: Final = "rewound"
PRUNED: Final = "pruned"
DELETED: Final = "deleted"
COLLECTED: Final = "collected"
EventKind = Literal["saved", "loaded", "forked", "rewound", "pruned", "deleted", "collected"]
"""What can be listened to."""
KINDS: Final = get_args(EventKind)

_LOGGER: Final = "casckpt"
_FREQUENT: Final = frozenset({SAVED, LOADED})
"""Logged at DEBUG; the others at INFO."""
_DEBUG, _INFO = 10, 20  # logging's, which is imported only where somebody uses it


class Happening(NamedTuple):
    """What is told."""

    kind: str
    thread: str | None
    """The name of the thread that it happened to; None: to the store."""
    point: Point | None
    """The checkpoint that was saved or loaded, or is the head now."""
    seconds: float
    """How long it took."""
    details: Mapping[str, Any]
    """What else there is to say; by kind."""

    def __str__(self) -> str:
        words = [self.kind]
        if self.thread is not None:
            words.append(self.thread)
        if self.point is not None:
            words.append(f"@{self.point.step} {self.point.id.hex()[:16]}")
        words += [f"{name}={value}" for name, value in self.details.items()]
        return f"{' '.join(words)} in {self.seconds * 1e3:.1f} ms"


Listener = Callable[[Happening], Any]


class Events:
    """The listeners of one open store. Safe to use from several OS threads."""

    def __init__(self) -> None:
        self._listeners: dict[str, tuple[tuple[object, Listener], ...]] = {}
        self._lock = Lock()
        self._logger: Any = None
        """logging's; None until somebody has imported that."""

    def add(self, kind: str, key: object, listener: Listener) -> None:
        """Tell a listener of what happens from now on.

        Args:
            kind: one of KINDS.
            key: what it can be removed by.
            listener: called with each Happening.

        Raises:
            InvalidInputError: no such kind.
        """
        _check_kind(kind)
        with self._lock:
            self._listeners[kind] = (*self._listeners.get(kind, ()), (key, listener))

    def remove(self, kind: str, key: object) -> bool:
        """Tell the newest listener with this key nothing any more; whether there was one."""
        _check_kind(kind)
        with self._lock:
            kept = list(self._listeners.get(kind, ()))
            for index in range(len(kept) - 1, -1, -1):
                if kept[index][0] == key:
                    del kept[index]
                    self._listeners[kind] = tuple(kept)
                    return True
        return False

    def begin(self, kind: str) -> int:
        """A moment to tell later how long it took; 0 if nobody wants to know."""
        if self._listeners.get(kind) or self._logs(kind):
            return time.perf_counter_ns()
        return 0

    def tell(self, happening: Happening) -> None:
        """Tell all that listen, and the log."""
        if self._logs(happening.kind):
            self._logger.log(_level(happening.kind), "%s", happening)
        for _, listener in self._listeners.get(happening.kind, ()):
            try:
                listener(happening)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not break a save
                complain(happening, error)

    def _logs(self, kind: str) -> bool:
        """Whether the log takes events of a kind."""
        if self._logger is None:
            logging = sys.modules.get("logging")
            if logging is None:
                return False
            self._logger = logging.getLogger(_LOGGER)
        return bool(self._logger.isEnabledFor(_level(kind)))


def happening(
    kind: str, thread: str | None, point: Point | None, began: int, **details: Any
) -> Happening:
    """What happened since `began` (what `Events.begin` gave)."""
    return Happening(kind, thread, point, (time.perf_counter_ns() - began) / 1e9, details)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidInputError(f"no events of kind {kind!r}; there are: {', '.join(KINDS)}")


def _level(kind: str) -> int:
    return _DEBUG if kind in _FREQUENT else _INFO


def complain(told: object, error: Exception) -> None:
    """Log that a listener failed."""
    import logging

    logging.getLogger(_LOGGER).error("a listener failed, of: %s", told, exc_info=error)
