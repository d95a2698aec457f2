"""Change: one difference between two states, at one path.

Invariant: the values of a change are read when they are asked for, and only then; what it
prints is short, whatever it holds.

Imports: errors, path, tree (brief).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol

from casckpt.errors import InvalidInputError
from casckpt.path import Path, Step, format_path
from casckpt.tree.brief import brief, brief_pair

__all__ = ["ADD", "OPS", "REMOVE", "REORDER", "REPLACE", "Change", "Later"]

ADD: Final = "add"
REMOVE: Final = "remove"
REPLACE: Final = "replace"
REORDER: Final = "reorder"
OPS: Final = (ADD, REMOVE, REPLACE, REORDER)
_SIGNS: Final = {ADD: "+", REMOVE: "-", REPLACE: "~", REORDER: "~"}


class Later(Protocol):
    """A value that is not read yet."""

    def load(self) -> Any:
        """The whole value, of fresh objects."""
        ...

    def node(self) -> Any:
        """Enough of it to be printed in brief (`tree.brief`)."""
        ...


class Change:
    """One difference.

    ========= =============================== ================== ====================
    op        path leads to                   old                new
    ========= =============================== ================== ====================
    "add"     what is new: a key, an index,   None               the new value
              a member of a set
    "remove"  what is gone                    the old value      None
    "replace" a place in both                 the old value      the new value
    "reorder" a dict                          its keys before    its keys afterwards
    ========= =============================== ================== ====================

    Changes are made to be applied one after the other: an index counts in the list as the
    changes before this one have left it (as in RFC 6902).
    """

    __slots__ = ("_in_json", "_new", "_old", "before", "op", "path")
    __hash__: ClassVar[None]  # type: ignore[assignment]  # it may hold a list

    def __init__(
        self,
        op: str,
        path: Path | list[Step] = (),
        old: Any = None,
        new: Any = None,
        *,
        before: Path = (),
    ) -> None:
        """Make a change by hand, for `apply`.

        Raises:
            InvalidInputError: no such op; a "reorder" whose `new` is no list of keys.
        """
        if op not in OPS:
            raise InvalidInputError(f"a change is one of {', '.join(OPS)}, not {op!r}")
        self.op: str = op
        self.path: Path = tuple(path)
        self.before: Path = tuple(before)
        """Of a key added to a dict: the one key that it comes before; empty: the end."""
        self._old = old
        self._new = new
        self._in_json = True

    @classmethod
    def lazy(
        cls,
        op: str,
        path: Path,
        old: Later | None = None,
        new: Later | None = None,
        *,
        before: Path = (),
        in_json: bool = True,
    ) -> Change:
        """A change whose values are read later.

        Args:
            op: see above.
            path: see above.
            old: see above.
            new: see above.
            before: see above.
            in_json: whether every step of the path is an index of a list or a text key of a
                dict, so that JSON has the place too.
        """
        change = cls.__new__(cls)
        change.op, change.path, change.before = op, path, before
        change._old = None if old is None else _Pending(old)  # noqa: SLF001 - its own class
        change._new = None if new is None else _Pending(new)  # noqa: SLF001
        change._in_json = in_json  # noqa: SLF001
        return change

    @property
    def old(self) -> Any:
        """The value before. Read on first use; do not change it.

        Raises:
            PrunedError, CorruptError, ClosedError: as for any reading.
        """
        if type(self._old) is _Pending:
            self._old = self._old.later.load()
        return self._old

    @property
    def new(self) -> Any:
        """The value afterwards. Read on first use; do not change it."""
        if type(self._new) is _Pending:
            self._new = self._new.later.load()
        return self._new

    @property
    def in_json(self) -> bool:
        """Whether the path is a place in a JSON document."""
        return self._in_json

    def to_dict(self, encode: Callable[[Any], Any] | None = None) -> dict[str, Any]:
        """For JSON output: "op", "path" (dotted), and what of "old", "new", "before" it has.

        Args:
            encode: what to make of the values, which may be anything that can be stored.
        """
        facts: dict[str, Any] = {"op": self.op, "path": format_path(self.path)}
        if self.op != ADD:
            facts["old"] = self.old if encode is None else encode(self.old)
        if self.op != REMOVE:
            facts["new"] = self.new if encode is None else encode(self.new)
        if self.before:
            facts["before"] = format_path(self.before)
        return facts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Change):
            return NotImplemented
        mine = (self.op, self.path, self.before)
        theirs = (other.op, other.path, other.before)
        return bool(mine == theirs and self.old == other.old and self.new == other.new)

    def __str__(self) -> str:
        where = format_path(self.path) or "(the state)"
        start = f"{_SIGNS[self.op]} {where}: "
        if self.op == ADD:
            return start + brief(_shown(self._new))
        if self.op == REMOVE:
            return start + brief(_shown(self._old))
        if self.op == REORDER:
            return start + "keys in another order"
        return start + " -> ".join(brief_pair(_shown(self._old), _shown(self._new)))

    def __repr__(self) -> str:
        return f"<Change {self}>"


class _Pending:
    """Marks a value of a change as not read yet."""

    __slots__ = ("later",)

    def __init__(self, later: Later) -> None:
        self.later = later


def _shown(value: Any) -> Any:
    return value.later.node() if type(value) is _Pending else value
