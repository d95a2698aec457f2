"""Lists that begin as another of their thread: stored as if nothing were known, and quicker."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, put

from langchain_core.messages import AIMessage, HumanMessage  # isort: skip
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from casckpt import open as open_store
from casckpt.integrations.langgraph import CasckptSaver, lists
from tests.integrations.test_langgraph_forms import shape

MESSAGES = [HumanMessage("x" * 500, id=str(n)) for n in range(200)]


def items(chance: random.Random, count: int) -> list[Any]:
    return [
        chance.choice([
            HumanMessage("x" * chance.choice([1, 400, 3_000]), id=str(chance.random())),
            AIMessage([{"type": "text", "text": str(chance.random())}]),
            {"plain": chance.random()},
            {"__class__": "looks:like"},
            {1, 2},
            1,
            True,
            1.0,
            None,
            b"bytes",
        ])
        for _ in range(count)
    ]  # fmt: skip


def grown(chance: random.Random, old: list[Any]) -> list[Any]:
    """Another list: mostly it begins as the old one."""
    new = list(old)
    match chance.randrange(6):
        case 0 if new:
            new[chance.randrange(len(new))] = chance.choice([1, True, 1.0])
        case 1:
            del new[chance.randrange(len(new) + 1) :]
        case 2:
            new = items(chance, 20)
    return new + items(chance, chance.choice([0, 1, 3, 90]))


def around(chance: random.Random, value: list[Any]) -> Any:
    """The list in one of the places where graphs have it, or where it only looks so."""
    return chance.choice([
        value,
        value,
        {"messages": value, "n": 1},
        {"messages": value, "other": value[:20]},
        _DeltaSnapshot(value),
        {"__serde__": value},
        {7: value, "messages": value},
        {"deep": {"messages": value}},
        {"set": {1}, "messages": value},
        (value,),
    ])  # fmt: skip


def stored(saver: CasckptSaver) -> dict[str, Any]:
    """What each ref of the saver leads to: of checkpoints, their states."""
    found: dict[str, Any] = {}
    ledger = saver.store._ledger
    for ref in ledger.engine.refs("app/langgraph/"):
        assert ref.target is not None
        is_row = ref.name.endswith("~")
        found[ref.name] = ledger.ancestry.record(ref.target).root if is_row else ref.target
    return found


@contextmanager
def unknowing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(lists, "ITEMS_MIN", 10**9)
        yield


@pytest.mark.parametrize("seed", range(25))
def test_what_is_stored_is_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    value = items(chance, chance.choice([5, 16, 200]))
    with open_store("memory:") as one, open_store("memory:") as two:
        knowing, plain = CasckptSaver(one), CasckptSaver(two)
        for n in range(12):
            value = grown(chance, value)
            ns = chance.choice(["", "sub:1", f"sub:{n}"])
            given = around(chance, value)
            made = config(id=f"{n:03}", ns=ns)
            parent = f"{chance.randrange(n):03}" if n and chance.random() < 0.7 else None
            writes = [("messages", given), ("other", value), ("messages", 3)]
            task = f"task {chance.randrange(2)}"
            act = chance.randrange(2)

            def both(saver: CasckptSaver) -> None:
                if act:  # noqa: B023 - called at once
                    put(saver, f"{n:03}", {"messages": given, "y": 1}, parent=parent, ns=ns)  # noqa: B023
                else:
                    saver.put_writes(made, writes, task)  # noqa: B023

            both(knowing)
            with unknowing(monkeypatch):
                both(plain)
        assert stored(knowing) == stored(plain)
        for each in plain.list(None):
            again = knowing.get_tuple(each.config)
            assert again is not None
            assert shape(again.checkpoint["channel_values"]) == shape(
                each.checkpoint["channel_values"]
            )
            assert shape(again.pending_writes) == shape(each.pending_writes)


def test_what_looks_like_stored_bytes(saver: Any) -> None:
    put(saver, "1", {"__serde__": MESSAGES, "__ext__": MESSAGES})
    for value in ({"__serde__": [*MESSAGES, 1, 2]}, {"__ext__": [*MESSAGES, 1], "body": MESSAGES}):
        saver.put_writes(config(id="1"), [("x", value)], f"task {len(value)}")
        put(saver, "2", {"x": value}, ns="sub")
        assert saver.get_tuple(config(ns="sub")).checkpoint["channel_values"] == {"x": value}
    written = {task: value for task, _, value in saver.get_tuple(config(id="1")).pending_writes}
    assert written["task 1"] == {"__serde__": [*MESSAGES, 1, 2]}
    assert written["task 2"] == {"__ext__": [*MESSAGES, 1], "body": MESSAGES}


@pytest.fixture
def serialized(saver: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes the serializer has written, call by call."""
    sizes: list[int] = []
    dumps = saver.serde.dumps_typed

    def counted(value: Any) -> Any:
        tag, data = dumps(value)
        sizes.append(len(data))
        return tag, data

    monkeypatch.setattr(saver.serde, "dumps_typed", counted)
    return sizes


