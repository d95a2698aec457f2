"""The ledger: an open store as history sees it, where heads move.

Saving puts the state's new objects, the record, the move of the thread's head and the rows it
is found by into one commit of the engine, so that either all of it is there or nothing.
Readers go the other way: ref, record, state.

Invariants: a head moves only from where the writer saw it (compare and set); without
`expect`, a writer that comes second takes the new head as its parent and tries again, so
nothing that was saved is ever left out of a thread by accident. Times grow along a history.

Imports: errors, ids, storage (engine interface), vault, tree (types), history (ancestry, books,
collected, events, keys, names, notes, meta, placing, recall, states).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from casckpt.errors import (
    ClosedError,
    ConflictError,
    InvalidInputError,
    PrunedError,
    StorageError,
)
from casckpt.history import keys, names, notes
from casckpt.history import meta as metas
from casckpt.history.ancestry import Ancestry, Point
from casckpt.history.books import Books, Here, books_of
from casckpt.history.collected import gone
from casckpt.history.events import SAVED, Events, happening
from casckpt.history.placing import Content, Placed, place
from casckpt.history.recall import recall
from casckpt.history.states import (
    Guided,
    Guides,
    Settled,
    put_edit,
    put_meta,
    put_state,
    root_id,
)
from casckpt.ids import ObjectId
from casckpt.storage.batch import BatchEngine
from casckpt.storage.engine import (
    ABSENT,
    Engine,
    MissingObjects,
    Ref,
    RefConflict,
    RefUpdate,
)
from casckpt.tree.edit import Edit
from casckpt.tree.source import Codec
from casckpt.vault import Draft, Vault

__all__ = ["ANY_HEAD", "RETRIES_MAX", "AnyHead", "Ledger", "expected"]

RETRIES_MAX: Final = 1_000
"""Commits that may fail one after the other because somebody else's was first each time."""


class AnyHead:
    """The type of ANY_HEAD."""

    def __repr__(self) -> str:
        return "ANY_HEAD"


ANY_HEAD: Final = AnyHead()
"""Expected of a thread's head: nothing."""


