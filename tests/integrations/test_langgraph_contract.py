"""What LangGraph expects of a saver and its conformance suite does not look at."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, ids, make, put

from langgraph.checkpoint.base import WRITES_IDX_MAP  # isort: skip
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import casckpt
from casckpt.integrations.langgraph import CasckptSaver, thread_name


def pending(saver: CasckptSaver, id: str, **more: Any) -> list[Any]:
    found = saver.get_tuple(config(id=id, **more))
    assert found is not None
    assert found.pending_writes is not None
    return found.pending_writes


def test_the_newest_has_the_greatest_id(saver: CasckptSaver) -> None:
    """Fact 1: whatever was put last; ancestry goes by the parent, not by the order of ids."""
    put(saver, "5", {"x": 5})
    put(saver, "3", {"x": 3}, parent="5")
    put(saver, "4", {"x": 4}, parent="3")
    newest = saver.get_tuple(config())
    assert newest is not None
    assert newest.checkpoint["id"] == "5"
    assert ids(saver.list(config())) == ["5", "4", "3"]
    child = saver.get_tuple(config(id="3"))
    assert child is not None
    assert child.parent_config == config(id="5")
    # The casckpt thread is where the last put left it.
    history = saver.store.thread("t").log()
    assert [c.meta["langgraph"]["id"] for c in history] == ["4", "3", "5"]


@pytest.mark.parametrize("odd", ["", "é", "~", "!x", "\x00", "a b", "z" * 100])
def test_any_text_is_an_id(saver: CasckptSaver, odd: str) -> None:
    """Fact 1, for ids that are no UUIDs; and threads and tasks of any name."""
    expected = sorted({"m", odd or "m"}, key=str.encode, reverse=True)
    for id in expected:
        put(saver, id, {"x": id}, thread=odd, ns=odd)
        saver.put_writes(config(odd, id, odd), [("x", id)], task_id=odd)
    assert ids(saver.list(config(odd, ns=odd))) == expected
    assert [t.config for t in saver.list(None)] == [config(odd, id, odd) for id in expected]
    assert ids(saver.list(None, before=config(id=expected[0]))) == expected[1:]
    for id in expected:
        found = saver.get_tuple(config(odd, id, odd))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"x": id}
        assert found.pending_writes == [(odd, "x", id)]


def test_configs_hold_three_keys(saver: CasckptSaver) -> None:
    """Fact 2."""
    noisy = config(id="0")
    noisy["configurable"] |= {"user": "u", "checkpoint_map": {}}
    noisy["metadata"] = {"team": "blue"}
    returned = saver.put(noisy, make("1", {}), {"source": "loop"}, {})
    assert returned == config(id="1")
    found = saver.get_tuple({"configurable": {"thread_id": "t", "user": "u"}})
    assert found is not None
    assert found.config == config(id="1")
    assert found.parent_config == config(id="0")
    assert found.metadata == {"source": "loop", "user": "u", "team": "blue"}


def test_writes_may_come_before_their_checkpoint(saver: CasckptSaver) -> None:
    """Fact 3."""
    saver.put_writes(config(id="7"), [("x", 1)], "task")
    assert saver.get_tuple(config()) is None
    assert saver.get_tuple(config(id="7")) is None
    assert list(saver.list(config())) == []
    put(saver, "7", {"x": 0})
    assert pending(saver, "7") == [("task", "x", 1)]


def test_a_regular_write_is_made_once(saver: CasckptSaver) -> None:
    """Fact 4."""
    put(saver, "1")
    saver.put_writes(config(id="1"), [("a", 1), ("b", 2)], "task")
    saver.put_writes(config(id="1"), [("a", 10), ("b", 20), ("c", 30)], "task")
    assert pending(saver, "1") == [("task", "a", 1), ("task", "b", 2), ("task", "c", 30)]


@pytest.mark.parametrize("channel", WRITES_IDX_MAP)
def test_a_special_write_is_replaced(saver: CasckptSaver, channel: str) -> None:
    """Fact 4: if all of a call are; in company it is as the others are."""
    put(saver, "1")
    saver.put_writes(config(id="1"), [(channel, "first")], "task")
    saver.put_writes(config(id="1"), [(channel, "second")], "task")
    assert pending(saver, "1") == [("task", channel, "second")]
    saver.put_writes(config(id="1"), [(channel, "third"), ("x", 1)], "task")
    assert pending(saver, "1") == [("task", channel, "second"), ("task", "x", 1)]


def test_pending_writes_come_in_the_order_of_their_tasks(saver: CasckptSaver) -> None:
    """Fact 5: by path, then task id, then index."""
    put(saver, "1")
    saver.put_writes(config(id="1"), [("x", 1), ("x", 2)], "a", "~__pregel_pull, z")
    saver.put_writes(config(id="1"), [("x", 3)], "z", "~__pregel_pull, a")
    saver.put_writes(config(id="1"), [("x", 4)], "m")
    found = [(task, value) for task, _, value in pending(saver, "1")]
    assert found == [("m", 4), ("z", 3), ("a", 1), ("a", 2)]


def test_a_checkpoint_may_be_put_again(saver: CasckptSaver) -> None:
    """Fact 6: with another parent, even in a loop."""
    put(saver, "1", {"x": 1})
    put(saver, "2", {"x": 2}, parent="1")
    put(saver, "1", {"x": 10}, parent="2", source="fork")
    assert ids(saver.list(config())) == ["2", "1"]
    found = saver.get_tuple(config(id="1"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"x": 10}
    assert found.parent_config == config(id="2")
    assert found.metadata["source"] == "fork"


def test_channels_are_those_that_were_put(saver: CasckptSaver) -> None:
    """Fact 7: one that is gone does not come back; one that did not change is kept."""
    put(saver, "1", {"a": [1], "b": [2], "c": [3]}, versions={"a": 1, "b": 1, "c": 1})
    versions = {"a": 1, "b": 2}
    put(saver, "2", {"a": [1], "b": [2, 3]}, parent="1", versions=versions, new={"b": 2})
    found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"a": [1], "b": [2, 3]}
    assert found.checkpoint["channel_versions"] == versions
    put(saver, "3", {"b": [2, 3], "c": [4]}, parent="2", versions={"b": 2, "c": 2}, new={"c": 2})
    found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"b": [2, 3], "c": [4]}


def test_a_new_version_is_believed_over_an_equal_one(saver: CasckptSaver) -> None:
    """Fact 7: two branches may come to the same version of a channel with other values."""
    put(saver, "1", {"x": [1]}, versions={"x": 1})
    put(saver, "2", {"x": [1, 2]}, parent="1", versions={"x": 2})
    put(saver, "3", {"x": [1, 3]}, parent="1", versions={"x": 2})
    put(saver, "4", {"x": [1, 3]}, parent="3", versions={"x": 2}, new={})
    values = {t.checkpoint["id"]: t.checkpoint["channel_values"]["x"] for t in saver.list(None)}
    assert values == {"1": [1], "2": [1, 2], "3": [1, 3], "4": [1, 3]}


def test_all_metadata_are_kept_and_can_be_searched(saver: CasckptSaver) -> None:
    """Fact 8; and the filter's keys are no SQL."""
    odd = "x') OR 1=1 --"
    put(saver, "1", {"x": 1}, odd_key={"a": [1, None]}, langgraph="clash", **{odd: "found"})
    put(saver, "2", {"x": 1}, blob=b"\x00", when={1: 2}, text="a\x00b")
    one, two = saver.get_tuple(config(id="1")), saver.get_tuple(config(id="2"))
    assert one is not None
    assert two is not None
    assert one.metadata["odd_key"] == {"a": [1, None]}  # type: ignore[typeddict-item]
    assert one.metadata["langgraph"] == "clash"  # type: ignore[typeddict-item]
    assert one.checkpoint["channel_values"] == two.checkpoint["channel_values"] == {"x": 1}
    assert two.metadata["blob"] == b"\x00"  # type: ignore[typeddict-item]
    assert two.metadata["when"] == {1: 2}  # type: ignore[typeddict-item]
    assert two.metadata["text"] == "ab"  # type: ignore[typeddict-item]
    assert ids(saver.list(config(), filter={odd: "found"})) == ["1"]
    assert ids(saver.list(config(), filter={odd: "lost"})) == []
    assert ids(saver.list(config(), filter={"blob": b"\x00"})) == ["2"]


