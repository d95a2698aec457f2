"""The crew: the OS threads in which an async store does its work.

One writes, a few read. Writes are carried out in the order they were asked for. Saves that
wait together share one commit, and so one sync: while one commit is on its way to the disk,
the next saves gather.

Invariants: the event loop never waits for a lock that is held during I/O; a write that was
cancelled while it waited is never begun, one that was begun is finished; what shares a commit
fails or succeeds each by itself.

Imports: errors, store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple, TypeVar

from casckpt.errors import ClosedError, InvalidInputError
from casckpt.store import Store

__all__ = ["READERS_DEFAULT", "SHARE_MAX", "Crew"]

READERS_DEFAULT: Final = 4
"""OS threads that read."""

SHARE_MAX: Final = 256
"""Saves that one commit carries: they are held in memory until it is made."""

T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: Future[Any]
    shares: bool
    """Whether it may be carried out with others in one commit, and again without them."""


class _Outcome(NamedTuple):
    result: Any
    error: BaseException | None


class Crew:
    """The OS threads of one async store."""

    def __init__(self, readers: int = READERS_DEFAULT) -> None:
        """Hire them; they start when they are first needed."""
        if type(readers) is not int or readers < 1:
            raise InvalidInputError(f"readers= takes a number from 1, not {readers!r}")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="casckpt-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="casckpt-write")
        self._lock = Lock()
        self._waiting: deque[_Job] = deque()
        self._busy = False
        self._closed = False
        self._store: Store | None = None

    async def open(self, work: Callable[[], Store]) -> Store:
        """Open the store that the crew works on; closed with it."""

        def begin() -> Store:
            self._store = work()
            return self._store

        try:
            return await self.write(begin)
        except BaseException:
            # A cancelled opening may have come to an end all the same.
            await self.close()
            raise

    async def read(self, work: Callable[[], T]) -> T:
        """Do something beside whatever else is going on.

        Raises:
            ClosedError: the store is closed; besides, whatever `work` raises.
        """
        call = partial(copy_context().run, work)
        with self._lock:
            self._check_open()
            future = self._readers.submit(call)
        return await asyncio.wrap_future(future)

    async def write(self, work: Callable[[], T]) -> T:
        """Do something after all writes that were asked for before, and alone.

        Raises:
            ClosedError: the store is closed; besides, whatever `work` raises.
        """
        return await self._wait(work, shares=False)

    async def save(self, work: Callable[[], T]) -> T:
        """As `write`, but it may share its commit with other saves.

        Args:
            work: saves, and does nothing else; called again if the shared commit fails.
        """
        return await self._wait(work, shares=True)

    async def close(self) -> None:
        """Finish what was asked for, close the store, dismiss the crew; twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            future = self._enqueue(self._dismiss, shares=False)
        # Cancelling the caller must not leave the file open.
        await asyncio.shield(asyncio.wrap_future(future))
        self._writer.shutdown(wait=False)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed")

    async def _wait(self, work: Callable[[], T], *, shares: bool) -> T:
        call = partial(copy_context().run, work)
        with self._lock:
            self._check_open()
            future = self._enqueue(call, shares=shares)
        return await asyncio.wrap_future(future)

    def _enqueue(self, work: Callable[[], Any], *, shares: bool) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting.append(_Job(work, future, shares))
        if not self._busy:
            self._busy = True
            self._writer.submit(self._drain)
        return future

    def _drain(self) -> None:
        """Carry out what waits, until nothing does."""
        while jobs := self._next():
            begun = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if len(begun) > 1:
                outcomes = self._together(begun)
            else:
                outcomes = [_attempt(job.work) for job in begun]
            for job, outcome in zip(begun, outcomes, strict=True):
                if outcome.error is None:
                    job.future.set_result(outcome.result)
                else:
                    job.future.set_exception(outcome.error)

    def _next(self) -> list[_Job]:
        """The next job, with those behind it that may share its commit."""
        with self._lock:
            waiting = self._waiting
            jobs: list[_Job] = []
            while waiting and len(jobs) < SHARE_MAX:
                if jobs and not (jobs[0].shares and waiting[0].shares):
                    break
                jobs.append(waiting.popleft())
            self._busy = bool(jobs)
            return jobs

    def _together(self, jobs: list[_Job]) -> list[_Outcome]:
        """Carry out several saves in one commit; if that fails, each by itself."""
        assert self._store is not None  # noqa: S101 - nothing is saved before it is open
        try:
            with self._store.batch():
                return [_attempt(job.work) for job in jobs]
        except Exception:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            # Another process moved a head, the disk is full: each is to know its own fate.
            return [_attempt(job.work) for job in jobs]

    def _dismiss(self) -> None:
        self._readers.shutdown(wait=True)
        if self._store is not None:
            self._store.close()


def _attempt(work: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(work(), None)
    except BaseException as error:  # noqa: BLE001 - it is the caller's, wherever it waits
        return _Outcome(None, error)
