"""The LMDB engine: `Engine` carried out by the pieces of this folder.

Invariants: no method returns, yields or calls back with a transaction open; every buffer
is copied.

Imports: errors, ids, the engine interface, limits, its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from casckpt.errors import ClosedError, CorruptError, InvalidInputError
from casckpt.ids import ObjectId
from casckpt.storage.engine import (
    Children,
    CompactReport,
    GcReport,
    LogEntry,
    NewObject,
    PackReport,
    Posting,
    Problem,
    Ref,
    RefUpdate,
    Removed,
    Stage,
    StoredObject,
    Tally,
)
from casckpt.storage.limits import check_commit, check_keep, check_prefix
from casckpt.storage.lmdb import (
    browse,
    check,
    commit,
    compact,
    files,
    index,
    leases,
    objects,
    pack,
    plan,
    posts,
    refs,
    space,
    stats,
    sweep,
    tables,
    tally,
)

__all__ = ["LmdbEngine", "open_lmdb"]

PAGE: Final = 256
"""Postings or rows looked at in one read transaction: none stays open for long."""


def open_lmdb(
    path: str | Path,
    header: bytes | None = None,
    *,
    create: bool | None = None,
    read_only: bool = False,
    durability: str = "full",
) -> LmdbEngine:
    """Open a store's directory.

    Args:
        path: the directory; its parent must exist.
        header: the blob for a new store; an existing one keeps its own.
        create: make a store there if there is none; as a rule, if a header is given.
            Otherwise nothing is ever created.
        read_only: works where nothing may be written, not even a lock file; then a writer at
            work can make a read fail with CorruptError, which is not true of anything else.
        durability: "full": a commit survives power loss when `commit` returns. "relaxed": the
            last one may be undone by power loss, never more, and the file stays sound; about
            half the wait. "none": for tests and throw-away stores; a killed process loses
            nothing, power loss may ruin the file.

    Raises:
        NotAStoreError: there is no store, or something else.
        FormatVersionError: laid out by a later version.
        StorageError: no parent, no permission, disk full, no lock.
    """
    path = Path(path)
    if create is None:
        create = header is not None
    if create and not read_only:
        if header is None:
            raise InvalidInputError("a new store needs a header")
        files.create(path, header)
    return LmdbEngine(path, read_only=read_only, durability=durability)


class LmdbEngine:
    """A store in a directory; see `Engine` for the methods. Made by `open_lmdb`."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        durability: str,
        map_bytes: int = space.MAP_BYTES,
    ) -> None:
        self.read_only = read_only
        self._full = durability == "full"
        self._space: space.Space | None = space.acquire(
            path, read_only=read_only, durability=durability, map_bytes=map_bytes
        )
        self._path = str(path)

    def _open(self) -> space.Space:
        if self._space is None:
            raise ClosedError(f"{self._path} is closed: open it again", path=self._path)
        return self._space

    def header(self) -> bytes:
        """See `Engine.header`."""
        here = self._open()
        with here.reading() as txn:
            return tables.header(txn, here.tables)

    def missing(self, ids: Collection[ObjectId]) -> set[ObjectId]:
        """See `Engine.missing`."""
        here = self._open()
        with here.reading() as txn, txn.cursor(here.tables.index) as finder:
            return {oid for oid in ids if not index.find(finder, oid)}

    def read(self, ids: Sequence[ObjectId]) -> list[StoredObject | None]:
        """See `Engine.read`."""
        here = self._open()
        found: list[StoredObject | None] = []
        with here.reading() as txn:
            finder = txn.cursor(here.tables.index)
            for oid in ids:
                seq = index.find(finder, oid)
                known = seq and objects.load(txn, here.tables, here.payloads, seq)
                found.append(StoredObject(oid, known.kind, known.payload) if known else None)
        return found

    def commit(
        self,
        objects: Sequence[NewObject] = (),
        refs: Sequence[RefUpdate] = (),
        *,
        uses: Collection[ObjectId] = (),
        add: Sequence[Posting] = (),
        remove: Sequence[Posting] = (),
    ) -> list[Ref]:
        """See `Engine.commit`."""
        here = self._open()
        here.check_writable(read_only=self.read_only)
        check_commit(objects, refs, add, remove)
        planned = plan.plan(here, objects, refs, uses=uses, add=add, remove=remove)
        moved = commit.carry_out(here, planned)
        if self._full and here.durability != "full":
            self.sync()
        return moved

    @contextmanager
    def hold(self) -> Iterator[Stage]:
        """See `Engine.hold`."""
        here = self._open()
        here.check_writable(read_only=self.read_only)
        key = here.write(lambda txn: leases.hold(txn, here.tables))
        try:
            yield self._stage
        finally:
            here.clear(lambda txn: leases.drop(txn, here.tables, key))

    def _stage(self, objects: Sequence[NewObject]) -> None:
        here = self._open()
        check_commit(objects, (), (), ())
        commit.carry_out(here, plan.plan(here, objects, (), uses=(), add=(), remove=()))

    def ref(self, name: str) -> Ref | None:
        """See `Engine.ref`."""
        here = self._open()
        with here.reading() as txn:
            return refs.get(txn, here.tables.refs, name)

    def refs(
        self, prefix: str = "", *, after: str | None = None, limit: int | None = None
    ) -> list[Ref]:
        """See `Engine.refs`."""
        here = self._open()
        with here.reading() as txn:
            return refs.list_refs(txn, here.tables.refs, prefix, after, limit, deleted=False)

    def log_entry(self, number: int) -> LogEntry | None:
        """See `Engine.log_entry`."""
        here = self._open()
        with here.reading() as txn:
            return refs.get_entry(txn, here.tables.log, number)

    def log(self, *, before: int | None = None, limit: int | None = None) -> list[LogEntry]:
        """See `Engine.log`."""
        here = self._open()
        with here.reading() as txn:
            return refs.newest(txn, here.tables.log, before, limit)

    def postings(
        self,
        name: bytes,
        *,
        newest_first: bool = True,
        since: int | None = None,
        until: int | None = None,
        after: Posting | None = None,
        limit: int | None = None,
        damaged: Callable[[CorruptError], None] | None = None,
    ) -> list[Posting]:
        """See `Engine.postings`."""
        here = self._open()
        place = None
        if after is not None:
            with here.reading() as txn, txn.cursor(here.tables.index) as finder:
                place = after.rank, index.find(finder, after.id)
        found: list[Posting] = []
        while limit is None or len(found) < limit:
            limits = posts.bounds(since, until, place, newest_first=newest_first)
            if limits is None:
                break
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            with here.reading() as txn:
                more, last = posts.page(
                    txn, here.tables, here.payloads, name, limits,
                    newest_first=newest_first, limit=size, damaged=damaged,
                )  # fmt: skip
            found += more
            if last is None:
                break
            place = int.from_bytes(last[:8], "big"), int.from_bytes(last[8:], "big")
        return found

    def postings_count(self, name: bytes) -> int:
        """See `Engine.postings_count`."""
        here = self._open()
        with here.reading() as txn:
            return posts.count(txn, here.tables, name)

    def posting_lists(
        self, prefix: bytes = b"", *, after: bytes | None = None, limit: int | None = None
    ) -> list[bytes]:
        """See `Engine.posting_lists`."""
        here = self._open()
        with here.reading() as txn:
            return posts.names(txn, here.tables, prefix, after, limit)

    def objects(self, kind: int | None = None) -> Iterator[ObjectId]:
        """See `Engine.objects`."""
        return browse.ids(self._open(), kind)

    def survivors(self) -> Iterator[tuple[StoredObject, bool]]:
        """Every row that can be decoded, oldest first; and whether the index leads to it.

        For salvage, which does not rely on the index. Its id follows from its bytes.
        """
        return browse.survivors(self._open())

    def damaged_pages(self) -> list[str]:
        """What is wrong with the file's pages; for salvage: rows behind them cannot be read."""
        return check.damaged_pages(self._open())

    def ids_with_prefix(self, prefix: str, *, limit: int) -> list[ObjectId]:
        """See `Engine.ids_with_prefix`."""
        check_prefix(prefix)
        return browse.ids_with_prefix(self._open(), prefix, limit)

    def gc(
        self,
        roots: Callable[[], Iterable[ObjectId]],
        *,
        dry_run: bool = False,
        log_keep: timedelta | None = None,
        now_ns: int = 0,
        progress: Callable[[str, int, int], None] | None = None,
        removed: Removed | None = None,
        replace: Callable[[], Iterable[NewObject]] | None = None,
    ) -> GcReport:
        """See `Engine.gc`."""
        here = self._open()
        if not dry_run:
            here.check_writable(read_only=self.read_only)
        keep = None if log_keep is None else now_ns - log_keep // timedelta(microseconds=1) * 1000
        collector = sweep.Collector(
            here, roots, dry_run=dry_run, keep_since_ns=keep, tell=removed, replace=replace
        )
        with closing(collector.steps()) as steps:
            for _ in steps:
                if progress is not None:
                    progress(*collector.progress)
        return collector.report()

    def pack(
        self,
        *,
        keep: int = 0,
        seconds_max: float | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> PackReport:
        """See `Engine.pack`."""
        here = self._open()
        here.check_writable(read_only=self.read_only)
        check_keep(keep)
        packer = pack.Packer(here, keep=keep, seconds_max=seconds_max)
        with closing(packer.steps()) as steps:
            for _ in steps:
                if progress is not None:
                    progress(*packer.progress)
        return packer.report()

    def compact(self, *, progress: Callable[[str, int, int], None] | None = None) -> CompactReport:
        """See `Engine.compact`."""
        here = self._open()
        here.check_writable(read_only=self.read_only)
        return compact.compact(here, progress)

    def check(self, *, data: bool = True, children: Children | None = None) -> Iterator[Problem]:
        """See `Engine.check`."""
        return check.check(self._open(), data=data, children=children)

    def stats(self) -> dict[str, Any]:
        """See `Engine.stats`."""
        return stats.stats(self._open())

    def tally(self) -> Tally:
        """See `Engine.tally`."""
        return tally.tally(self._open())

    def sync(self) -> None:
        """See `Engine.sync`."""
        self._open().sync()

    def close(self) -> None:
        """See `Engine.close`."""
        here, self._space = self._space, None
        if here is not None:
            here.release()
