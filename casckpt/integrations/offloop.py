"""Off the loop: work on a store for callers in an event loop, which waits for no disk.

Reads run side by side in worker threads. The writes of a store run in one worker thread, one
after the other and in the order in which they were asked for: the store lets in one writer at
a time anyway, and callers of one process never collide.

Invariant: a write that was asked for is carried out whatever becomes of the task that asked;
a cancellation is raised when the write is done. A closed or dropped store keeps no thread.

Imports: the standard library, store.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from casckpt.store import Store

__all__ = ["dismiss", "reading", "writing"]

T = TypeVar("T")

# With the process that made it: threads do not survive an OS fork.
_writers: WeakKeyDictionary[Store, tuple[int, ThreadPoolExecutor]] = WeakKeyDictionary()
_guard = Lock()


async def reading(call: Callable[[], T]) -> T:
    """What `call` gives, in a worker thread."""
    return await asyncio.to_thread(call)


async def writing(store: Store, call: Callable[[], T]) -> T:
    """What `call` gives, in the worker thread of the store's writes.

    Raises:
        asyncio.CancelledError: the task was cancelled meanwhile; `call` has ended all the same.
    """
    work = asyncio.wrap_future(_writer(store).submit(call))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    if cancelled is not None:
        raise cancelled from work.exception()
    return work.result()


def dismiss(store: Store) -> None:
    """Wait for the store's writes and give up their thread."""
    with _guard:
        known = _writers.pop(store, None)
    if known is not None and known[0] == os.getpid():
        known[1].shutdown(wait=True)


def _writer(store: Store) -> ThreadPoolExecutor:
    with _guard:
        known: Any = _writers.get(store)
        if known is None or known[0] != os.getpid():
            known = os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="casckpt-writes")
            _writers[store] = known
        writer: ThreadPoolExecutor = known[1]
        return writer
