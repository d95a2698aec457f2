"""The law of edits: a draft behaves as the plain value does, and its tree is that value's."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.tree.build import SlowBuilder
from casckpt.tree.edit import Edit
from casckpt.tree.fast import FastBuilder
from casckpt.values import Registry
from tests.exact import same
from tests.strategies import any_values, keys, register_all
from tests.tree import edits
from tests.tree.edits import check_is_whole_build, edited
from tests.tree.objects import NoCodec, Objects


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


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value(seed):
    check_history(seed, 3, 12)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value_at_length(seed):
    check_history(seed, 5, 25)


REGISTRY = Registry()
register_all(REGISTRY)


@settings(deadline=None)
@given(st.data())
def test_values_of_every_type_pass_through_edits(data):
    """Whatever stands beside a change stays as it was, keys of every type included."""
    value = any_values()
    model = data.draw(st.lists(value, max_size=6) | st.dictionaries(keys(), value, max_size=6))
    if data.draw(st.booleans()):
        pads = {f"pad {n}": "pad " * 40 for n in range(150)}
        model = [*model, *pads, model] if isinstance(model, list) else pads | model
    objects = Objects()
    edit = Edit(objects, REGISTRY, FastBuilder(objects, REGISTRY).build(model).data)
    new = data.draw(value)
    if isinstance(model, list):
        at = data.draw(st.integers(0, len(model)))
        for target in (edit.draft, model):
            target.insert(at, new)
            target.append(target.pop(-1))
            target.append(target.pop(0))
    else:
        key = data.draw(keys() | st.sampled_from([*model, 0]))
        for target in (edit.draft, model):
            target[key] = new
            target[0] = target.pop(next(iter(target)))
    expected = SlowBuilder(Objects(), REGISTRY).build(model)
    built = edit.build(objects)
    assert (built.data, built.links, built.linked) == (
        expected.data,
        expected.links,
        expected.linked,
    )


# --- cases that chance may miss -----------------------------------------------------------


UNORDERED = {f"k{n * 7919 % 3001:04d}": "value " * 5 for n in range(1000)}
ORDERED = {name: UNORDERED[name] for name in sorted(UNORDERED)}


def removed(names):
    def change(draft):
        for name in names:
            del draft[name]

    return change


def added(**items):
    return lambda draft: draft.update(items)


def again(name):
    def change(draft):
        draft[name] = draft.pop(name)

    return change


@pytest.mark.parametrize(
    "change",
    [
        added(z9998=1),
        added(z9998=1, z9999=2),
        added(z9999=1, z9998=2),
        added(a0000=1),
        added(z9998=1, a0000=1),
        again(list(ORDERED)[-1]),
        again(list(ORDERED)[5]),
        removed(list(ORDERED)[::2]),
        removed(list(ORDERED)[-30:]),
        removed(list(ORDERED)[:-30]),
        removed(list(ORDERED)),
        lambda draft: [again(name)(draft) for name in sorted(draft)[-40:]],
        lambda draft: draft.update(dict.fromkeys(ORDERED, 0)),
        lambda draft: draft.update(dict.fromkeys(list(ORDERED)[::50], "x" * 100)),
        lambda draft: draft.update({"k0001": "v" * 50_000, "zz": [["w" * 2000] * 20]}),
    ],
)
@pytest.mark.parametrize("before", [ORDERED, UNORDERED, {**ORDERED, "a": 1}])
def test_the_order_of_a_large_dict(before, change):
    edited(before, change)


def test_an_order_that_becomes_that_of_the_keys_is_null_again():
    late = [f"a{n}" for n in range(5)]
    before = {**ORDERED, **dict.fromkeys(late, 1)}
    edited(before, removed(late))
    edited(before, removed(late[:-1]))


def test_a_large_dict_shrinks_to_a_small_one_and_grows_back():
    """Byte by byte around the size at which a dict becomes a tree."""
    small = {f"k{n:03d}": "v" * 40 for n in range(340)}
    for width in range(15_600 // 340, 50):
        model = {f"k{n:03d}": "v" * width for n in range(340)}
        edited(model, lambda draft: draft.pop("k300"))
        edited(model, lambda draft: draft.update(k300="v" * 500))
    edited(small, lambda draft: draft.update(k300="v" * 9000))
    edited({**small, "k300": "v" * 9000}, lambda draft: draft.update(k300=""))


MESSAGES = [{"id": n, "text": f"text {n * 7919 % 1000} " * 9} for n in range(2000)]


@pytest.mark.parametrize(
    "change",
    [
        lambda draft: draft.reverse(),
        lambda draft: draft.sort(key=lambda item: item["text"]),
        lambda draft: draft.sort(key=lambda item: item["id"], reverse=True),
        lambda draft: draft.__delitem__(slice(None, None, 2)),
        lambda draft: draft.__delitem__(slice(10, None, 200)),
        lambda draft: draft.__setitem__(slice(700, 1500), []),
        lambda draft: draft.__setitem__(slice(None), draft[1:]),
        lambda draft: draft.__setitem__(slice(0, 0), draft[-3:]),
        lambda draft: draft.__setitem__(slice(None, None, 300), range(7)),
        lambda draft: draft.__imul__(2),
        lambda draft: draft.__imul__(0),
        lambda draft: draft.insert(-7, [draft[3]["text"]]),
        lambda draft: draft.__delitem__(slice(1, None)),
        lambda draft: draft.clear(),
        lambda draft: [draft.pop(0) for _ in range(100)],
        lambda draft: [draft.insert(n * 37 % 2000, n) for n in range(100)],
        lambda draft: [item.update(done=True) for item in draft[5:900:7]],
        lambda draft: draft.extend([0] * 5000),
    ],
)
def test_a_large_list(change):
    edited(MESSAGES, change)
    edited({"in": [MESSAGES, 1]}, lambda draft: change(draft["in"][0]))


def test_every_single_place_of_a_list():
    model = [f"item {n}" * (n % 9) for n in range(400)]
    objects, root = edits.stored(model)
    for at in range(0, 400, 3):
        for change in (
            lambda t, at=at: t.pop(at),
            lambda t, at=at: t.insert(at, "new"),
            lambda t, at=at: t.__setitem__(at, "new " * 20),
        ):
            edit, value = edits.opened(objects, root), list(model)
            change(edit.draft)
            change(value)
            assert edit.build(objects).data == SlowBuilder(Objects(), NoCodec()).build(value).data


def test_large_sets_and_members_that_are_equal():
    numbers = set(range(9000))
    edited(numbers, lambda draft: draft.add(5.0))
    edited(numbers, lambda draft: draft.discard(True))
    edited(numbers, lambda draft: draft.update(f"m{n}" for n in range(300)))
    edited(numbers, lambda draft: draft.difference_update(range(1, 9000)))
    edited(numbers, lambda draft: draft.symmetric_difference_update({1, 2.0, "x", (1, 2)}))
    edited(numbers | {(1, True)}, lambda draft: draft.discard((1.0, 1)))
    edited({f"m{n}" for n in range(2000)}, lambda draft: draft.clear())


def test_keys_that_are_equal():
    model = dict.fromkeys(range(3000), "value " * 3)
    edited(model, lambda draft: draft.__setitem__(5.0, "five"))
    edited(model, lambda draft: draft.pop(True))
    edited(model | {(1, 2): 0}, lambda draft: draft.__setitem__((1.0, 2), 1))
    edited(model, lambda draft: draft.update({2**70: 1, -1.5: 2, b"x": 3, None: 4, "": 5}))


def test_keys_of_rarer_types_that_equal_numbers():
    """Decimal(1) == 1: only Python knows, so the dict is read."""
    from decimal import Decimal

    model = {Decimal(n): "value " * 3 for n in range(1500)}
    objects = Objects()
    edit = Edit(objects, Registry(), FastBuilder(objects, Registry()).build(model).data)
    edit.draft[7] = "seven"
    del edit.draft[8.0]
    model[7] = "seven"
    del model[8.0]
    assert edit.build(objects).data == SlowBuilder(Objects(), Registry()).build(model).data


def test_values_of_every_kind_stay_as_they_are():
    registry = Registry()
    import datetime as dt

    rare = {"when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "z": 1j, "t": ([], {1: {2}})}
    model = {"a": dict(rare), "text": "é" * 30_000, "blob": bytes(70_000), "f": frozenset({1})}
    objects = Objects()
    edit = Edit(objects, registry, FastBuilder(objects, registry).build(model).data)
    draft = edit.draft
    assert same(draft["a"]["when"], rare["when"])
    assert same(draft["a"]["t"], rare["t"])
    assert draft["text"] == model["text"]
    draft["a"]["when"] = draft["a"]["z"] = dt.date(2026, 1, 1)
    draft["b"] = bytearray(b"x")
    draft["b"] += b"y"
    model["a"]["when"] = model["a"]["z"] = dt.date(2026, 1, 1)
    model["b"] = bytearray(b"xy")
    assert edit.build(objects).data == SlowBuilder(Objects(), registry).build(model).data


# --- what it costs ------------------------------------------------------------------------

FEW = 9
"""Objects for one change: one a level, and the neighbour where a chunk ends elsewhere."""
LARGE = [{"id": n, "text": f"item {n * 2654435761 % 2**32:x}"} for n in range(30_000)]
KEYS = {f"key-{n * 2654435761 % 2**32:08x}": {"n": n} for n in range(20_000)}
SORTED = dict(sorted(KEYS.items()))
MEMBERS = {f"member {n * 2654435761 % 2**32:x}" for n in range(20_000)}
STATE = {"list": LARGE, "dict": KEYS, "sorted": SORTED, "set": MEMBERS}


@pytest.fixture(scope="module")
def large():
    return edits.stored(STATE)


@pytest.mark.parametrize(
    ("change", "reads_max"),
    [
        (lambda d: d["list"].append({"id": -1}), 4),
        (lambda d: d["list"].pop(), 4),
        (lambda d: d["list"].pop(15_000), 12),
        (lambda d: d["list"][15_000].update(done=True), 12),
        (lambda d: d["list"].insert(0, "first"), 12),
        (lambda d: d["list"].__setitem__(slice(100, 29_000), ["new"]), 24),
        (lambda d: d["dict"][list(KEYS)[777]].update(n=0), 12),
        (lambda d: d["dict"].update(new=1), 16),
        (lambda d: d["dict"].pop(list(KEYS)[777]), 24),
        (lambda d: d["sorted"].update({"key-zzzzzzzz": 1}), 8),
        (lambda d: d["sorted"].pop(list(SORTED)[777]), 12),
        (lambda d: d["set"].add("one more"), 30),
        (lambda d: d["set"].remove(next(iter(MEMBERS))), 30),
        (lambda d: d.update(other=1), 4),
    ],
)
def test_a_change_reads_and_writes_few_objects(large, change, reads_max):
    objects, root = large
    objects.new = objects.reads = 0
    edit = edits.opened(objects, root)
    change(edit.draft)
    edit.build(objects)
    assert objects.reads <= reads_max
    assert objects.new <= FEW


@pytest.mark.slow
def test_a_million_items_cost_what_a_thousand_cost():
    counts = {}
    for size in (1_000, 1_000_000):
        rng = edits.rng_of(1)
        model = {"messages": [{"id": n, "text": f"{rng.getrandbits(64):x}"} for n in range(size)]}
        objects, root = edits.stored(model)
        for change in (
            lambda t: t.append({"id": -1}),
            lambda t: t.pop(),
            lambda t, at=size // 2: t[at].update(done=True),
            lambda t, at=size // 3: t.insert(at, "new"),
        ):
            objects.new = objects.reads = 0
            edit = edits.opened(objects, root)
            change(edit.draft["messages"])
            edit.build(objects)
            counts.setdefault(size, []).append((objects.reads, objects.new))
    assert all(reads <= 12 and new <= FEW for reads, new in counts[1_000_000]), counts
