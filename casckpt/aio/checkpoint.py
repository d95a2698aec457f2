"""Checkpoint: the handle of one checkpoint of an async store.

Invariants: it says the same as the handle it holds; what takes I/O is awaited.

Imports: checkpoint, path (types), tree (types), aio.crew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import IO, Any

from casckpt.aio.crew import Crew
from casckpt.checkpoint import Checkpoint as Plain
from casckpt.checkpoint import Pruned
from casckpt.path import Step
from casckpt.tree.diff import Diff
from casckpt.tree.largest import Sized

__all__ = ["Checkpoint", "Which", "plain"]


class Checkpoint:
    """One saved state, with where it stands in history.

    What `casckpt.Checkpoint` has, by the same names. What it knows by heart is at hand: `id`,
    `parent`, `thread`, `step`, `label`, `key`, `created_at`; the rest is awaited, properties too:
    `await checkpoint.tags`.
    """

    __slots__ = ("_crew", "_plain")

    def __init__(self, crew: Crew, plain: Plain) -> None:
        self._crew = crew
        self._plain = plain

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self._plain.id

    @property
    def parent(self) -> str | None:
        """The id of the checkpoint before this one; None for the first."""
        return self._plain.parent

    @property
    def thread(self) -> str:
        """The name of the thread it was saved in."""
        return self._plain.thread

    @property
    def step(self) -> int:
        """How many checkpoints lie before it in its history."""
        return self._plain.step

    @property
    def label(self) -> str | None:
        """What kind of moment it is, as given when it was saved."""
        return self._plain.label

    @property
    def key(self) -> str | None:
        """The id that the caller gave when it was saved; one in its thread."""
        return self._plain.key

    @property
    def created_at(self) -> datetime:
        """When it was saved, in UTC."""
        return self._plain.created_at

    @property
    def tags(self) -> Awaitable[tuple[str, ...]]:
        """Its tags now, in the order they were given."""
        return self._crew.read(lambda: self._plain.tags)

    @property
    def pruned(self) -> Awaitable[Pruned | None]:
        """When and why its state was pruned; None: it was not."""
        return self._crew.read(lambda: self._plain.pruned)

    @property
    def meta(self) -> Awaitable[dict[str, Any]]:
        """The facts given when it was saved; raises PrunedError."""
        return self._crew.read(lambda: self._plain.meta)

    @property
    def root(self) -> Awaitable[str]:
        """The id of its state."""
        return self._crew.read(lambda: self._plain.root)

    @property
    def size(self) -> Awaitable[int]:
        """Bytes of its state, encoded and uncompressed."""
        return self._crew.read(lambda: self._plain.size)

    async def largest(self, *, limit: int = 10) -> list[Sized]:
        """The largest values in its state, with their paths, largest first."""
        return await self._crew.read(lambda: self._plain.largest(limit=limit))

    async def load(
        self, path: str | Iterable[Step] | None = None, *, into: type | None = None
    ) -> Any:
        """Its state, or what lies at a path, of fresh objects; see `casckpt.Checkpoint.load`."""
        return await self._crew.read(lambda: self._plain.load(path, into=into))

    async def open(self, path: str | Iterable[Step] | None = None, mode: str = "rb") -> IO[Any]:
        """A long value in its state as a file; see `casckpt.Checkpoint.open`.

        The file is a plain one: it reads where it is read, without waiting.
        """
        return await self._crew.read(lambda: self._plain.open(path, mode))

    async def view(self, path: str | Iterable[Step] | None = None) -> Any:
        """Its state, lazy and read-only: it reads where it is touched, without waiting.

        That takes microseconds from a file in memory, and longer from a cold disk: then use
        `load` with a path, or `Store.run`.
        """
        return await self._crew.read(lambda: self._plain.view(path))

    async def diff(
        self,
        other: Which,
        *,
        path: str | Iterable[Step] | None = None,
        ordered: bool = True,
    ) -> Diff:
        """What would have to change in this state to make it the other's."""
        return await self._crew.read(
            lambda: self._plain.diff(plain(other), path=path, ordered=ordered)
        )

    async def ancestor(self, step: int) -> Checkpoint:
        """The checkpoint of its history that has this step; raises NotFoundError."""
        return Checkpoint(self._crew, await self._crew.read(lambda: self._plain.ancestor(step)))

    async def is_ancestor_of(self, other: Checkpoint) -> bool:
        """Whether it is the other checkpoint, or lies in its history."""
        return await self._crew.read(lambda: self._plain.is_ancestor_of(other._plain))

    async def common_ancestor(self, other: Checkpoint) -> Checkpoint | None:
        """The newest checkpoint that both have in their histories; None if there is none."""
        found = await self._crew.read(lambda: self._plain.common_ancestor(other._plain))
        return None if found is None else Checkpoint(self._crew, found)

    async def tag(self, *tags: str) -> Checkpoint:
        """Add tags; itself."""
        await self._crew.write(lambda: self._plain.tag(*tags))
        return self

    async def untag(self, *tags: str) -> Checkpoint:
        """Take tags away (those it does not have are ignored); itself."""
        await self._crew.write(lambda: self._plain.untag(*tags))
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Checkpoint):
            return NotImplemented
        return self._plain == other._plain

    def __hash__(self) -> int:
        return hash(self._plain)

    def __repr__(self) -> str:
        return repr(self._plain)


Which = Checkpoint | Plain | str
"""What says which checkpoint is meant: one of either kind, or a revision."""


def plain(which: Any) -> Any:
    """The same for a store that is not async; anything but a Checkpoint as it is."""
    return which._plain if isinstance(which, Checkpoint) else which  # noqa: SLF001 - of the same family
