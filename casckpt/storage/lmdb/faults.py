"""LMDB's errors in this package's words.

Invariants: CorruptError only for bytes that are wrong, never for a full disk, a missing
permission or misuse; every StorageError names the path and says what to do.

Imports: lmdb, errors.
"""

from __future__ import annotations

import errno
import os

import lmdb

from casckpt.errors import (
    CasckptError,
    ClosedError,
    CorruptError,
    FormatVersionError,
    NotAStoreError,
    StorageError,
)

__all__ = ["is_full", "of_either", "of_lmdb", "of_os"]

_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.CursorFullError,
    lmdb.PageFullError,
    lmdb.IncompatibleError,
    lmdb.BadTxnError,  # what LMDB says from the second time on
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOTHING_BYTES = 1 << 16
"""With so little left, a disk is full."""
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def of_lmdb(error: lmdb.Error, path: str) -> CasckptError:
    """What to raise instead of an LMDB error."""
    if isinstance(error, _DAMAGE):
        return CorruptError(f"{path}: a page of the file is damaged ({error}); run fsck", path=path)
    if isinstance(error, lmdb.VersionMismatchError) or "data format" in str(error):
        msg = f"{path}: written by another version of LMDB; open it with what wrote it"
        return FormatVersionError(msg, path=path)
    if isinstance(error, lmdb.InvalidError):
        return NotAStoreError(f"{path} is not a casckpt store: not an LMDB file", path=path)
    if isinstance(error, lmdb.ReadersFullError):
        msg = f"{path}: too many readers at once; close some processes that use the store"
        return StorageError(msg, path=path)
    if isinstance(error, lmdb.MapFullError | lmdb.MemoryError):
        msg = f"{path}: the file cannot be mapped larger: raise the address space limit (ulimit -v)"
        return StorageError(msg, path=path)
    number = _number(error)
    if number is not None:
        return of_os(OSError(number, str(error)), path)
    if "closed" in str(error):
        return ClosedError(f"{path} is closed: open it again", path=path)
    return StorageError(f"{path}: LMDB failed: {error}", path=path)


def _number(error: lmdb.Error) -> int | None:
    """The operating system's error number inside an LMDB error, if there is one."""
    code = getattr(error, "code", 0)
    if isinstance(code, int) and code > 0:
        return code
    text = str(error)
    for number in _FULL | _FORBIDDEN | {errno.EIO, errno.ENOENT, errno.ENOLCK, errno.EAGAIN}:
        if _strerror(number) in text:
            return number
    return None


def _strerror(number: int) -> str:
    return os.strerror(number)


def of_either(error: lmdb.Error | OSError, path: str) -> CasckptError:
    """What to raise instead of one or the other."""
    return of_os(error, path) if isinstance(error, OSError) else of_lmdb(error, path)


def is_full(error: OSError) -> bool:
    """Whether it tells of a disk, quota or limit that leaves no room."""
    return error.errno in _FULL


def _is_used_up(path: str) -> bool:
    try:
        disk = os.statvfs(path)
    except (AttributeError, OSError):  # nobody can tell
        return False
    return disk.f_bavail * disk.f_frsize < _NOTHING_BYTES


def of_os(error: OSError, path: str) -> StorageError:
    """What to raise instead of an operating system's error."""
    number = error.errno
    if number == errno.EIO and _is_used_up(path):
        number = errno.ENOSPC  # what LMDB makes of a write that the disk took a part of
    if number in _FULL:
        msg = f"{path}: the disk (or quota) is full; free some space and try again"
    elif number in _FORBIDDEN:
        msg = f"{path}: not permitted ({error.strerror}); check owner and mode, or open read-only"
    elif number == errno.ENOENT:
        msg = f"{path}: no such directory; create its parent first"
    elif number == errno.ENOTDIR:
        msg = f"{path}: a part of the path is a file, not a directory"
    elif number in {errno.ENOLCK, errno.EAGAIN}:
        msg = f"{path}: the lock file cannot be locked; network file systems are not supported"
    else:
        msg = f"{path}: the disk or file system failed ({error.strerror})"
    return StorageError(msg, path=path, errno=number)
