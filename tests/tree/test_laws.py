"""The laws of trees: exact, one tree for one value, one encoding for one tree."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.read import Loader
from casckpt.values import Registry
from tests.strategies import any_values, native_values, register_all, same
from tests.tree.objects import NoCodec, Objects


def registry():
    known = Registry()
    register_all(known)
    return known


REGISTRY = registry()


def built(builder, value):
    result = builder.build(value)
    return result.data, tuple(result.links), result.linked


@given(any_values())
def test_what_is_loaded_is_what_was_built(value):
    objects = Objects()
    data = FastBuilder(objects, REGISTRY).build(value).data
    assert same(Loader(objects, REGISTRY).value(data), value)


@given(any_values())
def test_fast_equals_slow_and_writes_the_same_objects(value):
    slow, fast = Objects(), Objects()
    assert built(FastBuilder(fast, REGISTRY), value) == built(SlowBuilder(slow, REGISTRY), value)
    assert fast.stored == slow.stored


@given(any_values())
def test_what_is_written_is_canonical(value):
    objects = Objects()
    data = FastBuilder(objects, REGISTRY).build(value).data
    assert cbor.is_canonical(data)
    for kind, payload, _ in objects.stored.values():
        assert kind == c.KIND_CHUNK or cbor.is_canonical(payload)


@given(native_values(), native_values())
def test_two_values_with_one_encoding_are_the_same(one, two):
    first = SlowBuilder(Objects(), NoCodec()).build(one).data
    second = SlowBuilder(Objects(), NoCodec()).build(two).data
    assert (first == second) == same(one, two)


@given(native_values())
def test_a_change_to_what_was_loaded_does_not_reach_the_store(value):
    objects = Objects()
    data = FastBuilder(objects, NoCodec()).build(value).data
    loaded = Loader(objects, NoCodec()).value(data)
    if isinstance(loaded, list):
        loaded.append("changed")
    elif isinstance(loaded, dict):
        loaded["changed"] = True
    assert same(Loader(objects, NoCodec()).value(data), value)


# --- large values, edited in every way ----------------------------------------------------


def words(rng, least, most):
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(rng.randrange(least, most)))


def message(rng):
    return {"id": f"m{rng.getrandbits(32):08x}", "role": "user", "content": words(rng, 1, 200)}


def large_state(rng):
    return {
        "messages": [message(rng) for _ in range(rng.randrange(60))],
        "document": words(rng, 1, 8000),
        "blob": rng.randbytes(rng.choice([10, 60_000])),
        "users": {f"user-{n}": message(rng) for n in range(rng.randrange(300))},
        "plan": tuple(words(rng, 1, 30) for _ in range(rng.randrange(40))),
        "nested": {"deep": [[list(range(rng.randrange(4000)))], {1, 2, 3}]},
        "seen": {words(rng, 1, 4) for _ in range(rng.randrange(500))},
    }


def edited(rng, value):
    """A copy of a state with one change somewhere."""
    if type(value) is list and value:
        at = rng.randrange(len(value))
        change = rng.choice(["insert", "delete", "append", "edit", "edit"])
        head, tail = value[:at], value[at:]
        if change == "insert":
            return [*head, message(rng), *tail]
        if change == "append":
            return [*value, message(rng)]
        return [*head, *([] if change == "delete" else [edited(rng, tail[0])]), *tail[1:]]
    if type(value) is dict and value:
        key = rng.choice(list(value))
        if rng.random() < 0.2:
            return {k: v for k, v in value.items() if k != key}
        if rng.random() < 0.2:
            return {**value, f"new-{rng.randrange(99)}": message(rng)}
        return {**value, key: edited(rng, value[key])}
    if type(value) in (str, bytes) and len(value) > 1:
        at = rng.randrange(len(value))
        return value[:at] + (b"+" if type(value) is bytes else "+") + value[at + rng.randrange(2) :]
    return words(rng, 1, 9)


def check_history(seed, edits):
    rng = random.Random(seed)
    state, guide, fast = large_state(rng), None, Objects()
    for _ in range(edits):
        slow = Objects()
        expected = built(SlowBuilder(slow, NoCodec()), state)
        result = FastBuilder(fast, NoCodec(), guide=guide).build(state)
        assert (result.data, result.links, result.linked) == expected
        assert slow.stored.items() <= fast.stored.items()
        guide = result.guide
        state = edited(rng, state)
    assert same(Loader(fast, NoCodec()).value(result.data), copy.deepcopy(_last(rng, seed, edits)))


def _last(_rng, seed, edits):
    """The state of the last round, made again from the seed."""
    rng = random.Random(seed)
    state = large_state(rng)
    for _ in range(edits - 1):
        state = edited(rng, state)
    return state


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_guided_builds_equal_slow_ones(seed):
    """However a state was reached, and whatever the guide remembers, the tree is the same."""
    check_history(seed, 6)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_guided_builds_equal_slow_ones_at_length(seed):
    check_history(seed, 12)


def test_a_guide_sees_changes_in_place():
    """Identity proves nothing: the same list object, changed inside."""
    rng = random.Random(7)
    state = {"messages": [message(rng) for _ in range(100)]}
    objects = Objects()
    guide = FastBuilder(objects, NoCodec()).build(state).guide
    state["messages"][50]["content"] = "changed in place"
    data = FastBuilder(objects, NoCodec(), guide=guide).build(state).data
    assert same(Loader(objects, NoCodec()).value(data), state)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"x" * 40, bytearray(b"x" * 40)),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ((1, 2), [1, 2]),
        ({1}, frozenset({1})),
        ("1", 1),
    ],
)
def test_a_guide_sees_changes_of_type(before, after):
    """Equal is not the same: what marshal or `==` may confuse must not be taken over."""
    filler = ["filler " * 200] * 3
    for wrap in (
        lambda v: {"unit": {"v": v, "filler": filler}},
        lambda v: {"list": [[v, *filler]] * 30},
        lambda v: [v, *filler] * 10,
    ):
        objects = Objects()
        guide = FastBuilder(objects, NoCodec()).build(wrap(before)).guide
        data = FastBuilder(objects, NoCodec(), guide=guide).build(wrap(after)).data
        assert same(Loader(objects, NoCodec()).value(data), wrap(after))
