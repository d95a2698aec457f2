"""The law of edits: a draft behaves as the plain value does, and its tree is that value's."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError, LimitError, UnsupportedValueError
from casckpt.tree.build import SlowBuilder
from casckpt.tree.draft_dict import DictDraft
from casckpt.tree.edit import Edit
from casckpt.tree.fast import FastBuilder
from casckpt.tree.read import Loader
from casckpt.values import Registry
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


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value(seed):
    check_history(seed, 3, 12)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**32))
def test_an_edit_is_a_whole_build_of_the_same_value_at_length(seed):
    check_history(seed, 5, 25)


# --- cases that chance may miss -----------------------------------------------------------


def edited(model, change):
    """The same change to a draft and to the value; both must come to the same."""
    objects, root = edits.stored(model)
    edit = edits.opened(objects, root)
    model = copy.deepcopy(model)
    change(edit.draft)
    change(model)
    check_is_whole_build(objects, edit.build(objects), model)
    return model


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


# --- what a draft is ----------------------------------------------------------------------


def draft_of(model):
    objects, root = edits.stored(model)
    edit = edits.opened(objects, root)
    return edit, edit.draft


def test_reading_gives_the_same_draft_each_time_and_changes_nothing():
    edit, draft = draft_of({"list": MESSAGES, "dict": UNORDERED, "set": {1}, "n": 1})
    assert draft["list"] is draft["list"]
    held = draft["list"][1500]
    assert draft["list"][1500] is held
    assert draft["list"][1500:1502][0] is held
    assert draft["dict"] is draft["dict"]
    assert draft["set"] is draft["set"]
    assert [len(part) for part in (draft["list"], draft["dict"], draft["set"])] == [2000, 1000, 1]
    assert not edit.changed


def test_a_changed_item_is_kept_though_nobody_holds_it():
    _, draft = draft_of({"list": MESSAGES, "dict": {str(n): [n] for n in range(5000)}})
    draft["list"][7]["text"] = "changed"
    draft["dict"]["77"].append("changed")
    assert draft["list"][7] == {"id": 7, "text": "changed"}
    assert draft["dict"]["77"] == [77, "changed"]


def test_an_item_moves_with_its_changes():
    _, draft = draft_of([{"n": n} for n in range(3000)])
    first, last = draft[0], draft[-1]
    last["n"] = "last"
    draft.insert(0, "new")
    assert draft[1] is first
    del draft[1:2000]
    first["n"] = "gone"
    assert draft[1]["n"] == 1999
    assert draft[-1] is last
    assert draft[-1]["n"] == "last"


def test_what_is_put_in_a_second_place_is_a_copy():
    _, draft = draft_of({"a": {"list": [1, [2]]}, "other": MESSAGES})
    draft["a"]["list"][1].append(3)
    draft["b"] = draft["a"]
    draft["a"]["list"][1].append(4)
    draft["b"]["list"].append(5)
    assert draft["a"] == {"list": [1, [2, 3, 4]]}
    assert draft["b"] == {"list": [1, [2, 3], 5]}
    draft["other"].append(draft["other"][0])
    draft["other"][0]["id"] = "changed"
    assert draft["other"][-1]["id"] == 0
    draft["again"] = draft["other"]
    assert draft["again"] is not draft["other"]
    assert draft["again"][0] == draft["other"][0]


def test_what_was_taken_out_is_put_in_itself():
    edit, draft = draft_of({"queue": MESSAGES, "done": []})
    item = draft["queue"].pop(0)
    draft["done"].append(item)
    item["state"] = "done"
    assert draft["done"][0] is item
    assert edit.draft.load()["done"] == [{**MESSAGES[0], "state": "done"}]
    draft["queue"][0], draft["queue"][1] = draft["queue"][1], draft["queue"][0]
    assert [item["id"] for item in draft["queue"][:3]] == [2, 1, 3]


def test_plain_values_are_kept_as_they_are_until_the_end():
    objects, root = edits.stored({})
    edit = edits.opened(objects, root)
    mine = {"list": []}
    edit.draft["mine"] = mine
    assert edit.draft["mine"] is mine
    mine["list"].append(1)
    mine["itself"] = {"draft": edit.draft.setdefault("x", [0])}
    check_is_whole_build(
        objects,
        edit.build(objects),
        {"mine": {"list": [1], "itself": {"draft": [0]}}, "x": [0]},
    )


def test_drafts_inside_of_plain_values():
    objects, root = edits.stored({"a": [1], "big": MESSAGES})
    edit = edits.opened(objects, root)
    draft = edit.draft
    draft["b"] = [draft["a"], ({"x": draft["big"]},)]
    draft["a"].append(2)
    draft["big"] = draft["big"] + [3]
    model = {"a": [1, 2], "big": [*MESSAGES, 3], "b": [[1, 2], ({"x": MESSAGES},)]}
    check_is_whole_build(objects, edit.build(objects), model)


def test_drafts_of_another_edit_are_copied_by_value():
    _, other = draft_of({"a": MESSAGES})
    objects, root = edits.stored({})
    edit = edits.opened(objects, root)
    edit.draft["a"] = other["a"]
    edit.draft["b"] = [other["a"]]
    check_is_whole_build(objects, edit.build(objects), {"a": MESSAGES, "b": [MESSAGES]})


def test_a_draft_cannot_be_put_inside_itself():
    edit, draft = draft_of({"a": {"b": [1]}, "c": []})
    for place in (draft, draft["a"]):
        with pytest.raises(UnsupportedValueError, match="inside itself"):
            place["x"] = place
    with pytest.raises(UnsupportedValueError, match="inside itself"):
        draft["a"]["b"].append(draft["a"])
    assert edit.draft == {"a": {"b": [1]}, "c": []}
    draft["a"]["b"].append([draft])
    with pytest.raises(UnsupportedValueError, match="contains itself"):
        edit.build(Objects())


def test_what_cannot_be_stored_is_named_by_its_path():
    edit, draft = draft_of({"messages": MESSAGES, "users": UNORDERED})
    draft["messages"].insert(1000, "new")
    draft["messages"][1501]["text"] = [0, object()]
    with pytest.raises(UnsupportedValueError) as caught:
        edit.build(Objects())
    assert caught.value.details["path"] == "messages[1501].text[1]"
    draft["messages"][1501]["text"] = ""
    draft["users"]["k0005"] = {"x": object()}
    with pytest.raises(UnsupportedValueError) as caught:
        edit.build(Objects())
    assert caught.value.details["path"] == "users.k0005.x"


def nested(depth, inner=0):
    for _ in range(depth):
        inner = [inner]
    return inner


def test_too_deep_whether_new_or_moved():
    objects, root = edits.stored({"deep": nested(200), "large": [nested(100)] * 3000})
    edit = edits.opened(objects, root)
    edit.draft["moved"] = nested(56, edit.draft["deep"])
    with pytest.raises(LimitError):
        edits.opened_again(edit, nested(57, edit.draft["deep"])).build(objects)
    edits.opened_again(edit, nested(155, edit.draft["large"])).build(objects)
    with pytest.raises(LimitError):
        edits.opened_again(edit, nested(156, edit.draft["large"])).build(objects)
    edits.opened_again(edit, nested(256))
    edit.build(objects)
    with pytest.raises(LimitError):
        edits.opened_again(edit, nested(257)).build(objects)


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"k": x}])
def test_a_change_at_the_bottom_of_the_deepest_state(wrap):
    model = {"x": 0}
    for _ in range(255):
        model = wrap(model)

    def change(part):
        while "x" not in part:
            (part,) = part.values() if isinstance(part, dict | DictDraft) else part
        part["x"] = 1

    edited(model, change)


def test_iterating_while_keys_come_and_go():
    for model in (UNORDERED, {"a": 1, "b": 2}, {f"m{n}" for n in range(3000)}):
        _, draft = draft_of(model)
        items = iter(draft)
        first = next(items)
        draft.pop(first) if isinstance(model, dict) else draft.discard(first)
        with pytest.raises(RuntimeError, match="changed size"):
            next(items)
    _, draft = draft_of([1, 2])
    for item in draft:
        if item < 5:
            draft.append(item + 2)
    assert draft == [1, 2, 3, 4, 5, 6]


def test_errors_are_those_of_python():
    _, draft = draft_of({"list": [1], "dict": UNORDERED, "set": {1}})
    for error, call in (
        (KeyError, lambda: draft["none"]),
        (KeyError, lambda: draft["dict"].pop("none")),
        (KeyError, lambda: draft["set"].remove(7)),
        (IndexError, lambda: draft["list"].pop(3)),
        (IndexError, lambda: draft["list"][1]),
        (ValueError, lambda: draft["list"].remove(7)),
        (ValueError, lambda: draft["list"].__setitem__(slice(None, None, 2), [1, 2])),
        (TypeError, lambda: draft["list"]["x"]),
        (TypeError, lambda: draft["dict"][[]]),
        (TypeError, lambda: [] in draft["set"]),
        (TypeError, lambda: hash(draft)),
        (TypeError, lambda: draft["list"].extend(3)),
    ):
        with pytest.raises(error):
            call()
    assert object() not in draft["dict"]


def test_after_the_end_nothing_goes():
    edit, draft = draft_of({"list": [1], "dict": UNORDERED, "set": {1}})
    parts = [draft, draft["list"], draft["dict"], draft["set"]]
    edit.close()
    for part in parts:
        assert "closed" in repr(part)
        for use in (len, list, lambda p: p.load(), lambda p: p.clear(), lambda p: 1 in p):
            with pytest.raises(InvalidInputError, match="over"):
                use(part)
    with pytest.raises(InvalidInputError):
        edit.build(Objects())


def test_a_root_without_parts():
    for root in (1, "text", (1, 2), None, frozenset()):
        objects, data = edits.stored(root)
        with pytest.raises(InvalidInputError, match="save"):
            edits.opened(objects, data)


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


def test_reading_a_long_list_keeps_little():
    _, draft = draft_of(LARGE)
    assert sum(item["id"] for item in draft) == sum(range(30_000))
    assert len(draft._children) <= 1
