"""Importing: the threads of another saver's database, checkpoint by checkpoint.

Values go over raw (`raw`): opened as a put opens them, but no object is built and no class is
imported for it. A checkpoint that is there already is left alone, so an import can be run
again, after a kill or once more before moving over.

Invariants: the source is only read; nothing is written if a thread's name is taken by one that
LangGraph has not saved. Parents go before children. Verifying reads back what is stored and
compares the bytes that a serializer would be given, so it holds for values of any type.

Imports: errors, history (ledger, times), langgraph.checkpoint, store, integrations.langgraph
(catalogue, forms, given, keys, proofs, putting, raw, sqlite, verifying).
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from langgraph.checkpoint.serde.base import SerializerProtocol

from casckpt.errors import CasckptError, ConflictError
from casckpt.history.times import to_ns
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.catalogue import Catalogue, Row, TaskWrites
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.given import NewCheckpoint, NewWrites
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.proofs import Proofs
from casckpt.integrations.langgraph.putting import Putter
from casckpt.integrations.langgraph.raw import RawSerializer, raw
from casckpt.integrations.langgraph.sqlite import Link, SqliteSource, StoredWrite
from casckpt.integrations.langgraph.verifying import is_same, same_checkpoint
from casckpt.store import Store

__all__ = ["ImportReport", "import_sqlite"]


class ImportReport(NamedTuple):
    """What an import found, brought over and compared."""

    threads: int
    """LangGraph threads in the source."""
    checkpoints: int
    """Checkpoints in the source, those below included."""
    imported: int
    """Brought over now."""
    present: int
    """Were there already, and were left as they are."""
    writes: int
    """Pending writes in the source, of checkpoints that are gone too; all are there now."""
    equal: int | None
    """Read back and found equal; None: not asked for."""
    different: tuple[str, ...]
    """Not equal to the source: thread, namespace and id of each."""
    unreadable: tuple[str, ...]
    """Not brought over, because the serializer cannot read them: which, and why."""


def import_sqlite(
    store: Store,
    path: str | Path,
    *,
    prefix: str = "",
    verify: bool = True,
    serde: SerializerProtocol | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ImportReport:
    """Take over all that LangGraph's SqliteSaver keeps in a file; the file is only read.

    Args:
        store: where to.
        path: the database; it may be in use.
        prefix: put before every thread id.
        verify: read each checkpoint back and compare it with the source.
        serde: the serializer that the database was written with, if it was not LangGraph's own.
        progress: called with a word, how many checkpoints are done, and of how many.

    Raises:
        NotFoundError: no such file.
        InvalidInputError: no database of SqliteSaver, or one of another version.
        ConflictError: a thread of that name is there that LangGraph has not saved; nothing
            was written.
        StorageError: one of the two cannot be read or written.
    """
    with SqliteSource(path) as source:
        return _Importer(store, source, prefix, serde, verify=verify).run(progress)


class _Content(NamedTuple):
    """A checkpoint of the source, raw."""

    link: Link
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    tasks: tuple[_Task, ...]


class _Task(NamedTuple):
    task_id: str
    task_path: str
    writes: tuple[tuple[int, str, Any], ...]


class _Importer:
    def __init__(
        self,
        store: Store,
        source: SqliteSource,
        prefix: str,
        serde: SerializerProtocol | None,
        *,
        verify: bool,
    ) -> None:
        self._ledger = store._ledger  # noqa: SLF001 - of the same family
        self._source = source
        self._prefix = prefix
        self._serde = serde
        self._verify = verify
        self._catalogue = Catalogue(self._ledger)
        self._putter = Putter(self._ledger, self._catalogue, Proofs())
        self._forms = Forms(RawSerializer(), opens=True)
        self._imported = self._present = self._writes = self._equal = 0
        self._different: list[str] = []
        self._unreadable: list[str] = []
        # Of the checkpoint put last: its id, and the bytes of its channels.
        self._last: tuple[str, dict[str, tuple[str, bytes]]] | None = None

    def run(self, progress: Callable[[str, int, int], None] | None) -> ImportReport:
        """Bring all over."""
        spaces = self._source.spaces()
        total, done = self._source.count(), 0
        for thread_id, checkpoint_ns in spaces:
            self._check_free(self._space(thread_id, checkpoint_ns))
        for thread_id, checkpoint_ns in spaces:
            for _ in self._thread(thread_id, checkpoint_ns):
                done += 1
                if progress is not None:
                    progress("importing", done, max(total, done))
        return ImportReport(
            threads=len({thread_id for thread_id, _ in spaces}),
            checkpoints=done,
            imported=self._imported,
            present=self._present,
            writes=self._writes,
            equal=self._equal if self._verify else None,
            different=tuple(self._different),
            unreadable=tuple(self._unreadable),
        )

    def _space(self, thread_id: str, checkpoint_ns: str) -> Space:
        return keys.space(self._prefix + thread_id, checkpoint_ns)

    def _check_free(self, space: Space) -> None:
        head = self._ledger.head(space.name)
        if head is None or self._catalogue.has_rows(space) or self._catalogue.inherited(space):
            return
        raise ConflictError(
            f"there is a thread {space.name!r} that LangGraph has not saved: choose another prefix",
            expected=None,
            actual=head.id.hex(),
            thread=space.name,
        )

    def _thread(self, thread_id: str, checkpoint_ns: str) -> Iterator[None]:
        """Bring over one namespace of a thread; yields after each checkpoint."""
        space, where = self._space(thread_id, checkpoint_ns), (thread_id, checkpoint_ns)
        self._last = None
        links = _parents_first(self._source.links(*where))
        # Writes go first: where a checkpoint is, what was written after it is, too.
        for id in sorted({*self._source.writers(*where)}.difference(x[0] for x in links)):
            try:
                self._put_tasks(space, id, self._tasks(where, id), ())
            except Exception as error:  # noqa: BLE001 - as below
                self._fail(space, id, error)
        for link in links:
            try:
                content = self._content(where, link)
                if content is not None:
                    self._one(space, content)
            except CasckptError:
                raise  # ours: the disk, the store
            except Exception as error:  # noqa: BLE001 - whatever a serializer raises
                self._fail(space, link.checkpoint_id, error)
            yield

    def _fail(self, space: Space, id: str, error: Exception) -> None:
        if isinstance(error, CasckptError):
            raise error
        self._unreadable.append(f"{_spelled(space, id)}: {type(error).__name__}: {error}")

    def _content(self, where: tuple[str, str], link: Link) -> _Content | None:
        stored = self._source.checkpoint(*where, link.checkpoint_id)
        if stored is None:
            return None  # deleted while we read
        checkpoint = raw(stored.type, stored.checkpoint, self._serde)
        if type(checkpoint) is not dict or checkpoint.get("id") != link.checkpoint_id:
            raise ValueError("not a checkpoint of this id")
        metadata = {} if stored.metadata is None else json.loads(stored.metadata)
        tasks = self._tasks(where, link.checkpoint_id)
        return _Content(link._replace(parent_id=stored.parent_id), checkpoint, metadata, tasks)

    def _tasks(self, where: tuple[str, str], id: str) -> tuple[_Task, ...]:
        tasks: dict[str, list[StoredWrite]] = {}
        for write in self._source.writes(*where, id):
            tasks.setdefault(write.task_id, []).append(write)
        return tuple(
            _Task(
                task_id,
                writes[0].task_path,
                tuple((w.place, w.channel, raw(w.type, w.value, self._serde)) for w in writes),
            )
            for task_id, writes in tasks.items()
        )

    def _one(self, space: Space, content: _Content) -> None:
        id = content.link.checkpoint_id
        row = self._catalogue.row(space, id)
        self._put_tasks(space, id, content.tasks, () if row is None else self._there(row))
        if row is None:
            self._put(space, content)
            self._imported += 1
        else:
            self._present += 1
        if self._verify:
            self._compare(space, content)

    def _there(self, row: Row) -> list[TaskWrites]:
        return self._catalogue.tasks(row.tasks)

    def _put(self, space: Space, content: _Content) -> None:
        id, parent_id = content.link
        values = content.checkpoint.get("channel_values", {})
        bytes_ = {name: self._forms.serde.dumps_typed(value) for name, value in values.items()}
        before = self._last[1] if self._last is not None and self._last[0] == parent_id else {}
        new = {name: True for name, typed in bytes_.items() if before.get(name) != typed}
        made = _time_ns(content.checkpoint.get("ts"), self._ledger.clock())
        checkpoint = {**content.checkpoint, "channel_values": values}
        put = NewCheckpoint(space, parent_id, checkpoint, content.metadata, new, made)
        self._putter.put(put, self._forms)
        self._last = id, bytes_

    def _put_tasks(
        self, space: Space, id: str, tasks: Sequence[_Task], there: Sequence[TaskWrites]
    ) -> None:
        known = {task.task_id: task for task in there}
        for task in tasks:
            self._writes += len(task.writes)
            old = known.get(task.task_id)
            if old is not None and is_same_task(self._forms, old, task):
                continue
            self._putter.put_writes(NewWrites(space, id, *task, replace=True), self._forms)

    def _compare(self, space: Space, content: _Content) -> None:
        id = content.link.checkpoint_id
        row = self._catalogue.row(space, id)
        tasks = {} if row is None else {task.task_id: task for task in self._there(row)}
        same = (
            row is not None
            and row.parent_id == content.link.parent_id
            and same_checkpoint(
                *(self._ledger, self._catalogue, self._forms, row),
                *(content.checkpoint, content.metadata),
            )
            and len(tasks) == len(content.tasks)
            and all(
                task.task_id in tasks and is_same_task(self._forms, tasks[task.task_id], task)
                for task in content.tasks
            )
        )
        if same:
            self._equal += 1
        else:
            self._different.append(_spelled(space, id))


def is_same_task(forms: Forms, stored: TaskWrites, task: _Task) -> bool:
    """Whether what a task wrote is stored as it is in the source."""
    return (
        stored.task_path == task.task_path
        and [w[:2] for w in stored.writes] == [w[:2] for w in task.writes]
        and all(
            is_same(forms, old[2], new[2])
            for old, new in zip(stored.writes, task.writes, strict=True)
        )
    )


def _spelled(space: Space, id: str) -> str:
    ns = f" {space.checkpoint_ns}" if space.checkpoint_ns else ""
    return f"{space.thread_id}{ns} {id}"


def _time_ns(ts: Any, now_ns: int) -> int:
    """When a checkpoint says that it was made; it cannot have been later than now."""
    try:
        moment = datetime.fromisoformat(ts)
    except (TypeError, ValueError):
        return now_ns
    made_ns = to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC), "ts")
    return now_ns if made_ns is None else max(0, min(made_ns, now_ns))


def _parents_first(links: list[Link]) -> list[Link]:
    """The same links, by id as far as parents come first; circles last."""
    known = {link.checkpoint_id: link for link in links}
    children: dict[str, list[Link]] = {}
    ready: list[tuple[bytes, str]] = []

    def add(link: Link) -> None:
        heapq.heappush(
            ready, (link.checkpoint_id.encode("utf-8", "surrogatepass"), link.checkpoint_id)
        )

    for link in links:
        if link.parent_id in known:
            children.setdefault(link.parent_id, []).append(link)
        else:
            add(link)
    order: dict[str, Link] = {}
    while ready:
        _, id = heapq.heappop(ready)
        order[id] = known[id]
        for child in children.get(id, ()):
            add(child)
    return [*order.values(), *(link for link in links if link.checkpoint_id not in order)]
