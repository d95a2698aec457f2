"""JSON Patch: applied by another library it gives an equal document; what is no JSON is refused."""

from __future__ import annotations

import json

import jsonpatch
import pytest
from hypothesis import given

from casckpt.errors import InvalidInputError
from tests.strategies import json_values
from tests.tree.pairs import difference, pairs


def text_only(value):
    """Without the keys and types that the random edits bring in."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return None


@given(pairs(json_values(), edits_max=5))
def test_another_library_makes_b_of_a(pair):
    a, b = map(text_only, pair)
    for tiny in (False, True):
        patch = difference(a, b, tiny=tiny).to_json_patch()
        patched = jsonpatch.apply_patch(json.loads(json.dumps(a)), json.loads(json.dumps(patch)))
        assert json.dumps(patched, sort_keys=True) == json.dumps(b, sort_keys=True)


def test_what_it_looks_like():
    a = {"a/b": [1, 2], "gone": None, "o": {"x": 1, "y": 2}}
    b = {"a/b": [1, 5, 2], "o": {"y": 2, "x": 1}, "~": {}}
    assert difference(a, b).to_json_patch() == [
        {"op": "add", "path": "/a~1b/1", "value": 5},
        {"op": "remove", "path": "/gone"},
        {"op": "add", "path": "/~0", "value": {}},
    ]
    assert difference([1], {"a": 1}).to_json_patch() == [
        {"op": "replace", "path": "", "value": {"a": 1}}
    ]


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [
        ({"x": 1}, {"x": (1, 2)}, "at x is a tuple"),
        ({"x": [1]}, {"x": [1, {"y": b"z"}]}, r"at x\[1\]\.y is a bytes"),
        ({"x": 1}, {"x": float("nan")}, "at x is nan"),
        ({"x": {}}, {"x": {5: 1}}, r"at x\[5\] is a place"),
        ({}, {"x": {5: 1}}, r"at x\[5\] is a key that is no text but an int"),
        ({"t": (1, [2, 0])}, {"t": (1, [3, 0])}, r"at t\[1\]\[0\] is a place"),
        ({"s": {1}}, {"s": {2}}, r"at s\[1\] is a place"),
    ],
)
def test_what_is_no_json_is_refused(a, b, where):
    with pytest.raises(InvalidInputError, match=where):
        difference(a, b).to_json_patch()


def test_no_json_that_did_not_change_does_no_harm():
    a, b = {"t": (1, 2), "n": 1}, {"t": (1, 2), "n": 2}
    assert difference(a, b).to_json_patch() == [{"op": "replace", "path": "/n", "value": 2}]
    at_path = difference({"a": (a,)}, {"a": (b,)}, path=("a", 0))
    assert at_path.to_json_patch() == [{"op": "replace", "path": "/a/0/n", "value": 2}]
