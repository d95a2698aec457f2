"""Messages that are read again: quicker, and just as LangGraph's serializer brings them."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, put

from langchain_core.messages import (  # isort: skip
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from pydantic import BaseModel

from casckpt.integrations.langgraph import CasckptSaver, messages
from tests.integrations.test_langgraph_forms import shape


def text(chance: random.Random) -> str:
    return "".join(chance.choices("abc é\n", k=chance.choice([1, 30, 900])))


def plain(chance: random.Random, n: int) -> list[Any]:
    """Messages as agents make them: validating them anew changes nothing."""
    found: list[Any] = []
    for i in range(n):
        call = {"name": "look", "args": {"q": i, "deep": [1, 1.0, True, None]}, "id": f"c{i}"}
        usage: Any = {"input_tokens": i, "output_tokens": 1, "total_tokens": i + 1}
        found.append(
            chance.choice([
                HumanMessage(text(chance), id=str(i)),
                SystemMessage([{"type": "text", "text": text(chance)}]),
                AIMessage(text(chance), id=str(i), tool_calls=[call], usage_metadata=usage),
                AIMessage("", response_metadata={"model": "m", "when": 1.5}, mine=[i]),
                ToolMessage(text(chance), tool_call_id=f"c{i}", artifact={"a": b"\x00"}),
                ChatMessage(text(chance), role="critic"),
                AIMessageChunk(text(chance)),
            ])
        )  # fmt: skip
    return found


pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


class Louder(HumanMessage):
    pass


OLD_CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
ODD: list[Any] = [
    AIMessage.model_construct(content="", additional_kwargs={"tool_calls": OLD_CALLS}),
    ToolMessage.model_construct(content=("a", 1), tool_call_id=7, type="tool", status="success"),
    HumanMessage.model_construct(content=3),
    Louder("of another class"),
    HumanMessage([{"__class__": "x:Y"}, {"__ext__": 1}]),
    {"no": "message"},
    None,
    [HumanMessage("in a list")],
]


def reads(saver: CasckptSaver, times: int = 5) -> list[Any]:
    found = [saver.get_tuple(config()) for _ in range(times)]
    return [each.checkpoint["channel_values"]["x"] for each in found if each is not None]


def exactly(value: Any) -> Any:
    """All there is to a message, in order."""
    if isinstance(value, BaseMessage):
        inner = [(key, exactly(item)) for key, item in value.__dict__.items()]
        private = value.__pydantic_private__
        return (
            type(value),
            inner,
            shape(value.__pydantic_extra__),
            value.model_fields_set,
            private,
        )
    if isinstance(value, dict):
        return [(exactly(key), exactly(item)) for key, item in value.items()]
    return [exactly(item) for item in value] if isinstance(value, list) else (type(value), value)


def as_langgraph(values: list[Any]) -> list[Any]:
    serde = JsonPlusSerializer()
    found: list[Any] = serde.loads_typed(serde.dumps_typed(values))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_read_is_the_same(saver: CasckptSaver, seed: int) -> None:
    chance = random.Random(seed)
    values = plain(chance, 200)
    if seed:
        for odd in ODD:
            values.insert(chance.randrange(len(values)), odd)
    put(saver, "1", {"x": values})
    expected = exactly(as_langgraph(values))
    assert [exactly(found) == expected for found in reads(saver)] == [True] * 5


def test_they_are_remembered(saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third read builds none of those in closed leaves; each read gives fresh ones."""
    values = plain(random.Random(1), 400)
    put(saver, "1", {"x": values})
    first = reads(saver, 2)[-1]
    built: list[Any] = []
    monkeypatch.setattr(
        "casckpt.integrations.langgraph.forms._built",
        lambda cls, fields: built.append(cls) or cls(**fields),
    )
    third = reads(saver, 1)[0]
    assert len(built) < 100
    assert exactly(third) == exactly(first)
    third[0].content = "changed"
    for message in third:
        message.additional_kwargs["changed"] = 1
        message.__pydantic_fields_set__.clear()
        if isinstance(message, AIMessage) and message.tool_calls:
            message.tool_calls[0]["args"]["deep"].append("changed")
    assert exactly(reads(saver, 1)[0]) == exactly(first)


class Plan(BaseModel):
    said: list[Any]


@pytest.mark.parametrize(
    "around",
    [
        _DeltaSnapshot,
        lambda values: {"a": _DeltaSnapshot({"b": values})},
        deque,
        lambda values: Plan(said=values),
    ],
    ids=["snapshot", "nested", "deque", "model"],
)
def test_in_something_that_the_serializer_builds(saver: CasckptSaver, around: Any) -> None:
    values = plain(random.Random(4), 200)
    put(saver, "1", {"x": around(values)})
    expected = shape(as_langgraph(around(values)))
    assert [shape(found) == expected for found in reads(saver)] == [True] * 5
    assert saver._reader._recall._leaves


def test_in_the_history_of_a_channel(saver: CasckptSaver) -> None:
    """What is read with it is remembered as well."""
    values = plain(random.Random(5), 200)
    put(saver, "1", {"other": ["x"] * 50, "x": _DeltaSnapshot(values)})
    put(saver, "2", parent="1")
    for _ in range(3):
        found = saver.get_delta_channel_history(config=config(), channels=["x"])["x"]
        assert exactly(found["seed"].value) == exactly(as_langgraph(values))
    assert saver._reader._recall._leaves


def test_what_a_validator_changes_is_validated_each_time(saver: CasckptSaver) -> None:
    values = [ODD[0], *plain(random.Random(2), 3), *[ODD[1]] * 200]
    put(saver, "1", {"x": values})
    for found in reads(saver):
        assert found[0].tool_calls == [{"name": "f", "args": {}, "id": "c", "type": "tool_call"}]
        assert found[-1].tool_call_id == "7"


def test_memory_is_bounded(saver: CasckptSaver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "BYTES_MAX", 20_000)
    monkeypatch.setattr(messages, "_SEEN_MAX", 5)
    values = plain(random.Random(3), 500)
    put(saver, "1", {"x": values})
    expected = exactly(as_langgraph(values))
    assert [exactly(found) == expected for found in reads(saver)] == [True] * 5
    recall = saver._reader._recall
    assert recall._bytes <= 20_000
    assert len(recall._seen) <= 5
    sizes = [messages._size(leaf) for leaf in recall._leaves.values()]
    assert sum(sizes) == recall._bytes


def test_what_marshal_does_not_write_exactly_is_not_remembered(saver: CasckptSaver) -> None:
    """Casckpt itself may save a bytearray there, which marshal would bring back as bytes."""
    put(saver, "1", {"x": [ToolMessage("x" * 600, tool_call_id=str(i)) for i in range(100)]})
    with saver.store.thread("t").edit() as draft:
        for item in draft["x"]:
            item["artifact"] = bytearray(b"a")
    state = saver.store.thread("t").load()
    leaf = messages._leaf(state["x"])
    assert leaf is None
    assert messages._leaf([item | {"artifact": b"a"} for item in state["x"]]) is not None
