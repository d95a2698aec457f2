"""Together: puts that come while another is on its way share the next commit.

A commit waits for the disk, and a store takes one at a time. What many graphs put meanwhile, or
one graph with many tasks, is gathered and carried out as one commit, with one sync. A put that
comes alone is carried out at once, by whoever asked for it. But what a task wrote is nearly always
followed by the checkpoint of its step, which would have to wait for two commits: so once it is
encoded, its commit waits a moment for that.

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
from threading import Condition, Thread, current_thread, main_thread
from typing import Final

from casckpt.history.ledger import Ledger
from casckpt.storage.batch import BatchEngine

__all__ = ["SHARE_MAX", "Together"]

SHARE_MAX: Final = 256
"""Puts that one commit carries: they are held in memory until it is made."""
LINGER_SECONDS: Final = 0.003
"""So long, at most, does what tasks wrote wait for the checkpoint behind it."""
_PAUSE_MAX: Final = 64
"""Where none came, it is waited for again after so many times: 1, 2, 4, and so on up to this."""


class _Job:
    """Something to be put, and who waits for it."""

    def __init__(self, work: Callable[[], None], space: str | None, *, leads: bool) -> None:
        self.work = work
        self.space = space
        """Where it puts a checkpoint, if it does."""
        self.leads = leads
        """Whether a checkpoint is likely to come behind it."""
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        self.turn: Future[bool] | None = None
        """For an OS thread that waits: True, it is its turn to carry out; False, it is done.
        None: it only waits for the future."""

    def finish(self, error: BaseException | None = None) -> None:
        """It is stored, or will not be."""
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(False)


class Together:
    """The puts of one saver. Safe to use from several OS threads and event loops."""

    def __init__(self, ledger: Ledger, *, shares: bool) -> None:
        """Take a store's ledger; without `shares`, each put has its own commit."""
        self._ledger = ledger
        self._shares = shares
        self._lock = Condition()
        self._waiting: deque[_Job] = deque()
        self._busy = False
        self._hurried = 0
        """How often not to linger."""
        self._pause = 1
        """How often not to, the next time that it is in vain."""

    def run(
        self, work: Callable[[], None], space: str | None = None, *, leads: bool = False
    ) -> None:
        """Carry it out; raises what it raises.

        Args:
            work: puts, and does nothing else; called again if the shared commit fails.
            space: where it puts a checkpoint, if it does.
            leads: a checkpoint is likely to come right behind it.
        """
        if not self._shares or isinstance(self._ledger.engine, BatchEngine):
            return work()
        job = _Job(work, space, leads=leads)
        with self._lock:
            alone = not self._busy
            self._busy = True
            if not alone:
                # Ctrl-C comes to the main one, and may not take away what others wait for.
                job.turn = None if current_thread() is main_thread() else Future()
                self._add(job)
        if alone or (job.turn is not None and job.turn.result()):
            try:
                self._carry_out([job] if alone else self._first())
            finally:
                self._hand_over()
        return job.future.result()

    def _hand_over(self) -> None:
        """Let whoever is first of those that wait carry on."""
        with self._lock:
            self._busy = bool(self._waiting)
            if not self._busy:
                return
            turn = self._waiting[0].turn
            if turn is None:
                self._begin()
            else:
                turn.set_result(True)

    async def arun(
        self, work: Callable[[], None], space: str | None = None, *, leads: bool = False
    ) -> None:
        """The same, awaited; the event loop waits for no disk."""
        if not self._shares:
            return await asyncio.to_thread(work)
        job = _Job(work, space, leads=leads)
        with self._lock:
            self._add(job)
            if not self._busy:
                self._busy = True
                self._begin()
        # A put that nobody waits for any more is stored all the same, as in an OS thread.
        return await asyncio.shield(asyncio.wrap_future(job.future))

    def _add(self, job: _Job) -> None:
        self._waiting.append(job)
        self._lock.notify()

    def _begin(self) -> None:
        Thread(target=self._drain, name="casckpt-put").start()

    def _drain(self) -> None:
        """Carry out what waits, until nothing does."""
        while jobs := self._first():
            self._carry_out(jobs)

    def _first(self) -> list[_Job]:
        with self._lock:
            jobs = self._next(set(), SHARE_MAX)
            self._busy = bool(jobs)
        return jobs

    def _next(self, spaces: set[str], limit: int) -> list[_Job]:
        """The jobs that may share a commit with puts in these namespaces, which are added to."""
        jobs: list[_Job] = []
        while self._waiting and len(jobs) < limit:
            space = self._waiting[0].space
            if space is not None and space in spaces:
                break
            if space is not None:
                spaces.add(space)
            jobs.append(self._waiting.popleft())
        return jobs

    def _carry_out(self, jobs: list[_Job]) -> None:
        """Carry jobs out, with those that join them; nobody is left waiting."""
        lingers = self._shall_linger(jobs)
        if lingers or len(jobs) > 1:
            self._in_one(jobs, lingers=lingers)
        else:
            self._each_alone(jobs)

    def _each_alone(self, jobs: list[_Job]) -> None:
        for job in jobs:
            try:
                job.work()
            except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits
                job.finish(error)
            else:
                job.finish()

    def _in_one(self, jobs: list[_Job], *, lingers: bool) -> None:
        """Carry out several in one commit, and then alone what must be."""
        done: list[_Job] = []
        failed: list[_Job] = []

        def work(jobs: list[_Job]) -> None:
            for job in jobs:
                try:
                    job.work()
                except Exception:  # noqa: BLE001 - it may be the batch's; alone it is told
                    failed.append(job)
                else:
                    done.append(job)

        try:
            with self._ledger.batch():
                work(jobs)
                if lingers:
                    jobs = [*jobs, *(joined := self._joined(SHARE_MAX - len(jobs)))]
                    work(joined)
        except Exception:  # noqa: BLE001 - another process was first, the disk is full: it is told
            return self._each_alone(jobs)
        except BaseException:  # Ctrl-C: nobody may be left waiting
            self._each_alone(jobs)
            raise
        for job in done:
            job.finish()
        return self._each_alone(failed)

    def _shall_linger(self, jobs: list[_Job]) -> bool:
        if not all(job.leads for job in jobs):
            return False
        self._hurried -= 1
        return self._hurried < 0

    def _joined(self, limit: int) -> list[_Job]:
        """What came meanwhile, once a checkpoint has or it was waited for long enough."""
        with self._lock:
            if self._lock.wait_for(self._has_checkpoint, LINGER_SECONDS):
                self._hurried, self._pause = 0, 1
            else:
                self._hurried, self._pause = self._pause, min(2 * self._pause, _PAUSE_MAX)
            return self._next(set(), limit)

    def _has_checkpoint(self) -> bool:
        return any(job.space is not None for job in self._waiting)
