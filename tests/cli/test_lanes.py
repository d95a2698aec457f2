"""The drawing of forks: pictures, and what holds for every forest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.cli.lanes import condense, draw


def picture(parents: dict[str, str | None]) -> list[str]:
    """The drawing, with what comes later in the dict taken for newer."""
    ranks = {id: rank for rank, id in enumerate(parents)}
    return [f"{row.lanes} {row.id or ''}".rstrip() for row in draw(parents, ranks)]


PICTURES = {
    "one line": ({"a": None, "b": "a", "c": "b"}, ["* c", "* b", "* a"]),
    "a fork": (
        {"a": None, "b": "a", "c": "a", "d": "c"},
        ["* d", "* c", "| * b", "|/", "* a"],
    ),
    "three from one": (
        {"a": None, "b": "a", "c": "a", "d": "a"},
        ["* d", "| * c", "| | * b", "| |/", "|/", "* a"],
    ),
    "a fork of a fork": (
        {"a": None, "b": "a", "c": "b", "d": "b", "e": "a"},
        ["* e", "| * d", "| | * c", "| |/", "| * b", "|/", "* a"],
    ),
    "two stories": ({"a": None, "x": None, "b": "a"}, ["* b", "* a", "* x"]),
    "cut off": ({"b": "gone", "c": "b"}, ["* c", "* b"]),
    "nothing": ({}, []),
}


@pytest.mark.parametrize(("parents", "expected"), PICTURES.values(), ids=PICTURES)
def test_pictures(parents: dict[str, str | None], expected: list[str]) -> None:
    assert picture(parents) == expected


def test_a_cut_lane_says_so() -> None:
    rows = list(draw({"b": "gone", "c": "b"}, {"b": 0, "c": 1}))
    assert [row.below for row in rows] == ["|", ":"]


@st.composite
def forests(draw: st.DrawFn) -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    for n in range(draw(st.integers(0, 30))):
        parent = draw(st.integers(-1, n - 1))
        parents[f"n{n}"] = None if parent < 0 else f"n{parent}"
    return parents


@given(forests())
def test_lanes_lead_from_child_to_parent(parents: dict[str, str | None]) -> None:
    """Follow each lane down: it ends at the parent of the checkpoint it came from."""
    ranks = {id: rank for rank, id in enumerate(parents)}
    lanes: list[str] = []
    drawn: list[str] = []
    for row in draw(parents, ranks):
        if row.id is None:
            assert row.lanes == "| " * (len(lanes) - 2) + "|/"
            assert lanes[-1] == lanes[-2]  # two lanes that wait for the same one join
            lanes.pop()
            continue
        if lanes and lanes[-1] == row.id:
            lanes.pop()
        assert row.id not in lanes
        assert row.lanes == "| " * len(lanes) + "*"
        drawn.append(row.id)
        parent = parents[row.id]
        if parent is not None:
            lanes.append(parent)
    assert lanes == []
    assert sorted(drawn) == sorted(parents)
    place = {id: n for n, id in enumerate(drawn)}
    assert all(parent is None or place[id] < place[parent] for id, parent in parents.items())


@given(forests(), st.sets(st.integers(0, 29).map("n{}".format)))
def test_condensing_counts_what_it_leaves_out(
    parents: dict[str, str | None], keep: set[str]
) -> None:
    shorter, skipped = condense(parents, keep)
    assert keep & parents.keys() <= shorter.keys()
    assert len(shorter) + sum(skipped.values()) == len(parents)
    for id, parent in shorter.items():
        up = parents[id]
        for _ in range(skipped[id]):
            assert up is not None
            up = parents[up]
        assert up == parent


def test_a_long_history_is_no_deep_recursion() -> None:
    parents = {f"{n}": f"{n - 1}" if n else None for n in range(5000)}
    assert len(picture(parents)) == 5000
