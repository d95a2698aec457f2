"""Two sequences side by side: which places of one correspond to which of the other.

First what is alike at both ends, then Myers' greedy algorithm (Algorithmica 1, 1986), which
finds the fewest insertions and deletions and costs their square. Where they are many, tokens
that occur once in either sequence are matched first, as many as lie in one order (patience),
and between these Myers goes on in strides: whenever it has tried STRIDE_EDITS edits it commits
to the way that led furthest. So the cost grows with the length times a constant, whatever the
sequences are; only the fewest edits are no longer promised.

Imports: nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["Run", "align"]

EDITS_MAX: Final = 256
"""Up to so many insertions and deletions, the fewest are found: some 10 ms in the worst case."""
STRIDE_EDITS: Final = 64


class Run(NamedTuple):
    """Places that correspond, from `a` on in one sequence and from `b` on in the other."""

    a: int
    b: int
    length: int


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Run]:
    """The runs of equal tokens, in order; what lies between was deleted and inserted."""
    start, limit = 0, min(len(a), len(b))
    while start < limit and a[start] == b[start]:
        start += 1
    end = 0
    while end < limit - start and a[-1 - end] == b[-1 - end]:
        end += 1
    pairs: list[tuple[int, int]] = []
    if end < limit - start:  # something is left on both sides
        pairs = _middle(a, b, start, len(a) - end, len(b) - end)
    runs = [Run(0, 0, start)] if start else []
    for i, j in pairs:
        _extend(runs, i, j, 1)
    if end:
        _extend(runs, len(a) - end, len(b) - end, end)
    return runs


def _extend(runs: list[Run], i: int, j: int, length: int) -> None:
    if runs and runs[-1].a + runs[-1].length == i and runs[-1].b + runs[-1].length == j:
        runs[-1] = runs[-1]._replace(length=runs[-1].length + length)
    else:
        runs.append(Run(i, j, length))


def _middle(
    a: Sequence[Hashable], b: Sequence[Hashable], start: int, a_end: int, b_end: int
) -> list[tuple[int, int]]:
    """Matched places between the ends. Tokens of one side only are out of the question."""
    numbers = {t: n for n, t in enumerate(set(a[start:a_end]) & set(b[start:b_end]))}
    a_places = [i for i in range(start, a_end) if a[i] in numbers]
    b_places = [j for j in range(start, b_end) if b[j] in numbers]
    matched = _match([numbers[a[i]] for i in a_places], [numbers[b[j]] for j in b_places])
    return [(a_places[i], b_places[j]) for i, j in matched]


def _match(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    pairs, i, j = _myers(a, b, EDITS_MAX)
    if (i, j) == (len(a), len(b)):
        return pairs
    pairs = []
    anchors = [*_patience(a, b), (len(a), len(b))]
    i = j = 0
    for i_next, j_next in anchors:
        pairs += _strides(a, b, (i, i_next), (j, j_next))
        pairs.append((i_next, j_next))
        i, j = i_next + 1, j_next + 1
    pairs.pop()  # the ends themselves
    return pairs


def _strides(
    a: list[int], b: list[int], a_range: tuple[int, int], b_range: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Matched places in a part of both, in time linear in its length."""
    (i, i_end), (j, j_end) = a_range, b_range
    while i < i_end and j < j_end:
        # A stride matches no more than this: enough, and a bound on what is copied.
        reach = 32 * STRIDE_EDITS
        pairs, di, dj = _myers(
            a[i : min(i + reach, i_end)], b[j : min(j + reach, j_end)], STRIDE_EDITS
        )
        yield from ((i + di_, j + dj_) for di_, dj_ in pairs)
        i, j = i + di, j + dj


def _myers(a: list[int], b: list[int], edits_max: int) -> tuple[list[tuple[int, int]], int, int]:
    """Matched places on the way with the fewest edits, and where it ends.

    It ends before the ends of a and b if that takes more than `edits_max`.
    """
    n, m = len(a), len(b)
    middle = edits_max + 1
    # furthest[middle + k]: the largest x reached on diagonal k = x - y; -1: none.
    furthest = [-1] * (2 * middle + 1)
    history: list[list[int]] = []
    for edits in range(edits_max + 1):
        for k in range(-edits, edits + 1, 2):
            x = _step(furthest, middle, k, n, m) if edits else 0
            if x >= 0:
                y = x - k
                while x < n and y < m and a[x] == b[y]:
                    x += 1
                    y += 1
                if x == n and y == m:
                    return _way_back(history, k, x, n, m), n, m
            furthest[middle + k] = x
        history.append(furthest[middle - edits : middle + edits + 1])
    ends = [(2 * x - k, k, x) for k, x in _diagonals(history[-1]) if x >= 0]
    _, k, x = max(ends)
    history.pop()
    return _way_back(history, k, x, n, m), x, x - k


def _diagonals(xs: list[int]) -> Iterator[tuple[int, int]]:
    """Those that the last number of edits can reach, with their x."""
    edits = len(xs) // 2
    return zip(range(-edits, edits + 1, 2), xs[::2], strict=True)


def _step(furthest: list[int], middle: int, k: int, n: int, m: int) -> int:
    """Where one edit more leads on diagonal k: a deletion from k - 1, an insertion from k + 1."""
    x = -1
    deleted = furthest[middle + k - 1]
    if 0 <= deleted < n:
        x = deleted + 1
    inserted = furthest[middle + k + 1]
    if inserted > x and inserted - k <= m:
        x = inserted
    return x


def _way_back(history: list[list[int]], k: int, x: int, n: int, m: int) -> list[tuple[int, int]]:
    """The matched places on the way that ended at x on diagonal k, one edit past `history`."""
    pairs: list[tuple[int, int]] = []
    for edits in range(len(history) - 1, -1, -1):
        furthest = [-1, -1, *history[edits], -1, -1]
        start = _step(furthest, edits + 2, k, n, m)
        pairs += ((i, i - k) for i in range(x - 1, start - 1, -1))
        # The same choice as on the way there: an insertion only if it led further.
        deleted = furthest[edits + 2 + k - 1]
        k, x = (k - 1, deleted) if deleted == start - 1 else (k + 1, start)
    pairs += ((i, i - k) for i in range(x - 1, -1, -1))
    pairs.reverse()
    return pairs


def _patience(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """The longest series, growing on both sides, of tokens that occur once on either."""
    once_a = {t: i for i, t in enumerate(a)}
    counts_a, counts_b = Counter(a), Counter(b)
    candidates = [(once_a[t], j) for j, t in enumerate(b) if counts_a[t] == 1 and counts_b[t] == 1]
    # Longest increasing series of places in a, by places in b.
    tails: list[int] = []
    chain: list[tuple[int, int]] = []  # (candidate, the one before it in its series)
    last: list[int] = []
    for number, (i, _) in enumerate(candidates):
        at = bisect_left(tails, i)
        if at == len(tails):
            tails.append(i)
            last.append(number)
        else:
            tails[at] = i
            last[at] = number
        chain.append((number, last[at - 1] if at else -1))
    series: list[tuple[int, int]] = []
    number = last[-1] if last else -1
    while number >= 0:
        series.append(candidates[number])
        number = chain[number][1]
    series.reverse()
    return series
