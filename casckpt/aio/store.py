"""Store: the handle of a store whose I/O is awaited, and how one is opened.

Invariants: it is a `casckpt.Store` in the hands of a crew; every I/O happens in one of the
crew's OS threads.

Imports: opening, store, thread and prune (types), history (Retention), errors, tree (types), aio.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from casckpt.aio.bundles import Bundles
from casckpt.aio.checkpoint import Checkpoint, Which, plain
from casckpt.aio.crew import READERS_DEFAULT, Crew
from casckpt.aio.listening import Heard
from casckpt.aio.listing import Listing
from casckpt.aio.thread import Thread
from casckpt.event import EventKind, Listener
from casckpt.history.retention import Retention
from casckpt.listed import ThreadInfo
from casckpt.opening import Durability, open_store
from casckpt.path import Step
from casckpt.prune import PruneReport
from casckpt.storage.engine import CompactReport, Engine, PackReport
from casckpt.store import Store as Plain
from casckpt.tree.diff import Diff
from casckpt.upkeep.fsck import Level
from casckpt.upkeep.gc import GRACE_DEFAULT
from casckpt.upkeep.report import Report
from casckpt.upkeep.stats import Stats
from casckpt.upkeep.tending import UpkeepReport

__all__ = ["Opening", "Store", "open_store_async"]

C = TypeVar("C", bound=type)
T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called in an OS thread of the crew with a stage's name, and how much of how much is done."""


class Store:
    """An open store whose I/O is awaited. Close it, or use `async with`.

    Its methods are those of `casckpt.Store`. Saves that wait at the same time share a commit.
    """

    def __init__(self, crew: Crew, plain: Plain) -> None:
        """Wrap what `casckpt.aio.open` has opened."""
        self._crew = crew
        self._plain = plain
        self._heard = Heard(crew, plain)

    @property
    def path(self) -> str:
        """Where it is, as given; "memory:" is nowhere."""
        return self._plain.path

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._plain.closed

    @property
    def read_only(self) -> bool:
        """Whether saving is refused."""
        return self._plain.read_only

    def thread(self, name: str) -> Thread:
        """A thread by its name; it exists once something is saved in it."""
        return Thread(self._crew, self._plain.thread(name))

    async def threads(
        self,
        prefix: str = "",
        *,
        limit: int | None = None,
        after: str | None = None,
        offset: int = 0,
    ) -> list[ThreadInfo]:
        """The threads whose names begin with `prefix`, in order of their names.

        Their heads are plain `casckpt.Checkpoint`s: `store.checkpoint(info.head.id)` gives
        one whose I/O is awaited.
        """
        return await self._crew.read(
            lambda: self._plain.threads(prefix, limit=limit, after=after, offset=offset)
        )

    async def checkpoint(self, revision: Which) -> Checkpoint:
        """The checkpoint that a revision names; raises NotFoundError."""
        found = await self._crew.read(lambda: self._plain.checkpoint(plain(revision)))
        return Checkpoint(self._crew, found)

    def find(
        self,
        *,
        thread: str | None = None,
        prefix: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        key: str | None = None,
        meta: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        pruned: bool = False,
        limit: int | None = None,
        after: Which | None = None,
        offset: int = 0,
    ) -> Listing[Checkpoint]:
        """The checkpoints that fit all that is given, newest first.

        For `async for`, or `await` for a list; see `casckpt.Store.find`.
        """
        return Listing(
            self._crew,
            lambda: (
                Checkpoint(self._crew, found)
                for found in self._plain.find(
                    thread=thread,
                    prefix=prefix,
                    label=label,
                    tag=tag,
                    key=key,
                    meta=meta,
                    since=since,
                    until=until,
                    pruned=pruned,
                    limit=limit,
                    after=plain(after),
                    offset=offset,
                )
            ),
        )

    async def diff(
        self,
        old: Which | None,
        new: Which | None,
        *,
        path: str | Iterable[Step] | None = None,
        ordered: bool = True,
    ) -> Diff:
        """What changed from one state to the other; reads only what differs."""
        return await self._crew.read(
            lambda: self._plain.diff(plain(old), plain(new), path=path, ordered=ordered)
        )

    async def run(self, work: Callable[[Plain], T]) -> T:
        """Give the plain store to a function, in the OS thread that writes, and await it.

        For what shall happen in one go: a batch, a walk through a view, a save that depends
        on what is read just before. Other writes wait meanwhile.

            def both(store):
                with store.batch():
                    store.thread("a").save(1)
                    store.thread("b").save(2)

            await store.run(both)
        """
        return await self._crew.write(lambda: work(self._plain))

    def register(
        self,
        cls: C,
        *,
        name: str | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[..., Any] | None = None,
        version: int = 1,
        codec: Literal["pickle"] | None = None,
        trusted: bool = False,
    ) -> C:
        """Let values of a class be stored and restored; see `casckpt.Store.register`."""
        return self._plain.register(
            cls,
            name=name,
            encode=encode,
            decode=decode,
            version=version,
            codec=codec,
            trusted=trusted,
        )

    def on(self, kind: EventKind, listener: Listener | None = None) -> Any:
        """Tell a function of what happens in this store; see `casckpt.Store.on`.

        Functions are called, and coroutine functions awaited, on the event loop that runs
        now. The checkpoint of the event is one whose I/O is awaited.
        """
        if listener is None:
            return partial(self.on, kind)
        self._heard.add(kind, listener)
        return listener

    def off(self, kind: EventKind, listener: Listener) -> None:
        """Tell it nothing any more; raises InvalidInputError if it does not listen."""
        self._heard.remove(kind, listener)

    async def gc(
        self,
        *,
        auto: bool = False,
        dry_run: bool = False,
        grace: timedelta | Literal[0] = GRACE_DEFAULT,
        pack: bool | None = None,
        compact: bool = False,
        progress: Progress | None = None,
    ) -> UpkeepReport:
        """Remove what nothing reaches, then pack, if it pays; see `casckpt.Store.gc`.

        Saves go on meanwhile, but for `compact`.
        """
        work = partial(
            self._plain.gc, auto=auto, dry_run=dry_run, grace=grace, pack=pack, compact=compact,
            progress=progress,
        )  # fmt: skip
        return await (self._crew.write(work) if compact else self._crew.read(work))

    async def prune(
        self,
        policy: Retention | Mapping[str, Retention],
        *,
        prefix: str = "",
        dry_run: bool = False,
    ) -> list[PruneReport]:
        """Prune the threads whose names begin with `prefix`; see `casckpt.Store.prune`.

        The checkpoints in the reports are plain ones.
        """
        return await self._crew.read(
            lambda: self._plain.prune(policy, prefix=prefix, dry_run=dry_run)
        )

    async def pack(
        self,
        *,
        keep: int = 0,
        seconds_max: float | None = None,
        progress: Progress | None = None,
    ) -> PackReport:
        """Store what is there more densely. Saves go on meanwhile; see `casckpt.Store.pack`."""
        return await self._crew.read(
            lambda: self._plain.pack(keep=keep, seconds_max=seconds_max, progress=progress)
        )

    async def compact(self, *, progress: Progress | None = None) -> CompactReport:
        """Give free bytes of the file back to the disk; see `casckpt.Store.compact`."""
        return await self._crew.write(lambda: self._plain.compact(progress=progress))

    @property
    def bundles(self) -> Bundles:
        """Threads out of the store and into it, in one file; see `casckpt.Store.bundles`."""
        return Bundles(self._crew, self._plain.bundles)

    async def fsck(self, *, level: Level = "data", progress: Progress | None = None) -> Report:
        """Look for damage; an empty report: all is well; see `casckpt.Store.fsck`."""
        return await self._crew.read(lambda: self._plain.fsck(level=level, progress=progress))

    async def reindex(self, *, progress: Progress | None = None) -> int:
        """Make the lists that checkpoints are found by anew; how many places were wrong."""
        return await self._crew.read(lambda: self._plain.reindex(progress=progress))

    async def stats(self) -> Stats:
        """Counts and sizes."""
        return await self._crew.read(self._plain.stats)

    async def sync(self) -> None:
        """Make all that was saved survive power loss, where durability is less than "full"."""
        await self._crew.write(self._plain.sync)

    async def close(self) -> None:
        """Finish what was asked for, then release the file; twice is fine."""
        await self._crew.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<async Store {self._plain.path!r}{state}>"


