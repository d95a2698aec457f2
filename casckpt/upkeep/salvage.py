"""Salvage: all that is whole of a damaged store, brought over into a new one.

The rows are read, oldest first, without asking the index: what a row refers to is older, so an
object is whole if it can be read and all that it refers to was whole. An object counts if the
index, a ref, the log or another object names its id: damaged bytes that decode to something get
an id that nobody names. A checkpoint whose state is not whole, but whose parent is there, is
brought over without its state, as a pruned one: so those after it keep their ids.

Invariants: the source is only read. What is brought over is checked by id, has its children, and
is found by time, label and tags.

Imports: errors, ids, format (constants, records), storage (engine interface), history, upkeep
(contents, report).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from casckpt.errors import CasckptError, CorruptError
from casckpt.format import constants as c
from casckpt.format.records import (
    CheckpointRecord,
    PrunedRecord,
    PruneNote,
    TagsRecord,
    read_record,
)
from casckpt.history import names, notes, tags
from casckpt.history.ledger import Ledger
from casckpt.history.notes import Note, ThreadOrigin
from casckpt.history.placing import Placed
from casckpt.ids import ObjectId
from casckpt.storage.engine import LogEntry, NewObject, Posting, Ref, RefUpdate, StoredObject
from casckpt.upkeep.contents import references
from casckpt.upkeep.report import Progress

__all__ = ["Salvaged", "SalvagedThread", "Survivors", "salvage"]

LOST: Final = "salvaged: its state is damaged"
"""Why a checkpoint has no state in the new store."""
KIND: Final = "import"
_BATCH_BYTES: Final = 4 << 20
_BATCH: Final = 512
_PAGE: Final = 256

Survivors = Callable[[], Iterator[tuple[StoredObject, bool]]]
"""Every row that can be decoded, oldest first, and whether the index leads to it by its id."""


class SalvagedThread(NamedTuple):
    """What became of a thread."""

    name: str
    head: str | None
    """The id of its head in the new store; None: nothing of it is whole."""
    was: str | None
    """The id of its head in the damaged store; None: that cannot be read."""

    @property
    def whole(self) -> bool:
        """Whether it ends where it ended."""
        return self.head is not None and self.head == self.was


class Salvaged(NamedTuple):
    """What was brought over, and what was not."""

    threads: tuple[SalvagedThread, ...]
    checkpoints: int
    """With their states."""
    objects: int
    without_state: tuple[str, ...]
    """Ids of checkpoints of which only the record is whole; shown as pruned."""
    lost: tuple[str, ...]
    """Ids that are named by something, and are not whole."""
    unread: tuple[str, ...]
    """Parts of the books that could not be read, and why."""


def salvage(
    source: Ledger,
    survivors: Survivors,
    target: Ledger,
    *,
    damage: Mapping[str, str],
    progress: Progress | None = None,
) -> Salvaged:
    """Bring over what is whole.

    Args:
        source: the damaged store; only read.
        survivors: its rows.
        target: a new, empty store.
        damage: what is known to be missing in it, by table, in words.
        progress: told the stage, and how many objects are done (of 0: unknown).
    """
    return _Salvage(source, survivors, target, damage, progress or _silent).run()


def _silent(_stage: str, _done: int, _total: int) -> None:
    pass


class _Salvage:
    def __init__(
        self,
        source: Ledger,
        survivors: Survivors,
        target: Ledger,
        damage: Mapping[str, str],
        tell: Progress,
    ) -> None:
        self._source = source
        self._survivors = survivors
        self._target = target
        self._tell = tell
        self._named: set[ObjectId] = set()
        self._have: set[ObjectId] = set()
        self._records: dict[ObjectId, CheckpointRecord] = {}
        """Without root and meta: of all checkpoints that were read."""
        self._whole: set[ObjectId] = set()
        """Checkpoints that were brought over with their states."""
        self._left: list[ObjectId] = []
        self._unread = [f"the table {name!r}: {what}" for name, what in damage.items()]
        self._refs_whole = "refs" not in damage
        self._refs_read = False
        self._waiting: list[NewObject] = []
        self._postings: list[Posting] = []
        self._waiting_bytes = 0
        self._vouched: set[ObjectId] = set()
        """Named by the log: perhaps gone long ago."""

    def run(self) -> Salvaged:
        refs = list(self._read("refs", self._refs))
        log = list(self._read("log", self._log))
        pruned = set(self._read("the list of pruned checkpoints", self._pruned))
        self._name(refs, log)
        self._bring(pruned)
        threads = tuple(self._threads(refs))
        self._others(refs)
        lost = sorted(oid.hex() for oid in self._named - self._have)
        return Salvaged(
            threads,
            len(self._whole),
            len(self._have),
            tuple(oid.hex() for oid in self._left),
            tuple(lost),
            tuple(self._unread),
        )

    def _read(self, what: str, read: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        try:
            yield from read()
        except CasckptError as error:
            self._unread.append(f"{what}: {error.message}")

    def _refs(self) -> Iterator[Ref]:
        after: str | None = None
        while page := self._source.engine.refs(after=after, limit=_PAGE):
            yield from page
            after = page[-1].name
        self._refs_read = self._refs_whole

    def _log(self) -> Iterator[LogEntry]:
        before: int | None = None
        while page := self._source.engine.log(before=before, limit=_PAGE):
            yield from page
            before = page[-1].number

    def _pruned(self) -> Iterator[ObjectId]:
        yield from (posting.id for posting in self._source.engine.postings(notes.PRUNED))

    def _name(self, refs: Iterable[Ref], log: Iterable[LogEntry]) -> None:
        """Note every id that something names."""
        self._named |= {ref.target for ref in refs if ref.target is not None}
        for done, (stored, indexed) in enumerate(self._survivors()):
            try:
                named = references(stored)
            except CorruptError:
                continue
            if indexed:
                self._named.add(stored.id)
            self._named.update(named)
            if not done % _PAGE:
                self._tell("reading", done, 0)
        self._vouched = {oid for move in log for oid in (move.old, move.new) if oid is not None}

    def _bring(self, pruned: set[ObjectId]) -> None:
        for done, (stored, _) in enumerate(self._survivors()):
            if stored.id in self._have:
                continue
            if stored.id not in self._named and stored.id not in self._vouched:
                continue
            try:
                named = references(stored)
                record = self._noted(stored)
            except CorruptError:
                continue
            whole = all(oid in self._have for oid in named)
            if record is not None and (not whole or stored.id in pruned):
                stored, named = self._beheaded(stored, record, pruned)
                whole = all(oid in self._have for oid in named)
            if whole:
                self._put(stored, named, record)
            if not done % _PAGE:
                self._tell("salvaging", done, 0)
        self._flush()

    def _noted(self, stored: StoredObject) -> CheckpointRecord | None:
        if stored.kind not in {c.KIND_CHECKPOINT, c.KIND_PRUNED}:
            return None
        record = read_record(stored.kind, stored.payload)
        self._records[stored.id] = record._replace(root=b"", meta=b"")
        return record

    @staticmethod
    def _beheaded(
        stored: StoredObject, record: CheckpointRecord, pruned: set[ObjectId]
    ) -> tuple[StoredObject, list[ObjectId]]:
        """A checkpoint without its state."""
        if stored.kind == c.KIND_CHECKPOINT:
            why = "pruned before it was salvaged" if stored.id in pruned else LOST
            left = PrunedRecord.encode(stored.payload, PruneNote(None, why, None))
            stored = StoredObject(stored.id, c.KIND_PRUNED, left)
        return stored, list(record.parents)

    def _put(
        self, stored: StoredObject, named: list[ObjectId], record: CheckpointRecord | None
    ) -> None:
        base = None if record is None or not record.parents else record.parents[0]
        self._waiting.append(NewObject(stored.id, stored.kind, stored.payload, tuple(named), base))
        self._have.add(stored.id)
        if record is not None:
            if stored.kind == c.KIND_CHECKPOINT:
                self._whole.add(stored.id)
            else:
                self._left.append(stored.id)
            self._postings += Placed(stored.id, record).postings
        self._waiting_bytes += len(stored.payload)
        if len(self._waiting) >= _BATCH or self._waiting_bytes > _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._target.engine.commit(self._waiting, add=self._postings)
        self._waiting, self._postings, self._waiting_bytes = [], [], 0

    def _threads(self, refs: list[Ref]) -> Iterator[SalvagedThread]:
        found: dict[str, tuple[ObjectId | None, ThreadOrigin | None]] = {}
        for ref in refs:
            if ref.name.startswith(notes.THREADS):
                origin = next(self._read(f"ref {ref.name!r}", lambda: _origin(ref)), None)  # noqa: B023 - run at once
                found[notes.thread_name(ref.name)] = ref.target, origin
        if not self._refs_read:  # threads whose refs are lost are known by their checkpoints
            for record in self._records.values():
                found.setdefault(record.thread, (None, None))
        for name, (was, origin) in sorted(found.items()):
            head = self._head(name, was, origin)
            if head is not None:
                self._move(notes.thread_ref(name), head, origin or self._origin(name))
            yield SalvagedThread(name, _hex(head), _hex(was))

    def _head(
        self, name: str, was: ObjectId | None, origin: ThreadOrigin | None
    ) -> ObjectId | None:
        """The newest whole checkpoint in the history of a head, or else of the thread."""
        at = was
        while at is not None and at not in self._whole and at in self._records:
            at = next(iter(self._records[at].parents), None)
        if at is not None and at in self._whole:
            return at
        own = [oid for oid in self._whole if self._records[oid].thread == name]
        if own:
            return max(own, key=lambda oid: (self._records[oid].created_ns, oid))
        forked = None if origin is None else origin.forked_at
        return forked if forked in self._whole else None

    def _origin(self, name: str) -> ThreadOrigin:
        times = [r.created_ns for r in self._records.values() if r.thread == name]
        return ThreadOrigin(min(times, default=0))

    def _move(self, ref: str, head: ObjectId, origin: ThreadOrigin) -> None:
        time_ns = self._target.clock()
        note = Note(KIND).encode()
        self._target.engine.commit(
            refs=[RefUpdate(ref, head, info=origin.encode(), log=note, time_ns=time_ns)],
            uses=[head],
        )

    def _others(self, refs: list[Ref]) -> None:
        """Tags that were changed, and refs of what is built on the store."""
        for ref in refs:
            if ref.target is None or ref.target not in self._have:
                continue
            if ref.name.startswith(notes.APPS):
                update = RefUpdate(ref.name, ref.target, info=ref.info)
                self._target.engine.commit(refs=[update], uses=[ref.target])
            elif ref.name.startswith(notes.TAGS):
                for _ in self._read(f"ref {ref.name!r}", lambda: self._retag(ref.target)):  # noqa: B023 - run at once
                    pass

    def _retag(self, oid: ObjectId | None) -> Iterator[None]:
        if oid is None:
            return
        came = TagsRecord.decode(self._target.vault.get(oid, c.KIND_TAGS))
        point = self._target.ancestry.point(came.checkpoint)
        tags.untag(self._target, point, tuple(t for t in point.tags if t not in came.tags))
        tags.tag(self._target, point, names.check_tags(came.tags))
        yield


def _hex(oid: ObjectId | None) -> str | None:
    return None if oid is None else oid.hex()


def _origin(ref: Ref) -> Iterator[ThreadOrigin]:
    yield ThreadOrigin.decode(ref.info)
