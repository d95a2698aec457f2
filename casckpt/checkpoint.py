"""Checkpoint: the public handle of one checkpoint.

Invariants: what it says of itself never changes, except for its tags; two handles are equal
if their ids are. It holds the ledger, never the Store.

Imports: errors, ids, path, vault, tree, history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.history import pruned, states
from casckpt.history import tags as tags_
from casckpt.history.ancestry import Point
from casckpt.history.events import LOADED
from casckpt.history.find import check_limit
from casckpt.history.ledger import AnyHead, Ledger
from casckpt.history.resolve import resolve
from casckpt.history.revision import is_id_prefix
from casckpt.history.times import from_ns
from casckpt.path import Step, as_path
from casckpt.tree.diff import Diff
from casckpt.tree.largest import Sized
from casckpt.values import Registry, rebuild

__all__ = ["Checkpoint", "Pruned", "diff", "expected_id", "find_point"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is known of the pruning of a checkpoint's state."""

    at: datetime | None
    """When; None: that is forgotten."""
    why: str
    """The policy, in its own words."""
    collected: bool
    """Whether gc has removed the state; until then `Thread.unprune` brings it back."""


class Checkpoint:
    """One saved state, with where it stands in history.

    Made by `Thread.save`, `Store.checkpoint` and others; never by hand.
    """

    __slots__ = ("_ledger", "_point")

    def __init__(self, ledger: Ledger, point: Point) -> None:
        self._ledger = ledger
        self._point = point

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self._point.id.hex()

    @property
    def parent(self) -> str | None:
        """The id of the checkpoint before this one; None for the first."""
        return None if self._point.parent is None else self._point.parent.hex()

    @property
    def thread(self) -> str:
        """The name of the thread it was saved in."""
        return self._point.thread

    @property
    def step(self) -> int:
        """How many checkpoints lie before it in its history."""
        return self._point.step

    @property
    def label(self) -> str | None:
        """What kind of moment it is, as given when it was saved."""
        return self._point.label

    @property
    def key(self) -> str | None:
        """The id that the caller gave when it was saved; one in its thread."""
        return self._point.key

    @property
    def created_at(self) -> datetime:
        """When it was saved, in UTC."""
        return from_ns(self._point.created_ns)

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags now, in the order they were given. Looked up each time."""
        return tags_.tags_of(self._ledger, self._point)

    @property
    def pruned(self) -> Pruned | None:
        """When and why its state was pruned; None: it was not. Looked up each time."""
        note = pruned.note_of(self._ledger, self._point)
        if note is None:
            return None
        at = None if note.time_ns is None else from_ns(note.time_ns)
        taken = self._point.left is not None or not pruned.is_marked(self._ledger, self._point)
        return Pruned(at=at, why=note.why, collected=taken)

    @property
    def meta(self) -> dict[str, Any]:
        """The facts given when it was saved. Read each time, of fresh objects.

        Raises:
            PrunedError: the checkpoint, or its state and meta, has been collected.
        """
        record = self._ledger.ancestry.record(self._point.id)
        return states.load_meta(self._ledger.vault, self._ledger.codec, record)

    @property
    def root(self) -> str:
        """The id of its state: equal states have equal roots, wherever they were saved.

        Raises:
            PrunedError: the state has been collected.
        """
        return states.root_id(self._ledger.ancestry.record(self._point.id).root).hex()

    @property
    def size(self) -> int:
        """Bytes of its state, encoded and uncompressed, what it shares with others included.

        Raises:
            PrunedError: the state has been collected, and its size is not known.
        """
        if self._point.left is not None and self._point.left.size is not None:
            return self._point.left.size
        return states.size_of(self._ledger.ancestry.record(self._point.id).root)

    def largest(self, *, limit: int = 10) -> list[Sized]:
        """The largest values in its state, with their paths, largest first.

        Looks into what has at least a thousandth of the state, and reads nothing else. A value
        of which one part makes up nearly all is not listed, but that part is.
        """
        ledger = self._ledger
        count = check_limit(limit) or 0
        return states.largest(ledger.vault, ledger.codec, self._root(), count)

    def load(self, path: str | Iterable[Step] | None = None, *, into: type | None = None) -> Any:
        """Its state, of fresh objects: exactly what was saved.

        Args:
            path: only this part, and no more is read than it takes: `"messages[-1].content"`,
                a JSON Pointer, or a sequence of keys and indexes.
            into: the class of what lies there, known for this load as if it were registered;
                of a plain dict or a record an instance is made (docs/values.md, "Objects").

        Raises:
            NotFoundError: there is nothing at that path.
            InvalidInputError: no instance of `into` can be made of what lies there.
            PrunedError: the state was pruned, or the checkpoint collected.
            CorruptError: it is damaged.
        """
        began = self._ledger.events.begin(LOADED)
        path = as_path(path)
        codec = self._ledger.codec
        if into is not None and isinstance(codec, Registry):
            codec = codec.knowing(into)
        state = states.load(self._ledger.vault, codec, self._root(), path)
        if into is not None:
            state = rebuild(into, state)
        self._ledger.tell(LOADED, self.thread, self._point, began, path=path)
        return state

    def view(self, path: str | Iterable[Step] | None = None) -> Any:
        """Its state, lazy and read-only: Mappings and Sequences that read what is asked for.

        Raises as `load` does, at once or when something is read.
        """
        return states.view(self._ledger.vault, self._ledger.codec, self._root(), as_path(path))

    def open(self, path: str | Iterable[Step] | None = None, mode: str = "rb") -> IO[Any]:
        """A long bytes, str or array in its state as a file to read: from any place, in bounded
        memory.

        Args:
            path: where it lies, as of `load`.
            mode: "rb" gives bytes: a str in UTF-8, the items of an array row by row. "r" gives
                the text of a str, line ends as they are.

        Raises:
            InvalidInputError: another mode, or something else lies there.
            NotFoundError, PrunedError, CorruptError: as `load`, the last two also when it is read.
        """
        ledger = self._ledger
        return states.open_file(ledger.vault, ledger.codec, self._root(), as_path(path), mode)

    def diff(
        self,
        other: Checkpoint | str,
        *,
        path: str | Iterable[Step] | None = None,
        ordered: bool = True,
    ) -> Diff:
        """What would have to change in this state to make it the other's.

        Args:
            other: a checkpoint, or a revision (one without a start begins at this
                checkpoint's thread).
            path: only what lies there.
            ordered: whether the order of dicts counts.
        """
        return diff(self._ledger, self, other, thread=self.thread, path=path, ordered=ordered)

    def ancestor(self, step: int) -> Checkpoint:
        """The checkpoint of its history that has this step; raises NotFoundError."""
        found = self._ledger.ancestry.ancestor(self._point, step)
        if found is None:
            raise NotFoundError(
                f"the history of {self.id[:16]} has steps 0 to {self.step}, not {step}"
            )
        return Checkpoint(self._ledger, found)

    def is_ancestor_of(self, other: Checkpoint) -> bool:
        """Whether it is the other checkpoint, or lies in its history."""
        point = find_point(self._ledger, other)
        return self._ledger.ancestry.is_ancestor(self._point, point)

    def common_ancestor(self, other: Checkpoint) -> Checkpoint | None:
        """The newest checkpoint that both have in their histories; None if there is none."""
        point = find_point(self._ledger, other)
        found = self._ledger.ancestry.common_ancestor(self._point, point)
        return None if found is None else Checkpoint(self._ledger, found)

    def tag(self, *tags: str) -> Checkpoint:
        """Add tags; itself.

        Raises:
            InvalidInputError: not a tag.
            PrunedError: the checkpoint has been collected.
        """
        tags_.tag(self._ledger, self._point, tags)
        return self

    def untag(self, *tags: str) -> Checkpoint:
        """Take tags away (those it does not have are ignored); itself."""
        tags_.untag(self._ledger, self._point, tags)
        return self

    def _root(self) -> bytes:
        return pruned.record(self._ledger, self._point).root

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Checkpoint):
            return NotImplemented
        return self._point.id == other._point.id

    def __hash__(self) -> int:
        return hash(self._point.id)

    def __repr__(self) -> str:
        label = "" if self.label is None else f" {self.label!r}"
        return f"<Checkpoint {self.id[:12]} {self.thread}@{self.step}{label}>"


def find_point(ledger: Ledger, which: Checkpoint | str, thread: str | None = None) -> Point:
    """The point of a checkpoint or revision.

    Args:
        ledger: the store.
        which: a checkpoint of this store (another handle of it will do), or a revision.
        thread: what a revision without a start begins at.

    Raises:
        InvalidInputError: neither of them, or a revision that does not parse.
        NotFoundError: there is no such checkpoint in this store.
    """
    if isinstance(which, Checkpoint):
        ledger.check_open()
        if which._ledger is ledger:  # noqa: SLF001 - of the same family
            return which._point  # noqa: SLF001
        return resolve(ledger, which.id)
    if isinstance(which, str):
        return resolve(ledger, which, thread)
    raise InvalidInputError(f"a checkpoint or a revision is needed, not {type(which).__name__}")


def expected_id(ledger: Ledger, expect: Checkpoint | str | AnyHead | None, thread: str) -> Any:
    """The id that `expect=` stands for; raises InvalidInputError."""
    if isinstance(expect, AnyHead) or expect is None:
        return expect
    # A revision would be looked up now, which is the race that expect= is against.
    if isinstance(expect, str) and not is_id_prefix(expect):
        raise InvalidInputError(
            f"expect= takes a checkpoint, (the beginning of) its id, or None, "
            f"not the revision {expect!r}"
        )
    return find_point(ledger, expect, thread).id


def diff(
    ledger: Ledger,
    old: Checkpoint | str,
    new: Checkpoint | str,
    *,
    thread: str | None = None,
    path: str | Iterable[Step] | None = None,
    ordered: bool = True,
) -> Diff:
    """What changed from one state to the other, at `path`."""
    a, b = (pruned.record(ledger, find_point(ledger, which, thread)).root for which in (old, new))
    return states.diff(ledger.vault, ledger.codec, a, b, as_path(path), ordered=ordered)
