"""The order of a large dict whose keys come and go: a list that is edited like any other.

Invariant: it is null if and only if it is that of the keys' encodings.

Imports: errors, ids, tree (edit_bytes, edit_tree, native).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, pairwise

from casckpt.errors import CorruptError
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.edit_bytes import unkey
from casckpt.tree.edit_tree import StoredTree

__all__ = ["Order"]


class Order:
    """What the order of a dict is made of."""

    def __init__(
        self,
        tree: StoredTree | None,
        gone: list[int],
        added: list[bytes],
        oid: ObjectId | None = None,
    ) -> None:
        self.tree = tree
        """The order as it was stored."""
        self.gone = gone
        """Places in it that are left out, ascending."""
        self.added = added
        """The keys behind it, as entries of a list."""
        self.oid = oid
        """The object that the stored order was, if it was one."""

    @classmethod
    def edited(
        cls,
        tree: StoredTree,
        order: StoredTree | None,
        oid: ObjectId | None,
        removed: Collection[bytes],
        added: list[bytes],
    ) -> Order | None:
        """The order after an edit; None: that of the keys.

        Args:
            tree: the dict, as it was.
            order: its order, as it was; None: that of the keys.
            oid: the object that the order was, if it was one.
            removed: encoded keys that were stored and are not any more, or are at the end now.
            added: encoded keys at the end.
        """
        if order is None:
            last = _last(tree, removed)
            if all(one < two for one, two in pairwise([last, *added])):
                return None
            left = (unkey(key) for key, _ in tree.entries() if key not in removed)
            return cls(None, [], [*left, *map(unkey, added)])
        gone = order.places_of({unkey(key) for key in removed})
        if len(gone) != len(removed):
            raise CorruptError("the store holds a map whose order is not that of its keys")
        # Keys out of order stay so unless some are removed: then it takes a look, which ends at
        # the first two that are the wrong way round.
        if gone and all(one < two for one, two in pairwise(chain(_left(order, gone), added))):
            return None
        return cls(order, gone, list(map(unkey, added)), oid)


def _last(tree: StoredTree, removed: Collection[bytes]) -> bytes:
    """The highest key that is left; empty if none is."""
    for place in range(len(tree) - 1, -1, -1):
        key = tree.key(place)
        if key not in removed:
            return key
    return b""


def _left(order: StoredTree, gone: list[int]) -> Iterator[bytes]:
    """The keys of an order but for some places."""
    without = set(gone)
    for place, (entry, _) in enumerate(order.entries()):
        if place not in without:
            yield native.as_key(entry)