class Opening:
    """A store to be: for `await`, or `async with`, which closes it at the end."""

    def __init__(self, work: Callable[[], Plain], readers: int) -> None:
        self._work = work
        self._readers = readers
        self._store: Store | None = None

    async def _open(self) -> Store:
        crew = Crew(self._readers)
        return Store(crew, await crew.open(self._work))

    def __await__(self) -> Generator[Any, None, Store]:
        return self._open().__await__()

    async def __aenter__(self) -> Store:
        self._store = await self._open()
        return self._store

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._store is not None:
            await self._store.close()


def open_store_async(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    read_only: bool = False,
    durability: Durability = "full",
    types: Iterable[type] = (),
    allow: Iterable[str] = (),
    clock: Callable[[], int] | None = None,
    retention: Retention | Mapping[str, Retention] | None = None,
    engine: Callable[[str, bytes], Engine] | None = None,
    readers: int = READERS_DEFAULT,
) -> Opening:
    """Open a store whose I/O is awaited: `async with casckpt.aio.open(...) as store`.

    Takes and raises what `casckpt.open` does, when it is awaited or entered.

    Args:
        path: a directory, made if it is not there; "memory:" for one that is nowhere.
        create: False refuses to make one.
        read_only: nothing is written.
        durability: what a finished save survives.
        types: classes whose values are restored as such.
        allow: modules whose classes are restored, if they have been imported.
        clock: nanoseconds since 1970-01-01 UTC; None: this machine's clock.
        retention: what stays of the threads that are saved to.
        engine: makes what keeps the bytes; see `casckpt.open`.
        readers: OS threads that read; one more writes.
    """
    work = partial(
        open_store,
        path,
        create=create,
        read_only=read_only,
        durability=durability,
        types=types,
        allow=allow,
        clock=clock,
        retention=retention,
        engine=engine,
    )
    return Opening(work, readers)
