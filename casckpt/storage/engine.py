"""What an engine is: the place where bytes lie, behind one batched interface.

An engine keeps *objects* (immutable, named by id), *refs* (names that point at an object
and move), a *log* of the ref moves that asked to be logged, and *postings* (ordered lists
of objects, for finding). It knows nothing of values, trees or checkpoints.

Invariants every engine keeps, and `casckpt.testing` checks:

- `commit` is one atomic, isolated, durable step; nothing becomes visible before it or
  without it, and no write transaction is ever open across this interface (objects of a
  very large commit may be stored earlier: nothing leads to them before the step);
- an object that can be read has all its children (`NewObject.children`) readable;
- a ref moves only if it is what the caller expected (compare and set);
- `gc` removes no object that a root, a ref or a later commit reaches, while others write.

Imports: ids, errors and reports only. Engines are siblings of `casckpt.format` and never import it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.storage.reports import CompactReport, GcReport, PackReport, Tally

__all__ = [
    "ABSENT",
    "ANY",
    "Children",
    "CompactReport",
    "Engine",
    "GcReport",
    "LogEntry",
    "MissingObjects",
    "NewObject",
    "PackReport",
    "Posting",
    "Problem",
    "Ref",
    "RefConflict",
    "RefUpdate",
    "Removed",
    "Stage",
    "StoredObject",
    "Tally",
]


class NewObject(NamedTuple):
    """An object to be stored, if it is not there already."""

    id: ObjectId
    kind: int
    """1 to 15; hashed with the payload."""
    payload: bytes
    children: tuple[ObjectId, ...] = ()
    """Objects that must exist as long as this one does, in the order of the payload."""
    base: ObjectId | None = None
    """A hint: an object this one resembles (usually the one it replaces). Never a promise."""


class StoredObject(NamedTuple):
    """An object as read. The reader verifies `object_id(kind, payload) == id`."""

    id: ObjectId
    kind: int
    payload: bytes


Children = Callable[[StoredObject], Sequence[ObjectId]]
"""Says what a payload refers to, in order, each once; see `Engine.check`."""


Stage = Callable[[Sequence[NewObject]], None]
"""Stores objects at once; raises as `Engine.commit` does."""


Removed = Callable[[int, bytes], None]
"""Told the kind of an object that gc removed, and how its id begins: 16 bytes at least."""


class Ref(NamedTuple):
    """A ref as it stood when it was read."""

    name: str
    target: ObjectId | None
    """None: deleted; its log is kept so that the deletion can be undone."""
    info: bytes
    """Small, opaque; belongs to the layer above."""
    version: int
    """Grows with every move of this ref; compare-and-set compares this number."""
    last_log: int
    """Number of the newest log entry of this ref; 0: none."""


class _Expect:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


ABSENT: Final = _Expect("ABSENT")
"""Expected of a ref: that there is none (a deleted one counts as none)."""
ANY: Final = _Expect("ANY")
"""Expected of a ref: nothing."""


class RefUpdate(NamedTuple):
    """One move of a ref."""

    name: str
    target: ObjectId | None
    """The new target; None deletes (the ref stays as a deleted one, with its log)."""
    expect: Ref | _Expect = ANY
    """The ref as last read (compared by version), ABSENT or ANY."""
    info: bytes = b""
    log: bytes | None = None
    """An opaque note: the move is entered in the log with old and new target. None: not."""
    time_ns: int = 0
    """For the log entry: nanoseconds since 1970-01-01 UTC."""
    whole: bool = False
    """The new target counts as missing if gc has left only a part of it (`ids.CUT`)."""


class LogEntry(NamedTuple):
    """One logged move of a ref."""

    number: int
    """1, 2, 3 ... over the whole store, in order of commit; never used twice."""
    name: str
    old: ObjectId | None
    new: ObjectId | None
    time_ns: int
    note: bytes
    previous: int
    """Number of the entry before this one of the same ref; 0: none."""


class Posting(NamedTuple):
    """One place in an ordered list: (list, rank, order of storing)."""

    list: bytes
    """Name of the list, 1 to 400 bytes."""
    rank: int
    """0 to 2**64 - 1; lists are ordered by it."""
    id: ObjectId


class MissingObjects(Exception):
    """`commit` names objects that are not (or no longer) stored; nothing was written."""

    def __init__(self, ids: Collection[ObjectId]) -> None:
        super().__init__(f"{len(ids)} objects are missing")
        self.ids = frozenset(ids)


class RefConflict(Exception):
    """A ref was not what `commit` expected; nothing was written."""

    def __init__(self, name: str, actual: Ref | None) -> None:
        super().__init__(name)
        self.name = name
        self.actual = actual


class Problem(NamedTuple):
    """Something that `check` found."""

    severity: str
    """"damage" (bytes are wrong or lost) or "untidy" (an index that can be rebuilt)."""
    what: str
    """One sentence for people."""
    id: ObjectId | None = None
    prefix: bytes = b""
    """How the object's id begins, if that is all that is left of it."""
    final: bool = False
    """Nothing else can be looked at without danger."""


