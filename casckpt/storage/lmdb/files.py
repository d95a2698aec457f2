"""A store's directory: how it is made, and how it is recognised.

A store is a directory with LMDB's `data.mdb` and `lock.mdb` in it. It is made in a
directory inside it, `.new-*`, synced there, and comes into being by one hard link
(`data.mdb`): whatever happens before that leaves nothing that opens, and of two makers one
wins.

Invariants: nothing is created unless asked for; a file that is not ours is not touched.

Imports: lmdb, errors, faults, tables.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import lmdb

from casckpt.errors import NotAStoreError, StorageError
from casckpt.storage.lmdb import faults, tables

__all__ = [
    "DATA",
    "LOCK",
    "create",
    "expect_same",
    "expect_store",
    "identity",
    "seize",
    "settle_lock",
    "size",
    "swap",
]

DATA: Final = "data.mdb"
LOCK: Final = "lock.mdb"
_NEW: Final = ".new-"
_MAGIC: Final = b"\xde\xc0\xef\xbe"
"""LMDB's magic, little-endian; it stands at byte 16 (engine 0.9) or 24 (engine 1.0)."""
_NEW_MAP_BYTES: Final = 1 << 20
_LOCK_BYTES: Final = 8192
"""Of LMDB's lock file, for `environment.READERS_MAX` readers."""
_LOCK_BYTES_MIN: Final = 4096
"""Of it, those that are used whenever a store is opened."""


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of the data file: one file has one open environment a process."""
    stat = (path / DATA).stat()
    return stat.st_dev, stat.st_ino


def expect_same(data: str, opened: tuple[int, int]) -> None:
    """Refuse to write to a file that nobody will find: it is not where it was opened.

    Raises:
        StorageError: it was deleted, moved or replaced.
    """
    try:
        stat = Path(data).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:  # this process may no longer look there; that says nothing
        return
    else:
        if (stat.st_dev, stat.st_ino) == opened:
            return
    raise _gone(Path(data).parent)


def _gone(path: Path) -> StorageError:
    msg = f"{path} was deleted, moved or replaced while it was open: close it and open it again"
    return StorageError(msg, path=str(path), gone=True)


def size(path: Path) -> int:
    """Bytes of the data file of a store that is open.

    Raises:
        StorageError: it is gone, or the disk fails.
    """
    try:
        return (path / DATA).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise _gone(path) from None
    except OSError as error:
        raise faults.of_os(error, str(path)) from error


def expect_store(path: Path) -> None:
    """Refuse what cannot be a store, without touching it.

    Raises:
        NotAStoreError: nothing there, or something else.
        StorageError: not readable.
    """
    data = path / DATA
    try:
        with data.open("rb") as file:
            head = file.read(32)
    except (FileNotFoundError, NotADirectoryError):
        what = "is not a casckpt store" if path.exists() else "does not exist"
        raise NotAStoreError(f"{path} {what}; create one there first", path=str(path)) from None
    except OSError as error:
        raise faults.of_os(error, str(path)) from error
    if _MAGIC not in {head[16:20], head[24:28]}:
        raise NotAStoreError(f"{path} is not a casckpt store: not an LMDB file", path=str(path))


def create(path: Path, header: bytes, *, lib_version: int = 0) -> None:
    """Make an empty store, unless there is one.

    Args:
        path: a directory that is empty or does not exist; its parent must exist.
        header: the blob that `Engine.header` will return.
        lib_version: LMDB's engine: 0 for 0.9 (its default), 1 for 1.0.

    Raises:
        NotAStoreError: a file, or a directory with something else in it.
        StorageError: no parent, no permission, disk full.
    """
    try:
        try:
            path.mkdir(exist_ok=True)
        except FileExistsError:
            raise NotAStoreError(f"{path} is a file, not a store", path=str(path)) from None
        if (path / DATA).exists():
            return
        # Others may be making the same store at this moment.
        if any(not entry.name.startswith((_NEW, DATA, LOCK)) for entry in path.iterdir()):
            msg = f"{path} is not a casckpt store, and not empty: choose another directory"
            raise NotAStoreError(msg, path=str(path))
        workshop = Path(tempfile.mkdtemp(prefix=_NEW, dir=path))
        try:
            _fill(workshop, header, lib_version)
            _bring_out(workshop / DATA, path / DATA)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        _sync_directory(path)
        _sync_directory(path.parent)
    except lmdb.Error as error:
        raise faults.of_lmdb(error, str(path)) from error
    except OSError as error:
        raise faults.of_os(error, str(path)) from error


def _bring_out(new: Path, place: Path) -> None:
    """Give the file its name, unless somebody else was first."""
    try:
        os.link(new, place)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not place.exists():
            new.rename(place)


def settle_lock(path: str) -> None:
    """See to it that the lock file has its place on the disk.

    LMDB makes it by its length only, and maps it: where the disk is full, the first write to
    such a page ends the process. This process must not have the store open: see `seize`.

    Raises:
        OSError: the disk is full.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    lock = Path(path) / LOCK
    try:
        if lock.exists() and lock.stat().st_blocks:
            return  # not opened: to close it again would end the locks of `seize`
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if faults.is_full(error):
            raise
        return  # not permitted, say: LMDB will tell
    try:
        os.posix_fallocate(handle, 0, _LOCK_BYTES)
    except OSError as error:
        if faults.is_full(error):  # else there is no such call here
            os.posix_fallocate(handle, 0, _LOCK_BYTES_MIN)
    finally:
        os.close(handle)


def _fill(workshop: Path, header: bytes, lib_version: int) -> None:
    settle_lock(str(workshop))
    env = lmdb.open(
        os.fsencode(workshop),
        map_size=_NEW_MAP_BYTES,
        max_dbs=tables.COUNT_MAX,
        mode=0o666,
        create=True,
        lib_version=lib_version,
    )
    try:
        tables.create(env, header)
    finally:
        env.close()


def seize(path: Path) -> int | None:
    """Lock a store's lock file as LMDB does before it makes that file anew: alone.

    This process must not have the store open. Who opens it waits until the file that is
    returned is closed; closing it ends every lock this process has on the lock file.

    Raises:
        StorageError: another process has the store open.
    """
    try:
        import fcntl
    except ImportError:  # Windows: there, a file that somebody has open cannot be replaced
        return None
    try:
        handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, os.SEEK_SET)
        except BlockingIOError:
            os.close(handle)
            msg = f"{path} is open in another process: close it there first"
            raise StorageError(msg, path=str(path), busy=True) from None
        except OSError:
            os.close(handle)
            raise
    except OSError as error:
        raise faults.of_os(error, str(path)) from error
    return handle


def swap(new: Path, path: Path) -> None:
    """Put a new data file in the place of the old one, to stay."""
    try:
        new.replace(path / DATA)
        _sync_directory(path)
    except OSError as error:
        raise faults.of_os(error, str(path)) from error


def _sync_directory(path: Path) -> None:
    """Make a new entry of a directory survive power loss; where that exists."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
