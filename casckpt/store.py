"""Store: the public handle of an open store.

Invariants: handles made by a store hold its ledger, never the store: a dropped store is freed
at once.

Imports: errors, path, storage (reports), values, tree (types) and all that lies above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from casckpt.bundle.handle import Bundles
from casckpt.checkpoint import Checkpoint, diff, find_point
from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.event import EventKind, Listener, listen, unlisten
from casckpt.history import names
from casckpt.history.find import asked, check_limit, check_offset, find
from casckpt.history.ledger import Ledger
from casckpt.history.listing import threads
from casckpt.history.resolve import head_of
from casckpt.history.retention import Retention
from casckpt.listed import ThreadInfo
from casckpt.path import Step
from casckpt.prune import PruneReport, prune_all
from casckpt.storage.engine import CompactReport, PackReport
from casckpt.thread import Thread
from casckpt.tree.diff import Diff
from casckpt.upkeep import fsck, gc, reindex, stats
from casckpt.upkeep.report import Report
from casckpt.upkeep.tending import UpkeepReport, tend
from casckpt.values import Registry

__all__ = ["Store"]

C = TypeVar("C", bound=type)


class Store:
    """An open store. Safe to use from several OS threads; close it, or use `with`."""

    def __init__(self, ledger: Ledger, registry: Registry, path: str) -> None:
        self._ledger = ledger
        self._registry = registry
        self._path = path

    @property
    def path(self) -> str:
        """Where it is, as given; "memory:" is nowhere."""
        return self._path

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._ledger.closed

    @property
    def read_only(self) -> bool:
        """Whether saving is refused."""
        return self._ledger.engine.read_only

    def thread(self, name: str) -> Thread:
        """A thread by its name; it exists once something is saved in it.

        Raises:
            InvalidInputError: not a name for a thread (docs/revisions.md).
        """
        self._ledger.check_open()
        return Thread(self._ledger, name)

    def threads(
        self,
        prefix: str = "",
        *,
        limit: int | None = None,
        after: str | None = None,
        offset: int = 0,
    ) -> list[ThreadInfo]:
        """The threads whose names begin with `prefix`, in order of their names.

        Args:
            prefix: beginning of their names; need not end at a "/".
            limit: no more than so many.
            after: only those behind this name: where the page before ended.
            offset: pass over so many.
        """
        check_limit(limit)
        found = threads(self._ledger, prefix, after=after, limit=limit, offset=check_offset(offset))
        return [ThreadInfo.of(self._ledger, listed) for listed in found]

    def checkpoint(self, revision: Checkpoint | str) -> Checkpoint:
        """The checkpoint that a revision names: `THREAD`, `THREAD~2`, digits of an id, ...

        Raises:
            NotFoundError: there is none; the message has the nearest names.
            InvalidInputError: it does not parse, or says no thread.
        """
        return Checkpoint(self._ledger, find_point(self._ledger, revision))

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
        after: Checkpoint | str | None = None,
        offset: int = 0,
    ) -> Iterator[Checkpoint]:
        """The checkpoints that fit all that is given, newest first; read as they are taken.

        Without `thread`: of the whole store, those rewound away included, but not what only
        deleted threads have.

        Args:
            thread: in the history of this thread's head.
            prefix: saved in a thread whose name begins so.
            label: with this label.
            tag: with this tag.
            key: with this key.
            meta: with these facts, of the same types and values (1 is not 1.0).
            since: not older than this (an aware datetime).
            until: older than this.
            pruned: those whose states were pruned, too.
            limit: no more than so many.
            after: only those behind this one: where the page before ended.
            offset: pass over so many.

        Raises:
            NotFoundError: the thread has no checkpoint.
        """
        query = asked(
            prefix=prefix, label=label, tag=tag, key=key, meta=meta, since=since, until=until,
            pruned=pruned,
        )  # fmt: skip
        at = None if thread is None else head_of(self._ledger, names.check_thread_name(thread))
        behind = None if after is None else find_point(self._ledger, after)
        found = find(self._ledger, query, at=at, limit=limit, after=behind, offset=offset)
        return (Checkpoint(self._ledger, point) for point in found)

    def diff(
        self,
        old: Checkpoint | str | None,
        new: Checkpoint | str | None,
        *,
        path: str | Iterable[Step] | None = None,
        ordered: bool = True,
    ) -> Diff:
        """What changed from one state to the other; reads only what differs.

        Args:
            old: a checkpoint or revision.
            new: a checkpoint or revision.
            path: only what lies there.
            ordered: whether the order of dicts counts.

        Raises:
            NotFoundError: no such checkpoint (None: a thread without one has no head).
        """
        if old is None or new is None:
            raise NotFoundError("one of the threads has no checkpoint to compare")
        return diff(self._ledger, old, new, path=path, ordered=ordered)

    def batch(self) -> AbstractContextManager[None]:
        """Many saves, one transaction and one sync; for `with store.batch():`.

        What is saved in the block, by this OS thread, is seen by it at once and by others
        when the block ends: all of it, or, on an exception, nothing. Lists (`threads`,
        `find`, `reflog`) show the store as it was before. Everything is kept in memory until
        then. Moves other than saves are refused inside. Do not `await` in the block.

        Raises:
            ConflictError: when the block ends: a head that the batch moved was moved by
                others meanwhile; nothing of the batch is saved.
        """
        return self._ledger.batch()

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
        """Let values of a class be stored and restored; can be used as a decorator.

        Args:
            cls: a dataclass, NamedTuple, Enum, pydantic model or attrs class, or one with
                `__snapshot__` and `__restore__`; with `encode` and `decode` any class.
            name: under which it is stored; None: module and name of the class.
            encode: from a value to what is stored in its stead.
            decode: and back; called with the version as well, if it takes two arguments.
            version: of what `encode` gives, from 1.
            codec: "pickle": values are pickled, and unpickled by programs that say so, too.
                Whoever can write to the store can then run code in them.
            trusted: True signs for that.

        Raises:
            InvalidInputError: not such a class, or another one has the name.
        """
        self._registry.register(
            cls,
            name=name,
            encode=encode,
            decode=decode,
            version=version,
            codec=codec,
            trusted=trusted,
        )
        return cls

    def on(self, kind: EventKind, listener: Listener | None = None) -> Any:
        """Tell a function of what happens in this store, by this handle; see docs/events.md.

        It is called with an `Event` after the fact, in the OS thread that did it; a coroutine
        function is awaited on the event loop that runs now. What it raises is logged.

        Args:
            kind: "saved", "loaded", "forked", "rewound", "pruned", "deleted", "collected".
            listener: None: for use as a decorator, `@store.on("saved")`.

        Returns:
            The listener, for `off`.
        """
        if listener is None:
            return partial(self.on, kind)
        listen(self._ledger, kind, listener)
        return listener

    def off(self, kind: EventKind, listener: Listener) -> None:
        """Tell it nothing any more; raises InvalidInputError if it does not listen."""
        unlisten(self._ledger, kind, listener)

    def gc(
        self,
        *,
        auto: bool = False,
        dry_run: bool = False,
        grace: timedelta | Literal[0] = gc.GRACE_DEFAULT,
        pack: bool | None = None,
        compact: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> UpkeepReport:
        """Remove what no thread, no tag and no young entry of the reflog reaches; then pack.

        Others may read and write meanwhile. Never runs by itself; with `auto`, what a timer
        or a framework calls, it decides by itself, in a millisecond if nothing is to be done.

        Args:
            auto: only what pays (docs/design.md); gives way to whoever is at it already.
            dry_run: only count and say; with `auto` only say.
            grace: what the reflog of this age reaches stays, so that it can be undone, and
                so do states that were pruned since; 0 for none.
            pack: whether to pack as well; None: if it pays.
            compact: whether to give free pages back to the disk as well, with `auto` if it
                pays; then nobody else may have the store open.
            progress: called with a stage's name, and how much of how much is done.

        Raises:
            StorageError: another gc or pack is at work (not with `auto`); read-only; disk full.
        """
        if isinstance(grace, int) and grace == 0:
            grace = timedelta(0)
        if not isinstance(grace, timedelta):
            raise InvalidInputError(f"grace= takes a timedelta or 0, not {grace!r}")
        return tend(
            self._ledger, auto=auto, dry_run=dry_run, grace=grace, pack=pack, compact=compact,
            progress=progress,
        )  # fmt: skip

    def prune(
        self,
        policy: Retention | Mapping[str, Retention],
        *,
        prefix: str = "",
        dry_run: bool = False,
    ) -> list[PruneReport]:
        """Prune the threads whose names begin with `prefix`, as `Thread.prune` does.

        `policy` may be a map from beginnings of names to policies: the longest one counts.
        """
        return prune_all(self._ledger, prefix, policy, dry_run=dry_run)

    def pack(
        self,
        *,
        keep: int = 0,
        seconds_max: float | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> PackReport:
        """Store what is there more densely; changes nothing that can be seen but sizes.

        Others may read and write meanwhile. Never runs by itself; killed or stopped, it goes
        on the next time. The file shrinks by `compact` only.

        Args:
            keep: about so many of the newest objects stay as they are, quickest to read.
            seconds_max: stop after about so long.
            progress: called with a stage's name, and how much of how much is done.

        Raises:
            StorageError: gc or another pack is at work; disk full; read-only.
        """
        return self._ledger.engine.pack(keep=keep, seconds_max=seconds_max, progress=progress)

    def compact(self, *, progress: Callable[[str, int, int], None] | None = None) -> CompactReport:
        """Give free bytes of the file back to the disk.

        Handles of this store wait meanwhile; no other process may have it open.

        Args:
            progress: called with a stage's name, and how much of how much is done.

        Raises:
            StorageError: another process has the store open; disk full; read-only.
            CorruptError: a page is damaged; nothing was changed.
        """
        return self._ledger.engine.compact(progress=progress)

    @property
    def bundles(self) -> Bundles:
        """Threads out of the store and into it, in one file: `create`, `unbundle`, `verify`."""
        return Bundles(self._ledger)

    def fsck(
        self,
        *,
        level: fsck.Level = "data",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Report:
        """Look for damage; an empty report: all is well.

        Others may read and write meanwhile. A finding says what is damaged or untidy and
        which checkpoints need it.

        Args:
            level: "books" (indexes, refs, log, records), "data" (besides, the bytes of every
                object) or "structure" (besides, builds a sample of the states anew).
            progress: called with a stage's name, and how much of how much is done (0:
                unknown); it must not use the store.

        Raises:
            InvalidInputError: no such level.
            StorageError: the file cannot be read.
        """
        return fsck.check(self._ledger, level=level, progress=progress)

    def reindex(self, *, progress: Callable[[str, int, int], None] | None = None) -> int:
        """Make the lists that checkpoints are found by anew; how many places were wrong.

        For a store that `fsck` found untidy. Others may read and write meanwhile.
        """
        faults = reindex.reindex(self._ledger, progress=progress)
        return len(faults.missing) + len(faults.surplus)

    def stats(self) -> stats.Stats:
        """Counts and sizes."""
        return stats.measure(self._ledger)

    def sync(self) -> None:
        """Make all that was saved survive power loss, where durability is less than "full"."""
        self._ledger.engine.sync()

    def close(self) -> None:
        """Release the file; every handle of this store raises ClosedError from now on."""
        self._ledger.close()

    def __enter__(self) -> Self:
        self._ledger.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<Store {self._path!r}{state}>"
