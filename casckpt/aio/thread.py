"""Thread: the handle of a named line of checkpoints of an async store.

Invariants: what it does is what `casckpt.Thread` does, in an OS thread of the crew. Saves may
share a commit with others; moves of the head go alone, in the order they were asked for.

Imports: thread, autosave, prune (types), history (ledger, names, Retention), path (types), workflow (types),
aio (checkpoint, crew, editing, listing, workflow).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import IO, Any

from casckpt.aio.autosave import Autosave
from casckpt.aio.checkpoint import Checkpoint, Which, plain
from casckpt.aio.crew import Crew
from casckpt.aio.editing import Editing
from casckpt.aio.listing import Listing
from casckpt.aio.workflow import Workflow
from casckpt.autosave import Watched
from casckpt.history import names
from casckpt.history.ledger import ANY_HEAD, AnyHead
from casckpt.history.retention import Retention
from casckpt.listed import Move
from casckpt.path import Step
from casckpt.prune import PruneReport
from casckpt.thread import Thread as Plain
from casckpt.upkeep.summary import Summary
from casckpt.workflow import OnChange

__all__ = ["Thread"]


class Thread:
    """A named line of checkpoints with a head that moves; see `casckpt.Thread`."""

    __slots__ = ("_crew", "_plain")

    def __init__(self, crew: Crew, plain: Plain) -> None:
        self._crew = crew
        self._plain = plain

    @property
    def name(self) -> str:
        """Its name; hierarchical by "/"."""
        return self._plain.name

    @property
    def exists(self) -> Awaitable[bool]:
        """Whether it has a checkpoint now."""
        return self._crew.read(lambda: self._plain.exists)

    @property
    def head(self) -> Awaitable[Checkpoint | None]:
        """Its newest checkpoint; None: nothing was saved, or it was deleted."""
        return self._head()

    async def checkpoint(
        self, revision: Which | None = None, *, key: str | None = None
    ) -> Checkpoint:
        """The checkpoint that a revision names; None: the head. Raises NotFoundError."""
        found = await self._crew.read(lambda: self._plain.checkpoint(plain(revision), key=key))
        return Checkpoint(self._crew, found)

    async def load(
        self,
        revision: Which | None = None,
        *,
        path: str | Iterable[Step] | None = None,
        into: type | None = None,
    ) -> Any:
        """A state, or what lies at a path of it, of fresh objects."""
        return await self._crew.read(
            lambda: self._plain.load(plain(revision), path=path, into=into)
        )

    async def view(
        self, revision: Which | None = None, *, path: str | Iterable[Step] | None = None
    ) -> Any:
        """A state, lazy and read-only: it reads where it is touched; see `Checkpoint.view`."""
        return await self._crew.read(lambda: self._plain.view(plain(revision), path=path))

    async def open(
        self,
        revision: Which | None = None,
        *,
        path: str | Iterable[Step] | None = None,
        mode: str = "rb",
    ) -> IO[Any]:
        """A long value as a file, which reads where it is read; see `Checkpoint.open`."""
        return await self._crew.read(
            lambda: self._plain.open(plain(revision), path=path, mode=mode)
        )

    async def save(
        self,
        state: Any,
        *,
        label: str | None = None,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        key: str | None = None,
        expect: Which | AnyHead | None = ANY_HEAD,
    ) -> Checkpoint:
        """Save a state as the new head; takes and raises what `casckpt.Thread.save` does.

        The state is read in another OS thread: nobody may change it until this returns.
        Cancelled while it waits for its turn, nothing is saved; later, it is.
        """
        tags = names.check_tags(tags)
        saved = await self._crew.save(
            lambda: self._plain.save(
                state, label=label, tags=tags, meta=meta, key=key, expect=plain(expect)
            )
        )
        return Checkpoint(self._crew, saved)

    def edit(
        self,
        *,
        label: str | None = None,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        key: str | None = None,
        expect: Which | AnyHead | None = ANY_HEAD,
    ) -> Editing:
        """Change the head's state in an `async with` block; see `casckpt.Thread.edit`.

        The draft is an ordinary one: it reads where it is touched (see `Checkpoint.view`).
        Leaving the block saves.
        """
        return Editing(
            self._crew,
            lambda: self._plain.edit(
                label=label, tags=tags, meta=meta, key=key, expect=plain(expect)
            ),
        )

    def autosave(
        self,
        state: Any,
        *,
        every_steps: int | None = None,
        every_seconds: float | None = None,
        on_change: bool = True,
        label: str | Callable[[Any], str | None] | None = None,
    ) -> Autosave:
        """Save a state as it changes, for an `async with` block; see docs/autosave.md."""
        line = self._plain
        pace = line._pace(every_steps, every_seconds, on_change)  # noqa: SLF001 - of the same family
        return Autosave(self._crew, line._autosaved, Watched(state, pace, label))  # noqa: SLF001 - the same

    def workflow(
        self,
        name: str,
        *,
        at: Which | None = None,
        on_change: OnChange = "error",
        again: bool = False,
    ) -> Workflow:
        """Steps that are carried out once, for an `async with` block; see docs/workflows.md."""
        return Workflow(
            self._crew,
            name,
            lambda: self._plain._journal(  # noqa: SLF001 - of the same family
                name, plain(at), on_change=on_change, again=again
            ),
            lambda line: Thread(self._crew, line),
        )

    def log(
        self,
        *,
        limit: int | None = None,
        label: str | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        at: Which | None = None,
        after: Which | None = None,
        offset: int = 0,
    ) -> Listing[Checkpoint]:
        """Its checkpoints, newest first: for `async for`, or `await` for a list."""
        return Listing(
            self._crew,
            lambda: (
                Checkpoint(self._crew, found)
                for found in self._plain.log(
                    limit=limit,
                    label=label,
                    tag=tag,
                    since=since,
                    until=until,
                    at=plain(at),
                    after=plain(after),
                    offset=offset,
                )
            ),
        )

    async def summary(self) -> Summary:
        """Counts, times and sizes of its history; reads every record, but no states."""
        return await self._crew.read(self._plain.summary)

    async def fork(self, name: str, at: Which | None = None) -> Thread:
        """Begin another thread at a checkpoint (None: this head): a pointer, no data."""
        forked = await self._crew.write(lambda: self._plain.fork(name, plain(at)))
        return Thread(self._crew, forked)

    async def rewind(self, to: Which) -> Checkpoint:
        """Move the head to another checkpoint, in its history or not; the new head."""
        return Checkpoint(self._crew, await self._crew.write(lambda: self._plain.rewind(plain(to))))

    async def undo(self) -> Checkpoint | None:
        """Take back the last move of the head; the head afterwards."""
        head = await self._crew.write(self._plain.undo)
        return None if head is None else Checkpoint(self._crew, head)

    def reflog(
        self, *, limit: int | None = None, after: Move | str | None = None, offset: int = 0
    ) -> Listing[Move]:
        """The moves of the head, newest first: for `async for`, or `await` for a list."""
        return Listing(
            self._crew, lambda: self._plain.reflog(limit=limit, after=after, offset=offset)
        )

    async def prune(self, policy: Retention, *, dry_run: bool = False) -> PruneReport:
        """Drop the states that a policy does not keep; see `casckpt.Thread.prune`.

        The checkpoints in the report are plain ones.
        """
        return await self._crew.read(lambda: self._plain.prune(policy, dry_run=dry_run))

    async def unprune(self) -> list[Checkpoint]:
        """Take back the newest pruning; what came back."""
        back = await self._crew.write(self._plain.unprune)
        return [Checkpoint(self._crew, checkpoint) for checkpoint in back]

    async def delete(self) -> None:
        """Delete the thread. Its checkpoints stay until gc, and `undo` brings it back."""
        await self._crew.write(self._plain.delete)

    async def _head(self) -> Checkpoint | None:
        head = await self._crew.read(lambda: self._plain.head)
        return None if head is None else Checkpoint(self._crew, head)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Thread):
            return NotImplemented
        return self._plain == other._plain

    def __hash__(self) -> int:
        return hash(self._plain)

    def __repr__(self) -> str:
        return repr(self._plain)
