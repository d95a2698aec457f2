"""Every error casckpt raises on purpose, grouped by what a handler would do about it.

::

    CasckptError
    ├── InvalidInputError (ValueError)       fix the call
    │   ├── UnsupportedValueError (TypeError)    a value that cannot be stored exactly
    │   └── LimitError                           a value or a request over a stated limit
    ├── NotFoundError (KeyError)             ask for something that exists
    │   └── PrunedError                          it did exist: pruned or collected
    ├── ConflictError                        someone was first: read again, then retry or choose
    ├── CorruptError                         bytes that break the format: run fsck
    ├── StoreFileError                       wrong file: nothing was touched
    │   ├── NotAStoreError
    │   └── FormatVersionError               upgrade casckpt, or open with what wrote it
    ├── StorageError                         disk, map, lock, permission: operations' business
    └── ClosedError                          the store was closed, or crossed an OS fork

`CorruptError` is a promise: it is never raised for a full disk, a missing permission or
misuse. Each class has a stable `code` (codes are only ever added).

Imports: the standard library only.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CasckptError",
    "ClosedError",
    "ConflictError",
    "CorruptError",
    "FormatVersionError",
    "InvalidInputError",
    "LimitError",
    "NotAStoreError",
    "NotFoundError",
    "PrunedError",
    "StorageError",
    "StoreFileError",
    "UnsupportedValueError",
]


class CasckptError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: stable, machine-readable name of the kind of error.
        details: JSON-able facts (paths, names, ids) for programs; the message is for people.
    """

    code = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        # KeyError would print repr(message); every class here prints the message itself.
        return self.message


class InvalidInputError(CasckptError, ValueError):
    """The call cannot be carried out as written; the message says what to write instead."""

    code = "invalid-input"


class UnsupportedValueError(InvalidInputError, TypeError):
    """A value that casckpt cannot store exactly; `details` has `path` and `type`."""

    code = "unsupported-value"


class LimitError(InvalidInputError):
    """A value or request over a limit of docs/format.md (depth, size, count)."""

    code = "limit"


class NotFoundError(CasckptError, KeyError):
    """No such thread, revision, path or object; `details` may hold `candidates`."""

    code = "not-found"


class PrunedError(NotFoundError):
    """It existed, but a retention policy or gc has removed it."""

    code = "pruned"


class ConflictError(CasckptError):
    """The head is not the one expected: `details` has `expected` and `actual` (hex or None). Or a
    key is taken: `details` has `key`, and the `existing` checkpoint's id.
    """

    code = "conflict"


class CorruptError(CasckptError):
    """Stored bytes that break docs/format.md; `details` names the object where known."""

    code = "corrupt"


class StoreFileError(CasckptError):
    """The path does not hold a store that this version can open; it was left untouched."""

    code = "store-file"


class NotAStoreError(StoreFileError):
    """Not a casckpt store."""

    code = "not-a-store"


class FormatVersionError(StoreFileError):
    """A store of a newer format, or with parameters this version does not know."""

    code = "format-version"


class StorageError(CasckptError):
    """The engine failed: disk or map full, permission, lock, read-only. The store is as before."""

    code = "storage"


class ClosedError(CasckptError):
    """The store has been closed, or was opened in another process before an OS fork."""

    code = "closed"
