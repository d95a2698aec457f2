"""Diff: what differs between two states, as a stream of changes.

Invariants: making a Diff reads nothing; each iteration walks anew and reads only what differs;
`apply(a, diff)` is `b`, exactly.

Imports: errors, path, tree (change, compare, lazy, locate, patch, raw, source).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from casckpt.errors import NotFoundError
from casckpt.path import Path, Token, format_path
from casckpt.tree.change import ADD, OPS, REMOVE, Change
from casckpt.tree.compare import Comparison, Pair, later
from casckpt.tree.jsonpatch import to_operations
from casckpt.tree.lazy import Opener
from casckpt.tree.locate import find
from casckpt.tree.patch import apply
from casckpt.tree.raw import Raw, Reader, decode
from casckpt.tree.source import Codec, ObjectSource

__all__ = ["Diff", "diff"]

LINES_MAX: Final = 1000
"""Of a printed diff."""


class Diff:
    """The changes from one state to another. Iterate over it, as often as you like.

    True if there are any.
    """

    def __init__(
        self, opener: Opener, old: bytes, new: bytes, path: Path, *, ordered: bool
    ) -> None:
        self._opener = opener
        self._old = old
        self._new = new
        self._path = path
        self._ordered = ordered

    def __iter__(self) -> Iterator[Change]:
        """The changes, in the order in which to apply them; read as they are taken.

        Raises:
            NotFoundError: neither state has anything at the path.
            PrunedError, CorruptError: something that differs is gone or damaged.
        """
        if self._old == self._new and not self._path:
            return
        reader = Reader(self._opener)
        found = self._ends(reader)
        if isinstance(found, Change):
            yield found
            return
        yield from Comparison(reader, ordered=self._ordered).changes(found)

    def __bool__(self) -> bool:
        return not self.is_empty()

    def is_empty(self) -> bool:
        """Whether nothing differs. Reads no further than the first change."""
        return next(iter(self), None) is None

    def summary(self) -> dict[str, int]:
        """How many changes of each op: "add", "remove", "replace", "reorder"."""
        counts = Counter(change.op for change in self)
        return {op: counts[op] for op in OPS}

    def to_dicts(self) -> list[dict[str, Any]]:
        """All changes as dicts (`Change.to_dict`)."""
        return [change.to_dict() for change in self]

    def to_json_patch(self) -> list[dict[str, Any]]:
        """The changes as a JSON Patch (RFC 6902): a list of operations.

        JSON does not order the keys of its objects, so a "reorder" is left out.

        Raises:
            InvalidInputError: something that changed is no JSON (a tuple, bytes, NaN, a key
                that is no text, an instance of a class); names its path.
        """
        return to_operations(self)

    def apply(self, value: Any) -> Any:
        """The value with these changes made (see `tree.patch.apply`)."""
        return apply(value, self, self._opener.codec)

    def __str__(self) -> str:
        """A line a change; of many, the first."""
        lines = [str(change) for change in islice(self, LINES_MAX + 1)]
        if len(lines) > LINES_MAX:
            lines[-1] = "..."
        return "\n".join(lines) or "(nothing differs)"

    def __repr__(self) -> str:
        where = f" below {format_path(self._path)}" if self._path else ""
        return f"<Diff of two states{where}>"

    def _ends(self, reader: Reader) -> Pair | Change:
        """What to compare at the path; or the one change, where only one state has it."""
        if not self._path:
            return Pair((), decode(self._old), decode(self._new), True)
        a, b = self._at(reader, self._old), self._at(reader, self._new)
        path = tuple(str(step) if type(step) is Token else step for step in self._path)
        if a.missing is None and b.missing is None:
            return Pair(path, a.raw, b.raw, True)
        if a.missing is not None and b.missing is not None:
            raise a.missing
        if a.missing is not None:
            return Change.lazy(ADD, path, None, later(reader, b.raw), in_json=False)
        return Change.lazy(REMOVE, path, later(reader, a.raw), None, in_json=False)

    def _at(self, reader: Reader, root: bytes) -> _Place:
        try:
            node = find(self._opener, self._opener.node(root), self._path)
        except NotFoundError as missing:
            return _Place(None, missing)
        return _Place(reader.raw(node), None)


class _Place(NamedTuple):
    raw: Raw
    missing: NotFoundError | None


def diff(
    source: ObjectSource,
    codec: Codec,
    old: bytes,
    new: bytes,
    path: Path = (),
    *,
    ordered: bool = True,
) -> Diff:
    """What differs between two states.

    Args:
        source: where both are read from.
        codec: for the values of changes.
        old: the encoded root of the first state, as it stands in its checkpoint's record.
        new: that of the second.
        path: compare only what lies there; it must be in one of them.
        ordered: whether the order of dicts counts.
    """
    return Diff(Opener(source, codec), old, new, path, ordered=ordered)
