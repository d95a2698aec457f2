"""A batch: commits that are held back and carried out as one.

It is an engine over an engine: what is committed to it is seen through it at once, and in
the engine below not before `flush`, which hands everything down in one atomic step. So many
saves share one transaction and one sync.

Invariants: until `flush` nothing below has changed; after it, everything or nothing has. A
ref may move below meanwhile: then `flush` fails as any commit would whose ref was moved.
Only what a save does can be held back; lists (refs, postings, log) are those of the engine
below, as they were before the batch.

Imports: errors, ids, the engine interface, moves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from casckpt.errors import InvalidInputError
from casckpt.ids import ObjectId
from casckpt.storage.engine import (
    ABSENT,
    CompactReport,
    Engine,
    GcReport,
    LogEntry,
    MissingObjects,
    NewObject,
    PackReport,
    Posting,
    Problem,
    Ref,
    RefConflict,
    RefUpdate,
    Stage,
    StoredObject,
    Tally,
)
from casckpt.storage.moves import conflicts, move

__all__ = ["BatchEngine"]


class BatchEngine:
    """Holds commits back. Used by one OS thread."""

    def __init__(self, below: Engine) -> None:
        self._below = below
        self.read_only = below.read_only
        self._objects: dict[ObjectId, NewObject] = {}
        self._before: dict[str, Ref | None] = {}
        """Refs of the engine below, as they were when the batch first moved them."""
        self._refs: dict[str, Ref] = {}
        self._whole: set[str] = set()
        """Refs whose targets must be whole."""
        self._add: list[Posting] = []
        self._holds = ExitStack()
        self._stage: Stage | None = None
        self._over = False

    def flush(self) -> None:
        """Carry everything out in one commit of the engine below, which may raise as ever."""
        self._over = True
        if not self._refs and not self._objects:
            return
        updates = [
            RefUpdate(
                *(name, ref.target, self._before[name] or ABSENT, ref.info),
                whole=name in self._whole,
            )
            for name, ref in self._refs.items()
        ]
        self._below.commit(list(self._objects.values()), updates, add=self._add)
        self._clear()

    def _clear(self) -> None:
        self._objects, self._before, self._refs, self._add = {}, {}, {}, []
        self._whole = set()

    def before(self, name: str) -> ObjectId | None:
        """The target of a ref below when the batch first moved it."""
        ref = self._before.get(name)
        return ref.target if ref is not None else None

    def header(self) -> bytes:
        """As below."""
        return self._below.header()

    def missing(self, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those neither held back nor stored below."""
        return self._below.missing([oid for oid in ids if oid not in self._objects])

    def read(self, ids: Sequence[ObjectId]) -> list[StoredObject | None]:
        """What is held back, and what is stored below."""
        wanted = [oid for oid in ids if oid not in self._objects]
        below = dict(zip(wanted, self._below.read(wanted), strict=True)) if wanted else {}
        return [
            StoredObject(oid, new.kind, new.payload)
            if (new := self._objects.get(oid)) is not None
            else below[oid]
            for oid in ids
        ]

    def commit(
        self,
        objects: Sequence[NewObject] = (),
        refs: Sequence[RefUpdate] = (),
        *,
        uses: Collection[ObjectId] = (),
        add: Sequence[Posting] = (),
        remove: Sequence[Posting] = (),
    ) -> list[Ref]:
        """Hold a commit back; raises as the engine below would now.

        Raises:
            InvalidInputError: a logged move, or postings removed: no save does that; or it is over.
        """
        if self._over:
            raise InvalidInputError("the batch is over: save again")
        if remove or any(update.log is not None for update in refs):
            raise InvalidInputError(
                "inside a batch there are only saves: fork, rewind, undo, delete and tag "
                "before it or after it"
            )
        new = {item.id for item in objects}
        relied = {child for item in objects for child in item.children} | {*uses}
        relied |= {update.target for update in refs if update.target is not None}
        missing = self.missing(relied - new)
        if missing:
            raise MissingObjects(missing)
        currents = [self.ref(update.name) for update in refs]
        for update, current in zip(refs, currents, strict=True):
            if conflicts(update, current):
                raise RefConflict(update.name, current)
        for item in objects:
            self._objects.setdefault(item.id, item)
        moved = []
        for update, current in zip(refs, currents, strict=True):
            self._before.setdefault(update.name, current)
            ref, _ = move(update, current, floor=0, number=0)
            self._refs[update.name] = ref
            (self._whole.add if update.whole else self._whole.discard)(update.name)
            moved.append(ref)
        self._add += add
        return moved

    @contextmanager
    def hold(self) -> Iterator[Stage]:
        """As below, until the batch ends: what is stored ahead of it is not held back."""
        if self._stage is None:
            self._stage = self._holds.enter_context(self._below.hold())
        yield self._stage

    def ref(self, name: str) -> Ref | None:
        """As the batch has left it."""
        return self._refs.get(name) or self._below.ref(name)

    def refs(self, prefix: str = "", **page: Any) -> list[Ref]:
        """As below."""
        return self._below.refs(prefix, **page)

    def log_entry(self, number: int) -> LogEntry | None:
        """As below."""
        return self._below.log_entry(number)

    def log(self, **page: Any) -> list[LogEntry]:
        """As below."""
        return self._below.log(**page)

    def postings(self, name: bytes, **page: Any) -> list[Posting]:
        """As below."""
        return self._below.postings(name, **page)

    def postings_count(self, name: bytes) -> int:
        """As below."""
        return self._below.postings_count(name)

    def posting_lists(self, prefix: bytes = b"", **page: Any) -> list[bytes]:
        """As below."""
        return self._below.posting_lists(prefix, **page)

    def ids_with_prefix(self, prefix: str, *, limit: int) -> list[ObjectId]:
        """As below."""
        return self._below.ids_with_prefix(prefix, limit=limit)

    def objects(self, kind: int | None = None) -> Iterator[ObjectId]:
        """As below."""
        return self._below.objects(kind)

    def gc(self, *_: Any, **__: Any) -> GcReport:
        """Never inside a batch: raises InvalidInputError."""
        raise InvalidInputError("gc does not run inside a batch: after it")

    def tally(self) -> Tally:
        """Never inside a batch: raises InvalidInputError."""
        raise InvalidInputError("upkeep does not run inside a batch: after it")

    def pack(self, *_: Any, **__: Any) -> PackReport:
        """Never inside a batch: raises InvalidInputError."""
        raise InvalidInputError("pack does not run inside a batch: after it")

    def compact(self, *_: Any, **__: Any) -> CompactReport:
        """Never inside a batch: raises InvalidInputError."""
        raise InvalidInputError("compact does not run inside a batch: after it")

    def check(self, **how: Any) -> Iterator[Problem]:
        """As below."""
        return self._below.check(**how)

    def stats(self) -> dict[str, Any]:
        """As below."""
        return self._below.stats()

    def sync(self) -> None:
        """As below."""
        self._below.sync()

    def close(self) -> None:
        """Drop what is held back; the engine below stays open."""
        self._over = True
        self._holds.close()
        self._stage = None
        self._clear()
