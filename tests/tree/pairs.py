"""Random edits of values, and what builds, compares and checks two of them."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from casckpt.tree.build import SlowBuilder
from casckpt.tree.diff import diff
from casckpt.tree.fast import FastBuilder
from casckpt.values import Registry
from tests.samples import register_all
from tests.tree.objects import Objects
from tests.tree.tiny import tiny_chunks

REGISTRY = register_all(Registry())


def edited(rng, value, pool):
    """A value with one change somewhere, of a kind that its container allows."""
    kind = type(value)
    if rng.random() < 0.1:
        return rng.choice(pool)
    if kind in (list, tuple):
        return kind(_edited_items(rng, list(value), pool))
    if kind is dict:
        return dict(_edited_entries(rng, list(value.items()), pool))
    if kind in (set, frozenset):
        members = set(value)
        if members and rng.random() < 0.5:
            members.discard(rng.choice(sorted(members, key=repr)))
        else:
            members.add(rng.choice([0, 1, True, 1.0, -0.0, "x", (1, 2), None]))
        return kind(members)
    if kind is str and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice("xyz") + value[at + rng.randrange(2) :]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = rng.choice([f.name for f in dataclasses.fields(value)])
        if hasattr(value, name) and not value.__dataclass_params__.frozen:
            copied = REGISTRY.restore(*REGISTRY.reduce(value))
            setattr(copied, name, edited(rng, getattr(value, name), pool))
            return copied
    return rng.choice(pool)


def _edited_items(rng, items, pool):
    how = rng.choice(["insert", "delete", "edit", "edit", "move", "repeat"])
    at = rng.randrange(len(items) + 1)
    if how == "insert" or not items:
        items.insert(at, rng.choice(pool))
        return items
    at = min(at, len(items) - 1)
    if how == "delete":
        del items[at]
    elif how == "edit":
        items[at] = edited(rng, items[at], pool)
    elif how == "move":
        items.insert(rng.randrange(len(items)), items.pop(at))
    else:
        items[at:at] = items[at : at + 3]
    return items


def _edited_entries(rng, entries, pool):
    how = rng.choice(["add", "delete", "edit", "edit", "order", "key", "insert"])
    if how in ("add", "insert") or not entries:
        key = rng.choice(["new", "a", 0, 1, True, 1.0, -0.0, None, (1, "x"), b"k"])
        at = rng.randrange(len(entries) + 1) if how == "insert" else len(entries)
        entries.insert(at, (key, rng.choice(pool)))
        return entries
    at = rng.randrange(len(entries))
    key, value = entries[at]
    if how == "delete":
        del entries[at]
    elif how == "edit":
        entries[at] = (key, edited(rng, value, pool))
    elif how == "order":
        rng.shuffle(entries)
    else:
        other = {int: float, bool: int, float: bool}.get(type(key), lambda _: 1)
        entries[at] = (other(key) if key == key else 0, value)  # noqa: PLR0124 - NaN
    return entries


@st.composite
def pairs(draw, values, edits_max=4):
    """Two values, the second made of the first by a few edits, or another one altogether."""
    a = draw(values)
    pool = draw(st.lists(values, min_size=1, max_size=3))
    b = a
    rng = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(0, edits_max))):
        b = edited(rng, b, pool)
    return a, b


def built(a, b, *, tiny=False):
    """The store of two values and their roots."""
    objects = Objects()
    if tiny:
        with tiny_chunks():
            return built_in(objects, a, b, SlowBuilder)
    return built_in(objects, a, b, FastBuilder)


def built_in(objects, a, b, builder):
    roots = [builder(objects, REGISTRY).build(value).data for value in (a, b)]
    return objects, roots[0], roots[1]


def difference(a, b, *, tiny=False, **options):
    """The diff of two values."""
    objects, old, new = built(a, b, tiny=tiny)
    objects.reads = 0
    return diff(objects, REGISTRY, old, new, **options)
