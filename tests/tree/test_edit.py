"""The law of edits: a draft behaves as the plain value does, and its tree is that value's."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.tree.build import SlowBuilder
from casckpt.tree.read import Loader
from tests.exact import same
from tests.tree import edits
from tests.tree.objects import NoCodec, Objects


def check_is_whole_build(objects, built, model):
    slow = Objects()
    expected = SlowBuilder(slow, NoCodec()).build(model)
    assert same(Loader(objects, NoCodec()).value(built.data), model)
    assert built.data == expected.data
    assert (built.links, built.linked) == (expected.links, expected.linked)
    assert slow.stored.items() <= objects.stored.items()


def check_history(seed, rounds, steps):
    rng = edits.rng_of(seed)
    model = edits.state(rng)
    objects, root = edits.stored(model)
    for _ in range(rounds):
        edit = edits.opened(objects, root)
        before = copy.deepcopy(model)
        for _ in range(rng.randrange(steps)):
            edits.step(rng, edit.draft, model)
        if not edit.changed:
            assert same(model, before)
        root = check_build(objects, edit, model)


def check_build(objects, edit, model):
    assert same(edit.draft.load(), model)
    built = edit.build(objects)
    check_is_whole_build(objects, built, model)
    return built.data


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value(seed):
    check_history(seed, 3, 12)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value_at_length(seed):
    check_history(seed, 5, 25)