@pytest.mark.parametrize(
    "place",
    [
        lambda saver, value: put(saver, "2", {"__start__": {"messages": value}}, ns="sub:1"),
        lambda saver, value: put(saver, "2", {"messages": value}, ns="sub:1"),
        lambda saver, value: put(saver, "2", {"messages": _DeltaSnapshot(value)}),
        lambda saver, value: saver.put_writes(config(id="1"), [("messages", value)], "task"),
        lambda saver, value: saver.put_writes(config(id="1"), [("x", {"messages": value})], "task"),
    ],
    ids=["input", "subgraph", "snapshot", "written", "in a dict"],
)
def test_only_what_is_new_is_serialized(saver: Any, serialized: list[int], place: Any) -> None:
    put(saver, "1", {"messages": MESSAGES})
    before = sum(serialized)
    assert before > 100_000
    place(saver, [*MESSAGES, HumanMessage("new")])
    assert sum(serialized) - before < 5_000


def test_what_was_changed_in_place_is_seen(saver: Any) -> None:
    values = [message.model_copy() for message in MESSAGES]
    put(saver, "1", {"messages": values})
    values[100].content = "changed"
    values[150].additional_kwargs = {"n": 1}
    saver.put_writes(config(id="1"), [("messages", values)], "task")
    values[150].additional_kwargs["n"] = True
    put(saver, "2", {"__start__": {"messages": values}}, ns="sub")
    ((_, _, written),) = saver.get_tuple(config(id="1")).pending_writes
    read = saver.get_tuple(config(ns="sub")).checkpoint["channel_values"]["__start__"]["messages"]
    for found, number in ((written, 1), (read, True)):
        assert found[100].content == "changed"
        assert found[150].additional_kwargs["n"] is number
        assert [m.content for m in found[:100]] == [m.content for m in MESSAGES[:100]]


def test_what_gc_has_taken_is_stored_anew(saver: Any) -> None:
    for act in ("put", "write", "snapshot"):
        put(saver, "1", {"messages": MESSAGES})
        saver.delete_thread("t")
        saver.store.gc(grace=0)
        if act == "put":
            put(saver, "2", {"messages": MESSAGES}, ns="sub")
        elif act == "snapshot":
            put(saver, "2", {"messages": _DeltaSnapshot(MESSAGES)}, ns="sub")
        else:
            put(saver, "2", ns="sub")
            saver.put_writes(config(id="2", ns="sub"), [("messages", MESSAGES)], "task")
        found = saver.get_tuple(config(ns="sub"))
        value = found.checkpoint["channel_values"].get("messages") or found.pending_writes[0][2]
        assert getattr(value, "value", value) == MESSAGES
        assert saver.store.fsck(level="data").ok
        saver.delete_thread("t")


def test_what_a_task_wrote_first_stays(saver: Any) -> None:
    put(saver, "1", {"messages": MESSAGES})
    saver.put_writes(config(id="1"), [("messages", MESSAGES[:100])], "task")
    saver.put_writes(config(id="1"), [("messages", MESSAGES)], "task")
    ((_, _, written),) = saver.get_tuple(config(id="1")).pending_writes
    assert written == MESSAGES[:100]


def test_memory_is_bounded(saver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casckpt.integrations.langgraph.proofs.BYTES_MAX", 300_000)
    for n in range(6):
        put(saver, "1", {"messages": MESSAGES}, thread=f"t{n}")
        put(saver, "2", {"messages": MESSAGES}, parent="1", thread=f"t{n}")
    proofs = saver._putter._proofs
    for kept, most in ((proofs._left, 300_000), (proofs._known, 150_000)):
        assert 0 < len(kept._kept) < 6
        assert sum(value.size for value in kept._kept.values()) == kept._size <= most
