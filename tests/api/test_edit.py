"""`with run.edit() as draft:` through the front door, in memory and on disk."""

from collections.abc import MutableMapping, MutableSequence, MutableSet
from dataclasses import dataclass, field

import pytest

import casckpt

MESSAGES = [{"role": "user", "content": f"message {n}"} for n in range(2000)]


@dataclass
class Plan:
    steps: list[str] = field(default_factory=list)


def root_of(store, state):
    """The id that a whole save of the same state gives."""
    return store.thread("whole").save(state).root


def test_one_checkpoint_is_saved(store):
    run = store.thread("t")
    run.save({"messages": MESSAGES, "step": 0})
    with run.edit(label="edited", tags=["green"], meta={"cost": 1}) as draft:
        draft["messages"].append({"role": "assistant", "content": "hello"})
        draft["messages"][5]["content"] = "changed"
        draft["step"] += 1
        assert draft.checkpoint is None
    head = run.head
    assert draft.checkpoint == head
    assert (head.step, head.label, head.tags, head.meta) == (1, "edited", ("green",), {"cost": 1})
    expected = [dict(message) for message in MESSAGES]
    expected[5]["content"] = "changed"
    expected = {"messages": [*expected, {"role": "assistant", "content": "hello"}], "step": 1}
    assert run.load() == expected
    assert head.root == root_of(store, expected)
    assert run.load("@0")["messages"] == MESSAGES
    assert len(list(head.diff("t@0"))) == 3


def test_a_first_edit_begins_with_an_empty_dict(store):
    run = store.thread("t")
    with run.edit() as draft:
        assert draft == {}
        draft.setdefault("messages", []).append("first")
    assert run.load() == {"messages": ["first"]}
    assert draft.checkpoint == run.head == run.checkpoint("@0")
    run.delete()
    with run.edit() as draft:
        pass
    assert run.load() == {}


def test_what_a_draft_is(store):
    run = store.thread("t")
    run.save({"list": [1], "dict": {}, "set": {1}, "tuple": ([],), "plan": Plan(), "n": None})
    with run.edit() as draft:
        assert isinstance(draft, MutableMapping)
        assert isinstance(draft["list"], MutableSequence)
        assert isinstance(draft["dict"], MutableMapping)
        assert isinstance(draft["set"], MutableSet)
        assert draft["tuple"] == ([],)
        assert draft["n"] is None
        draft["tuple"][0].append("lost: it is a value")
        draft["list"] += [2]
        draft["dict"] |= {"x": 1}
        draft["set"] |= {2}
        assert repr(draft) == "<draft of a dict of 6>"
    assert draft.checkpoint.load()["tuple"] == ([],)
    assert {k: run.load()[k] for k in ("list", "dict", "set")} == {
        "list": [1, 2],
        "dict": {"x": 1},
        "set": {1, 2},
    }


@pytest.mark.parametrize("root", [[], [1, 2], {1, 2}, MESSAGES])
def test_the_root_may_be_a_list_or_a_set(store, root):
    run = store.thread("t")
    run.save(root)
    with run.edit() as draft:
        draft.add("new") if isinstance(root, set) else draft.append("new")
    expected = root | {"new"} if isinstance(root, set) else [*root, "new"]
    assert run.load() == expected
    assert run.head.root == root_of(store, expected)


def test_a_root_without_parts_is_refused(store):
    run = store.thread("t")
    run.save("text")
    with pytest.raises(casckpt.InvalidInputError, match="save"), run.edit():
        pass


def test_instances_of_classes_are_replaced_whole(store):
    store.register(Plan)
    run = store.thread("t")
    run.save({"plan": Plan(["a"]), "other": Plan(["b"])})
    with run.edit() as draft:
        plan = draft["plan"]
        plan.steps.append("c")
        draft["plan"] = plan
        draft["more"] = Plan([draft["other"].steps[0]])
    assert run.load() == {"plan": Plan(["a", "c"]), "other": Plan(["b"]), "more": Plan(["b"])}


def test_nothing_changed_saves_nothing_unless_there_is_something_to_say(store):
    run = store.thread("t")
    saved = run.save({"messages": MESSAGES})
    with run.edit() as draft:
        assert draft["messages"][7]["content"] == "message 7"
    assert draft.checkpoint == run.head == saved
    with run.edit(label="seen") as draft:
        pass
    assert (run.head.step, run.head.label, run.head.root) == (1, "seen", saved.root)
    assert draft.checkpoint == run.head


def test_an_exception_saves_nothing(store):
    run = store.thread("t")
    saved = run.save({"messages": MESSAGES})
    before = store.stats()

    def fail(draft):
        draft["messages"].clear()
        draft["x"] = 1 / 0

    with pytest.raises(ZeroDivisionError), run.edit() as draft:
        fail(draft)
    assert draft.checkpoint is None
    assert (run.head, store.stats()) == (saved, before)


def test_a_value_that_cannot_be_stored_saves_nothing(store):
    run = store.thread("t")
    saved = run.save({"messages": MESSAGES})
    before = store.stats()
    with pytest.raises(casckpt.UnsupportedValueError) as caught, run.edit() as draft:
        draft["messages"][3]["content"] = {"x": [object()]}
    assert caught.value.details["path"] == "messages[3].content.x[0]"
    with pytest.raises(casckpt.UnsupportedValueError, match="itself"), run.edit() as draft:
        draft["messages"].append([draft])
    assert (run.head, store.stats()) == (saved, before)


