"""Alignment: right, minimal where it says so, and linear whatever it is given."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.tree import align as module
from casckpt.tree.align import align

SHORT = st.lists(st.integers(0, 3), max_size=12)


def matched(a, b):
    """How many places correspond, after checking that they do."""
    i = j = count = 0
    for run in align(a, b):
        assert run.a >= i
        assert run.b >= j
        assert run.length > 0
        i, j = run.a + run.length, run.b + run.length
        assert len(a[run.a : i]) == run.length
        assert a[run.a : i] == b[run.b : j]
        count += run.length
    return count


def longest(a, b):
    """The length of a longest common subsequence, by the textbook."""
    row = [0] * (len(b) + 1)
    for x in a:
        above, row = row, [0]
        for j, y in enumerate(b):
            row.append(above[j] + 1 if x == y else max(above[j + 1], row[-1]))
    return row[-1]


@given(SHORT, SHORT)
def test_the_fewest_edits(a, b):
    assert matched(a, b) == longest(a, b)


@pytest.mark.parametrize(("edits_max", "stride"), [(0, 1), (1, 1), (2, 3)])
@given(a=st.lists(st.integers(0, 5), max_size=40), b=st.lists(st.integers(0, 5), max_size=40))
def test_beyond_the_fewest_edits_it_is_still_right(a, b, edits_max, stride):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "EDITS_MAX", edits_max)
        patched.setattr(module, "STRIDE_EDITS", stride)
        assert matched(a, b) <= longest(a, b)
        assert matched(a, a) == len(a)


@pytest.mark.parametrize("alphabet", [2, 100, 10**9])
def test_it_does_not_go_quadratic(alphabet, monkeypatch):
    """Steps of Myers' inner loop per token, for two long lists that have little in common."""
    rng = random.Random(alphabet)
    a, b = ([rng.randrange(alphabet) for _ in range(4_000)] for _ in range(2))
    if alphabet > 1000:
        b = rng.sample(a, len(a))
    steps = 0
    original = module._step

    def step(*args):
        nonlocal steps
        steps += 1
        return original(*args)

    monkeypatch.setattr(module, "_step", step)
    found = matched(a, b)
    assert steps < 60 * (len(a) + len(b)) + 2 * module.EDITS_MAX**2
    assert found > (1_500 if alphabet == 2 else 40)


def test_a_thousand_edits_among_many():
    """Far more edits than are looked for exactly: still about as many as were made."""
    rng = random.Random(3)
    a = [rng.randrange(5_000) for _ in range(10_000)]
    b = [x for x in a if rng.random() > 0.05]
    for _ in range(500):
        b.insert(rng.randrange(len(b)), rng.randrange(5_000))
    assert matched(a, b) > len(b) - 700


def test_a_block_moved():
    a = list(range(5_000))
    assert matched(a, [*a[1000:], *a[:1000]]) == 4_000
