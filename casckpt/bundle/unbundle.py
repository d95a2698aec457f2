"""Taking a bundle in.

It is read twice: first all of it is checked, against itself and against what the store has, and
nothing is written; then its objects are stored, a batch at a time, and last the threads, each
in one commit with its tags. So what is cut off or damaged leaves nothing, and what is
interrupted leaves objects that no thread has, for gc.

Invariants: a thread that is there moves forward only, unless the caller says otherwise. Names
in a bundle become names of threads, never of files.

Imports: errors, ids, format (constants), storage (engine interface, batch), values, history,
bundle (layout, stream, verify).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from typing import BinaryIO, Final, NamedTuple

from casckpt.bundle.layout import BundledThread, Head
from casckpt.bundle.stream import PAYLOAD_BYTES_IN_ALL_MAX, BundleReader
from casckpt.bundle.verify import Checker, Outside, Progress, check_all
from casckpt.errors import (
    ConflictError,
    CorruptError,
    InvalidInputError,
    NotFoundError,
    PrunedError,
    StorageError,
)
from casckpt.format.constants import KIND_CHECKPOINT, KIND_CHUNK, KIND_PRUNED, KIND_TAGS
from casckpt.format.records import TagsRecord
from casckpt.history import names, pruned
from casckpt.history.ancestry import Point
from casckpt.history.graft import Grafted, NewThread, graft, owner, postings
from casckpt.history.ledger import Ledger
from casckpt.history.states import load_meta
from casckpt.ids import ObjectId
from casckpt.storage.batch import BatchEngine
from casckpt.storage.engine import MissingObjects, NewObject, Posting
from casckpt.values import Registry

__all__ = ["UnbundleReport", "UnbundledThread", "unbundle"]

_BATCH_BYTES: Final = 4 << 20
_BATCH_OBJECTS: Final = 1_000
"""Stored in one commit: so that other writers are not kept waiting."""
_TRIES_MAX: Final = 3
"""Times that gc may take what was stored, before a thread has it."""
_COPY_BYTES: Final = 1 << 20
_NO_META: Final = frozenset({b"\xa0", b""})
"""Encoded, of most checkpoints; the other one is of pruned ones."""
_CHECKPOINTS: Final = frozenset({KIND_CHECKPOINT, KIND_PRUNED})


class UnbundledThread(NamedTuple):
    """What became of a thread."""

    name: str
    """Here."""
    bundled_as: str
    how: str
    """new, forward, overwritten, unchanged, or ahead (what is here comes after what came)."""
    old: str | None
    """The id of its head before."""
    head: str
    """The id of its head now."""


class UnbundleReport(NamedTuple):
    """What was taken in."""

    threads: tuple[UnbundledThread, ...]
    checkpoints: int
    """In the bundle."""
    checkpoints_new: int
    """That were not here."""
    objects: int
    objects_new: int
    payload_bytes: int


def unbundle(
    ledger: Ledger,
    source: BinaryIO,
    *,
    prefix: str = "",
    rename: Mapping[str, str] | None = None,
    overwrite: bool = False,
    bytes_max: int = PAYLOAD_BYTES_IN_ALL_MAX,
    progress: Progress | None = None,
) -> UnbundleReport:
    """Take the threads of a bundle in.

    Args:
        ledger: the store.
        source: the bundle's bytes, from here on; copied to a temporary file if it can not be
            read twice.
        prefix: put before each thread's name.
        rename: names of the bundle -> names here, without prefix.
        overwrite: move threads, too, that have gone another way here.
        bytes_max: payload bytes the bundle may expand to.
        progress: told the stage and how many objects are done (of 0: unknown).

    Raises:
        InvalidInputError: not a bundle, or a name that no thread may have.
        CorruptError: the bundle is damaged, cut off or forged.
        NotFoundError: a prerequisite is not here; `details` has all of them.
        ConflictError: a thread has gone another way here; nothing was stored.
        LimitError: it expands too far.
    """
    if ledger.engine.read_only:
        raise StorageError("the store was opened read-only")
    if isinstance(ledger.engine, BatchEngine):
        raise InvalidInputError("a bundle is not taken in inside a batch: before it, or after it")
    with tempfile.TemporaryFile() as spool:
        if not source.seekable():
            while piece := source.read(_COPY_BYTES):
                spool.write(piece)
            spool.seek(0)
            source = spool
        start = source.tell()
        reader = BundleReader(source, bytes_max=bytes_max)
        checker = _checker(ledger, reader)
        targets = _targets(reader.head, prefix, rename or {})
        check_all(reader, checker, progress)
        _refuse_conflicts(ledger, reader.head, targets, checker, overwrite=overwrite)

        def again() -> BundleReader:
            source.seek(start)
            return BundleReader(source, bytes_max=bytes_max)

        storing, grafted = _take(ledger, again, targets, checker, progress, overwrite=overwrite)
    return _report(reader, checker, storing, grafted)


def _take(
    ledger: Ledger,
    again: Callable[[], BundleReader],
    targets: dict[str, str],
    checker: Checker,
    progress: Progress | None,
    *,
    overwrite: bool,
) -> tuple[_Storing, list[Grafted]]:
    """Store what was checked, then move the threads."""
    for left in reversed(range(_TRIES_MAX)):
        storing, reader = _Storing(ledger), again()
        try:
            storing.take(reader, progress)
            _check_meta(ledger, storing.with_meta)
            return storing, _graft(ledger, reader.head, targets, checker, overwrite=overwrite)
        except (MissingObjects, PrunedError) as error:
            if isinstance(error, PrunedError) and pruned.is_final(error):
                raise  # the state of a head, which was here before: another try changes nothing
            # Collected before a thread had it: store it again.
            ledger.forget()
            if not left:
                msg = "gc removes what is being taken in: try again when it is done"
                raise StorageError(msg) from error
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _check_meta(ledger: Ledger, checkpoints: list[ObjectId]) -> None:
    """Every listing reads meta: what is none must not come into reach.

    Raises:
        CorruptError: the meta of a checkpoint cannot be read, or is no dict.
    """
    for oid in checkpoints:
        load_meta(ledger.vault, Registry(), ledger.ancestry.record(oid))


def _report(
    reader: BundleReader, checker: Checker, storing: _Storing, grafted: list[Grafted]
) -> UnbundleReport:
    return UnbundleReport(
        threads=tuple(
            UnbundledThread(
                done.name,
                thread.name,
                done.how,
                None if done.old is None else done.old.hex(),
                done.head.hex(),
            )
            for done, thread in zip(grafted, reader.head.threads, strict=True)
        ),
        checkpoints=len(checker.points),
        checkpoints_new=storing.checkpoints_new,
        objects=0 if reader.end is None else reader.end.entries,
        objects_new=storing.objects_new,
        payload_bytes=storing.payload_bytes,
    )


class _Here(Outside):
    """What the store knows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def missing(self, ids: Collection[ObjectId]) -> Collection[ObjectId]:
        return self._ledger.engine.missing(ids)

    def point(self, oid: ObjectId) -> Point | None:
        try:
            return self._ledger.ancestry.point(oid)
        except PrunedError:
            return None


