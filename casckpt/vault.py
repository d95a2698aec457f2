"""Objects: what the trees and the history put in and get out, over an engine's bytes.

Invariants: no payload leaves the vault that was not verified against the id it was asked
by; nothing leads to what was put into a draft before the draft's commit.

Imports: errors, ids, format (constants), storage (engine interface).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Self

from casckpt.errors import CorruptError, PrunedError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_CHUNK, KIND_NAMES, KIND_PRUNED
from casckpt.ids import ObjectId, object_id
from casckpt.storage.engine import (
    Engine,
    NewObject,
    Posting,
    Ref,
    RefUpdate,
    Stage,
    StoredObject,
)

__all__ = ["Draft", "Vault"]

STAGE_BYTES = 16 << 20
"""Pieces of long values kept in memory before they are stored ahead of their commit."""
CACHE_BYTES = 16 << 20
"""Verified payloads kept in memory: a few thousand leaves."""


class Vault:
    """Verified, cached reading of objects, and drafts to write them."""

    def __init__(
        self,
        engine: Engine,
        *,
        cache_bytes: int = CACHE_BYTES,
        gone: Callable[[ObjectId], PrunedError] | None = None,
    ) -> None:
        """Read from an engine.

        Args:
            engine: where the objects lie.
            cache_bytes: payloads kept in memory.
            gone: makes the error for an object that is not stored; None: a plain one.
        """
        self.engine = engine
        self._gone = gone or _missing
        self._cache: OrderedDict[ObjectId, tuple[int, bytes]] = OrderedDict()
        self._cache_bytes = 0
        self._cache_bytes_max = cache_bytes
        self._lock = Lock()

    def get(self, oid: ObjectId, kind: int) -> bytes:
        """The payload of one object.

        Raises:
            PrunedError: it is not stored (any more).
            CorruptError: its bytes do not match its id, or it is of another kind.
        """
        entry = self._cache.get(oid)
        if entry is None:
            return self.get_many((oid,), kind)[0]
        return entry[1] if entry[0] == kind else _of_kind(oid, entry, kind)

    def get_many(self, oids: Sequence[ObjectId], kind: int) -> list[bytes]:
        """The payloads of several objects, read together; raises as `get` does."""
        return [
            entry[1] if entry[0] == kind else _of_kind(oid, entry, kind)
            for oid, entry in zip(oids, self.read(oids), strict=True)
        ]

    def read(self, oids: Sequence[ObjectId]) -> list[tuple[int, bytes]]:
        """Kinds and payloads of several objects, whatever they are; raises as `get` does."""
        cache = self._cache
        if len(oids) == 1:
            return [cache.get(oids[0]) or self._read_one(oids[0])]
        found = {oid: entry for oid in oids if (entry := cache.get(oid)) is not None}
        wanted = [oid for oid in oids if oid not in found] if len(found) < len(oids) else ()
        if wanted:
            new = {}
            for oid, stored in zip(wanted, self.engine.read(wanted), strict=True):
                if stored is None:
                    raise self._gone(oid)
                new[oid] = verified(oid, stored)
            self._remember(new)
            found.update(new)
        return [found[oid] for oid in oids]

    def _read_one(self, oid: ObjectId) -> tuple[int, bytes]:
        """What is not in the cache; walks over records read thousands, one by one."""
        (stored,) = self.engine.read((oid,))
        if stored is None:
            raise self._gone(oid)
        entry = verified(oid, stored)
        self._remember({oid: entry})
        return entry

    def find_many(self, oids: Sequence[ObjectId], kind: int) -> dict[ObjectId, bytes]:
        """Those of several objects that are stored, sound and of this kind; no errors."""
        cache = self._cache
        found = {oid: entry for oid in oids if (entry := cache.get(oid)) is not None}
        wanted = [oid for oid in oids if oid not in found]
        if wanted:
            try:
                read = self.engine.read(wanted)
            except CorruptError:  # whoever needs the damaged one will be told
                read = []
            new = {
                stored.id: (stored.kind, stored.payload)
                for stored in read
                if stored is not None and object_id(stored.kind, stored.payload) == stored.id
            }
            self._remember(new)
            found.update(new)
        return {oid: payload for oid, (its, payload) in found.items() if its == kind}

    def _remember(self, new: dict[ObjectId, tuple[int, bytes]]) -> None:
        with self._lock:
            cache = self._cache
            for oid, entry in new.items():
                if oid not in cache:
                    cache[oid] = entry
                    self._cache_bytes += len(entry[1])
            while self._cache_bytes > self._cache_bytes_max and cache:
                self._cache_bytes -= len(cache.popitem(last=False)[1][1])

    def forget(self) -> None:
        """Empty the cache (after gc, so that what was collected is seen to be gone)."""
        with self._lock:
            self._cache.clear()
            self._cache_bytes = 0

    def draft(self) -> Draft:
        """A new, empty draft."""
        return Draft(self)


class Draft:
    """Objects put together for one commit; a sink for `casckpt.tree`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.objects: dict[ObjectId, NewObject] = {}
        self.staged = False
        """Whether pieces of long values are stored already."""
        self._holds: ExitStack | None = None
        self._stage: Stage | None = None
        self._piece_bytes = 0

    def __enter__(self) -> Self:
        """In a `with` block, pieces of long values are stored as they come, STAGE_BYTES at a
        time: nothing leads to them, and gc leaves them until the block ends.
        """
        self._holds = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        if self._holds is not None:
            self._holds.close()
        self._holds = self._stage = None

    def put(
        self,
        kind: int,
        payload: bytes,
        children: tuple[ObjectId, ...] = (),
        base: ObjectId | None = None,
    ) -> ObjectId:
        """Add an object; children first.

        Args:
            kind: one of the KIND_ constants.
            payload: canonical bytes.
            children: the objects it refers to, in the payload's order.
            base: one it resembles, if known: a hint for storing it small.
        """
        oid = object_id(kind, payload)
        if oid not in self.objects:
            self.objects[oid] = NewObject(oid, kind, payload, children, base)
            if kind == KIND_CHUNK:
                self._piece_bytes += len(payload)
                if self._piece_bytes >= STAGE_BYTES and self._holds is not None:
                    self._store_pieces(self._holds)
        return oid

    def _store_pieces(self, holds: ExitStack) -> None:
        if self._stage is None:
            self._stage = holds.enter_context(self._vault.engine.hold())
        pieces = [item for item in self.objects.values() if item.kind == KIND_CHUNK]
        self._stage(pieces)
        for item in pieces:
            del self.objects[item.id]
        self._piece_bytes = 0
        self.staged = True

    def commit(
        self,
        refs: Sequence[RefUpdate] = (),
        *,
        uses: Collection[ObjectId] = (),
        add: Sequence[Posting] = (),
        remove: Sequence[Posting] = (),
    ) -> list[Ref]:
        """Hand everything to the engine in one atomic step (see `Engine.commit`)."""
        objects = list(self.objects.values())
        return self._vault.engine.commit(objects, refs, uses=uses, add=add, remove=remove)


