"""A store in memory: the same promises as on disk, for as long as the process lives.

It serves `"memory:"`, and as the model for the LMDB engine: dicts, under one lock.

Invariants: those of `engine`; an object's order of storing (`_Row.order`) grows and is
never used twice, and its children's are smaller.

Imports: errors, ids, the engine interface, holds, limits, moves, reach, undivided.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, NamedTuple

from casckpt.errors import ClosedError
from casckpt.ids import CUT, ObjectId, object_id
from casckpt.storage.engine import (
    Children,
    GcReport,
    LogEntry,
    MissingObjects,
    NewObject,
    Posting,
    Problem,
    Ref,
    RefConflict,
    RefUpdate,
    Removed,
    StoredObject,
    Tally,
)
from casckpt.storage.holds import Holding
from casckpt.storage.limits import check_commit, check_prefix, ref_key
from casckpt.storage.moves import conflicts, move
from casckpt.storage.reach import is_young, reached, targets
from casckpt.storage.undivided import Undivided, compared

__all__ = ["MemoryEngine"]


class _Row(NamedTuple):
    order: int
    kind: int
    payload: bytes
    children: tuple[ObjectId, ...]


class MemoryEngine(Holding, Undivided):
    """An engine without a file; closing it forgets everything.

    Args:
        header: the blob that `header()` returns.
    """

    def __init__(self, header: bytes) -> None:
        super().__init__()
        self.read_only = False
        self._header = header
        self._lock = threading.RLock()
        self._closed = False
        self._rows: dict[ObjectId, _Row] = {}
        self._order = 0
        self._refs: dict[str, Ref] = {}
        self._version_floor = 0
        self._log: dict[int, LogEntry] = {}
        self._log_number = 0
        self._postings: dict[bytes, list[tuple[int, int, ObjectId]]] = {}
        self._after_gc = Tally()

    def _open(self) -> AbstractContextManager[Any]:
        if self._closed:
            raise ClosedError("this store is closed: open it again")
        return self._lock

    def header(self) -> bytes:
        """See `Engine.header`."""
        with self._open():
            return self._header

    def missing(self, ids: Collection[ObjectId]) -> set[ObjectId]:
        """See `Engine.missing`."""
        with self._open():
            return {oid for oid in ids if oid not in self._rows}

    def read(self, ids: Sequence[ObjectId]) -> list[StoredObject | None]:
        """See `Engine.read`."""
        with self._open():
            rows = [self._rows.get(oid) for oid in ids]
        return [
            None if row is None else StoredObject(oid, row.kind, row.payload)
            for oid, row in zip(ids, rows, strict=True)
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
        """See `Engine.commit`."""
        check_commit(objects, refs, add, remove)
        with self._open():
            for update in refs:
                current = self._refs.get(update.name)
                if conflicts(update, current):
                    raise RefConflict(update.name, current)
            self._refuse_missing(objects, refs, uses, add)
            for item in objects:
                if item.id not in self._rows:
                    self._order += 1
                    children = tuple(dict.fromkeys(item.children))
                    self._rows[item.id] = _Row(self._order, item.kind, item.payload, children)
            for posting in remove:
                self._unpost(posting)
            for posting in add:
                self._post(posting)
            return [self._move(update) for update in refs]

    def _refuse_missing(
        self,
        objects: Sequence[NewObject],
        refs: Sequence[RefUpdate],
        uses: Collection[ObjectId],
        add: Sequence[Posting],
    ) -> None:
        new: set[ObjectId] = set()
        missing: set[ObjectId] = set()
        for item in objects:
            missing.update(c for c in item.children if c not in new and c not in self._rows)
            new.add(item.id)
        wanted = {*uses, *(posting.id for posting in add)}
        wanted.update(update.target for update in refs if update.target is not None)
        missing.update(oid for oid in wanted if oid not in new and oid not in self._rows)
        whole = {update.target for update in refs if update.whole and update.target is not None}
        missing.update(o for o in whole if o in self._rows and self._rows[o].kind == CUT)
        if missing:
            raise MissingObjects(missing)

    def _move(self, update: RefUpdate) -> Ref:
        current = self._refs.get(update.name)
        ref, entry = move(update, current, floor=self._version_floor, number=self._log_number + 1)
        self._refs[update.name] = ref
        if entry is not None:
            self._log_number += 1
            self._log[entry.number] = entry
        return ref

    def _post(self, posting: Posting) -> None:
        entry = (posting.rank, self._rows[posting.id].order, posting.id)
        entries = self._postings.setdefault(posting.list, [])
        at = bisect_left(entries, entry)
        if at == len(entries) or entries[at] != entry:
            insort(entries, entry)

    def _unpost(self, posting: Posting) -> None:
        row = self._rows.get(posting.id)
        entries = self._postings.get(posting.list, [])
        entry = (posting.rank, row.order if row else -1, posting.id)
        if entry in entries:
            entries.remove(entry)
            if not entries:
                del self._postings[posting.list]

    def ref(self, name: str) -> Ref | None:
        """See `Engine.ref`."""
        ref_key(name)
        with self._open():
            return self._refs.get(name)

    def refs(
        self, prefix: str = "", *, after: str | None = None, limit: int | None = None
    ) -> list[Ref]:
        """See `Engine.refs`."""
        with self._open():
            found = [
                ref
                for name, ref in self._refs.items()
                if ref.target is not None and name.startswith(prefix)
            ]
        found.sort(key=lambda ref: ref_key(ref.name))
        if after is not None:
            behind = after.encode("utf-8", "surrogatepass")
            found = [ref for ref in found if ref_key(ref.name) > behind]
        return found[:limit]

    def log_entry(self, number: int) -> LogEntry | None:
        """See `Engine.log_entry`."""
        with self._open():
            return self._log.get(number)

    def log(self, *, before: int | None = None, limit: int | None = None) -> list[LogEntry]:
        """See `Engine.log`."""
        with self._open():
            entries = [e for n, e in self._log.items() if before is None or n < before]
        return entries[::-1][:limit]

    def postings(
        self,
        name: bytes,
        *,
        newest_first: bool = True,
        since: int | None = None,
        until: int | None = None,
        after: Posting | None = None,
        limit: int | None = None,
        damaged: object = None,  # noqa: ARG002 (there are none)
    ) -> list[Posting]:
        """See `Engine.postings`."""
        with self._open():
            found = [
                entry
                for entry in self._postings.get(name, [])
                if (since is None or entry[0] >= since)
                and (until is None or entry[0] < until)
                and self._is_stored(entry)
            ]
            mark = None
            if after is not None:
                row = self._rows.get(after.id)
                # Gone meanwhile: go on with its rank, rather repeat than leave out.
                edge = self._order + 1 if newest_first else 0
                mark = (after.rank, row.order if row else edge)
        if newest_first:
            found.reverse()
        if mark is not None:
            found = [e for e in found if (e[:2] < mark if newest_first else e[:2] > mark)]
        return [Posting(name, rank, oid) for rank, _, oid in found[:limit]]

    def _is_stored(self, entry: tuple[int, int, ObjectId]) -> bool:
        row = self._rows.get(entry[2])
        return row is not None and row.order == entry[1]

    def postings_count(self, name: bytes) -> int:
        """See `Engine.postings_count`."""
        with self._open():
            return len(self._postings.get(name, ()))

    def posting_lists(
        self, prefix: bytes = b"", *, after: bytes | None = None, limit: int | None = None
    ) -> list[bytes]:
        """See `Engine.posting_lists`."""
        with self._open():
            names = sorted(name for name in self._postings if name.startswith(prefix))
        return [name for name in names if after is None or name > after][:limit]

    def objects(self, kind: int | None = None) -> Iterator[ObjectId]:
        """See `Engine.objects`."""
        with self._open():
            rows = sorted(self._rows.items(), key=lambda item: -item[1].order)
        return (oid for oid, row in rows if kind is None or row.kind == kind)

    def ids_with_prefix(self, prefix: str, *, limit: int) -> list[ObjectId]:
        """See `Engine.ids_with_prefix`."""
        check_prefix(prefix)
        with self._open():
            return sorted(oid for oid in self._rows if oid.hex().startswith(prefix))[:limit]

    def gc(
        self,
        roots: Callable[[], Iterable[ObjectId]],
        *,
        dry_run: bool = False,
        log_keep: timedelta | None = None,
        now_ns: int = 0,
        progress: Callable[[str, int, int], None] | None = None,
        removed: Removed | None = None,
        replace: Callable[[], Iterable[NewObject]] | None = None,
    ) -> GcReport:
        """See `Engine.gc`; one step under the lock, except for `roots` and `replace`."""
        start = time.perf_counter()
        with self._open():
            horizon = self._horizon()
        wanted, extra = list(replace() if replace is not None else ()), list(roots())
        with self._open():
            young = [e for e in self._log.values() if is_young(e, log_keep, now_ns)]
            held = targets(self._refs.values(), young)
            cuts = {new.id: new for new in wanted if self._is_other(new) and new.id not in held}
            late = [oid for oid, row in self._rows.items() if row.order > horizon]
            live = reached(self._rows, [*held, *extra, *late], cuts)
            dead = [(row.kind, oid) for oid, row in self._rows.items() if oid not in live]
            cuts = {oid: new for oid, new in cuts.items() if oid in live}
            report = GcReport(
                objects_live=len(live),
                objects_removed=len(dead),
                bytes_removed=sum(len(self._rows[oid].payload) for _, oid in dead)
                + sum(len(self._rows[o].payload) - len(new.payload) for o, new in cuts.items()),
                kinds_removed=dict(Counter(kind for kind, _ in dead)),
                seconds=time.perf_counter() - start,
                objects_replaced=len(cuts),
            )
            if not dry_run:
                for oid, new in cuts.items():
                    self._rows[oid] = _Row(self._rows[oid].order, *new[1:4])
                names = {entry.name for entry in young}
                forgotten = {
                    n for n, ref in self._refs.items() if ref.target is None and n not in names
                }
                old = [n for n, e in self._log.items() if not is_young(e, log_keep, now_ns)]
                self._sweep([oid for _, oid in dead], forgotten)
                self._after_gc = Tally(0, len(self._rows), -horizon, max(old, default=0))
        if progress is not None:
            progress("gc", len(dead), len(dead))
        for kind, oid in dead:
            if removed is not None and not dry_run:
                removed(kind, oid)
        return report

    def _is_other(self, new: NewObject) -> bool:
        """Whether an object is stored, and not yet replaced by this."""
        row = self._rows.get(new.id)
        return row is not None and row.kind != new.kind

    def _sweep(self, dead: list[ObjectId], forgotten: set[str]) -> None:
        for oid in dead:
            del self._rows[oid]
        for name in list(self._postings):
            kept = [entry for entry in self._postings[name] if self._is_stored(entry)]
            if kept:
                self._postings[name] = kept
            else:
                del self._postings[name]
        for ref in forgotten:
            self._version_floor = max(self._version_floor, self._refs.pop(ref).version)
        for number in [n for n, entry in self._log.items() if entry.name in forgotten]:
            del self._log[number]

    def check(self, *, data: bool = True, children: Children | None = None) -> Iterator[Problem]:
        """See `Engine.check`; there is little that could be wrong."""
        with self._open():
            rows = dict(self._rows)
            refs = list(self._refs.values())
        for oid, row in rows.items():
            if data and object_id(row.kind, row.payload) != oid:
                yield Problem("damage", "an object's bytes do not match its id", oid)
            if any(child not in rows for child in row.children):
                yield Problem("damage", "an object's child is missing", oid)
            if data and children is not None:
                stored = StoredObject(oid, row.kind, row.payload)
                if what := compared(children, stored, row.children):
                    yield Problem("damage", f"object {oid.hex()[:16]}: {what}", oid)
        for ref in refs:
            if ref.target is not None and ref.target not in rows:
                yield Problem("damage", f"the target of ref {ref.name!r} is missing", ref.target)

    def stats(self) -> dict[str, Any]:
        """See `Engine.stats`."""
        kinds: dict[int, dict[str, int]] = {}
        with self._open():
            for row in self._rows.values():
                entry = kinds.setdefault(
                    row.kind, {"objects": 0, "payload_bytes": 0, "stored_bytes": 0}
                )
                entry["objects"] += 1
                entry["payload_bytes"] += len(row.payload)
                entry["stored_bytes"] += len(row.payload)
            payload = sum(entry["payload_bytes"] for entry in kinds.values())
            return {
                "engine": "memory",
                "objects": len(self._rows),
                "payload_bytes": payload,
                "stored_bytes": payload,
                "file_bytes": 0,
                "free_bytes": 0,
                "kinds": kinds,
            }

    def tally(self) -> Tally:
        """See `Engine.tally`."""
        with self._open():
            stored = self._after_gc.stored_since_gc + self._order
            return self._after_gc._replace(objects=len(self._rows), stored_since_gc=stored)

    def sync(self) -> None:
        """See `Engine.sync`; nothing to do."""
        self._open()

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        with self._lock:
            self._rows.clear()
            self._refs.clear()
            self._log.clear()
            self._postings.clear()