def test_list_spans_what_the_config_leaves_open(saver: CasckptSaver) -> None:
    """Fact 9."""
    put(saver, "1", thread="a")
    put(saver, "3", thread="a", ns="sub:1")
    put(saver, "2", thread="b")
    saver.put_writes(config("b", "2"), [("x", 1)], "task")
    assert ids(saver.list(None)) == ["3", "2", "1"]
    assert ids(saver.list({"configurable": {"thread_id": "a"}})) == ["3", "1"]
    assert ids(saver.list(config("a"))) == ["1"]
    assert ids(saver.list({"configurable": {"thread_id": "a", "checkpoint_id": "3"}})) == ["3"]
    assert ids(saver.list(None, before=config(id="3"))) == ["2", "1"]
    assert ids(saver.list(None, before=config(id="3"), limit=1)) == ["2"]
    assert ids(saver.list(None, before=config(id="25"))) == ["2", "1"]
    assert [t.pending_writes for t in saver.list(config("b"))] == [[("task", "x", 1)]]


def test_namespaces_are_lines_of_their_own(saver: CasckptSaver) -> None:
    """Fact 10."""
    ns = "planner:4f1d|tool:77"
    put(saver, "1", {"x": "root"})
    put(saver, "2", {"x": "sub"}, ns=ns)
    found = saver.get_tuple(config(ns=ns))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"x": "sub"}
    assert found.config == config(id="2", ns=ns)
    names = [info.name for info in saver.store.threads()]
    assert names == ["t", "t/+planner=4f1d/+tool=77"] == [thread_name("t"), thread_name("t", ns)]
    saver.delete_thread("t")
    assert saver.store.threads() == []


