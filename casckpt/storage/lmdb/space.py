"""One open file: shared by everything in the process that opens the same store.

LMDB allows one open environment a file and process, and none across an OS fork. So a
`Space` is kept for each open data file (by device and inode) and counted; forked children
find theirs dead.

Transactions: `reading()` and `write()`. Both keep the gate, translate LMDB's errors, adopt
a map that another process has enlarged; `write` enlarges it when it is full.

Durability: with "full", LMDB syncs the pages of a commit, then its root (two waits). With
"relaxed" it syncs the pages and leaves the root to the next commit's sync: after a power
loss the last commit may be undone, but the file is always one that some commit left. Not
syncing at all is not offered for data that matters: the disk may reorder, and the file can
be lost as a whole. "none" does that, for tests and throw-away stores; a killed process
loses nothing in any mode.

Invariants: no transaction is nested in another one of the same OS thread; none outlives the
call that began it.

Imports: lmdb, errors, its neighbours.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import lmdb

from casckpt.errors import ClosedError, InvalidInputError, StorageError
from casckpt.storage.lmdb import faults, files, pages, tables
from casckpt.storage.lmdb.arrears import Arrears
from casckpt.storage.lmdb.caches import Payloads, Seqs
from casckpt.storage.lmdb.environment import MAP_BYTES, open_environment
from casckpt.storage.lmdb.gate import Gate
from casckpt.storage.lmdb.registry import Registry

__all__ = ["DURABILITIES", "MAP_BYTES", "Reading", "Space", "acquire"]

READER_WAIT_SECONDS: Final = 0.002
READER_WAITS_MAX: Final = 1000
"""A reader that finds no place waits: the others are done within milliseconds."""
DURABILITIES: Final = ("none", "relaxed", "full")

T = TypeVar("T")


class Space:
    """An open environment with its tables, its caches and its gate. Use `acquire`."""

    def __init__(self, path: Path, *, read_only: bool, durability: str, map_bytes: int) -> None:
        self.path = str(path)
        self.read_only = read_only
        self.durability = durability
        self.gate = Gate()
        self.writer = threading.Lock()
        self.payloads = Payloads()
        self.seqs = Seqs()
        self.users = 0
        self.dead = ""
        self._map_bytes = map_bytes
        self._guard: int | None = None
        self._data = str(path.absolute() / files.DATA)  # the current directory may change
        self._arrears = Arrears()
        self._open()

    def _open(self) -> None:
        lock_was_there = (Path(self.path) / files.LOCK).exists()
        while True:
            # Another process may put a compacted file there at this moment. Once LMDB has
            # locked the one that it opened, nobody does.
            identity = files.identity(Path(self.path))
            self.env = open_environment(
                self.path,
                read_only=self.read_only,
                durability=self.durability,
                map_bytes=self._map_bytes,
            )
            self._identity = identity
            if files.identity(Path(self.path)) == identity:
                break
            self.env.close()
        try:
            pages.expect_sound(self.env, Path(self.path))
            if not self.read_only:
                self.env.reader_check()  # first: those that were killed may have all places
            self.tables = tables.open_tables(self.env, self.path)
        except BaseException:
            self.env.close()
            if not lock_was_there:
                (Path(self.path) / files.LOCK).unlink(missing_ok=True)
            raise

    def _close(self) -> None:
        self.env.close()
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    def free_readers(self) -> int:
        """Free the slots of readers that were killed: LMDB keeps old pages for them."""
        self.gate.enter()
        try:
            return self.env.reader_check()
        finally:
            self.gate.leave()

    def last_transaction(self) -> int:
        """Number of the last write transaction that was committed."""
        self.gate.enter()
        try:
            return int(self.env.info()["last_txnid"])
        finally:
            self.gate.leave()

    def check_alive(self) -> None:
        """Raise ClosedError in a forked child."""
        if self.dead:
            raise ClosedError(self.dead, path=self.path)

    def check_writable(self, *, read_only: bool) -> None:
        """Raise StorageError if the file, or the handle that asks, is open read-only."""
        self.check_alive()
        if read_only or self.read_only:
            msg = f"{self.path} is open read-only: open it for writing first"
            raise StorageError(msg, path=self.path)

    def sync(self) -> None:
        """Make everything committed survive power loss."""
        self.check_alive()
        if self.read_only:
            return
        if self._arrears.sync_failed:
            self.write(lambda _: None)
        self.gate.enter()
        try:
            self.env.sync(True)
        except lmdb.Error as error:
            self._arrears.sync_failed = True
            raise faults.of_lmdb(error, self.path) from error
        finally:
            self.gate.leave()

    def reading(self, *, buffers: bool = False) -> Reading:
        """`with space.reading() as txn:`: one short read transaction.

        Args:
            buffers: keys and values are memoryviews that end with the transaction.
        """
        return Reading(self, buffers=buffers)

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a write transaction and commit it; `work` may be run again.

        Raises:
            StorageError: read-only, disk full, or whatever LMDB failed at.
        """
        self.check_alive()
        attempts = 0
        with self.writer:
            while True:
                env = self.env
                try:
                    return self._write_once(work)
                except lmdb.MapFullError:
                    self._enlarge()
                except lmdb.MapResizedError:
                    self._adopt()
                except lmdb.PanicError as error:
                    # Once: a disk that is still full fails again.
                    attempts += 1
                    if attempts > 1:
                        raise faults.of_lmdb(error, self.path) from error
                    self.revive(env)
                except lmdb.Error as error:
                    raise faults.of_lmdb(error, self.path) from error

    def _write_once(self, work: Callable[[Any], T]) -> T:
        self.gate.enter()
        try:
            txn = self.env.begin(write=True)
            try:
                settled = self._make_good(txn)
                result = work(txn)
                files.expect_same(self._data, self._identity)
                try:
                    txn.commit()
                except lmdb.Error:
                    self._arrears.sync_failed = True
                    raise
                self._arrears.done(settled)
            except BaseException:
                with self.gate.calm():
                    txn.abort()
                raise
            return result
        finally:
            self.gate.leave()

    def _make_good(self, txn: Any) -> int:
        try:
            size = self.env.stat()["psize"]
            whole = self.durability == "none"
            return self._arrears.make_good(txn, self._data, size, whole=whole)
        except OSError as error:
            raise faults.of_os(error, self.path) from error

    def clear(self, work: Callable[[Any], object]) -> None:
        """As `write`; if the disk fails, then in the next write that succeeds."""
        try:
            self.write(work)
        except StorageError:
            self._arrears.add(work)

    def revive(self, env: lmdb.Environment) -> None:
        """Open the file, which is sound, anew: LMDB could not write its root page, and `env`
        has refused all work since. Another OS thread may have done it.
        """
        with self.gate.alone():
            if self.env is not env:
                return
            files.expect_same(self._data, self._identity)
            self._close()
            try:
                self._open()
            except (lmdb.Error, OSError) as error:
                raise faults.of_either(error, self.path) from error

    def _enlarge(self) -> None:
        with self.gate.alone():
            size = self.env.info()["map_size"]
            try:
                self.env.set_mapsize(2 * size)
            except lmdb.Error as error:
                # The old map is gone by now, and without one LMDB would crash.
                self._close()
                self._map_bytes = size
                self._open()
                raise faults.of_lmdb(error, self.path) from error

    def _adopt(self) -> None:
        """Another process has enlarged the map: take its size."""
        with self.gate.alone():
            self.env.set_mapsize(0)

    def reopen(self, *, read_only: bool | None = None, durability: str | None = None) -> None:
        """Close and open the environment in place, with other settings if asked."""
        with self.gate.alone():
            self._close()
            before = self.read_only, self.durability
            self.read_only = self.read_only if read_only is None else read_only
            self.durability = durability or self.durability
            try:
                self._open()
            except lmdb.Error as error:
                self.read_only, self.durability = before
                self._open()
                raise faults.of_lmdb(error, self.path) from error

    def replace(self, build: Callable[[], Path]) -> None:
        """Put another data file in the place of this one, while nobody has it open.

        Args:
            build: makes the file, on the same disk and synced; nobody writes meanwhile.

        Raises:
            StorageError: another process has it open.
        """
        with _registry.lock:
            self.users += 1  # so that it is not released meanwhile
        try:
            with self.writer, self.gate.alone():
                files.expect_same(self._data, self._identity)
                self._close()
                try:
                    self._guard = files.seize(Path(self.path))
                    new = build()
                    with _registry.lock:
                        files.swap(new, Path(self.path))
                        others = {k: s for k, s in _registry.spaces.items() if s is not self}
                        _registry.spaces = {**others, files.identity(Path(self.path)): self}
                finally:
                    # Still seized: LMDB makes the lock file anew, then shares it with those
                    # who wait. The guard stays open as long as the environment does, for
                    # closing it would end this process's locks on that file.
                    self._open()
        finally:
            self.release()

    def release(self) -> None:
        """One user less; the last one closes it."""
        with _registry.lock:
            self.users -= 1
            if self.users or self.dead:
                return
            _registry.spaces = {k: s for k, s in _registry.spaces.items() if s is not self}
            with self.writer, self.gate.alone():
                self._close()
                self.dead = f"{self.path} is closed: open it again"


