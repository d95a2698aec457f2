"""Diff: what differs between two states, as a stream of changes.

Invariants: making a Diff reads nothing; each iteration walks anew and reads only what differs;
`apply(a, diff)` is `b`, exactly.

Imports: errors, path, tree (change, compare, lazy, locate, patch, raw, source).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from casckpt.errors import NotFoundError
from casckpt.path import Path, Token
from casckpt.tree.change import ADD, OPS, REMOVE, Change
from casckpt.tree.compare import Comparison, Pair, later
from casckpt.tree.jsonpatch import to_operations
from casckpt.tree.lazy import Node, Opener
from casckpt.tree.locate import find
from casckpt.tree.patch import apply
from casckpt.tree.raw import Raw, Reader, decode
from casckpt.tree.source import Codec, ObjectSource

__all__ = ["Diff", "diff"]


class Diff:
    """The changes from one state to another. Iterate over it, as often as you like.

    True if there are any.
    """

    def __init__(
        self, reader: Reader, old: bytes, new: bytes, path: Path, *, ordered: bool
    ) -> None:
        self._reader = reader
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
        found = self._ends()
        if isinstance(found, Change):
            yield found
            return
        yield from Comparison(self._reader, ordered=self._ordered).changes(found)

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
        return apply(value, self, self._reader.opener.codec)

    def __repr__(self) -> str:
        return f"<Diff of {len(self._old)} and {len(self._new)} bytes>"

    def _ends(self) -> Pair | Change:
        """What to compare at the path; or the one change, where only one state has it."""
        old, new = decode(self._old), decode(self._new)
        if not self._path:
            return Pair((), old, new, True)
        a, b = self._at(self._old), self._at(self._new)
        for place in (a, b):
            if place.missing is not None and a.missing is not None and b.missing is not None:
                raise place.missing
        path = tuple(str(step) if type(step) is Token else step for step in self._path)
        if a.missing is not None:
            return Change.lazy(ADD, path, None, later(self._reader, b.raw), in_json=False)
        if b.missing is not None:
            return Change.lazy(REMOVE, path, later(self._reader, a.raw), None, in_json=False)
        return Pair(path, a.raw, b.raw, True)

    def _at(self, root: bytes) -> _Place:
        opener = self._reader.opener
        try:
            node: Node = find(opener, opener.node(root), self._path)
        except NotFoundError as missing:
            return _Place(None, missing)
        return _Place(self._reader.raw(node), None)


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
    return Diff(Reader(Opener(source, codec)), old, new, path, ordered=ordered)