class Ledger:
    """What all handles of one open store share. Safe to use from several OS threads."""

    def __init__(self, engine: Engine, codec: Codec, clock: Callable[[], int]) -> None:
        """Take over an engine.

        Args:
            engine: closed with the ledger.
            codec: types above the native ones.
            clock: nanoseconds since 1970-01-01 UTC.
        """
        self._books = books_of(engine)
        self._here = Here()
        self._closed = False
        self.guides = Guides()
        self.events = Events()
        self.codec = codec
        self.clock = clock

    @property
    def books(self) -> Books:
        """The engine with what reads it, as this OS thread sees them; raises ClosedError."""
        self.check_open()
        return self._here.batch or self._books

    @property
    def engine(self) -> Engine:
        """The engine; raises ClosedError."""
        return self.books.engine

    @property
    def vault(self) -> Vault:
        """Objects; raises ClosedError."""
        return self.books.vault

    @property
    def ancestry(self) -> Ancestry:
        """Walks over records; raises ClosedError."""
        return self.books.ancestry

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def check_open(self) -> None:
        """Raise ClosedError if it was closed."""
        if self._closed:
            raise ClosedError("the store is closed")

    def close(self) -> None:
        """Close the engine and forget what is cached; twice is fine."""
        self._closed = True
        self._books.engine.close()
        self.forget()

    def forget(self) -> None:
        """Empty the caches (after gc, so that what was collected is seen to be gone)."""
        self._books.ancestry.forget()
        self._books.vault.forget()
        self.guides.clear()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold back what this OS thread saves, and carry it out in one commit at the end.

        Raises:
            ConflictError: at the end: a thread's head was moved by others meanwhile.
            InvalidInputError: a batch inside a batch.
        """
        self.check_open()
        if self._here.batch is not None:
            raise InvalidInputError("a batch does not go inside another one")
        engine = BatchEngine(self._books.engine)
        held = books_of(engine, self._books)
        self._here.begin(held)
        try:
            try:
                yield
            finally:
                held.over.set()  # not only for this OS thread: another one may have begun it
            engine.flush()
            self._books.ancestry.keep_all(held.ancestry)
        except BaseException as error:
            # They tell of objects that were held back, and are no more.
            self.guides.clear()
            if isinstance(error, RefConflict):
                wanted = engine.before(error.name)
                actual = error.actual.target if error.actual is not None else None
                raise conflict(notes.thread_name(error.name), wanted, actual) from None
            if isinstance(error, MissingObjects):
                raise gone(self._books.engine, *error.ids) from None
            raise
        finally:
            engine.close()
        for told in held.told:
            self.events.tell(told)

    def tell(
        self, kind: str, thread: str | None, point: Point | None, began: int, **details: Any
    ) -> None:
        """Tell who listens of what happened since `began` (of `Events.begin`); 0: nobody does."""
        if not began:
            return
        told = happening(kind, thread, point, began, **details)
        if self._here.batch is None:
            self.events.tell(told)
        else:
            self._here.batch.told.append(told)

    def ref(self, thread: str) -> Ref | None:
        """The ref of a thread, deleted ones included."""
        return self.engine.ref(notes.thread_ref(thread))

    def head(self, thread: str) -> Point | None:
        """The newest checkpoint of a thread; None if it has none."""
        ref = self.ref(thread)
        while True:
            if ref is None or ref.target is None:
                return None
            try:
                return self.ancestry.point(ref.target)
            except PrunedError:
                # Moved away and collected since the ref was read: then it has a newer one.
                before, ref = ref, self.ref(thread)
                if ref == before:
                    raise

    def append(
        self,
        thread: str,
        state: Any,
        *,
        label: str | None = None,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        key: str | None = None,
        expect: ObjectId | AnyHead | None = ANY_HEAD,
        unless: Point | None = None,
    ) -> Point:
        """Save a state as the new head of a thread.

        Args:
            thread: its name.
            state: any value the trees can store.
            label: what kind of moment this is.
            tags: marks to find it by.
            meta: JSON-like facts.
            key: what to find it by.
            expect: what the head must be; None: the thread must have no checkpoint.
            unless: a checkpoint whose state is not worth saving again.

        Returns:
            The new head; or `unless`; or what has the key already, if all else is the same.

        Raises:
            ConflictError: another checkpoint has the key; or the head is not what was expected:
                the state is stored, outside every thread and without tags and key;
                `details["saved"]` is the checkpoint's id, until gc.
            UnsupportedValueError, LimitError, InvalidInputError: nothing was stored.
        """
        began = self.events.begin(SAVED)
        names.check_thread_name(thread)
        label, tags = names.check_label(label), names.check_tags(tags)
        facts, key = metas.check_meta(meta), names.check_key(key)
        last, anew = self.guides.get(thread) or self._recalled(thread, state), False
        while True:
            with self.vault.draft() as draft:
                root = put_state(draft, self.codec, state, last)
                if unless is not None and self._is_state(unless, root):
                    return unless
                content = Content(root, put_meta(draft, self.codec, facts), label, tags, key)
                try:
                    known = None if last is None else last.ref
                    point, ref = self._append(thread, draft, content, expect, known)
                except MissingObjects as error:
                    if anew or not (last is not None or draft.staged):
                        raise gone(self.engine, *error.ids) from None
                    # gc took something that was to be used again: build all of it anew.
                    last, anew = None, True
                    continue
            if ref is None:
                return point  # it has the key, and this is what was saved there
            # What a batch has moved, others do not see yet.
            seen = ref if self._here.batch is None else None
            self.guides.keep(thread, root.guided(point.id, seen))
            self.tell(SAVED, thread, point, began)
            return point

    def _recalled(self, thread: str, state: Any) -> Guided | None:
        head = partial(self.head, thread)
        return recall(self.vault, self.codec, self.ancestry, head, state)

    def _is_state(self, point: Point, root: Settled) -> bool:
        return root_id(self.ancestry.record(point.id).root) == root_id(root.data)

    def append_edit(
        self,
        thread: str,
        edit: Edit,
        head: Point | None,
        *,
        label: str | None = None,
        tags: tuple[str, ...] = (),
        meta: dict[str, Any],
        key: str | None = None,
    ) -> Point:
        """Save what an edit came to, behind the head that it began with.

        Raises:
            ConflictError, UnsupportedValueError, LimitError: as `append`.
        """
        began = self.events.begin(SAVED)
        with self.vault.draft() as draft:
            root = put_edit(draft, edit)
            content = Content(root, put_meta(draft, self.codec, meta), label, tags, key)
            try:
                expect = None if head is None else head.id
                point, ref = self._append(thread, draft, content, expect)
            except MissingObjects as error:
                raise gone(self.engine, *error.ids) from None
        if ref is None:
            return point
        last = self.guides.get(thread)
        if last is not None:
            # It proves what it knows, so it is as good for a later whole save as before.
            self.guides.keep(thread, last._replace(base=root.own or point.id, ref=None))
        self.tell(SAVED, thread, point, began)
        return point

    def _append(
        self,
        thread: str,
        draft: Draft,
        content: Content,
        expect: ObjectId | AnyHead | None,
        known: Ref | None = None,
    ) -> tuple[Point, Ref | None]:
        """The new head, and its ref; or the checkpoint that was saved so before, and None.

        `known` is the ref as it may still be: right as a rule, and then it need not be read.
        """
        name = notes.thread_ref(thread)
        if self._here.batch is not None or not isinstance(expect, AnyHead) or content.key:
            known = None
        ref = self.engine.ref(name) if known is None else known
        for _ in range(RETRIES_MAX):
            head = ref.target if ref is not None else None
            agreed = isinstance(expect, AnyHead) or head == expect
            parent_id = head if isinstance(expect, AnyHead) else expect
            try:
                parent = None if parent_id is None else self.ancestry.point(parent_id)
            except PrunedError:
                before, ref = ref, self.engine.ref(name)
                if ref == before or not isinstance(expect, AnyHead):
                    raise
                continue
            placed = place(
                draft,
                self.ancestry,
                parent,
                # A tag would keep from gc what is kept only for the moment.
                content if agreed else content._replace(tags=(), key=None),
                thread=thread,
                time_ns=max(self.clock(), 0),
            )
            if content.key is not None and (found := self._again(placed, content, head)):
                return found, None
            if not agreed:
                draft.commit(add=placed.postings)
                raise conflict(thread, parent_id, head, saved=placed.id.hex())
            info = notes.ThreadOrigin(placed.record.created_ns).encode()
            if ref is not None and ref.target is not None:
                info = ref.info
            try:
                move = RefUpdate(name, placed.id, expect=expected(ref), info=info)
                moved = draft.commit([move], add=placed.postings)
            except RefConflict as error:
                ref = error.actual
            except MissingObjects:
                before, ref = ref, self.engine.ref(name)
                if ref == before:
                    raise
            else:
                point = self.ancestry.keep(*placed)
                if content.key is not None and self._here.batch is not None:
                    self._here.batch.keyed.append(point)
                return point, moved[0]
            del draft.objects[placed.id]
        raise crowded(thread)

    def _again(self, placed: Placed, content: Content, head: ObjectId | None) -> Point | None:
        if head is None:
            return None
        record = placed.record._replace(tags=content.tags, key=content.key)
        return keys.again(self.books, record, self.ancestry.point(head))


def expected(ref: Ref | None) -> Any:
    """What a RefUpdate expects, of a ref as it was read."""
    return ABSENT if ref is None else ref


def conflict(
    thread: str, wanted: ObjectId | None, actual: ObjectId | None, **more: Any
) -> ConflictError:
    """The error for a head that is not what was expected."""
    return ConflictError(
        f"the head of {thread} is {_short(actual)}, not {_short(wanted)}",
        expected=wanted.hex() if wanted is not None else None,
        actual=actual.hex() if actual is not None else None,
        **more,
    )


def crowded(thread: str) -> StorageError:
    """The error for losing every race."""
    return StorageError(f"{thread}: others were first {RETRIES_MAX} times in a row")


def _short(oid: ObjectId | None) -> str:
    return "nothing" if oid is None else oid.hex()[:16]
