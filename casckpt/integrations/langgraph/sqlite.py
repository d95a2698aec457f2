"""The database of LangGraph's SqliteSaver and AsyncSqliteSaver, read and never written.

Each question is one short statement, so a graph that goes on writing there is not kept
waiting, nor its log from being folded in; each answer is of one moment.

Invariants: the database is opened read-only. Nothing is decoded here.

Imports: errors, sqlite3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from casckpt.errors import InvalidInputError, NotFoundError, StorageError

__all__ = ["Link", "SqliteSource", "StoredCheckpoint", "StoredWrite"]

_WAIT_SECONDS: Final = 30.0
_NEEDED: Final = {
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "parent_checkpoint_id",
    "type",
    "checkpoint",
    "metadata",
}
_WRITES_NEEDED: Final = {
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "task_id",
    "idx",
    "channel",
    "type",
    "value",
}
_WRITES: Final = (
    "SELECT task_id, task_path, idx, channel, type, value FROM writes"
    " WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY task_id, idx"
)


class Link(NamedTuple):
    """A checkpoint and its parent."""

    checkpoint_id: str
    parent_id: str | None


class StoredCheckpoint(NamedTuple):
    """A row of the table `checkpoints`."""

    parent_id: str | None
    type: str
    checkpoint: bytes
    metadata: bytes | None


class StoredWrite(NamedTuple):
    """A row of the table `writes`."""

    task_id: str
    task_path: str
    place: int
    channel: str
    type: str
    value: bytes


class SqliteSource:
    """An open database. Close it, or use `with`."""

    def __init__(self, path: str | Path) -> None:
        """Open it.

        Raises:
            NotFoundError: no such file.
            InvalidInputError: not a database of LangGraph's, or one of another version.
            StorageError: it cannot be read.
        """
        self._path = Path(path)
        if not self._path.is_file():
            raise NotFoundError(f"no such file: {path}", path=str(path))
        self._connection = self._connect()
        try:
            with self._errors():
                self._check()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        name = self._path.absolute().as_uri()
        connection = sqlite3.connect(
            f"{name}?mode=ro", uri=True, timeout=_WAIT_SECONDS, check_same_thread=False
        )
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:
            # SQLite wants to lay a file beside one in WAL mode, and may not: then nobody
            # else writes there, unless the log is there already.
            connection.close()
            log = self._path.with_name(self._path.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise StorageError(f"{self._path} cannot be read: is its folder open?") from None
            return sqlite3.connect(f"{name}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        except sqlite3.DatabaseError:
            pass  # `_check` says it
        return connection

    def _check(self) -> None:
        columns = self._columns("checkpoints")
        if not columns:
            raise InvalidInputError(f"{self._path} holds no checkpoints of LangGraph's SqliteSaver")
        writes = self._columns("writes")
        missing = _NEEDED - columns or (_WRITES_NEEDED - writes if writes else set())
        if missing:
            old = " (LangGraph 0.1, pickled)" if "thread_ts" in columns else ""
            raise InvalidInputError(
                f"{self._path} is of another version of SqliteSaver{old}: it lacks the columns "
                f"{', '.join(sorted(missing))}; supported are those of langgraph-checkpoint-sqlite"
                " 1, 2 and 3"
            )
        self._writes = bool(writes)
        self._query = _WRITES if "task_path" in writes else _WRITES.replace("task_path", "''")

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(f"{self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise InvalidInputError(f"{self._path}: {error}") from error

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(query, values).fetchall()

    # --- questions ---------------------------------------------------------------------------

    def count(self) -> int:
        """How many checkpoints there are."""
        count: int = self._rows("SELECT count(*) FROM checkpoints")[0][0]
        return count

    def spaces(self) -> list[tuple[str, str]]:
        """Threads and their namespaces, those that only have writes too."""
        query = "SELECT DISTINCT thread_id, checkpoint_ns FROM checkpoints"
        if self._writes:
            query += " UNION SELECT DISTINCT thread_id, checkpoint_ns FROM writes"
        return [(str(row[0]), str(row[1])) for row in self._rows(f"{query} ORDER BY 1, 2")]

    def links(self, thread_id: str, checkpoint_ns: str) -> list[Link]:
        """The checkpoints of a namespace, smallest id first."""
        rows = self._rows(
            "SELECT checkpoint_id, parent_checkpoint_id FROM checkpoints"
            " WHERE thread_id = ? AND checkpoint_ns = ?",
            *(thread_id, checkpoint_ns),
        )
        links = [Link(str(row[0]), None if not row[1] else str(row[1])) for row in rows]
        return sorted(links, key=lambda link: link.checkpoint_id.encode("utf-8", "surrogatepass"))

    def checkpoint(
        self, thread_id: str, checkpoint_ns: str, checkpoint_id: str
    ) -> StoredCheckpoint | None:
        """One checkpoint; None if it is gone."""
        rows = self._rows(
            "SELECT parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints"
            " WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            *(thread_id, checkpoint_ns, checkpoint_id),
        )
        for parent_id, type_, checkpoint, metadata in rows:
            return StoredCheckpoint(parent_id or None, type_, checkpoint, metadata)
        return None

    def writers(self, thread_id: str, checkpoint_ns: str) -> list[str]:
        """The ids of checkpoints, there or not, after which something was written."""
        if not self._writes:
            return []
        rows = self._rows(
            "SELECT DISTINCT checkpoint_id FROM writes WHERE thread_id = ? AND checkpoint_ns = ?",
            *(thread_id, checkpoint_ns),
        )
        return [str(row[0]) for row in rows]

    def writes(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> list[StoredWrite]:
        """What tasks wrote after a checkpoint, by task and index."""
        if not self._writes:
            return []
        rows = self._rows(
            self._query,
            *(thread_id, checkpoint_ns, checkpoint_id),
        )
        return [StoredWrite(*row) for row in rows]

    # --- closing -----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the database; twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