def _targets(head: Head, prefix: str, rename: Mapping[str, str]) -> dict[str, str]:
    """The name here of each thread in the bundle."""
    known = {thread.name for thread in head.threads}
    for name in rename:
        if name not in known:
            msg = f"the bundle has no thread {name} to rename"
            raise NotFoundError(msg, thread=name, candidates=sorted(known)[:5])
    targets = {}
    for thread in head.threads:
        name = names.check_thread_name(rename.get(thread.name, thread.name))
        targets[thread.name] = names.check_thread_name(prefix + name)
    if len(set(targets.values())) < len(targets):
        raise InvalidInputError("two threads of the bundle would have one name here")
    return targets


def _checker(ledger: Ledger, reader: BundleReader) -> Checker:
    """Begin to check, with the head; raises NotFoundError if a prerequisite is not here."""
    needed = list(reader.head.prerequisites)
    here = _Here(ledger)
    lacking = []
    for oid in needed:
        point = here.point(oid)
        if point is None or point.left is not None:  # its state is what is built on
            lacking.append(oid.hex())
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        msg = (
            f"the bundle builds on checkpoint {lacking[0][:16]}{more}, which this store does not"
            " have: take in the bundle before it first"
        )
        raise NotFoundError(msg, prerequisites=lacking)
    try:
        return Checker(reader.head, here)
    except CorruptError as error:
        reader.place(error)


