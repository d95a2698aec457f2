"""The laws of diff: exact, empty for equals, small for small changes; and what changes say."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.tree.build import SlowBuilder
from casckpt.tree.change import Change
from casckpt.tree.diff import diff
from casckpt.tree.fast import FastBuilder
from casckpt.tree.patch import apply
from tests.exact import exact, same
from tests.samples import Color, Frozen, Message, Point
from tests.strategies import any_values, native_values
from tests.tree.objects import NoCodec, Objects
from tests.tree.pairs import REGISTRY, difference, pairs


def check_law(a, b, *, tiny):
    before = exact(a)
    found = difference(a, b, tiny=tiny)
    changes = list(found)
    after = apply(a, changes, REGISTRY)
    assert same(after, b), f"{exact(after)} is not {exact(b)}"
    assert exact(a) == before, "the value given has changed"
    assert bool(changes) == (not same(a, b))
    assert found.is_empty() == same(a, b)
    for change in changes:
        assert len(str(change)) < 400
        assert change.op == "reorder" or not same(change.old, change.new) or change.old is None


@pytest.mark.parametrize("tiny", [False, True])
@given(pair=pairs(native_values()))
def test_a_diff_applied_to_a_gives_b(pair, tiny):
    check_law(*pair, tiny=tiny)


@pytest.mark.parametrize("tiny", [False, True])
@settings(max_examples=50)
@given(pair=pairs(any_values()))
def test_a_diff_of_anything_applied_to_a_gives_b(pair, tiny):
    check_law(*pair, tiny=tiny)


@settings(max_examples=50)
@given(a=native_values(), b=native_values())
def test_strangers(a, b):
    check_law(a, b, tiny=True)


NUMBERS = st.lists(st.integers(0, 3), max_size=60)
TABLES = st.dictionaries(st.integers(0, 60), st.integers(0, 3), max_size=60)


@settings(max_examples=200)
@given(pair=st.one_of(pairs(NUMBERS, 3), pairs(TABLES, 3), pairs(st.sets(st.integers()), 3)))
def test_trees_of_many_heights(pair):
    check_law(*pair, tiny=True)


@settings(max_examples=60)
@given(a=TABLES, rng=st.randoms(use_true_random=False))
def test_the_order_of_large_dicts(a, rng):
    """In key order and out of it, with keys added at the end and in between."""
    keys = sorted(a)
    rng.shuffle(keys)
    shuffled = {key: a[key] for key in keys}
    in_order = {key: a[key] for key in sorted(a)}
    more = {**in_order, "x": 1, "a": 2}
    less = {key: value for key, value in in_order.items() if key % 3}
    for one, other in [(a, shuffled), (in_order, shuffled), (in_order, more), (shuffled, less)]:
        check_law(one, other, tiny=True)
        check_law(other, one, tiny=True)


@given(native_values())
def test_equal_values_have_no_changes(a):
    assert list(difference(a, a)) == []
    assert not difference(a, a)


def changes_of(a, b, **options):
    return [str(change) for change in difference(a, b, **options)]


@pytest.mark.parametrize(
    ("a", "b", "printed"),
    [
        (1, 2, ["~ (the state): 1 -> 2"]),
        ({"n": 1}, {"n": 1.0}, ["~ n: 1 -> 1.0"]),
        ({"n": 1}, {"n": True}, ["~ n: 1 -> True"]),
        ({"n": 0.0}, {"n": -0.0}, ["~ n: 0.0 -> -0.0"]),
        ({"n": [1]}, {"n": (1,)}, ["~ n: [1] -> (1,)"]),
        ({1: "a"}, {True: "a"}, ["- [1]: 'a'", "+ [True]: 'a'"]),
        ({"a": 1}, {"a": 1, "b": None}, ["+ b: None"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["~ (the state): keys in another order"]),
        (
            {"a": 1, "c": 2},
            {"a": 1, "b": 3, "c": 2},
            ["+ b: 3"],
        ),
        ({"s": {1, 2}}, {"s": {2, 3}}, ["- s[1]: 1", "+ s[3]: 3"]),
        ((1, 2, 3), (1, 3), ["- [1]: 2"]),
        ({"t": ({"x": 1}, 2)}, {"t": ({"x": 5}, 2)}, ["~ t[0].x: 1 -> 5"]),
        ({"b": b"abc"}, {"b": bytearray(b"abc")}, ["~ b: b'abc' -> b'abc'"]),
        ({"m": Point(1, 2)}, {"m": Point(1, 5)}, ["~ m.y: 2 -> 5"]),
        ({"m": Frozen(1, 2)}, {"m": Point(1, 2)}, ["~ m: Frozen(a=1, b=2) -> Point(x=1, y=2)"]),
    ],
)
def test_a_change_reads_at_a_glance(a, b, printed):
    assert changes_of(a, b) == printed


def test_fields_of_instances_are_places():
    a = {"log": [Message("user", "hi"), Message("tool", ["x"])]}
    b = {"log": [Message("user", "hi"), Message("tool", ["x", Color.RED])]}
    (change,) = difference(a, b)
    assert (change.op, change.path, change.new) == ("add", ("log", 1, "content", 1), Color.RED)
    assert same(apply(a, [change], REGISTRY), b)


def test_what_an_instance_holds_besides_its_fields_is_not_lost():
    """Attributes that are no fields have no path: the instance is replaced."""
    a, b = Message("user", "hi"), Message("user", "hi")
    b.seen = True
    (change,) = difference([a], [b])
    assert (change.op, change.path) == ("replace", (0,))
    assert same(apply([a], [change], REGISTRY), [b])


def test_old_and_new():
    a = {"keep": 0, "gone": [1], "other": 2}
    b = {"keep": 0, "other": 3, "more": {}}
    found = [(c.op, c.path, c.old, c.new) for c in difference(a, b)]
    assert found == [
        ("remove", ("gone",), [1], None),
        ("replace", ("other",), 2, 3),
        ("add", ("more",), None, {}),
    ]
    assert difference(a, b).summary() == {"add": 1, "remove": 1, "replace": 1, "reorder": 0}
    assert difference(a, b).to_dicts()[1] == {"op": "replace", "path": "other", "old": 2, "new": 3}


def test_a_reorder_has_the_keys_before_and_after():
    a, b = {"a": 1, "b": 2, "c": 3}, {"c": 3, "d": 4, "b": 2}
    *_, change = difference(a, b)
    assert (change.op, change.path) == ("reorder", ())
    assert (change.old, change.new) == (["b", "c", "d"], ["c", "d", "b"])


def test_an_added_key_says_where_it_stands():
    a, b = {"a": 1, "c": 3, "d": 4}, {"x": 0, "a": 1, "b": 2, "bb": 2, "c": 3, "e": 5}
    found = list(difference(a, b))
    assert [(c.op, c.path, c.before) for c in found] == [
        ("remove", ("d",), ()),
        ("add", ("x",), ("a",)),
        ("add", ("b",), ("c",)),
        ("add", ("bb",), ("c",)),
        ("add", ("e",), ()),
    ]
    assert found[1].to_dict() == {"op": "add", "path": "x", "new": 0, "before": "a"}
    assert same(apply(a, found), b)
    assert found[1] != Change("add", ("x",), new=0)
    assert found[1] == Change("add", ("x",), new=0, before=("a",))


def test_order_can_be_left_out():
    a, b = {"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1}
    assert difference(a, b, ordered=False).is_empty()
    assert len(list(difference(a, b))) == 2


def test_below_a_path():
    a = {"x": {"log": [1, 2]}, "y": 1}
    b = {"x": {"log": [1, 2, 3]}, "y": 2, "z": 0}
    assert changes_of(a, b, path=("x", "log")) == ["+ x.log[2]: 3"]
    assert changes_of(a, b, path=("x",)) == ["+ x.log[2]: 3"]
    assert changes_of(a, b, path=("z",)) == ["+ z: 0"]
    assert changes_of(b, a, path=("z",)) == ["- z: 0"]
    assert changes_of(a, a, path=("x",)) == []
    with pytest.raises(NotFoundError, match=r"nothing at w"):
        changes_of(a, b, path=("w",))
    with pytest.raises(NotFoundError):
        changes_of(a, a, path=("w",))


@given(pair=pairs(native_values()))
def test_below_a_path_of_large_values(pair):
    """A node that a path leads to becomes the raw item it was decoded from."""
    a, b = ({"at": {"here": value}} for value in pair)
    whole = [(c.op, c.path) for c in difference(a, b, tiny=True)]
    assert [(c.op, c.path) for c in difference(a, b, tiny=True, path=("at", "here"))] == whole


def test_values_are_read_when_asked_for():
    a, b = {"doc": "a" * 100_000, "n": 1}, {"doc": "b" * 100_000, "n": 1}
    objects = Objects()
    old, new = (SlowBuilder(objects, NoCodec()).build(v).data for v in (a, b))
    objects.reads = 0
    (change,) = diff(objects, NoCodec(), old, new)
    assert str(change) == "~ doc: <str of 100,000> -> <str of 100,000>"
    assert objects.reads == 0
    assert change.new == b["doc"]
    assert objects.reads > 0


def test_a_change_is_unhashable_and_equal_by_what_it_says():
    (one,), (other,) = difference([1], [2]), difference([1], [2])
    assert one == other
    assert one != "~ [0]: 1 -> 2"
    with pytest.raises(TypeError):
        hash(one)


def test_long_texts_show_where_they_part():
    a = {"text": "same " * 50 + "old" + " tail" * 50}
    b = {"text": "same " * 50 + "new" + " tail" * 50}
    (line,) = changes_of(a, b)
    assert "same old tail" in line
    assert "same new tail" in line
    assert len(line) < 140


class Mute:
    def __repr__(self):
        raise RuntimeError("not now")


def test_a_repr_that_fails_does_not_hide_the_change():
    assert str(Change("add", ("x",), new=Mute())) == "+ x: <Mute>"


def test_nothing_printed_moves_a_terminal():
    a = {"\x1b[2J": "\x1b]0;x\x07", "k": {b"\x1b": 1}, "z": "\u202e"}
    for line in changes_of(a, {}):
        assert line.isprintable()


# --- counted, not timed ----------------------------------------------------------------------

RNG = random.Random(5)
ITEMS = [{"id": n, "text": f"item {RNG.getrandbits(64):x}"} for n in range(100_000)]
BY_KEY = {f"key-{RNG.getrandbits(48):012x}": {"n": n} for n in range(100_000)}
SOME_KEYS = dict(list(BY_KEY.items())[:25_000])
IN_ORDER = {key: SOME_KEYS[key] for key in sorted(SOME_KEYS)}
READS_MAX = 12
"""One change: two sides of three levels, and as much again where a cut has moved."""


@cache
def stored(name):
    """One of the values above, in a store of its own."""
    objects = Objects()
    return objects, FastBuilder(objects, NoCodec()).build({"it": globals()[name]})


def counted(name, b):
    objects, first = stored(name)
    second = FastBuilder(objects, NoCodec(), guide=first.guide).build({"it": b})
    objects.reads = 0
    changes = list(diff(objects, NoCodec(), first.data, second.data))
    assert objects.reads <= READS_MAX
    return [(change.op, change.path) for change in changes]


@pytest.mark.parametrize("at", [0, 50_000, 99_999])
def test_one_change_in_a_long_list_reads_little(at):
    new = {"id": -1, "text": "new"}
    assert counted("ITEMS", [*ITEMS[:at], new, *ITEMS[at:]]) == [("add", ("it", at))]
    assert counted("ITEMS", [*ITEMS[:at], *ITEMS[at + 1 :]]) == [("remove", ("it", at))]
    deep = [*ITEMS[:at], {**ITEMS[at], "text": "edited"}, *ITEMS[at + 1 :]]
    assert counted("ITEMS", deep) == [("replace", ("it", at, "text"))]


def test_one_change_in_a_large_dict_reads_little():
    key = list(BY_KEY)[70_000]
    assert counted("BY_KEY", {**BY_KEY, key: {"n": -1}}) == [("replace", ("it", key, "n"))]
    assert counted("BY_KEY", {**BY_KEY, "new": 1}) == [("add", ("it", "new"))]


@pytest.mark.parametrize("name", ["SOME_KEYS", "IN_ORDER"])
def test_a_key_less_reads_little(name):
    value = globals()[name]
    key = list(value)[17_000]
    less = {k: v for k, v in value.items() if k != key}
    assert counted(name, less) == [("remove", ("it", key))]


def test_a_key_moved_or_added_at_the_end_reads_little():
    key = list(SOME_KEYS)[17_000]
    moved = {k: v for k, v in SOME_KEYS.items() if k != key} | {key: SOME_KEYS[key]}
    assert counted("SOME_KEYS", moved) == [("reorder", ("it",))]
    last = max(IN_ORDER) + "x"
    assert counted("IN_ORDER", {**IN_ORDER, last: 1}) == [("add", ("it", last))]


def test_a_refused_op():
    with pytest.raises(InvalidInputError, match="one of add, remove, replace, reorder"):
        Change("move", ("a",))
