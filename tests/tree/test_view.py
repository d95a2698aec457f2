"""Views: lazy, read-only, and equal to what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.tree.view import MappingView, RecordView, SequenceView, view
from casckpt.values import Record, Registry
from tests.exact import same
from tests.samples import Agent, Color, Message, Point
from tests.strategies import any_values, native_values
from tests.tree.objects import Objects
from tests.tree.test_locate import opened
from tests.tree.tiny import tiny_chunks


def viewed(value, *, tiny=False):
    _, opener, node = opened(value, tiny=tiny)
    return view(opener, node)


def unfolded(seen):
    """A value, put together from what a view gives bit by bit."""
    if isinstance(seen, RecordView):
        return seen.load()
    if isinstance(seen, MappingView):
        return {key: unfolded(seen[key]) for key in seen}
    if isinstance(seen, SequenceView):
        return seen.type(unfolded(item) for item in seen)
    return seen


@pytest.mark.parametrize("tiny", [False, True])
@settings(max_examples=60)
@given(value=any_values())
def test_a_view_shows_what_was_saved(value, tiny):
    with tiny_chunks() if tiny else nullcontext():
        seen = viewed(value, tiny=tiny)
        assert same(unfolded(seen), value)
    if isinstance(seen, Mapping | Sequence) and hasattr(seen, "load"):
        assert same(seen.load(), value)


@settings(max_examples=60)
@given(native_values(), native_values())
def test_views_are_equal_as_their_values_are(one, other):
    views = [viewed(one), viewed(other)]
    assert (views[0] == views[1]) == (unfolded(views[0]) == unfolded(views[1]))
    assert (views[0] == other) == (other == views[0]) == (unfolded(views[0]) == other)
    assert (views[0] == viewed(one)) == (not has_nan(one))


def has_nan(value):
    """Whether a NaN lies anywhere in it: then it does not equal a fresh copy of itself."""
    if isinstance(value, dict):
        return any(has_nan(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_nan, value))
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN


STATE = {
    "messages": [{"role": "user", "content": f"m{n}"} for n in range(2_000)],
    "at": (1, [2], "three"),
    "seen": {1, 2},
    "n": None,
}


def test_mappings():
    seen = viewed(STATE)
    assert isinstance(seen, Mapping)
    assert list(seen) == list(seen.keys()) == list(STATE)
    assert len(seen) == 4
    assert "n" in seen
    assert "x" not in seen
    assert seen.get("x", 5) == 5
    assert seen["seen"] == {1, 2}
    assert [key for key, _ in seen.items()] == list(STATE)
    assert list(seen["messages"][7].values()) == ["user", "m7"]
    assert ("n", None) in seen.items()
    with pytest.raises(KeyError):
        seen["x"]
    with pytest.raises(TypeError):
        seen["n"] = 1
    with pytest.raises(TypeError):
        hash(seen)


@pytest.mark.parametrize("order", [sorted, lambda keys: sorted(keys, reverse=True)])
def test_large_mappings_keep_their_order(order):
    table = {key: key + 1 for key in order(range(500))}
    seen = viewed(table, tiny=True)
    assert list(seen.items()) == list(table.items())
    assert list(seen.values()) == list(table.values())
    assert list(seen) == list(table)
    assert seen == table
    assert seen != {**table, 3: 0}
    assert seen != {**table, "x": 0}
    assert 3.0 in seen
    assert seen[True] == 2


def test_sequences():
    messages = viewed(STATE)["messages"]
    assert isinstance(messages, Sequence)
    assert len(messages) == 2_000
    assert messages[-1]["content"] == "m1999"
    assert messages[5:8] == STATE["messages"][5:8]
    assert messages[5:8][-1]["content"] == "m7"
    assert messages[::-500].load() == STATE["messages"][::-500]
    assert list(reversed(messages[:2])) == STATE["messages"][1::-1]
    assert STATE["messages"][3] in messages
    assert messages.index(STATE["messages"][3]) == 3
    assert messages[10:] != STATE["messages"]
    for index in (2_000, -2_001):
        with pytest.raises(IndexError):
            messages[index]
    with pytest.raises(TypeError):
        hash(messages)


def test_a_tuple_stays_one():
    at = viewed(STATE)["at"]
    assert at == (1, [2], "three")
    assert at != [1, [2], "three"]
    assert same(at[1:].load(), ([2], "three"))
    assert at[1] == [2]
    assert at.type is tuple


def test_instances_show_their_fields():
    message = Message("user", ["x", Point(1, Color.RED)])
    seen = viewed({"m": message})["m"]
    assert isinstance(seen, RecordView)
    assert (seen.flavour, seen.type_name.rpartition(":")[2]) == ("dataclass", "Message")
    assert seen.content[1].y is Color.RED
    assert seen["role"] == seen.role == "user"
    assert seen == message
    assert seen == viewed(message)
    assert seen != Message("user", "y")
    assert seen != dict(seen)
    assert same(seen.load(), message)
    with pytest.raises(AttributeError, match="Message has no field 'rol'"):
        _ = seen.rol
    assert viewed(Agent(name="a")).name == "a"


def test_an_unknown_class_is_seen_alike():
    objects, opener, node = opened(Message("user", "hi"))
    stranger = view(type(opener)(objects, Registry()), node)
    assert stranger.content == "hi"
    assert isinstance(stranger.load(), Record)


def test_other_values_come_whole():
    grid = np.arange(6).reshape(2, 3)
    seen = viewed({"grid": grid, "c": Color.RED, "b": b"x" * 50_000})
    assert same(seen["grid"], grid)
    assert seen["c"] is Color.RED
    assert seen["b"] == b"x" * 50_000


def test_repr_is_short_and_reads_nothing():
    objects, opener, node = opened({"k": STATE, "big": {n: n for n in range(50_000)}})
    seen = view(opener, node)
    assert repr(seen) == '<view of a dict of 2: "k", "big">'
    parts = [seen["k"], seen["big"], seen["k"]["messages"], seen["k"]["at"]]
    objects.reads = 0
    assert [repr(part) for part in parts] == [
        '<view of a dict of 4: "messages", "at", "seen", "n">',
        "<view of a dict of 50,000>",
        "<view of a list of 2,000>",
        "<view of a tuple of 3>",
    ]
    assert objects.reads == 0
    name = f"{Message.__module__}:Message"
    assert repr(viewed(Message(1, 2))) == f'<view of {name}: "role", "content", "at", "extra">'
    assert repr(viewed({"\x1b": 1})).isprintable()


def test_iteration_reads_leaf_by_leaf():
    """A paused iterator has read no more than it gave, and holds nothing open."""
    objects, opener, node = opened({"m": [{"n": n, "text": "x" * 50} for n in range(20_000)]})
    messages = view(opener, node)["m"]
    objects.reads = 0
    some = iter(messages)
    for _ in range(10):
        next(some)
    assert objects.reads <= 3
    assert isinstance(objects, Objects)
    assert sum(1 for _ in some) == 19_990


@given(st.lists(st.integers(), max_size=80), st.data())
def test_slices_of_slices(items, data):
    seen, plain = viewed(items, tiny=True), items
    for _ in range(3):
        cut = data.draw(st.slices(len(plain)))
        seen, plain = seen[cut], plain[cut]
        assert list(seen) == plain
        assert len(seen) == len(plain)
    assert seen.load() == plain
    assert [seen[i] for i in range(len(plain))] == plain