def _refuse_conflicts(
    ledger: Ledger, head: Head, targets: dict[str, str], checker: Checker, *, overwrite: bool
) -> None:
    """Raise, before anything is stored, if a thread could not be moved.

    Raises:
        ConflictError: it has gone another way.
        PrunedError: the state of its head was pruned here, and is gone for good.
    """
    for thread in head.threads:
        point = _Here(ledger).point(thread.head)
        if point is not None:
            pruned.refuse(ledger, point)
    for thread in head.threads if not overwrite else ():
        ref = ledger.ref(targets[thread.name])
        if ref is None or ref.target is None or ref.target == thread.head:
            continue
        if _before(ledger, ref.target, thread, checker):
            continue
        raise ConflictError(
            f"the thread {targets[thread.name]} is there already, and has gone another way:"
            " overwrite it (it can be undone), or choose another name",
            thread=targets[thread.name],
            expected=thread.head.hex(),
            actual=ref.target.hex(),
        )


def _before(ledger: Ledger, here: ObjectId, thread: BundledThread, checker: Checker) -> bool:
    """Whether one of the two heads has the other in its history."""
    oid: ObjectId | None = thread.head
    while oid is not None and oid in checker.points:
        if oid == here:
            return True
        oid = checker.points[oid].parent
    if oid is not None:  # a prerequisite: from there on the store knows
        old, new = ledger.ancestry.point(here), ledger.ancestry.point(oid)
        if ledger.ancestry.is_ancestor(old, new):
            return True
    try:
        theirs = ledger.ancestry.point(thread.head)
    except PrunedError:
        return False
    return ledger.ancestry.is_ancestor(theirs, ledger.ancestry.point(here))


class _Storing:
    """The second reading: objects into the store."""

    def __init__(self, ledger: Ledger) -> None:
        self._engine = ledger.engine
        self._last: dict[int, ObjectId] = {}
        self._batch: list[NewObject] = []
        self._lists: list[Posting] = []
        self._bytes = 0
        self.with_meta: list[ObjectId] = []
        self.objects = 0
        self.objects_new = 0
        self.checkpoints_new = 0
        self.payload_bytes = 0

    def take(self, reader: BundleReader, progress: Progress | None) -> None:
        """Store all objects; raises as reading and storing do, and MissingObjects."""
        checker = Checker(reader.head, _Trusting())
        for entry in reader.entries():
            checked = checker.check(entry)
            base = self._last.get(entry.kind)
            if entry.kind == KIND_TAGS:
                continue  # made anew with the threads
            if checked.record is not None:
                self._lists += postings(entry.id, checked.record)
                if checked.record.meta not in _NO_META:
                    self.with_meta.append(entry.id)
                if checked.record.parents:
                    base = checked.record.parents[0]
            if entry.kind == KIND_CHUNK:
                base = None
            self._last[entry.kind] = entry.id
            self._batch.append(
                NewObject(entry.id, entry.kind, entry.payload, checked.children, base)
            )
            self._bytes += len(entry.payload)
            if self._bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_OBJECTS:
                self._flush(progress)
        if self._batch:
            self._flush(progress)

    def _flush(self, progress: Progress | None) -> None:
        new = self._engine.missing([item.id for item in self._batch])
        self._engine.commit(self._batch, add=self._lists)
        self.objects += len(self._batch)
        self.objects_new += len(new)
        self.checkpoints_new += sum(
            item.kind in _CHECKPOINTS and item.id in new for item in self._batch
        )
        self.payload_bytes += self._bytes
        self._batch, self._lists, self._bytes = [], [], 0
        if progress is not None:
            progress("storing", self.objects, 0)


class _Trusting(Outside):
    """For the second reading: what is not there, the commit refuses."""


def _graft(
    ledger: Ledger, head: Head, targets: dict[str, str], checker: Checker, *, overwrite: bool
) -> list[Grafted]:
    """Move the threads, in the order of the bundle."""
    places = {oid: number for number, oid in enumerate(checker.points, 1)}
    find = owner(places, [thread.head for thread in head.threads])
    tagged: list[list[Point]] = [[] for _ in head.threads]
    for point in checker.points.values():
        if point.tags:
            tagged[find(point.id)].append(point)
    moved: list[list[TagsRecord]] = [[] for _ in head.threads]
    for _, _, tags in checker.tagged:
        moved[find(tags.checkpoint)].append(tags)
    done = []
    for thread, points, retagged in zip(head.threads, tagged, moved, strict=True):
        origin, name = thread.origin, targets[thread.name]
        if origin.forked_from is not None:
            known = targets.get(origin.forked_from, origin.forked_from)
            origin = origin._replace(forked_from=known)
        new = NewThread(name, thread.head, origin, points, retagged)
        done.append(graft(ledger, new, overwrite=overwrite))
    return done