class Reading:
    """A short read transaction; not to be nested, not to be left open at a yield."""

    __slots__ = ("_buffers", "_space", "_txn")

    def __init__(self, space: Space, *, buffers: bool = False) -> None:
        self._space = space
        self._buffers = buffers

    def __enter__(self) -> Any:
        space = self._space
        waits = 0
        while True:
            space.check_alive()
            space.gate.enter()
            env = space.env
            try:
                self._txn = space.env.begin(buffers=self._buffers)  # type: ignore[call-overload]  # either is fine
            except lmdb.MapResizedError:
                space.gate.leave()
                space._adopt()  # noqa: SLF001 (a space and its transactions are one thing)
            except lmdb.PanicError:
                space.gate.leave()
                space.revive(env)
            except lmdb.ReadersFullError as error:
                freed = space.env.reader_check()
                space.gate.leave()
                if not freed:
                    waits += 1
                    if waits > READER_WAITS_MAX:
                        raise faults.of_lmdb(error, space.path) from error
                    time.sleep(READER_WAIT_SECONDS)
            except lmdb.Error as error:
                space.gate.leave()
                raise faults.of_lmdb(error, space.path) from error
            else:
                return self._txn

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._txn.abort()
        self._space.gate.leave()
        if isinstance(error, lmdb.Error):
            raise faults.of_lmdb(error, self._space.path) from error


