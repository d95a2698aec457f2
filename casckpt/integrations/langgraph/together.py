"""Together: puts that come while another is on its way share the next commit.

A commit waits for the disk, and a store takes one at a time. What many graphs put meanwhile, or
one graph with many tasks, is gathered and carried out as one commit, with one sync. A put that
comes alone is carried out at once, by whoever asked for it.

Invariants: who has asked returns when it is stored, never before; what shares a commit fails or
succeeds each by itself; two puts in one namespace never share one, for the second may look for
what the first has put; what was begun is finished, even if nobody waits for it any more.

Imports: history.ledger, storage.batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Final, NamedTuple

from casckpt.history.ledger import Ledger
from casckpt.storage.batch import BatchEngine

__all__ = ["SHARE_MAX", "Together"]

SHARE_MAX: Final = 256
"""Puts that one commit carries: they are held in memory until it is made."""


class _Job(NamedTuple):
    work: Callable[[], None]
    space: str | None
    """Where it puts a checkpoint, if it does."""
    future: Future[None]


def _job(work: Callable[[], None], space: str | None) -> _Job:
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # from now on it cannot be cancelled
    return _Job(work, space, future)


class Together:
    """The puts of one saver. Safe to use from several OS threads and event loops."""

    def __init__(self, ledger: Ledger, *, shares: bool) -> None:
        """Take a store's ledger; without `shares`, each put has its own commit."""
        self._ledger = ledger
        self._shares = shares
        self._lock = Lock()
        self._waiting: deque[_Job] = deque()
        self._busy = False

    def run(self, work: Callable[[], None], space: str | None = None) -> None:
        """Carry it out; raises what it raises.

        Args:
            work: puts, and does nothing else; called again if the shared commit fails.
            space: where it puts a checkpoint, if it does.
        """
        if not self._shares or isinstance(self._ledger.engine, BatchEngine):
            return work()
        with self._lock:
            alone = not self._busy
            self._busy = True
            if not alone:
                job = _job(work, space)
                self._waiting.append(job)
        if not alone:
            return job.future.result()
        try:
            return work()
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                if self._busy:
                    self._begin()

    async def arun(self, work: Callable[[], None], space: str | None = None) -> None:
        """The same, awaited; the event loop waits for no disk."""
        if not self._shares:
            return await asyncio.to_thread(work)
        job = _job(work, space)
        with self._lock:
            self._waiting.append(job)
            if not self._busy:
                self._busy = True
                self._begin()
        # A put that nobody waits for any more is stored all the same, as in an OS thread.
        return await asyncio.shield(asyncio.wrap_future(job.future))

    def _begin(self) -> None:
        Thread(target=self._drain, name="casckpt-put").start()

    def _drain(self) -> None:
        """Carry out what waits, until nothing does."""
        while jobs := self._next():
            rest = jobs if len(jobs) == 1 else self._in_one(jobs)
            for job in rest:
                try:
                    job.work()
                except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits
                    job.future.set_exception(error)
                else:
                    job.future.set_result(None)

    def _next(self) -> list[_Job]:
        """The next job, with those behind it that may share its commit."""
        jobs: list[_Job] = []
        spaces: set[str] = set()
        with self._lock:
            while self._waiting and len(jobs) < SHARE_MAX:
                space = self._waiting[0].space
                if space is not None and space in spaces:
                    break
                if space is not None:
                    spaces.add(space)
                jobs.append(self._waiting.popleft())
            self._busy = bool(jobs)
        return jobs

    def _in_one(self, jobs: list[_Job]) -> list[_Job]:
        """Carry out several in one commit; those that have to be carried out alone."""
        done, failed = [], []
        try:
            with self._ledger.batch():
                for job in jobs:
                    try:
                        job.work()
                    except Exception:  # noqa: BLE001 - it may be the batch's; alone it is told
                        failed.append(job)
                    else:
                        done.append(job)
        except BaseException:  # noqa: BLE001 - nobody may be left waiting
            return jobs  # another process was first, the disk is full: each by itself
        for job in done:
            job.future.set_result(None)
        return failed
