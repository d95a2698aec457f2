"""Keys and members made to have one hash are refused before they cost anything."""

import json

import pytest

import casckpt
from casckpt.errors import CorruptError, LimitError
from casckpt.exchange import from_json
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.lazy import Opener
from casckpt.tree.read import Loader
from casckpt.values import Registry
from tests.tree.objects import Objects

STEP = (1 << 61) - 1
"""Python's hash of an int is its remainder by this."""
MANY = 200_000
"""In one dict, these would take hours."""


def wrapped(key):
    return cbor.head(cbor.TAG, c.TAG_KEY) + cbor.encode_bytes(key)


def large(number):
    return cbor.encode_int((1 << 70) // STEP * STEP + number * STEP)


def pair(number):
    return cbor.head(cbor.ARRAY, 2) + cbor.encode_int(number) + cbor.encode_int(number)


def a_map(keys):
    return cbor.head(cbor.MAP, len(keys)) + b"".join(key + cbor.NULL for key in keys)


def test_what_python_does():
    assert len({hash(number * STEP + (1 << 70) // STEP * STEP) for number in range(9)}) == 1


def test_wrapped_keys_are_counted():
    payload = a_map([wrapped(large(number)) for number in range(MANY)])
    with pytest.raises(LimitError, match="the hash of another"):
        Loader(Objects(), Registry()).value(payload)
    with pytest.raises(LimitError, match="the hash of another"):
        Opener(Objects(), Registry()).node(payload)


def test_other_keys_are_plain():
    for make in (large, pair):
        payload = a_map([make(number) for number in range(MANY)])
        for read in (Loader(Objects(), Registry()).value, Opener(Objects(), Registry()).node,
                     cbor.decode_generic):  # fmt: skip
            with pytest.raises(CorruptError, match="a key that is"):
                read(payload)
        assert not cbor.is_canonical(payload)


@pytest.mark.parametrize("tag", [c.TAG_SET, c.TAG_FROZENSET])
def test_members_are_counted(tag):
    members = b"".join(large(number) for number in range(MANY))
    payload = cbor.head(cbor.TAG, tag) + cbor.head(cbor.ARRAY, MANY) + members
    with pytest.raises(LimitError, match="the hash of another"):
        Loader(Objects(), Registry()).value(payload)


def test_json_is_counted():
    keys = [(1 << 70) // STEP * STEP + number * STEP for number in range(MANY // 10)]
    for form in ({"$casckpt": "set", "value": keys},
                 {"$casckpt": "dict", "value": [[key, None] for key in keys]}):  # fmt: skip
        with pytest.raises(casckpt.InvalidInputError, match="the hash of another"):
            from_json(json.dumps(form))


@pytest.mark.parametrize("builder", [FastBuilder, SlowBuilder])
@pytest.mark.parametrize("make", [dict.fromkeys, set, frozenset])
def test_what_could_not_be_loaded_is_not_saved(builder, make):
    few = make([number * STEP for number in range(c.COLLISIONS_MAX + 1)])
    objects = Objects()
    built = builder(objects, Registry()).build(few)
    assert Loader(objects, Registry()).value(built.data) == few
    many = make([number * STEP for number in range(c.COLLISIONS_MAX + 2)])
    with pytest.raises(LimitError, match="the hash of another"):
        builder(objects, Registry()).build(many)


def test_many_keys_of_many_dicts():
    """The same keys again and again are no crowd; nor are many keys."""
    rows = [{(n, n): n, 1.5: n, -1.5: n, (1 << 70) + n: n} for n in range(20)] * 200
    rows.append({(n, str(n)): n for n in range(3_000)})
    objects = Objects()
    built = FastBuilder(objects, Registry()).build(rows)
    assert Loader(objects, Registry()).value(built.data) == rows


def test_maps_within_maps_are_looked_through():
    inner = {"a": [1, {"b": (2, 3.5, None, b"x" * 300)}], 5: {"c": "y" * 70_000}}
    encoded = cbor.encode_plain({"k": [{"a": 1, -7: [2]}, 1.5, True], 1: {"t": "z" * 40_000}})
    assert cbor.decode_generic(encoded)[1] == {"t": "z" * 40_000}
    objects = Objects()
    built = FastBuilder(objects, Registry()).build(inner)
    assert Loader(objects, Registry()).value(built.data) == inner
