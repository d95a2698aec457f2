"""Places inside a state: what Python would give for the same steps, read along the way only."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.path import Token
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.keys import spellings
from casckpt.tree.lazy import Opener
from casckpt.tree.locate import find
from tests.exact import same
from tests.samples import Color, Message, Point
from tests.strategies import hashables, native_values
from tests.tree.objects import Objects
from tests.tree.pairs import REGISTRY
from tests.tree.tiny import tiny_chunks


def opened(value, *, tiny=False):
    objects = Objects()
    if tiny:
        with tiny_chunks():
            data = SlowBuilder(objects, REGISTRY).build(value).data
    else:
        data = FastBuilder(objects, REGISTRY).build(value).data
    opener = Opener(objects, REGISTRY)
    node = opener.node(data)
    objects.reads = 0
    return objects, opener, node


def at(value, *path, tiny=False):
    _, opener, node = opened(value, tiny=tiny)
    # Keys are looked up by their encodings, which depend on the constants too.
    with tiny_chunks() if tiny else nullcontext():
        return opener.load(find(opener, node, path))


def every_place(value, path=()):
    yield path, value
    if type(value) in (list, tuple):
        for index, item in enumerate(value):
            yield from every_place(item, (*path, index))
    elif type(value) is dict:
        for key, item in value.items():
            yield from every_place(item, (*path, key))


@settings(max_examples=60)
@given(native_values())
def test_every_place_of_a_value_is_found(value):
    for tiny in (False, True):
        _, opener, node = opened(value, tiny=tiny)
        with tiny_chunks() if tiny else nullcontext():
            for path, expected in every_place(value):
                assert same(opener.load(find(opener, node, path)), expected)


BOUND = st.none() | st.integers(-40, 40)


@given(
    st.integers(0, 35),
    st.builds(slice, BOUND, BOUND, st.none() | st.integers(-5, 5).filter(bool)),
)
def test_slices_are_those_of_python(length, wanted):
    values = [
        list(range(length)),
        tuple(f"item {n}" for n in range(length)),
        "".join(chr(0x41 + n * 23) for n in range(length)),
        bytes(range(length)),
        bytearray(range(length)),
        "\ud800" + "x" * length,
    ]
    for value in values:
        assert same(at(value, wanted, tiny=True), value[wanted])
    grid = np.arange(3 * length, dtype="<i2").reshape(length, 3)
    assert same(at({"grid": grid}, "grid", wanted, tiny=True), grid[wanted].copy())


def test_a_slice_of_a_slice():
    assert at([[1, 2], [3, 4], [5, 6]], slice(1, None), 0, slice(-1, None)) == [4]


def test_rows_of_arrays():
    grid = np.arange(12, dtype=">f4").reshape(4, 3)
    assert same(at(grid, -1), grid[-1].copy())
    assert same(at(grid, 2, 1), grid[2, 1])
    assert same(at(grid[:, 0].copy(), 1), grid[1, 0])
    table = np.zeros(3, [("a", "<i4"), ("b", "|b1")])
    assert same(at(table, slice(1, 3)), table[1:3])
    assert same(at(table, 0), table[0])
    for value, step in [(np.array(1), 0), (grid, 4), (np.zeros((0, 3)), 0)]:
        with pytest.raises(NotFoundError, match="an array"):
            at({"x": value}, "x", step)


def test_fields_of_instances():
    state = {"log": [Message("user", ["hi", Point(1, Color.RED)])]}
    assert at(state, "log", 0, "content", 1, "y") is Color.RED
    assert at(state, Token("log"), Token("0"), Token("content"), Token("0")) == "hi"
    with pytest.raises(NotFoundError, match=r'is a Message .* near it: "content"'):
        at(state, "log", 0, "contents")


def test_steps_of_a_json_pointer():
    state = {"5": "text", 6: "number", "list": ["zero"]}
    assert at(state, Token("5")) == "text"
    assert at(state, Token("6")) == "number"
    assert at(state, Token("list"), Token("0")) == "zero"
    for missing in ["-", "1", "01", "x"]:
        with pytest.raises(NotFoundError, match="list is a list of 1"):
            at(state, "list", Token(missing))


@pytest.mark.parametrize("tiny", [False, True])
@pytest.mark.parametrize("spelled", [1, 1.0, True, 1 + 0j])
def test_numbers_are_keys_as_in_any_dict(spelled, tiny):
    for key in (1, 1.0, True):
        table = {**{n: n for n in range(100, 200)}, key: "found", (key, "x"): "in a tuple"}
        assert at(table, spelled, tiny=tiny) == "found"
        assert at(table, (spelled, "x"), tiny=tiny) == "in a tuple"
        with pytest.raises(NotFoundError):
            at(table, spelled + 1.5, tiny=tiny)


@given(hashables(), st.lists(hashables(), max_size=30))
def test_large_dicts_find_what_small_ones_find(key, others):
    table = {other: number for number, other in enumerate(others)}
    with tiny_chunks():
        _, opener, node = opened(table, tiny=True)
        try:
            found = opener.get(node, key)
        except KeyError:
            assert key not in table
        else:
            assert opener.load(found) == table[key]


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.complex_numbers()))
def test_spellings_equal_their_key(key):
    others = list(spellings(key))
    assert others[0] is key
    assert all(other == key for other in others[1:])


def test_no_key_at_all():
    _, opener, node = opened({n: n for n in range(100)}, tiny=True)
    for key in (object(), [1], slice(3), dt.timedelta(1), "x" * 10**6):
        with pytest.raises((KeyError, TypeError)):
            opener.get(node, key)
        with pytest.raises(NotFoundError):
            find(opener, node, [key])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (["mesages", 0], 'nothing at mesages: the state is a dict of 6 without that key; near it: "messages"'),
        (["messages", 2], "nothing at messages[2]: messages is a list of 2"),
        (["messages", -3], "nothing at messages[-3]: messages is a list of 2"),
        (["messages", True], "nothing at messages[True]: messages is a list of 2"),
        (["messages", "x"], "nothing at messages.x: messages is a list of 2, with indexes and no keys"),
        (["messages", 0, "x"], "nothing at messages[0].x: messages[0] is a str of 2, in which only slices have a place"),
        (["n", "x"], "nothing at n.x: n is an int, with nothing inside"),
        (["s", 1], "nothing at s[1]: s is a set, with no places inside"),
        (["when", 0], "nothing at when[0]: when is a value, with no places inside"),
        (["by_id", "5"], 'nothing at by_id["5"]: by_id is a dict of 4 without that key; near it: 5'),
        (["by_id", 7], 'nothing at by_id[7]: by_id is a dict of 4 without that key; near it: "7"'),
        ([slice(1)], "nothing at [:1]: the state is a dict of 6 without that key"),
    ],
)  # fmt: skip
def test_a_missing_place_is_named(path, message):
    state = {
        "messages": ["hi", "ho"],
        "n": 1,
        "s": {1},
        "when": dt.date(2026, 1, 1),
        "by_id": {5: 1, 6: 2, "7": 3, 8: 4},
        "zz": None,
    }
    with pytest.raises(NotFoundError) as caught:
        at(state, *path)
    assert str(caught.value) == message
    assert caught.value.details["path"]


def test_a_slice_that_never_ends():
    with pytest.raises(InvalidInputError, match="step of a slice"):
        at([1, 2], slice(None, None, 0))


# --- counted, not timed ----------------------------------------------------------------------

LEVELS_MAX = 4
"""The top of the state, then three levels of a list or dict; one less for short ones."""
CHAT = [{"role": "user", "content": f"message number {n} " * 3} for n in range(50_000)]
LARGE = {
    "chat": CHAT,
    "index": {f"k{n * 7919 % 50_021}": n for n in range(50_000)},
    "text": "ä" * 3_000_000,
    "blob": bytes(5_000_000),
    "grid": np.arange(400_000, dtype="<i8").reshape(4_000, 100),
}


@pytest.fixture(scope="module")
def large():
    return opened(LARGE)


@pytest.mark.parametrize(
    ("path", "reads_max"),
    [
        (("chat", 0, "content"), LEVELS_MAX),
        (("chat", 25_000, "content"), LEVELS_MAX),
        (("chat", -1, "content"), 2),
        (("index", "k25000"), LEVELS_MAX),
        (("chat", slice(-3, None)), 3),
        (("chat", slice(30_000, 30_010)), LEVELS_MAX + 1),
        (("text", slice(1_000_000, 1_000_010)), LEVELS_MAX),
        (("blob", slice(-10, None)), LEVELS_MAX),
        (("grid", 2_000), LEVELS_MAX),
        (("grid", slice(100, 110)), LEVELS_MAX + 1),
    ],
)
def test_a_path_reads_only_what_lies_on_it(large, path, reads_max):
    objects, opener, node = large
    objects.reads = 0
    found = opener.load(find(opener, node, path))
    assert objects.reads <= reads_max
    expected = LARGE
    for step in path:
        expected = expected[step]
    assert np.array_equal(found, expected)


def test_far_apart_items_read_no_leaf_in_between(large):
    objects, opener, node = large
    objects.reads = 0
    found = opener.load(find(opener, node, ("chat", slice(40_000, 0, -10_000))))
    assert found == CHAT[40_000:0:-10_000]
    assert objects.reads <= 4 * LEVELS_MAX
