"""casckpt: a content-addressed, git-like checkpoint store for the state of Python agents.

::

    import casckpt

    store = casckpt.open("agents.casckpt")
    run = store.thread("support/alice")
    run.save({"messages": [], "step": 0}, label="planned")
    state = run.load()

This is the front door: names, no logic.

Imports: errors, path, checkpoint, event, history (Retention), opening, prune, salvaging, store, thread, tree, values.
"""

from casckpt.checkpoint import Checkpoint, Pruned
from casckpt.errors import (
    CasckptError,
    ClosedError,
    ConflictError,
    CorruptError,
    FormatVersionError,
    InvalidInputError,
    LimitError,
    NotAStoreError,
    NotFoundError,
    PrunedError,
    StorageError,
    StoreFileError,
    UnsupportedValueError,
)
from casckpt.event import Event
from casckpt.history.retention import Retention
from casckpt.listed import Move, ThreadInfo
from casckpt.opening import open_store as open  # noqa: A004 - casckpt.open is the point
from casckpt.path import format_path, parse_path
from casckpt.prune import PruneReport, Verdict
from casckpt.salvaging import salvage_store as salvage
from casckpt.store import Store
from casckpt.thread import Thread
from casckpt.tree.change import Change
from casckpt.tree.diff import Diff
from casckpt.tree.stream import Stream
from casckpt.values import Record, Snapshotable

__all__ = [
    "CasckptError",
    "Change",
    "Checkpoint",
    "ClosedError",
    "ConflictError",
    "CorruptError",
    "Diff",
    "Event",
    "FormatVersionError",
    "InvalidInputError",
    "LimitError",
    "Move",
    "NotAStoreError",
    "NotFoundError",
    "PruneReport",
    "Pruned",
    "PrunedError",
    "Record",
    "Retention",
    "Snapshotable",
    "StorageError",
    "Store",
    "StoreFileError",
    "Stream",
    "Thread",
    "ThreadInfo",
    "UnsupportedValueError",
    "Verdict",
    "format_path",
    "open",
    "parse_path",
    "salvage",
]

__version__ = "0.1.0"