def test_another_writer_in_between_is_a_conflict(store):
    run = store.thread("t")
    base = run.save({"messages": MESSAGES})

    def both(draft):
        draft["messages"].append("mine")
        run.save({"messages": ["theirs"]})

    with pytest.raises(casckpt.ConflictError) as caught, run.edit() as draft:
        both(draft)
    found, theirs = caught.value.details, run.checkpoint("@1")
    assert (found["expected"], found["actual"]) == (base.id, theirs.id)
    assert run.head == theirs
    assert draft.checkpoint is None
    kept = store.checkpoint(found["saved"])
    assert kept.load() == {"messages": [*MESSAGES, "mine"]}
    assert kept.parent == base.id


def test_a_first_edit_that_comes_second(store):
    run = store.thread("t")
    with pytest.raises(casckpt.ConflictError), run.edit():
        run.save("theirs")
    assert run.load() == "theirs"


def test_expect(store):
    run = store.thread("t")
    old = run.save({"n": 0})
    with run.edit(expect=old) as draft:
        draft["n"] = 1
    with pytest.raises(casckpt.ConflictError) as caught, run.edit(expect=old.id):
        pytest.fail("it does not begin")
    assert caught.value.details["actual"] == run.head.id
    with pytest.raises(casckpt.ConflictError), run.edit(expect=None):
        pass
    with store.thread("new").edit(expect=None) as draft:
        draft["n"] = 1
    with pytest.raises(casckpt.InvalidInputError), run.edit(expect="t~1"):
        pass
    with pytest.raises(casckpt.InvalidInputError):
        run.edit(label="bad\0label")


def test_after_the_block_a_draft_is_of_no_use(store):
    run = store.thread("t")
    run.save({"list": [1]})
    with run.edit() as draft:
        inner = draft["list"]
    for use in (lambda: draft["list"], lambda: inner.append(2), lambda: len(inner)):
        with pytest.raises(casckpt.InvalidInputError, match="over"):
            use()
    assert draft.checkpoint == run.head


def test_whole_saves_after_edits(store):
    """What is remembered for whole saves is of an older state: it must only be a help."""
    run = store.thread("t")
    state = {"messages": list(MESSAGES), "n": 0}
    run.save(state)
    for n in range(5):
        with run.edit() as draft:
            draft["messages"].insert(700 * n % 2000, n)
        state["messages"].insert(700 * n % 2000, n)
        assert run.load() == state
        if n % 2:
            state["n"] = n
            assert run.save(state).root == root_of(store, state)


def test_drafts_may_come_from_views_and_other_edits(store):
    run, other = store.thread("t"), store.thread("other")
    other.save({"messages": MESSAGES})
    with other.edit() as theirs, run.edit() as draft:
        draft["from view"] = other.view()["messages"]
        draft["from draft"] = theirs["messages"]
        draft["inside"] = [other.view(), theirs]
    assert run.load() == {
        "from view": MESSAGES,
        "from draft": MESSAGES,
        "inside": [{"messages": MESSAGES}] * 2,
    }


def test_one_append_writes_one_object(store):
    run = store.thread("t")
    run.save({"messages": MESSAGES})
    for _ in range(3):
        before = store.stats().objects
        with run.edit() as draft:
            draft["messages"].append({"role": "user", "content": "again"})
        assert store.stats().objects - before <= 3


def test_a_read_only_store_may_look(disk):
    with casckpt.open(disk) as store:
        store.thread("t").save([1])
    with casckpt.open(disk, read_only=True) as store, store.thread("t").edit() as draft:
        assert draft[0] == 1


def test_edit_after_rewind_and_fork(store):
    run = store.thread("t")
    for n in range(4):
        with run.edit() as draft:
            draft["n"] = n
    run.rewind("@1")
    with run.edit() as draft:
        draft["rewound"] = True
    fork = run.fork("f", at="@0")
    with fork.edit() as draft:
        draft["forked"] = True
    assert run.load() == {"n": 1, "rewound": True}
    assert fork.load() == {"n": 0, "forked": True}
    run.undo()
    assert run.load() == {"n": 1}


def test_a_draft_or_view_in_a_state_that_is_saved_whole(store):
    run = store.thread("whole")
    run.save({"list": [1], "dict": {}, "set": {1}})
    view = run.view()
    with run.edit() as draft:
        for part in (draft, draft["list"], draft["set"], view, view["list"]):
            word = "view" if "view" in repr(part) else "draft"
            with pytest.raises(casckpt.UnsupportedValueError, match=rf"a {word} .* load\(\)"):
                store.thread("other").save({"part": part})
            store.thread("other").save({"part": part.load()})


def test_views_equal_the_drafts_of_what_they_equal(store):
    run = store.thread("equal")
    run.save({"list": [1, [2]], "tuple": ([1, [2]], 3), "dict": {"a": [1]}})
    view = run.view()
    with run.edit() as draft:
        for part in (lambda d: d, lambda d: d["list"], lambda d: d["list"][1], lambda d: d["dict"]):
            assert part(view) == part(draft)
            assert part(draft) == part(view)
        assert draft["list"] != view["tuple"]
        draft["list"][1].append(3)
        assert draft["list"] != view["list"]
        assert view != draft
        assert view["dict"] == draft["dict"]
        assert draft["dict"] != view["list"]