def test_a_child_of_an_old_checkpoint_is_a_branch(saver: CasckptSaver) -> None:
    """Fact 11: both stay, also for gc; and casckpt knows what they have in common."""
    put(saver, "1", {"x": ["base"]})
    put(saver, "2", {"x": ["base", "left"]}, parent="1")
    put(saver, "3", {"x": ["base", "right"]}, parent="1", source="fork")
    saver.store.gc(grace=0)
    values = [t.checkpoint["channel_values"]["x"][-1] for t in saver.list(config())]
    assert values == ["right", "left", "base"]
    head = saver.store.thread("t").checkpoint()
    left = saver.store.thread("t").checkpoint("@{1}")
    both = head.common_ancestor(left)
    assert both is not None
    assert both.load() == {"x": ["base"]}
    assert [str(change.path) for change in saver.store.diff(left, head)] == ["('x', 1)"]
    assert [move.kind for move in saver.store.thread("t").reflog()] == ["rewind", "save", "save"]
    assert list(saver.store.fsck()) == []


def test_it_is_a_context_manager_that_closes_what_it_opened(tmp_path: Path) -> None:
    with CasckptSaver(tmp_path / "store") as saver:
        put(saver, "1", {"x": 1})
    assert saver.store.closed
    with casckpt.open(tmp_path / "store") as store:
        with CasckptSaver(store) as again:
            assert ids(again.list(None)) == ["1"]
        assert not store.closed


def test_it_survives_a_shallow_copy(saver: CasckptSaver) -> None:
    clone = copy.copy(saver)
    put(clone, "1", {"x": {1, 2}})
    found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"x": {1, 2}}


class Unknown:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and self.x == other.x

    __hash__ = None  # type: ignore[assignment]


