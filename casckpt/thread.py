"""Thread: the public handle of a named line of checkpoints, and what lists say of one.

A handle is a name: it exists before anything is saved and after the thread is deleted.
Revisions given to it that lack a start begin at its head.

Invariants: it holds the ledger, never the Store; nothing about the thread is remembered in
it, so handles in several OS threads or processes see the same.

Imports: path, history, autosave, checkpoint, listed, prune, workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import IO, Any

from casckpt.autosave import Autosave, Pace, Watched
from casckpt.checkpoint import Checkpoint, expected_id, find_point
from casckpt.history import moves, names, states
from casckpt.history.edits import Editing
from casckpt.history.find import asked, find, page_of
from casckpt.history.ledger import ANY_HEAD, AnyHead, Ledger
from casckpt.history.resolve import head_of, with_key
from casckpt.history.retention import Retention
from casckpt.listed import Move
from casckpt.path import Step
from casckpt.prune import PruneReport, prune, unprune
from casckpt.upkeep.summary import Summary, summarize
from casckpt.workflow import Journal, OnChange, Workflow

__all__ = ["Thread"]


class Thread:
    """A named line of checkpoints with a head that moves.

    Made by `Store.thread`; exists once something is saved in it.
    """

    __slots__ = ("_ledger", "_name")

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = names.check_thread_name(name)

    @property
    def name(self) -> str:
        """Its name; hierarchical by "/"."""
        return self._name

    @property
    def exists(self) -> bool:
        """Whether it has a checkpoint now."""
        ref = self._ledger.ref(self._name)
        return ref is not None and ref.target is not None

    @property
    def head(self) -> Checkpoint | None:
        """Its newest checkpoint; None: nothing was saved, or it was deleted."""
        point = self._ledger.head(self._name)
        return None if point is None else Checkpoint(self._ledger, point)

    def checkpoint(
        self, revision: Checkpoint | str | None = None, *, key: str | None = None
    ) -> Checkpoint:
        """The checkpoint that a revision names; None: the head.

        Args:
            revision: which.
            key: the one with this key in the history of that (docs/keys.md).

        Raises:
            NotFoundError: there is none; the message has the nearest names.
            InvalidInputError: it does not parse.
        """
        if revision is None:
            point = head_of(self._ledger, self._name)
        else:
            point = find_point(self._ledger, revision, self._name)
        if names.check_key(key) is not None:
            point = with_key(self._ledger, point, str(key), self._name)
        return Checkpoint(self._ledger, point)

    def load(
        self,
        revision: Checkpoint | str | None = None,
        *,
        path: str | Iterable[Step] | None = None,
        into: type | None = None,
    ) -> Any:
        """A state, of fresh objects: `checkpoint(revision).load(path, into=into)`."""
        return self.checkpoint(revision).load(path, into=into)

    def view(
        self,
        revision: Checkpoint | str | None = None,
        *,
        path: str | Iterable[Step] | None = None,
    ) -> Any:
        """A state, lazy and read-only: `checkpoint(revision).view(path)`."""
        return self.checkpoint(revision).view(path)

    def open(
        self,
        revision: Checkpoint | str | None = None,
        *,
        path: str | Iterable[Step] | None = None,
        mode: str = "rb",
    ) -> IO[Any]:
        """A long value as a file to read: `checkpoint(revision).open(path, mode)`."""
        return self.checkpoint(revision).open(path, mode)

    def save(
        self,
        state: Any,
        *,
        label: str | None = None,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        key: str | None = None,
        expect: Checkpoint | str | AnyHead | None = ANY_HEAD,
    ) -> Checkpoint:
        """Save a state as the new head; what any save has stored before is not stored again.

        When this returns, it is as safe as the store's durability promises.

        Args:
            state: any value of docs/values.md.
            label: what kind of moment this is; may repeat.
            tags: marks to find it by; more can be added later.
            meta: a small dict of what JSON has, to look at and to search.
            key: an id of your own, one in the thread. Where the same was saved under it before,
                nothing is saved, and that checkpoint is returned (docs/keys.md).
            expect: save only if this is the head: a checkpoint or the digits of its id; None:
                only if the thread does not exist. Not given: after whatever is the head then.

        Raises:
            UnsupportedValueError: a value that cannot be stored exactly; names its path.
            ConflictError: the key is taken: `details["existing"]`. Or the head is not what was
                expected: the state is kept until gc, as the checkpoint `details["saved"]`
                outside every thread, without tags and key.
            StorageError: disk full, read-only and the like.
        """
        point = self._ledger.append(
            self._name,
            state,
            label=label,
            tags=tags,
            meta=meta,
            key=key,
            expect=expected_id(self._ledger, expect, self._name),
        )
        return Checkpoint(self._ledger, point)

    def edit(
        self,
        *,
        label: str | None = None,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        key: str | None = None,
        expect: Checkpoint | str | AnyHead | None = ANY_HEAD,
    ) -> Editing:
        """Change the head's state in a `with` block, and save what it came to as the new head.

        The block gets a draft: a mutable mapping, sequence or set that reads what is asked for
        and notes what changes; {} if nothing was saved yet. Leaving the block costs what was
        changed, however large the state is; an exception saves nothing. If nothing was changed
        and no label, tags, meta or key given, there is no new checkpoint. Afterwards
        `draft.checkpoint` is the head. See docs/editing.md.

        Args:
            label: as of `save`.
            tags: as of `save`.
            meta: as of `save`.
            key: an id of your own, one in the thread.
            expect: edit only if this is the head when the block begins.

        Raises:
            InvalidInputError: on entry: the state is no dict, list or set.
            ConflictError: on entry: the key is taken, the head not what was expected; on leaving: it has moved
                since. What was to be saved is kept until gc, as `details["saved"]`.
            UnsupportedValueError: on leaving: a value that cannot be stored; names its path.
        """
        return Editing(
            self._ledger,
            self._name,
            lambda point: Checkpoint(self._ledger, point),
            label=label,
            tags=tags,
            meta=meta,
            key=key,
            expect=expected_id(self._ledger, expect, self._name),
        )

    def workflow(
        self,
        name: str,
        *,
        at: Checkpoint | str | None = None,
        on_change: OnChange = "error",
        again: bool = False,
    ) -> Workflow:
        """Steps that are carried out once, for a `with` block; see docs/workflows.md.

        Args:
            name: the workflow's; this thread is to have nothing else in it.
            at: resume from this checkpoint, in a fork named after it; None: from the head.
            on_change: what to do about a finished step that is called with other inputs:
                "error", or carry it out "again".
            again: begin anew if the workflow was finished.
        """
        return Workflow(self._journal(name, at, on_change=on_change, again=again))

    def autosave(
        self,
        state: Any,
        *,
        every_steps: int | None = None,
        every_seconds: float | None = None,
        on_change: bool = True,
        label: str | Callable[[Any], str | None] | None = None,
    ) -> Autosave:
        """Save a state as it changes, for a `with` block or as a decorator; docs/autosave.md.

        Args:
            state: the state, or a function that gives it.
            every_steps: save at each so many-th `step()`.
            every_seconds: save at the first `step()` after so long.
            on_change: if neither is given, save at every `step()`; False: at the end only.
            label: of what is saved; or a function of the state that gives it.
        """
        pace = self._pace(every_steps, every_seconds, on_change)
        return Autosave(self._autosaved, Watched(state, pace, label))

    def _pace(self, steps: int | None, seconds: float | None, on_change: bool) -> Pace:  # noqa: FBT001
        return Pace(steps, seconds, on_change=on_change, clock=self._ledger.clock)

    def _autosaved(
        self, state: Any, *, label: str | None, meta: dict[str, Any] | None, again: bool
    ) -> Checkpoint | None:
        head = self._ledger.head(self._name)
        point = self._ledger.append(
            self._name, state, label=label, meta=meta, unless=None if again else head
        )
        return None if head is not None and point.id == head.id else Checkpoint(self._ledger, point)

    def _journal(self, name: str, at: Checkpoint | str | None, **how: Any) -> Journal:
        how["at"] = None if at is None else self.checkpoint(at)
        return Journal(self, name, partial(states.digest, self._ledger.codec), **how)

    def log(
        self,
        *,
        limit: int | None = None,
        label: str | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        at: Checkpoint | str | None = None,
        after: Checkpoint | str | None = None,
        offset: int = 0,
    ) -> Iterator[Checkpoint]:
        """Its checkpoints, newest first, those before a fork included; read as they are taken.

        Args:
            limit: no more than so many.
            label: only with this label.
            tag: only with this tag.
            since: not older than this (an aware datetime).
            until: older than this.
            at: begin at this checkpoint instead of the head.
            after: only those behind this one: where the page before ended.
            offset: pass over so many.

        Raises:
            NotFoundError: the thread has no checkpoint.
        """
        query = asked(label=label, tag=tag, since=since, until=until)
        start = find_point(self._ledger, self.checkpoint(at))
        behind = None if after is None else find_point(self._ledger, after, self._name)
        found = find(self._ledger, query, at=start, limit=limit, after=behind, offset=offset)
        return (Checkpoint(self._ledger, point) for point in found)

    def summary(self) -> Summary:
        """Counts, times and sizes of its history; reads every record, but no states.

        Raises:
            NotFoundError: the thread has no checkpoint.
        """
        return summarize(self._ledger, self._name, head_of(self._ledger, self._name))

    def fork(self, name: str, at: Checkpoint | str | None = None) -> Thread:
        """Begin another thread at a checkpoint (None: this head): a pointer, no data.

        Raises:
            ConflictError: there is a thread of that name.
            NotFoundError: there is no such checkpoint.
        """
        point = find_point(self._ledger, self.checkpoint(at))
        moves.fork(self._ledger, self._name, name, point)
        return Thread(self._ledger, name)

    def rewind(self, to: Checkpoint | str) -> Checkpoint:
        """Move the head to another checkpoint, in its history or not; the new head.

        Nothing is lost: the reflog knows, `undo` goes back. To the head itself is no move.

        Raises:
            NotFoundError: there is no such checkpoint, or the thread has none at all.
        """
        head_of(self._ledger, self._name)  # with near names, where the move itself has none
        # Looked up anew if the head moves meanwhile: "~3" is three before where it is then.
        point = moves.rewind(
            self._ledger, self._name, lambda _: find_point(self._ledger, to, self._name)
        )
        return Checkpoint(self._ledger, point)

    def undo(self) -> Checkpoint | None:
        """Take back the last move of the head, whatever it was; again goes further back.

        Returns:
            The head afterwards; None: it was the move that began the thread.

        Raises:
            NotFoundError: nothing is left to undo.
            PrunedError: what was there before has been collected.
        """
        point = moves.undo(self._ledger, self._name)
        return None if point is None else Checkpoint(self._ledger, point)

    def reflog(
        self, *, limit: int | None = None, after: Move | str | None = None, offset: int = 0
    ) -> Iterator[Move]:
        """The moves of the head, newest first; read as they are taken.

        Args:
            limit: no more than so many.
            after: only those behind this one, or its `position`: where the page before ended.
            offset: pass over so many.

        Raises:
            NotFoundError: there never was such a thread or move, or gc has forgotten it.
        """
        behind = after.position if isinstance(after, Move) else after
        found = moves.moves(self._ledger, self._name, behind)
        return map(Move.of, page_of(found, limit, offset))

    def prune(self, policy: Retention, *, dry_run: bool = False) -> PruneReport:
        """Drop the states of this thread that a policy does not keep; the records stay.

        Of the checkpoints saved in this thread, in its history. What any thread stands at
        stays. Reading what was pruned raises PrunedError at once; the next gc after its grace
        frees the bytes, and until then `unprune` brings it back.

        Args:
            policy: what stays.
            dry_run: only say what would go.

        Raises:
            NotFoundError: the thread has no checkpoint.
        """
        return prune(self._ledger, self._name, policy, dry_run=dry_run)

    def unprune(self) -> list[Checkpoint]:
        """Take back the newest pruning; again takes back the one before. What came back.

        Raises:
            NotFoundError: nothing was pruned that is still known.
            PrunedError: gc has collected all of it.
        """
        return unprune(self._ledger, self._name)

    def delete(self) -> None:
        """Delete the thread. Its checkpoints stay until gc, and `undo` brings it back.

        Raises:
            NotFoundError: it does not exist.
        """
        head_of(self._ledger, self._name)
        moves.delete(self._ledger, self._name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Thread):
            return NotImplemented
        return self._ledger is other._ledger and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"<Thread {self._name!r}>"
