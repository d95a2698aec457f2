"""Changes in lists are aligned: an edit is an edit, whatever was put in front of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.tree.patch import apply
from tests.exact import same
from tests.tree.pairs import REGISTRY, difference


def says(a, b, **options):
    found = list(difference(a, b, **options))
    assert same(apply(a, found, REGISTRY), b)
    return [(change.op, change.path) for change in found]


def message(n, **more):
    role = ("user", "assistant")[n % 2]
    return {"role": role, "content": f"this is what was said as number {n * 7919}", **more}


CHAT = [message(n) for n in range(10_000)]


@pytest.mark.parametrize("at", [0, 5_000, 9_999, 10_000])
def test_one_inserted_message_is_one_add(at):
    new = {"role": "user", "content": "new"}
    assert says(CHAT, [*CHAT[:at], new, *CHAT[at:]]) == [("add", (at,))]
    assert says([*CHAT[:at], new, *CHAT[at:]], CHAT) == [("remove", (at,))]


def test_several_edits_at_once():
    b = [dict(m) for m in CHAT[:100]]
    b[50]["content"] = b[50]["content"] + " and more"
    del b[20]
    b.insert(10, {"role": "tool", "content": "ok"})
    b[70]["meta"] = 1
    assert says(CHAT[:100], b) == [
        ("add", (10,)),
        ("remove", (21,)),
        ("replace", (50, "content")),
        ("add", (70, "meta")),
    ]


def test_an_edit_beside_an_insertion_is_found():
    """Neighbours that changed in different ways: likeness says which is which."""
    a = [message(1), message(2), message(3)]
    edited = {
        **message(2),
        "content": message(2)["content"].upper()[:4] + message(2)["content"][4:],
    }
    b = [message(1), {"role": "tool", "content": "{}", "id": 5}, edited, message(3)]
    assert says(a, b) == [("add", (1,)), ("replace", (2, "content"))]
    assert says(b, a) == [("remove", (1,)), ("replace", (1, "content"))]


def test_a_message_that_was_exchanged():
    """One for one: changed inside if they have anything in common, else replaced."""
    a = [{"role": "user", "content": "a"}, {"n": 1}, [1, 2], "x", [{"k": 1}]]
    b = [{"role": "user", "content": "b"}, {"m": 2}, [3, 4], "y", [{"k": 2}]]
    assert says(a, b) == [
        ("replace", (0, "content")),
        ("replace", (1,)),
        ("replace", (2,)),
        ("replace", (3,)),
        ("replace", (4, 0, "k")),
    ]


def test_one_gone_and_two_others_come():
    a = [message(1), message(2)]
    b = [message(1), {"tool": "search"}, {"result": [1, 2]}]
    assert says(a, b) == [("remove", (1,)), ("add", (1,)), ("add", (2,))]


def test_atoms_are_replaced_as_they_lie():
    assert says([1, 2, 3], [1, 9, 3]) == [("replace", (1,))]
    assert says([1, 2, 3, 4], [1, 8, 9, 7, 4]) == [
        *(("replace", (1,)), ("replace", (2,))),
        ("add", (3,)),
    ]


def test_a_vector_of_other_numbers_is_one_change():
    rng = random.Random(1)
    a, b = ([rng.random() for _ in range(500)] for _ in range(2))
    assert says({"v": a}, {"v": b}) == [("replace", ("v",))]
    assert says({"v": a}, {"v": [*b[:499], a[499]]}) != [("replace", ("v",))]


def test_all_of_many_edited():
    """More than are compared one with another: found by looking a few ahead."""
    a = [message(n) for n in range(300)]
    b = [{**m, "content": m["content"] + "!"} for m in a]
    assert says(a, b) == [("replace", (n, "content")) for n in range(300)]
    b.insert(100, {"tool": 1})
    found = says(a, b)
    assert len(found) == 301
    assert found.count(("add", (100,))) == 1


def test_large_items_are_compared_inside():
    """Items in objects of their own, and lists that have grown into trees."""
    a = [{"doc": "text " * 500 + str(n), "n": n} for n in range(40)]
    b = [dict(item) for item in a]
    b[7]["n"] = -1
    assert says(a, b) == [("replace", (7, "n"))]
    rows = [[f"cell {n}" for n in range(2_000)], [1]]
    assert says([[], *rows], [[], [*rows[0], "x"], rows[1]]) == [("add", (1, 2_000))]
    short, long = [f"cell {n}" for n in range(200)], [f"cell {n}" for n in range(1_500)]
    assert says([[], short], [[], long]) == [("add", (1, n)) for n in range(200, 1_500)]
    assert says([[], {"k": short}], [[], {"k": long}])[0] == ("add", (1, "k", 200))


def test_nested_lists_keep_their_places():
    a = {"x": [[1, 2], [3, [4, {"k": [5]}]]]}
    b = {"x": [[1, 2], [0, 3, [4, {"k": [5, 6]}]]]}
    assert says(a, b) == [("add", ("x", 1, 0)), ("add", ("x", 1, 2, 1, "k", 1))]


def test_deep_nesting_needs_no_stack():
    a, b = 1, 2
    for n in range(240):
        a, b = ({"k": a}, {"k": b}) if n % 2 else ([0, a, 0], [0, b, 0])
    ((op, path),) = says(a, b)
    assert (op, len(path)) == ("replace", 240)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from(["numbers", "words", "messages"]))
def test_few_edits_are_few_changes(seed, edits, kind):
    """O(k): an insertion or deletion is one change, an edit at most the parts it touches."""
    rng = random.Random(seed)
    make = {
        "numbers": lambda: rng.randrange(50),
        "words": lambda: f"word {rng.getrandbits(40):x}",
        "messages": lambda: message(rng.randrange(10**6)),
    }[kind]
    a = [make() for _ in range(rng.randrange(2_000))]
    b = list(a)
    for _ in range(edits):
        at = rng.randrange(len(b) + 1)
        how = rng.choice("ide")
        if how == "i" or at == len(b):
            b.insert(at, make())
        elif how == "d":
            del b[at]
        else:
            b[at] = make()
    assert len(says(a, b)) <= 2 * edits


def test_windows(monkeypatch):
    """A stretch too long to be held is compared in parts, and still right."""
    monkeypatch.setattr("casckpt.tree.region.WINDOW_LEAVES", 2)
    rng = random.Random(2)
    a = [rng.randrange(10) for _ in range(600)]
    b = [x + (n % 3 == 0) for n, x in enumerate(a)][5:]
    says(a, b, tiny=True)
    says({"s": set(range(0, 900, 2))}, {"s": set(range(0, 900, 3))}, tiny=True)
    assert len(says(set(range(300)), set(range(1, 301)), tiny=True)) == 2