def test_with_allowlist_restores_more(saver: CasckptSaver) -> None:
    from dataclasses import make_dataclass

    cls = make_dataclass("Point", ["x"])
    cls.__module__ = __name__
    globals()["Point"] = cls
    strict = CasckptSaver(saver.store, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    put(strict, "1", {"p": [cls(3)]})
    allowing = strict.with_allowlist([(__name__, "Point")])
    assert isinstance(allowing, CasckptSaver)
    for one, expected in ((strict, {"x": 3}), (allowing, cls(3))):
        found = one.get_tuple(config())
        assert found is not None
        assert found.checkpoint["channel_values"] == {"p": [expected]}


def test_an_open_list_blocks_nobody(saver: CasckptSaver) -> None:
    """langgraph#8558."""
    for n in range(40):
        put(saver, f"{n:02}", {"x": n})
    paused = saver.list(config())
    assert next(paused).checkpoint["id"] == "39"
    done = threading.Thread(target=lambda: put(saver, "99", {"x": 99}))
    done.start()
    done.join(timeout=20)
    assert not done.is_alive()
    assert ids(paused) == [f"{n:02}" for n in range(38, -1, -1)]


def test_versions_grow_in_the_form_they_have(saver: CasckptSaver) -> None:
    assert saver.get_next_version(None, None) == 1
    assert saver.get_next_version(1, None) == 2
    old = "00000000000000000000000000000009.0.37"
    new = saver.get_next_version(old, None)
    assert new > old
    assert new.startswith("00000000000000000000000000000010.")


def test_a_thread_of_somebody_else_is_left_alone(saver: CasckptSaver) -> None:
    saved = saver.store.thread("t").save([1, 2])
    assert saver.get_tuple(config()) is None
    with pytest.raises(casckpt.ConflictError, match="not saved by LangGraph"):
        put(saver, "1")
    with pytest.raises(casckpt.ConflictError):
        saver.put_writes(config(id="1"), [("x", 1)], "task")
    assert saver.store.thread("t").head == saved


def test_a_fork_has_what_was_put_last(saver: CasckptSaver) -> None:
    put(saver, "1", {"x": "old"}, run_id="r")
    put(saver, "2", {"x": 2}, parent="1")
    put(saver, "1", {"x": "new"}, parent="2", run_id="r")
    saver.store.thread("t").fork("u")
    for _ in range(2):
        values = [
            (t.checkpoint["id"], t.checkpoint["channel_values"]) for t in saver.list(config("u"))
        ]
        assert values[-2:] == [("2", {"x": 2}), ("1", {"x": "new"})]
        put(saver, "3", {"x": 3}, parent="2", thread="u")
    saver.delete_for_runs(["r"])
    assert ids(saver.list(config("u"))) == ["3", "2"]
    assert ids(saver.list(config("t"))) == ["2"]


def test_a_channel_that_was_empty_is_stored_when_it_has_a_value(saver: CasckptSaver) -> None:
    put(saver, "1", {}, versions={"x": 1})
    put(saver, "2", {"x": [1]}, parent="1", versions={"x": 1}, new={})
    found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"x": [1]}


def test_a_deleted_checkpoint_does_not_come_back_by_its_id(saver: CasckptSaver) -> None:
    """It is still in the history of the one after it."""
    for n, run in enumerate(["a", "b", "a"]):
        put(saver, str(n), {"x": n}, parent=None if n == 0 else str(n - 1), run_id=run)
    saver.put_writes(config(id="1"), [("x", 1)], "task")
    saver.delete_for_runs(["b"])
    assert ids(saver.list(config())) == ["2", "0"]
    assert saver.get_tuple(config(id="1")) is None
    put(saver, "1", {"x": "again"}, parent="0")
    assert pending(saver, "1") == []


def test_a_put_is_told_as_a_save(saver: CasckptSaver) -> None:
    events: list[casckpt.Event] = []
    saver.store.on("saved", events.append)
    put(saver, "1", {"x": 1})
    (event,) = events
    assert event.thread is not None
    assert event.checkpoint == saver.store.thread(event.thread).head


def test_casckpt_prunes_none_of_it(saver: CasckptSaver) -> None:
    """What LangGraph can ask for by its id stays, whatever a policy says."""
    for n in range(5):
        put(saver, str(n), {"x": ["text" * 50] * n}, parent=None if n == 0 else str(n - 1))
    report = saver.store.thread("t").prune(casckpt.Retention(keep_last=1))
    assert report.pruned == ()
    saver.store.gc(grace=0)
    assert ids(saver.list(config())) == ["4", "3", "2", "1", "0"]