_registry: Registry[Space] = Registry()


def acquire(path: Path, *, read_only: bool, durability: str, map_bytes: int = MAP_BYTES) -> Space:
    """The space of the store at `path`, opened now or shared; release it when done.

    Raises:
        NotAStoreError, FormatVersionError: not a store that this version can open.
        StorageError: no permission, too many readers, forked in the middle of a write.
    """
    if durability not in DURABILITIES:
        raise InvalidInputError(f"durability is one of {', '.join(DURABILITIES)}")
    files.expect_store(path)
    with _registry.lock:
        try:
            key = files.identity(path)
            _bury(key)
            space = _registry.spaces.get(key)
            if space is None:
                space = Space(path, read_only=read_only, durability=durability, map_bytes=map_bytes)
                _registry.spaces[files.identity(path)] = space
            elif space.read_only and not read_only:
                with space.writer:
                    space.reopen(read_only=False, durability=durability)
        except (lmdb.Error, OSError) as error:
            raise faults.of_either(error, str(path)) from error
        space.users += 1
        return space


def _bury(key: tuple[int, int]) -> None:
    """Let go of what a forked parent had open, so that this process can open the file.

    Never close it: that would clear the parent's slots among the readers. Its last
    reference gone, py-lmdb forgets it without touching the file.
    """
    space = _registry.inherited.get(key)
    if space is None:
        return
    if space.gate.inside or space.writer.locked():
        msg = f"{space.path} was in use by another OS thread during the fork: spawn instead"
        raise StorageError(msg, path=space.path)
    del space.env, space.tables
    del _registry.inherited[key]
