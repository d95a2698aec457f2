"""Which checkpoints need what is damaged: walks down from the heads.

Every object below a checkpoint is tried once; what cannot be read, or does not read as what
it should be, is needed by every checkpoint above it. So this also finds what is missing and
was not named by anything else.

Invariants: nothing raises because of damage. Memory: some 150 bytes an object; only used
when something is damaged.

Imports: errors, ids, format (constants, records), storage (engine interface), history (ancestry, ledger, notes), vault, upkeep (contents, postings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from casckpt.errors import CorruptError, NotFoundError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED
from casckpt.format.records import read_record
from casckpt.history import notes
from casckpt.history.ancestry import jump_step
from casckpt.history.ledger import Ledger
from casckpt.ids import ObjectId
from casckpt.storage.engine import StoredObject
from casckpt.upkeep.contents import references
from casckpt.upkeep.postings import readable
from casckpt.vault import verified

__all__ = ["SHOWN_MAX", "Need", "needs"]

SHOWN_MAX: Final = 10
"""Checkpoints named for one object; the others are counted."""
_PAGE: Final = 1_024
_NONE: Final[frozenset[ObjectId]] = frozenset()


class Need(NamedTuple):
    """Who needs an object that cannot be read."""

    shown: list[str]
    total: int

    def and_of(self, name: str) -> Need:
        """With one checkpoint more."""
        shown = [*self.shown, name] if len(self.shown) < SHOWN_MAX else self.shown
        return Need(shown, self.total + 1)


def needs(ledger: Ledger, suspects: frozenset[ObjectId]) -> dict[ObjectId, Need]:
    """By each object that cannot be read, or is suspect, and is needed: who needs it."""
    return _Walk(ledger, suspects).run()


class _Walk:
    def __init__(self, ledger: Ledger, suspects: frozenset[ObjectId]) -> None:
        self._ledger = ledger
        self._suspects = suspects
        self._found: dict[ObjectId, Need] = {}
        self._bad: dict[ObjectId, frozenset[ObjectId]] = {}
        """Of objects that were tried: what below them cannot be read."""
        self._seen: set[ObjectId] = set()
        """Checkpoints that were told of."""

    def run(self) -> dict[ObjectId, Need]:
        for name, head in self._heads():
            self._history(head, name)
        for oid in self._others():
            self._history(oid, None)
        return self._found

    def _heads(self) -> Iterator[tuple[str, ObjectId]]:
        after: str | None = None
        while page := self._ledger.engine.refs(notes.THREADS, after=after, limit=_PAGE):
            for ref in page:
                if ref.target is not None:
                    yield ref.name.removeprefix(notes.THREADS), ref.target
            after = page[-1].name

    def _others(self) -> Iterator[ObjectId]:
        """All else that is stored: rewound away, tagged, of deleted threads."""
        try:
            yield from (posting.id for posting in readable(self._ledger, notes.TIMES))
        except CorruptError:
            return  # told by the books

    def _history(self, oid: ObjectId, thread: str | None) -> None:
        """A checkpoint and all before it, as far as they can be read."""
        jumps: dict[int, ObjectId] = {}
        step: int | None = None
        todo: ObjectId | None = oid
        while todo is not None and todo not in self._seen:
            oid = todo
            self._seen.add(oid)
            stored = self._read(oid, KIND_CHECKPOINT, KIND_PRUNED)
            if stored is not None:
                record = read_record(stored.kind, stored.payload)
                bad = self._below([i for i in references(stored) if i not in record.parents])
                bad |= self._suspects & {oid}
                step = record.step
                todo = record.parents[0] if record.parents else None
                if record.jump is not None and step:
                    jumps[jump_step(step)] = record.jump
            else:
                # The history goes on where a jump of one that came after leads, over the gap.
                bad = frozenset({oid})
                step = None if step is None else step - 1
                far = max((to for to in jumps if step is not None and to < step), default=None)
                todo = None if far is None else jumps[far]
            for lost in bad:
                name = _named(thread, step, oid)
                self._found[lost] = self._found.get(lost, Need([], 0)).and_of(name)
            if stored is None:
                step = None if far is None else far + 1

    def _read(self, oid: ObjectId, *kinds: int) -> StoredObject | None:
        """An object if it is sound, else None."""
        try:
            (stored,) = self._ledger.engine.read([oid])
            verified(oid, stored)
            if stored is not None and (not kinds or stored.kind in kinds):
                references(stored)
                return stored
        except (CorruptError, NotFoundError):
            pass
        return None

    def _below(self, oids: list[ObjectId]) -> frozenset[ObjectId]:
        """What cannot be read of some objects and all that lies below them."""
        children: dict[ObjectId, list[ObjectId]] = {}
        todo = list(oids)
        while todo:
            oid = todo[-1]
            if oid in self._bad:
                todo.pop()
                continue
            if oid not in children:
                stored = self._read(oid)
                if stored is None:
                    self._bad[oid] = frozenset({oid})
                    continue
                children[oid] = references(stored)
                rest = [child for child in children[oid] if child not in self._bad]
                if rest:
                    todo += rest
                    continue
            below = [self._bad[child] for child in children.pop(oid)]
            own = self._suspects & {oid}
            self._bad[oid] = own.union(*below) if own or any(below) else _NONE
        found = [self._bad[oid] for oid in oids]
        return _NONE.union(*found) if any(found) else _NONE


def _named(thread: str | None, step: int | None, oid: ObjectId) -> str:
    if thread is None:
        return oid.hex()[:16]
    return f"{thread}{'' if step is None else f'@{step}'} {oid.hex()[:16]}"
