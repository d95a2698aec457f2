"""What a checkpoint says of itself."""

import gc as collector
import weakref

import pytest

import casckpt


def test_equal_by_id_and_immutable(store):
    run = store.thread("t")
    saved = run.save({"a": 1}, label="x")
    found = store.checkpoint(saved.id)
    assert saved == found
    assert saved is not found
    assert len({saved, found}) == 1
    assert saved != saved.id
    with pytest.raises(AttributeError):
        saved.step = 3
    assert repr(saved) == f"<Checkpoint {saved.id[:12]} t@0 'x'>"


def test_equal_states_share_a_root_and_nothing_is_stored_twice(store):
    state = {"text": ["x" * 400] * 200}
    one = store.thread("a").save(state)
    before = store.stats()
    two = store.thread("b").save(state)
    again = store.thread("b").save(state)
    after = store.stats()
    assert one.root == two.root == again.root
    assert len({one.id, two.id, again.id}) == 3
    assert after.objects - before.objects == 2  # two records
    assert store.thread("b").save({}).root != one.root


@pytest.mark.parametrize("items", [0, 3, 100, 3_000])
def test_size_is_that_of_the_encoding_wherever_it_lies(store, items):
    state = {
        "items": [f"item {n}" for n in range(items)],
        "more": {str(n): n for n in range(items)},
    }
    text = sum(len(str(n)) * 3 for n in range(items))
    size = store.thread("t").save(state).size
    assert text <= size <= 20 * items + text + 64


def test_meta_is_a_fresh_copy(store):
    meta = {"a": [1, 2.0, True, None, {"b": "c"}], "nan": float("inf")}
    saved = store.thread("t").save(0, meta=meta)
    meta["a"].append("later")
    assert saved.meta == {"a": [1, 2.0, True, None, {"b": "c"}], "nan": float("inf")}
    saved.meta["x"] = 1
    assert "x" not in saved.meta


@pytest.mark.parametrize(
    ("meta", "where"),
    [
        ({"a": (1,)}, "a"),
        ({"a": {1: 2}}, "a[1]"),
        ({"a": [b""]}, "a[0]"),
        ({"a": {"b": {1}}}, "a.b"),
    ],
)
def test_meta_takes_what_json_has(store, meta, where):
    with pytest.raises(casckpt.UnsupportedValueError) as caught:
        store.thread("t").save(0, meta=meta)
    assert caught.value.details["path"] == where
    assert not store.thread("t").exists


def test_meta_is_bounded(store):
    deep = {}
    for _ in range(20):
        deep = {"a": deep}
    for meta in (deep, {str(n): n for n in range(20_000)}):
        with pytest.raises(casckpt.LimitError):
            store.thread("t").save(0, meta=meta)
    with pytest.raises(casckpt.InvalidInputError):
        store.thread("t").save(0, meta=[1])


def test_tags_are_looked_up_and_can_change(store):
    saved = store.thread("t").save(0, tags=["a", "b", "a"])
    assert saved.tags == ("a", "b")
    other = store.checkpoint(saved.id)
    assert saved.tag("c", "b").untag("a", "never") is saved
    assert other.tags == ("b", "c")
    assert store.checkpoint(saved.id) == saved
    for bad in (["", "x"], ["a\nb"], [3], ["x" * 256]):
        with pytest.raises(casckpt.InvalidInputError):
            saved.tag(*bad)
    assert saved.tags == ("b", "c")
    assert [c.id for c in store.find(tag="b")] == [saved.id]
    assert list(store.find(tag="a")) == []


def test_ancestors(store):
    run = store.thread("t")
    points = [run.save(n) for n in range(30)]
    fork = run.fork("u", at=points[10])
    branch = fork.save("other")
    assert branch.step == 11
    assert branch.ancestor(10) == points[10]
    assert branch.ancestor(0) == points[0]
    assert points[29].common_ancestor(branch) == points[10]
    assert points[10].is_ancestor_of(branch)
    assert not points[11].is_ancestor_of(branch)
    assert store.thread("v").save(1).common_ancestor(branch) is None
    with pytest.raises(casckpt.NotFoundError, match="steps 0 to 11"):
        branch.ancestor(12)


def test_diff_takes_revisions(store):
    run = store.thread("t")
    run.save({"a": 1})
    head = run.save({"a": 2})
    (change,) = head.diff("~1")
    assert (change.op, change.path, change.old, change.new) == ("replace", ("a",), 2, 1)
    (change,) = store.diff("t~1", "t")
    assert (change.old, change.new) == (1, 2)
    assert list(store.diff(head, head)) == []
    with pytest.raises(casckpt.NotFoundError):
        store.diff(head, store.thread("none").head)


def test_a_checkpoint_of_another_handle_of_the_store_will_do(disk):
    with casckpt.open(disk) as one, casckpt.open(disk) as two:
        saved = one.thread("t").save([1])
        run = two.thread("t")
        assert run.load(saved) == [1]
        run.save([2], expect=saved)
        assert len(list(two.diff(saved, run.head))) == 1
    with casckpt.open("memory:") as other:
        other.thread("t").save(0)
        with pytest.raises(casckpt.NotFoundError):
            other.thread("t").load(saved)


def test_a_dropped_store_is_freed_at_once_though_handles_live():
    store = casckpt.open("memory:")
    saved = store.thread("t").save(0)
    gone = weakref.ref(store)
    collector.disable()
    try:
        del store
        assert gone() is None
    finally:
        collector.enable()
    assert saved.load() == 0


def test_size_counts_what_long_keys_link_to(store):
    """A key over the inline limit is a link inside a wrapped key; its size was left out once."""
    run = store.thread("t")
    in_key = run.save({"k" * 3000: 1}).size
    in_value = run.save({"x": "k" * 3000}).size
    assert in_value > 3000
    assert in_key > 3000