class Engine(Protocol):
    """Every method is safe to call from any OS thread; none keeps a transaction open."""

    read_only: bool

    def header(self) -> bytes:
        """The header blob written when the store was created."""
        ...

    def missing(self, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of `ids` that are not stored. A hint: only `commit` decides."""
        ...

    def read(self, ids: Sequence[ObjectId]) -> list[StoredObject | None]:
        """The objects, in the order asked; None for one that is not stored.

        Raises:
            CorruptError: a row that cannot be decoded.
        """
        ...

    def commit(
        self,
        objects: Sequence[NewObject] = (),
        refs: Sequence[RefUpdate] = (),
        *,
        uses: Collection[ObjectId] = (),
        add: Sequence[Posting] = (),
        remove: Sequence[Posting] = (),
    ) -> list[Ref]:
        """Store what is not there yet, move refs, change postings: all or nothing.

        `objects` come children first. `uses` names every object that is already stored
        and that the new ones (or refs) rely on; each must still exist inside the
        transaction. Returns the refs after their moves.

        Raises:
            MissingObjects: a use, a child, a target or a posting's object is not stored.
            RefConflict: a ref is not what was expected.
            StorageError: full disk or map, permission, read-only.

        Where several reasons hold, any one of them is told.
        """
        ...

    def hold(self) -> AbstractContextManager[Stage]:
        """A block in which objects are stored before the commit that will lead to them.

        The block gets a function that stores objects (children first) at once. Nothing leads to
        them, and gc leaves them, until the block ends; what was stored before is not
        protected. A killed process leaves them to gc.
        """
        ...

    def ref(self, name: str) -> Ref | None:
        """The ref, deleted ones included; None if there never was one (or gc forgot it)."""
        ...

    def refs(
        self, prefix: str = "", *, after: str | None = None, limit: int | None = None
    ) -> list[Ref]:
        """Refs that are not deleted, by name (order of UTF-8 bytes), after the name `after`."""
        ...

    def log_entry(self, number: int) -> LogEntry | None:
        """One entry of the log."""
        ...

    def log(self, *, before: int | None = None, limit: int | None = None) -> list[LogEntry]:
        """The log of all refs, newest first, older than entry `before`."""
        ...

    def postings(
        self,
        name: bytes,
        *,
        newest_first: bool = True,
        since: int | None = None,
        until: int | None = None,
        after: Posting | None = None,
        limit: int | None = None,
        damaged: Callable[[CorruptError], None] | None = None,
    ) -> list[Posting]:
        """The list `name`, since <= rank < until, beginning behind `after` (a posting of an
        earlier answer in the same direction). Postings whose object is gone are left out, and
        those whose object cannot be decoded, if `damaged` is told of them (more than once,
        perhaps).

        Raises:
            CorruptError: an object cannot be decoded, and there is nobody to tell.
        """
        ...

    def postings_count(self, name: bytes) -> int:
        """How long the list is, gone objects included; cheap."""
        ...

    def posting_lists(
        self, prefix: bytes = b"", *, after: bytes | None = None, limit: int | None = None
    ) -> list[bytes]:
        """Names of the lists that begin with `prefix`, in byte order."""
        ...

    def objects(self, kind: int | None = None) -> Iterator[ObjectId]:
        """Ids of all objects, newest first, for fsck and rebuilding; slow, in short reads.

        Those whose bytes are damaged have no id that could be told; `check` tells of them.
        """
        ...

    def ids_with_prefix(self, prefix: str, *, limit: int) -> list[ObjectId]:
        """Ids of stored objects whose hexadecimal spelling begins with `prefix`.

        Args:
            prefix: 1 to 64 lower-case hexadecimal digits, odd numbers of them too.
            limit: no more than so many, in any order.
        """
        ...

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
        """Remove every object that is not reachable, while others write.

        Roots are: what `roots()` yields (called after the horizon is taken), the targets
        of all refs, and old and new target of every log entry not older than `log_keep`
        before `now_ns` (None: of every entry). Deleted refs with no entry that young are
        forgotten. Runs in short transactions; may be killed at any moment. `removed` is
        told of every object that was removed, once it is; it must not use the engine.

        `replace`, called as `roots` is, names objects that are to be less from now on: what it
        yields takes the place of the object of that id, with its kind, which is another one,
        its payload, and its children, which are among the old one's; so what only the old one
        needed goes. An object that a ref or a young log entry has for a target stays as it is,
        and so does one that somebody takes up meanwhile; those not stored are no matter.

        Raises:
            StorageError: a pack or another gc is at work ("busy" in `details`); read-only.
        """
        ...

    def pack(
        self,
        *,
        keep: int = 0,
        seconds_max: float | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> PackReport:
        """Store objects more densely, while others read and write.

        Changes nothing that can be seen but sizes. Runs in short transactions; may be killed
        at any moment, and called again to go on.

        Args:
            keep: about so many of the newest objects stay as they are.
            seconds_max: stop after about so long.
            progress: called with a stage's name, and how much of how much is done.

        Raises:
            StorageError: a gc or another pack is at work ("busy" in `details`); read-only; disk
                full.
        """
        ...

    def compact(self, *, progress: Callable[[str, int, int], None] | None = None) -> CompactReport:
        """Give free bytes back to the disk, by writing the file anew.

        Nothing else in this process can use the store meanwhile, and no other process may
        have it open. Needs as much disk as the result. Killed at any moment: the old file
        or the new one is there, whole.

        Raises:
            StorageError: another process has it open ("busy" in `details`); read-only; disk
                full.
            CorruptError: a page is damaged; nothing was changed.
        """
        ...

    def check(self, *, data: bool = True, children: Children | None = None) -> Iterator[Problem]:
        """Look for damage: books (rows, index, refs, log, postings) and, with `data`, every
        object's bytes against its id and its children's existence.

        `children`, with `data`, is called for every sound object; it must not use the engine.
        It says what the payload refers to, each once, which must be the children that were
        stored; or raises CorruptError with what is wrong with the payload, which is told.
        """
        ...

    def stats(self) -> dict[str, Any]:
        """Counts and bytes: "objects", "payload_bytes", "stored_bytes", "file_bytes",
        "free_bytes", "kinds" {kind: {"objects", "payload_bytes", "stored_bytes"}}, "engine".
        """
        ...

    def tally(self) -> Tally:
        """What there may be to do for `gc`, `pack` and `compact`: a few microseconds."""
        ...

    def sync(self) -> None:
        """Make everything committed survive power loss (if durability is relaxed)."""
        ...

    def close(self) -> None:
        """Release everything; further calls raise ClosedError. Closing twice is fine."""
        ...
