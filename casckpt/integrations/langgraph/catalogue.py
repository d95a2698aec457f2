"""The catalogue: which checkpoints and pending writes a LangGraph thread has.

One ref for each, and one more where it is of a run (see `keys`). So a checkpoint is found by the caller's id in one look-up; the
newest of a thread, and any page of its list, in one short scan; whatever has a row stays until
it is deleted, abandoned branches too; and a row changes in the same commit as what it is about.

The ref of a checkpoint points at its record and says, as its info, `[thread id, namespace,
parent's id or null, run id or null]`. That of a task points at a value
`{"task_id", "task_path", "writes": [[index, channel, value], ...]}`.

A thread forked by casckpt itself has no rows yet: what it inherited is read from its history.
The first put gives it rows of its own (`adopt`).

Invariants: nothing is remembered between calls, so many processes see the same; no transaction
is open between two rows.

Imports: errors, ids, format (cbor, constants), history (ancestry, ledger, states), storage
(engine interface), tree.read, integrations.langgraph (keys, taking).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from casckpt.errors import ConflictError, CorruptError, PrunedError
from casckpt.format import cbor
from casckpt.format.constants import KIND_VALUE
from casckpt.format.records import CheckpointRecord
from casckpt.history.ledger import Ledger
from casckpt.history.states import load_meta, view
from casckpt.ids import ObjectId
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.taking import settle, take
from casckpt.storage.engine import Ref, RefUpdate
from casckpt.tree.read import Loader

__all__ = ["FACTS", "Catalogue", "Row", "TaskWrites"]

FACTS: Final = "langgraph"
"""Where a record's meta has what belongs to LangGraph's checkpoint, and not to its metadata."""
_PAGE: Final = 16
_PAGE_MAX: Final = 1_024


class Row(NamedTuple):
    """One checkpoint of a space, with where its pending writes are."""

    space: Space
    checkpoint_id: str
    record: ObjectId
    parent_id: str | None
    run_id: str | None
    tasks: tuple[ObjectId, ...] = ()

    def updates(self, space: Space | None = None) -> list[RefUpdate]:
        """The refs of this row, in its own space or another."""
        space = space or self.space
        info = cbor.encode_plain([
            *(space.thread_id, space.checkpoint_ns, self.parent_id, self.run_id)
        ])  # fmt: skip
        return [RefUpdate(name, self.record, info=info) for name in self._names(space)]

    def removals(self) -> list[RefUpdate]:
        """What removes it."""
        return [RefUpdate(name, None) for name in self._names(self.space)]

    def _names(self, space: Space) -> list[str]:
        name = space.checkpoint(self.checkpoint_id)
        return [name] if not self.run_id else [name, space.of_run(self.run_id, self.checkpoint_id)]


class TaskWrites(NamedTuple):
    """What one task wrote after a checkpoint, as it is stored."""

    task_id: str
    task_path: str
    writes: tuple[tuple[int, str, Any], ...]
    """Index, channel, stored form of the value; by index."""

    def value(self) -> dict[str, Any]:
        """The value that is stored."""
        writes = [list(write) for write in self.writes]
        return {"task_id": self.task_id, "task_path": self.task_path, "writes": writes}


class Catalogue:
    """The rows of one store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # --- spaces ------------------------------------------------------------------------------

    def spaces(self, thread_id: str | None = None) -> Iterator[Space]:
        """The spaces of a thread that have rows; of all threads if None."""
        prefix = keys.ALL if thread_id is None else keys.thread_prefix(thread_id)
        after: str | None = None
        while True:
            found = self._ledger.engine.refs(prefix, after=after, limit=1)
            if not found:
                return
            begin = found[0].name[: found[0].name.rindex("/", 0, _space_end(found[0])) + 1]
            space = self._space_of(begin)
            if space is not None:
                yield space
            after = begin + "\x7f"

    def _space_of(self, prefix: str) -> Space | None:
        """Who has this prefix: its first checkpoint says; None if it has only writes."""
        for ref in self._refs(prefix):
            if ref.name.endswith(keys.END):
                thread_id, checkpoint_ns, _, _ = _info(ref)
                return keys.space(thread_id, checkpoint_ns)
        return None

    def removals(self, thread_id: str) -> list[RefUpdate]:
        """What removes all rows of a thread."""
        updates = []
        for ref in self._refs(keys.thread_prefix(thread_id)):
            if ref.target is None:
                continue
            updates.append(RefUpdate(ref.name, None))
            if ref.name.endswith(keys.END):
                _, checkpoint_ns, _, run_id = _info(ref)
                if run_id:
                    space = keys.space(thread_id, checkpoint_ns)
                    name = space.of_run(run_id, space.checkpoint_id(ref.name))
                    updates.append(RefUpdate(name, None))
        return updates

    def of_run(self, run_id: str) -> Iterator[Row]:
        """The rows of a run, in all threads."""
        prefix = keys.run_prefix(run_id)
        for ref in self._refs(prefix):
            if ref.target is None:
                continue
            thread_id, checkpoint_ns, _, _ = _info(ref)
            space = keys.space(thread_id, checkpoint_ns)
            row = self.row(space, space.checkpoint_id(keys.ALL + ref.name[len(prefix) :]))
            if row is not None and row.run_id == run_id:
                yield row

    def stale(self, row: Row) -> list[RefUpdate]:
        """What else goes when this row is put: the old one's place in another run."""
        ref = self._ledger.engine.ref(row.space.checkpoint(row.checkpoint_id))
        if ref is None or ref.target is None:
            return []
        run_id = _info(ref)[3]
        if not run_id or run_id == row.run_id:
            return []
        return [RefUpdate(row.space.of_run(run_id, row.checkpoint_id), None)]

    # --- checkpoints -------------------------------------------------------------------------

    def row(self, space: Space, checkpoint_id: str) -> Row | None:
        """The row of a checkpoint, or what a fork inherited of that id."""
        found = next(self._rows(space, space.checkpoint(checkpoint_id), None), None)
        if found is not None or self.has_rows(space):
            return found
        inherited = self.inherited(space)
        return next((row for row in inherited if row.checkpoint_id == checkpoint_id), None)

    def rows(self, space: Space, *, before: str | None = None) -> Iterator[Row]:
        """The rows of a space, greatest id first: those smaller than `before`."""
        after = None if before is None else space.behind(before)
        found = False
        for row in self._rows(space, space.prefix, after):
            found = True
            yield row
        if not found and not self.has_rows(space):
            for row in self.inherited(space):
                if before is None or row.checkpoint_id.encode() < before.encode():
                    yield row

    def has_rows(self, space: Space) -> bool:
        """Whether any checkpoint of the space has a row."""
        return any(ref.name.endswith(keys.END) for ref in self._refs(space.prefix, page=1))

    def _rows(self, space: Space, prefix: str, after: str | None) -> Iterator[Row]:
        row: Row | None = None
        tasks: list[ObjectId] = []
        for ref in self._refs(prefix, after):
            if ref.target is None:
                continue
            if not ref.name.endswith(keys.END):
                if row is not None and ref.name.startswith(space.checkpoint(row.checkpoint_id)):
                    tasks.append(ref.target)
                continue
            if row is not None:
                yield row._replace(tasks=tuple(tasks))
            _, _, parent_id, run_id = _info(ref)
            row = Row(space, space.checkpoint_id(ref.name), ref.target, parent_id, run_id)
            tasks = []
        if row is not None:
            yield row._replace(tasks=tuple(tasks))

    def _refs(self, prefix: str, after: str | None = None, *, page: int = _PAGE) -> Iterator[Ref]:
        size = page
        while found := self._ledger.engine.refs(prefix, after=after, limit=size):
            yield from found
            after = found[-1].name
            size = min(4 * size, _PAGE_MAX)

    # --- forks -------------------------------------------------------------------------------

    def inherited(self, space: Space) -> list[Row]:
        """What a casckpt thread without rows has in its history, greatest id first.

        Of one that was put again, only what was put last.
        """
        head = self._ledger.head(space.name)
        rows: dict[str, Row] = {}
        for point in self._ledger.ancestry.walk(head):
            if point.left is not None:
                continue  # pruned
            meta = self.meta(self._ledger.ancestry.record(point.id))
            facts, run_id = meta.get(FACTS), meta.get("run_id")
            if type(facts) is not dict or facts["id"] in rows:
                continue  # saved by casckpt, between LangGraph's; or put again since
            origin = keys.space(facts["thread_id"], facts["checkpoint_ns"])
            there = next(self._rows(origin, origin.checkpoint(facts["id"]), None), None)
            tasks = there.tasks if there is not None and there.record == point.id else ()
            rows[facts["id"]] = Row(
                *(space, facts["id"], point.id, facts["parent_id"]),
                run_id if type(run_id) is str else None,
                tasks,
            )
        return sorted(rows.values(), key=lambda row: row.checkpoint_id.encode(), reverse=True)

    def adopt(self, space: Space) -> None:
        """Give a thread that casckpt forked rows of its own.

        Raises:
            ConflictError: a thread of that name holds something else.
        """
        if self.has_rows(space):
            return
        head = self._ledger.head(space.name)
        if head is None:
            return

        def act(inherited: list[Row]) -> None:
            if not inherited:
                raise ConflictError(
                    f"the thread {space.name} was not saved by LangGraph: choose another thread id",
                    expected=None,
                    actual=head.id.hex(),
                )
            updates = []
            for row in inherited:
                updates += row.updates()
                updates += self.task_updates(space, row)
            take(self._ledger, updates, [row.record for row in inherited])

        settle(self._ledger, space.name, lambda: self.inherited(space), act)

    def task_updates(self, space: Space, row: Row) -> list[RefUpdate]:
        """The refs of a row's writes, in a space."""
        return [
            RefUpdate(space.task(row.checkpoint_id, self.task(oid).task_id), oid)
            for oid in row.tasks
        ]

    # --- contents ----------------------------------------------------------------------------

    def meta(self, record: CheckpointRecord) -> dict[str, Any]:
        """The meta of a record, of fresh objects."""
        return load_meta(self._ledger.vault, self._ledger.codec, record)

    def metadata(self, record: CheckpointRecord) -> dict[str, Any]:
        """LangGraph's metadata of a checkpoint, those that are in its meta."""
        return {key: value for key, value in self.meta(record).items() if key != FACTS}

    def channels(self, record: CheckpointRecord) -> set[str]:
        """The channels that a checkpoint has values of; the values are not read."""
        state = view(self._ledger.vault, self._ledger.codec, record.root, ())
        return set(state)

    def task(self, oid: ObjectId) -> TaskWrites:
        """What a task wrote; raises CorruptError, PrunedError."""
        vault = self._ledger.vault
        found = Loader(vault, self._ledger.codec).value(vault.get(oid, KIND_VALUE))
        match found:
            case {"task_id": str(task_id), "task_path": str(path), "writes": list(writes)}:
                return TaskWrites(task_id, path, tuple((i, ch, value) for i, ch, value in writes))
        raise CorruptError("a task's writes are malformed", object=oid.hex())

    def tasks(self, oids: Iterable[ObjectId]) -> list[TaskWrites]:
        """What several tasks wrote; those deleted meanwhile are left out."""
        found = []
        for oid in oids:
            try:
                found.append(self.task(oid))
            except PrunedError:
                continue
        return found


def _space_end(ref: Ref) -> int:
    """Where the thread and namespace end in the name of a row."""
    end = len(keys.ALL)
    for _ in range(2):
        end = ref.name.index("/", end) + 1
    return end


def _info(ref: Ref) -> tuple[str, str, str | None, str | None]:
    match cbor.decode_generic(ref.info):
        case [str(thread_id), str(ns), (str() | None) as parent_id, (str() | None) as run_id]:
            return thread_id, ns, parent_id, run_id
    raise CorruptError("the row of a LangGraph checkpoint is malformed", ref=ref.name)