def _missing(oid: ObjectId) -> PrunedError:
    msg = f"object {oid.hex()[:16]} is not stored: collected by gc, or lost (run fsck)"
    return PrunedError(msg, object=oid.hex())


def verified(oid: ObjectId, stored: StoredObject | None) -> tuple[int, bytes]:
    """Kind and payload, once they are proved to be those of `oid`."""
    if stored is None:
        raise _missing(oid)
    if object_id(stored.kind, stored.payload) != oid:
        msg = f"object {oid.hex()[:16]} is damaged: its bytes do not match its id (run fsck)"
        raise CorruptError(msg, object=oid.hex())
    return stored.kind, stored.payload


def _of_kind(oid: ObjectId, entry: tuple[int, bytes], kind: int) -> bytes:
    if entry[0] == KIND_PRUNED and kind == KIND_CHECKPOINT:
        msg = f"the state of checkpoint {oid.hex()[:16]} was pruned"
        raise PrunedError(msg, object=oid.hex())
    if entry[0] != kind:
        names = KIND_NAMES.get(entry[0], str(entry[0])), KIND_NAMES.get(kind, str(kind))
        msg = f"object {oid.hex()[:16]} is a {names[0]} where a {names[1]} belongs"
        raise CorruptError(msg, object=oid.hex())
    return entry[1]
