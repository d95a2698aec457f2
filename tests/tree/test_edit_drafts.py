"""What a draft is: its identity, what is put in and taken out, its errors and its end."""

from __future__ import annotations

import copy
import pickle
import threading
from collections import defaultdict, deque

import numpy as np
import pytest

from casckpt.errors import InvalidInputError, LimitError, UnsupportedValueError
from casckpt.tree.draft_dict import DictDraft
from casckpt.tree.stream import Stream
from tests.tree import edits
from tests.tree.edits import check_is_whole_build, edited
from tests.tree.objects import Objects

MESSAGES = [{"id": n, "text": f"text {n} " * 9} for n in range(2000)]
LARGE = [{"id": n, "text": f"item {n * 2654435761 % 2**32:x}"} for n in range(30_000)]
UNORDERED = {f"k{n * 7919 % 3001:04d}": "value " * 5 for n in range(1000)}


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


def test_what_is_loaded_or_copied_shares_nothing_with_what_was_put_in():
    class Kept:
        def __init__(self, items):
            self.items, self.lock = items, threading.Lock()

    _, draft = draft_of({"part": {}, "list": [1]})
    part = draft["part"]
    part["deque"] = deque([draft["list"], [2]])
    part["array"] = np.zeros(2)
    part["counts"] = defaultdict(list, a=[1])
    part["kept"] = kept = Kept([1])
    part["stream"] = stream = Stream(iter([b"read once"]))
    loaded, copied = part.load(), copy.deepcopy(draft)["part"]
    draft["again"] = part
    part["deque"].append("later")
    part["deque"][1].append("later")
    draft["list"].append("later")
    part["array"][0] = 9
    part["counts"]["a"].append("later")
    for was in (loaded, copied, draft["again"]):
        assert [list(item) for item in was["deque"]] == [[1], [2]]
        assert type(was["deque"][0]) is list
        assert was["array"].tolist() == [0, 0]
        assert was["counts"] == {"a": [1]}
        assert was["kept"] is kept  # which cannot be copied
        assert was["stream"] is stream
    assert list(part["deque"][0]) == [1, "later"]


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


def test_a_copy_of_the_root_in_what_was_taken_out():
    edit, draft = draft_of({"a": {"b": [1]}, "c": []})
    taken = draft.pop("a")
    taken["all"] = draft
    draft["a"] = taken
    assert edit.draft.load() == {"c": [], "a": {"b": [1], "all": {"c": []}}}


def test_copies_outside_of_the_state():
    _, draft = draft_of({"a": {"b": [1]}, "list": [[1]], "set": {1}})
    assert type(copy.copy(draft)) is dict
    assert copy.copy(draft)["a"] is draft["a"]
    deep = copy.deepcopy(draft)
    assert deep == {"a": {"b": [1]}, "list": [[1]], "set": {1}}
    assert type(deep["a"]) is dict
    assert [type(copy.copy(draft[key])) for key in ("list", "set")] == [list, set]
    with pytest.raises(TypeError, match="load"):
        pickle.dumps(draft)


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


def test_an_extended_slice_takes_all_or_nothing():
    _, draft = draft_of([{"n": n} for n in range(6)])
    with pytest.raises(UnsupportedValueError):
        draft[::2] = [1, 2, draft]
    assert draft == [{"n": n} for n in range(6)]


def test_lists_are_compared_as_lists_are():
    nan = float("nan")
    pairs = [[2, "b"], [1, "c"], [1, "a"], [], [1, "a", 0], [nan, 1], [nan, 0]]
    _, draft = draft_of(pairs[:5])
    assert [draft.index(item) for item in sorted(draft)] == [3, 2, 4, 1, 0]
    assert max(draft) == [2, "b"]
    for mine, plain in zip(draft, pairs[:5], strict=True):
        for other in pairs[:5]:
            asked = (mine < other, mine <= other, mine > other, mine >= other, other < mine)
            assert asked == (
                plain < other,
                plain <= other,
                plain > other,
                plain >= other,
                other < plain,
            )
    with pytest.raises(TypeError):
        assert draft[0] < (2, "b")
    with pytest.raises(TypeError):
        assert draft[0] < ["x"]
    _, draft = draft_of([nan, 1])
    assert draft == draft  # noqa: PLR0124 - as a list: of the same items
    draft[0] = nan
    assert draft == [nan, 1]


def test_dicts_are_seen_backwards():
    for model in (UNORDERED, {"a": [1], "b": 2}, {f"k{n:04d}": n for n in range(3000)}):
        _, draft = draft_of(model)
        draft["new"] = 7
        model = model | {"new": 7}
        assert list(reversed(draft.keys())) == list(reversed(model.keys()))
        assert list(reversed(draft.values())) == list(reversed(model.values()))
        assert list(reversed(draft.items())) == list(reversed(model.items()))


def test_going_back_in_a_list_that_shrinks():
    _, draft = draft_of([1, 2, 3, 4, 5])
    seen = []
    for target in (draft, [1, 2, 3, 4, 5]):
        items = reversed(target)
        seen.append(next(items))
        target.pop()
        seen.append(next(items))
        del target[1:]
        assert list(items) == []
    assert seen == [5, 4, 5, 4]


def test_taking_out_one_after_another_costs_the_same_each_time():
    members = {f"m{n}" for n in range(3000)}
    _, draft = draft_of({"dict": UNORDERED, "set": members})
    asked = []
    tree = draft["set"]._tree
    entry = tree.entry
    tree.entry = lambda place: (asked.append(place), entry(place))[1]
    assert {draft["set"].pop() for _ in range(2900)} < members
    assert len(asked) < 3 * 2900
    draft["set"] |= {"new", (1, 2)}  # now it is read whole
    assert len({draft["set"].pop() for _ in range(102)}) == 102
    with pytest.raises(KeyError, match="empty"):
        draft["set"].pop()
    order = draft["dict"]._old_order()
    key = order.key
    asked.clear()
    order.key = lambda place: (asked.append(place), key(place))[1]
    taken = [draft["dict"].popitem() for _ in range(900)]
    assert taken == list(UNORDERED.items())[:-901:-1]
    assert len(asked) < 3 * 900


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
        (TypeError, lambda: draft["list"].__imul__(0.5)),
        (TypeError, lambda: draft["list"].pop("x")),
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


def test_reading_a_long_list_keeps_little():
    _, draft = draft_of(LARGE)
    assert sum(item["id"] for item in draft) == sum(range(30_000))
    assert len(draft._children) <= 1
