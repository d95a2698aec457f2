"""Exit codes: one fixed number for each kind of outcome, so that scripts can branch on it.

Invariants: every class of `casckpt.errors` has a number; numbers are never given a new
meaning (docs/cli.md has the table, and a test compares the two).

Imports: nothing of the package; errors are told apart by their stable `code`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BUG", "BY_CODE", "DIFFERENT", "INTERRUPTED", "MEANINGS", "OK", "PIPE_CLOSED", "USAGE"]

OK: Final = 0
DIFFERENT: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
CONFLICT: Final = 4
CORRUPT: Final = 5
STORAGE: Final = 6
STORE_FILE: Final = 7
CLOSED: Final = 8
BUG: Final = 70
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

MEANINGS: Final[dict[int, str]] = {
    OK: "done",
    DIFFERENT: "differences found (only with --exit-code)",
    USAGE: "wrong usage, or a value that cannot be stored",
    NOT_FOUND: "no such store, thread, revision or path; or it was pruned",
    CONFLICT: "someone was first: the head moved, or the name is taken",
    CORRUPT: "damaged bytes in the store, or in a bundle",
    STORAGE: "disk or map full, permission, lock, read-only",
    STORE_FILE: "not a store, or one of a newer version",
    CLOSED: "the store was closed",
    BUG: "a bug in casckpt",
    INTERRUPTED: "interrupted (Ctrl-C)",
    PIPE_CLOSED: "the reader of the output went away",
}

BY_CODE: Final[dict[str, int]] = {
    "error": BUG,
    "usage": USAGE,
    "invalid-input": USAGE,
    "unsupported-value": USAGE,
    "limit": USAGE,
    "not-found": NOT_FOUND,
    "pruned": NOT_FOUND,
    "conflict": CONFLICT,
    "corrupt": CORRUPT,
    "storage": STORAGE,
    "store-file": STORE_FILE,
    "not-a-store": STORE_FILE,
    "format-version": STORE_FILE,
    "closed": CLOSED,
}
