"""Which of the items that were taken out of a list lives on in which that were put in.

What is like enough is one item, edited; the rest was removed and added. Likeness is a number
from 0 (nothing in common) to 1 (the same): of dicts and instances by their keys and values, of
lists by their items, of strs by their beginnings and ends.

Invariants: pairs keep the order on both sides; the cost grows with the number of items times a
constant.

Imports: ids, format (constants), tree (raw).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from casckpt.format import constants as c
from casckpt.ids import ID_BYTES
from casckpt.tree.raw import Raw, Reader, tag_of, token

__all__ = ["Sketch", "likeness", "pairs"]

ALIKE: Final = 0.4
"""From here on two items of unequal crowds are taken for one, edited."""
KEY_WEIGHT: Final = 0.2
"""Of a key that both have, whatever its values; an equal value counts 1."""
TABLE_MAX: Final = 256
"""Up to so many combinations, the best pairs are looked for among all of them."""
WINDOW: Final = 6
"""Beyond, among so many items ahead."""
_ITEMS_MAX: Final = 64
_FEW_MAX: Final = 4
_DEPTH_MAX: Final = 3
_TREES: Final = {
    c.TAG_LIST_TREE: list,
    c.TAG_MAP_TREE: dict,
    c.TAG_STR_TREE: str,
    c.TAG_BYTES_TREE: bytes,
}


class Sketch:
    """What is looked at of an item: opened once, parts when they are asked for."""

    __slots__ = (
        "_below",
        "_depth",
        "_items",
        "_parts",
        "_reader",
        "body",
        "is_tree",
        "kind",
        "raw",
    )

    def __init__(self, reader: Reader, raw: Raw, depth: int = 0) -> None:
        self._reader = reader
        self._depth = depth
        self._parts: Any = None
        self._items: list[Sketch] | None = None
        self._below: dict[bytes, Sketch] = {}
        self.raw = reader.open(raw)
        self.kind, body = _kind(self.raw)
        """Items of different kinds have nothing in common; nor has what has none."""
        self.body = reader.open(body)
        self.is_tree = tag_of(self.body) in _TREES

    def fields(self) -> dict[bytes, tuple[bytes, Raw]]:
        """Of a dict or instance: token of the key -> token and raw item of the value."""
        if self._parts is None:
            self._parts = {
                token(key): (token(value), value)
                for key, value in islice(self.body.items(), _ITEMS_MAX)
            }
        found: dict[bytes, tuple[bytes, Raw]] = self._parts
        return found

    def below(self, key: bytes) -> Sketch | None:
        """The sketch of the value under a key, by its token; None: not worth a look."""
        raw = self.fields()[key][1]
        if self._depth >= _DEPTH_MAX or type(raw) in {int, float, bool, type(None)}:
            return None
        if key not in self._below:
            self._below[key] = Sketch(self._reader, raw, self._depth + 1)
        return self._below[key]

    def items(self) -> list[Sketch]:
        """The items of a list of a few; of a longer one or a tree: none."""
        if self._items is None:
            few = not self.is_tree and len(self.body) <= _FEW_MAX and self._depth < _DEPTH_MAX
            raws = self.body if few else []
            self._items = [Sketch(self._reader, raw, self._depth + 1) for raw in raws]
        return self._items

    def tokens(self) -> Counter[bytes]:
        """Of a list: the tokens of its items. Of a tree: of its references and open leaf."""
        if self._parts is None:
            items = _top(self.body[2]) if self.is_tree else self.body
            self._parts = Counter(token(item) for item in islice(items, _ITEMS_MAX))
        found: Counter[bytes] = self._parts
        return found


def _kind(raw: Raw) -> tuple[Any, Raw]:
    """Of what kind an item is, and what in it is looked at."""
    tag = tag_of(raw)
    if tag is None:
        return type(raw), raw
    content = raw[2]
    if tag in {c.TAG_TUPLE, c.TAG_SET, c.TAG_FROZENSET}:
        return tag, content
    if tag == c.TAG_OBJECT and type(content) is list and len(content) >= 3:
        return (tag, *map(token, content[:2])), content[2]
    return _TREES.get(tag), raw


def _top(levels: list[Raw]) -> Iterator[Raw]:
    """What speaks for a tree: the ids in its top, then the open leaf."""
    *others, last = levels
    for level in others:
        yield from (part for part in level or () if type(part) is bytes and len(part) == ID_BYTES)
    yield from last.items() if type(last) is dict else last


def likeness(a: Sketch, b: Sketch) -> float:
    """How much two items have in common, 0 to 1."""
    if a.kind is None or a.kind != b.kind:
        return 0.0
    if a.is_tree != b.is_tree:
        return ALIKE  # it has grown out of one leaf, or shrunk into one
    if a.kind is str or a.kind is bytes:
        return 0.0 if a.is_tree else _of_texts(a.raw, b.raw)
    if not a.is_tree and type(a.body) is type(b.body) is dict:
        return _of_fields(a, b)
    if a.is_tree or type(a.body) is type(b.body) is list:
        mine, theirs = a.tokens(), b.tokens()
        score = (mine & theirs).total() / max(mine.total(), theirs.total(), 1)
        return score or _of_few(a, b)
    return 0.0


def _of_few(a: Sketch, b: Sketch) -> float:
    """Of short lists with no item in common: by what their items have, place by place."""
    mine, theirs = a.items(), b.items()
    if not mine or len(mine) != len(theirs):
        return 0.0
    scores = [likeness(x, y) for x, y in zip(mine, theirs, strict=True)]
    return sum(scores) / (len(scores) + 1)


def _of_texts(a: str | bytes, b: str | bytes) -> float:
    longest, limit = max(len(a), len(b)), min(len(a), len(b))
    start = _common(a, b, limit)
    rest = limit - start
    # Reversing is linear, and done at C speed.
    end = _common(a[len(a) - rest :][::-1], b[len(b) - rest :][::-1], rest)
    return (start + end) / max(longest, 1)


def _common(a: str | bytes, b: str | bytes, limit: int) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _of_fields(a: Sketch, b: Sketch) -> float:
    score = 0.0
    mine, theirs = a.fields(), b.fields()
    for key, (value, _) in mine.items():
        if key not in theirs:
            continue
        if value == theirs[key][0]:
            score += 1.0
            continue
        left, right = a.below(key), b.below(key)
        inner = likeness(left, right) if left is not None and right is not None else 0.0
        score += KEY_WEIGHT + (1 - KEY_WEIGHT) * inner
    return score / max(len(mine), len(theirs), 1)


def pairs(a: list[Sketch], b: list[Sketch]) -> list[tuple[int, int]]:
    """Places of `a` and `b` that hold one item, edited: in order on both sides.

    As many on both sides: what is not alike is paired all the same, as it lies (it was
    replaced). Of unequal crowds, only what is alike; but atoms are replaced as they lie.
    """
    if not a or not b:
        return []
    if len(a) == len(b) == 1:
        return [(0, 0)]
    found = _best(a, b) if len(a) * len(b) <= TABLE_MAX else _ahead(a, b)
    return _filled(found, a, b)


def _best(a: list[Sketch], b: list[Sketch]) -> list[tuple[int, int]]:
    """The pairs with the largest likeness in all."""
    scores = [[likeness(x, y) for y in b] for x in a]
    # best[i][j]: of a[i:] and b[j:].
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(b) - 1, -1, -1):
            score = scores[i][j]
            row[j] = max(below[j], row[j + 1], score + below[j + 1] if score >= ALIKE else 0.0)
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if scores[i][j] >= ALIKE and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _ahead(a: list[Sketch], b: list[Sketch]) -> list[tuple[int, int]]:
    """Pairs found by looking a few items ahead."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        nearest = [
            pair
            for ahead in range(WINDOW)
            for pair in {(i + ahead, j), (i, j + ahead)}
            if pair[0] < len(a) and pair[1] < len(b)
        ]
        score, (x, y) = max(
            ((likeness(a[x], b[y]), (x, y)) for x, y in nearest),
            key=lambda one: (one[0], -one[1][0] - one[1][1]),
        )
        if score >= ALIKE:
            found.append((x, y))
            i, j = x + 1, y + 1
        else:
            i, j = i + 1, j + 1
    return found


def _filled(
    found: list[tuple[int, int]], a: list[Sketch], b: list[Sketch]
) -> list[tuple[int, int]]:
    """With what lies between the pairs paired too, where that is a replacement."""
    filled: list[tuple[int, int]] = []
    i = j = 0
    for x, y in [*found, (len(a), len(b))]:
        left, right = range(i, x), range(j, y)
        between = zip(left, right, strict=False)
        if len(left) == len(right):
            filled += between
        else:
            filled += ((p, q) for p, q in between if _is_atom(a[p]) and _is_atom(b[q]))
        filled.append((x, y))
        i, j = x + 1, y + 1
    filled.pop()
    return filled


def _is_atom(sketch: Sketch) -> bool:
    return type(sketch.raw) in {int, float, bool, type(None), str, bytes}
