"""Event: what a listener of `Store.on` is told.

Invariants: a listener hears of what is committed, never of what might be; what it raises goes
to the log "casckpt" and nowhere else.

Imports: errors, checkpoint, history (events, ledger).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from casckpt.checkpoint import Checkpoint
from casckpt.errors import InvalidInputError
from casckpt.history.events import EventKind, Happening, complain
from casckpt.history.ledger import Ledger

__all__ = [
    "Event",
    "EventKind",
    "Listener",
    "event_of",
    "is_async",
    "listen",
    "on_loop",
    "unlisten",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in this store, by this handle of it."""

    kind: str
    """"saved", "loaded", "forked", "rewound", "pruned", "deleted" or "collected"."""
    thread: str | None
    """The thread that it happened to: the new one of a fork; None: the whole store."""
    checkpoint: Any
    """The checkpoint that was saved or loaded, or is the thread's head now; None if there is
    none. A `casckpt.Checkpoint`, or a `casckpt.aio.Checkpoint`, as the store is."""
    seconds: float
    """How long it took."""
    details: Mapping[str, Any]
    """More, by kind: `origin` (forked), `old` (the head before: rewound, deleted), `undo`,
    `path` (loaded), `count` and `policy` (pruned), `report` (collected)."""


Listener = Callable[[Event], Any]
"""A function, or a coroutine function, that takes an Event."""


def listen(ledger: Ledger, kind: str, listener: Listener) -> None:
    """Tell a listener of what happens from now on.

    Raises:
        InvalidInputError: no such kind; a coroutine function where no event loop runs.
    """
    if is_async(listener):
        tell = on_loop(listener)
    elif callable(listener):
        tell = listener
    else:
        raise InvalidInputError(f"a listener is a function, not {type(listener).__name__}")

    def told(happening: Happening) -> None:
        tell(event_of(happening, lambda point: Checkpoint(ledger, point)))

    ledger.events.add(kind, listener, told)


def unlisten(ledger: Ledger, kind: str, listener: Listener) -> None:
    """Tell it nothing any more; raises InvalidInputError if it was not told anything."""
    if not ledger.events.remove(kind, listener):
        raise InvalidInputError(f"{listener!r} does not listen to {kind!r} events")


def event_of(happening: Happening, shown: Callable[[Any], Any]) -> Event:
    """An Event; `shown` makes of a point what is given as its checkpoint."""
    kind, thread, point, seconds, details = happening
    checkpoint = None if point is None else shown(point)
    return Event(kind=kind, thread=thread, checkpoint=checkpoint, seconds=seconds, details=details)


def is_async(listener: Any) -> bool:
    """Whether what it returns is to be awaited."""
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(
        getattr(listener, "__call__", None)  # noqa: B004 - what kind of callable it is
    )


def on_loop(listener: Callable[[Event], Coroutine[Any, Any, Any]]) -> Callable[[Event], None]:
    """A function that hands events over to a coroutine function, on the loop that runs now.

    Raises:
        InvalidInputError: none runs.
    """
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise InvalidInputError(
            "a coroutine function listens on the event loop it was registered on: "
            "call on() from a coroutine"
        ) from None
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(event: Event) -> None:
        try:
            await listener(event)
        except Exception as error:  # noqa: BLE001 - it goes to the log
            complain(event, error)

    def start(event: Event) -> None:
        task = loop.create_task(guarded(event))
        tasks.add(task)  # the loop holds tasks weakly
        task.add_done_callback(tasks.discard)

    def hand_over(event: Event) -> None:
        loop.call_soon_threadsafe(start, event)

    return hand_over
