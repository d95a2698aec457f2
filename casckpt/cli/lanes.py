"""Drawing a forest of checkpoints: one lane a line of history, forks as lanes that join.

    * c4 bob           A row is drawn for each checkpoint, children before parents; each
    * b2               branch is drawn whole before the next one begins. The lanes that
    | * c3 alice       wait for a parent are then always a stack, and those that join at a
    | * a2             parent are always the last ones: no line ever crosses another.
    |/
    * a1

Imports: nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

__all__ = ["Row", "condense", "draw"]


class Row(NamedTuple):
    """One line of the drawing."""

    lanes: str
    """What stands to the left."""
    id: str | None
    """The checkpoint on this line; None: a line that only joins lanes."""
    below: str
    """What stands to the left of further lines about the same checkpoint."""


def condense(
    parents: Mapping[str, str | None], keep: Collection[str]
) -> tuple[dict[str, str | None], dict[str, int]]:
    """Leave out what lies between tips, forks, first ones and those to keep.

    Returns:
        the parents among what is left, and how many were left out below each.
    """
    children = Counter(parent for parent in parents.values() if parent is not None)
    kept = {
        id
        for id, parent in parents.items()
        if id in keep or children[id] != 1 or parent is None or parent not in parents
    }
    shorter: dict[str, str | None] = {}
    skipped: dict[str, int] = {}
    for id in kept:
        parent, count = parents[id], 0
        while parent is not None and parent in parents and parent not in kept:
            parent, count = parents[parent], count + 1
        shorter[id], skipped[id] = parent, count
    return shorter, skipped


def _order(parents: Mapping[str, str | None], ranks: Mapping[str, int]) -> Iterator[str]:
    """Children before parents, each branch whole, the branch with the newest tip first."""
    children: dict[str, list[str]] = {}
    roots: list[str] = []
    for id, parent in parents.items():
        if parent is not None and parent in parents:
            children.setdefault(parent, []).append(id)
        else:
            roots.append(id)
    # Rank of the newest checkpoint above each one; `parents` may come in any order.
    newest = dict(ranks)
    top_down: list[str] = []
    stack = list(roots)
    while stack:
        id = stack.pop()
        top_down.append(id)
        stack.extend(children.get(id, ()))
    for id in reversed(top_down):
        parent = parents[id]
        if parent in newest and newest[id] > newest[parent]:
            newest[parent] = newest[id]
    # Post-order, on a stack of our own: histories are longer than Python's.
    waiting = [(root, False) for root in sorted(roots, key=lambda root: newest[root])]
    while waiting:
        id, opened = waiting.pop()
        if opened:
            yield id
            continue
        waiting.append((id, True))
        waiting.extend(
            (child, False) for child in sorted(children.get(id, ()), key=lambda c: newest[c])
        )


def draw(parents: Mapping[str, str | None], ranks: Mapping[str, int]) -> Iterator[Row]:
    """The rows of a forest.

    Args:
        parents: each checkpoint with its parent; a parent that is not itself a key is cut
            off: its lane ends in ":".
        ranks: something that grows with time.
    """
    waits: list[str] = []  # the parent that each lane waits for
    for id in _order(parents, ranks):
        parent = parents[id]
        first = len(waits)
        while first and waits[first - 1] == id:
            first -= 1
        for lane in range(len(waits) - 1, first, -1):
            yield Row("| " * (lane - 1) + "|/", None, "")
        del waits[first:]
        bars = "| " * len(waits)
        if parent is not None and parent in parents:
            waits.append(parent)
            yield Row(bars + "*", id, bars + "|")
        else:
            yield Row(bars + "*", id, bars + (" " if parent is None else ":"))
