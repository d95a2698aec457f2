"""Applying changes made by hand, and changes that do not fit."""

from __future__ import annotations

import math

import pytest

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.tree.change import Change
from casckpt.tree.patch import apply
from tests.exact import same
from tests.samples import Message
from tests.tree.pairs import REGISTRY, difference


def test_changes_by_hand():
    value = {"log": ["a", "b"], "at": (1, 2), "tags": {"x"}}
    changes = [
        Change("add", ("log", 2), new="c"),
        Change("replace", ("log", 0), new="A"),
        Change("remove", ("log", 1)),
        Change("replace", ("at", 1), new=5),
        Change("add", ("tags", "y"), new="y"),
        Change("reorder", (), new=["tags", "log", "at"]),
    ]
    after = apply(value, changes)
    assert same(after, {"tags": {"x", "y"}, "log": ["A", "c"], "at": (1, 5)})
    assert value == {"log": ["a", "b"], "at": (1, 2), "tags": {"x"}}


def test_what_was_added_is_not_changed_by_what_follows():
    new = {"k": []}
    changes = [Change("add", ("a",), new=new), Change("add", ("a", "k", 0), new=1)]
    assert apply({}, changes) == {"a": {"k": [1]}}
    assert new == {"k": []}


def test_the_whole_state():
    assert apply([1], [Change("replace", (), new={"a": 1}), Change("add", ("b",), new=2)]) == {
        "a": 1,
        "b": 2,
    }
    with pytest.raises(InvalidInputError, match="can be replaced"):
        apply([1], [Change("remove")])


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1], Change("remove", (1,))),
        ([1], Change("remove", (-1,))),
        ([1], Change("replace", ("0",), new=2)),
        ([1], Change("add", (3,), new=2)),
        ([1], Change("add", (True,), new=2)),
        ({"a": 1}, Change("remove", ("b",))),
        ({"a": 1}, Change("replace", ("b",), new=2)),
        ({"a": {}}, Change("add", ("b", "c"), new=2)),
        ({"a": 1}, Change("add", ("b",), new=2, before=("c",))),
        ({"a": {1}}, Change("remove", ("a", 2))),
        ({"a": {1}}, Change("remove", ("a", True))),
        ({"a": {(1,)}}, Change("add", ("a", (1,), 0), new=2)),
        ({"a": 1, "b": 2}, Change("reorder", (), new=["a"])),
        ({"a": 1, "b": 2}, Change("reorder", (), new=["a", "c"])),
        ([1, 2], Change("reorder", (), new=[1, 0])),
    ],
)
def test_what_does_not_fit_is_named(value, change):
    with pytest.raises(NotFoundError, match=f"{change.op} at"):
        apply(value, [change])


def test_a_change_inside_an_atom():
    with pytest.raises(InvalidInputError, match=r"a\.b leads into 'str'"):
        apply({"a": "text"}, [Change("add", ("a", "b"), new=1)])
    with pytest.raises(InvalidInputError, match="leads into"):
        apply({"a": Message(1, 2)}, [Change("replace", ("a", "role"), new=1)])  # no codec


def test_a_diff_fits_another_value_of_the_same_shape():
    found = difference([1, 2, 3], [1, 2, 9, 3])
    assert found.apply([7, 8, 6]) == [7, 8, 9, 6]
    instance = difference(Message("a", 1), Message("b", 1))
    assert instance.apply(Message("x", 5)) == Message("b", 5)


def test_a_key_put_before_another():
    value = {"a": 1, math.nan: 2, "b": 3}
    after = apply(value, [Change("add", ("x",), new=0, before=("b",))])
    assert list(after)[-2:] == ["x", "b"]
    after = apply(value, [Change("add", ("x",), new=0, before=(float("nan"),))])
    assert list(after)[:2] == ["a", "x"]
    moved = apply({"a": 1, "b": 2}, [Change("add", ("b",), new=3, before=("a",))])
    assert list(moved.items()) == [("b", 3), ("a", 1)]


def test_nan_as_a_key_and_a_member():
    nan, other = math.nan, float("nan")
    changes = [Change("replace", ("k", other), new=2), Change("remove", ("s", other))]
    after = apply({"k": {nan: 1}, "s": {nan, 1}}, changes)
    assert list(after["k"].values()) == [2]
    assert after["s"] == {1}


def test_keys_that_equal_each_other():
    found = list(difference({1: "a", "x": {1, 2}}, {1.0: "a", "x": {True, 2}}))
    after = apply({1: "a", "x": {1, 2}}, found, REGISTRY)
    assert same(after, {1.0: "a", "x": {True, 2}})
