"""Values come back as LangGraph's own serializer would bring them, and are stored in parts."""

from __future__ import annotations

import enum
import re
from collections import deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.langgraph_kit import config, put

import numpy as np  # isort: skip
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, field_serializer

import casckpt
from casckpt.integrations.langgraph import CasckptSaver, forms
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.proofs import ListProof


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Plan(BaseModel):
    goal: str
    steps: list[HumanMessage] = []
    due: datetime | None = None


class Shy(BaseModel):
    secret: str

    @field_serializer("secret")
    def hide(self, value: str) -> str:
        return value[:1] + "..."


@dataclass
class Note:
    text: str
    more: Any = None


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - the old kind

CALL = {"name": "search", "args": {"q": "x"}, "id": "c1", "type": "tool_call"}
MESSAGES = [
    HumanMessage("hello", id="h"),
    SystemMessage([{"type": "text", "text": "be kind"}]),
    AIMessage("", tool_calls=[CALL], id="a", usage_metadata=None),
    AIMessage(
        "x",
        response_metadata={"model": "m", "when": datetime(2026, 1, 1, tzinfo=UTC)},
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        extra_field=[1, 2],
    ),
    ToolMessage("found", tool_call_id="c1", artifact={"raw": b"\x00\x01", "t": (1, 2)}),
    AIMessageChunk("part", id="k"),
    ChatMessage("hi", role="critic"),
    RemoveMessage(id="h"),
]
VALUES = [
    *(None, True, 0, -1, 2**63, 1.5, -0.0, float("inf"), "", "é\x00", "lone \ud800", b"", b"\xff"),
    *(bytearray(b"ab"), [bytearray(b"ab")], (1, (2,)), [(1, 2)], {"a": (1,)}, [None]),
    *({1, 2}, frozenset({"a"}), deque([1, 2], maxlen=3), {1: "a", None: "b", 1.5: "c", False: "d"}),
    *(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), date(2026, 1, 1), timedelta(1)),
    *(timezone(timedelta(hours=2)), ZoneInfo("Europe/Berlin"), Decimal("1.10"), UUID(int=7)),
    *(Path("a/b"), re.compile("a+", re.IGNORECASE), Colour.RED, Level.LOW, Pair(1, [2])),
    *(Note("n", [HumanMessage("in a note")]), Shy(secret="password"), ValueError("gone")),
    *(Plan(goal="g", steps=[HumanMessage("s", id="1")], due=datetime(2026, 1, 1, tzinfo=UTC)),),
    *(Send("node", {"x": [HumanMessage("m")]}), Interrupt(value={"q": 1}, id="i")),
    *(_DeltaSnapshot([HumanMessage("d", id="1")]), Document("text", metadata={"k": 1})),
    *(
        {"__class__": "x:Y", "a": 1},
        {"__class__": 1},
        {"__ext__": 5, "body": [1]},
        {"__ext__": "x"},
    ),
    *({"__serde__": ["msgpack", b"x"]}, [{"__serde__": 1}, HumanMessage("beside it")]),
    *([MESSAGES, {"deep": {"in": MESSAGES}}], MESSAGES),
]


def shape(value: Any) -> Any:
    """A value with all its types, so that 1, True and 1.0 are three things."""
    if isinstance(value, BaseModel):
        fields = {key: shape(item) for key, item in value.__dict__.items()}
        return (type(value), fields, shape(value.__pydantic_extra__), value.model_fields_set)
    if isinstance(value, _DeltaSnapshot):
        return (type(value), shape(value.value))
    if isinstance(value, dict):
        return (type(value), [(shape(key), shape(item)) for key, item in value.items()])
    if isinstance(value, list | tuple | deque):
        return (type(value), [shape(item) for item in value])
    if isinstance(value, set | frozenset):
        return (type(value), {repr(shape(item)) for item in value})
    if isinstance(value, np.ndarray):
        return (value.dtype, value.shape, value.tobytes())
    if isinstance(value, Note):
        return (Note, shape(value.text), shape(value.more))
    return (type(value), repr(value))


def expected(value: Any, serde: SerializerProtocol) -> Any:
    return shape(serde.loads_typed(serde.dumps_typed(value)))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_values_come_back_as_langgraph_brings_them(value: Any, strict: bool) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=None if strict else True)
    with CasckptSaver("memory:", serde=serde) as saver:
        put(saver, "1", {"x": value, "l": ["first", value]})
        put(saver, "2", {"x": [value], "l": ["first", value, value]}, parent="1")
        saver.put_writes(config(id="2"), [("x", value)], "task")
        two, one = saver.list(config())
    assert shape(one.checkpoint["channel_values"]["x"]) == expected(value, serde)
    assert shape(two.checkpoint["channel_values"]["x"]) == expected([value], serde)
    assert shape(two.checkpoint["channel_values"]["l"]) == expected(["first", value, value], serde)
    assert two.pending_writes is not None
    assert shape(two.pending_writes[0][2]) == expected(value, serde)


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.asfortranarray(np.ones((2, 3))), np.array([], dtype=">i2")],
    ids=["c", "fortran", "empty"],
)
def test_arrays(array: Any) -> None:
    serde = JsonPlusSerializer()
    with CasckptSaver("memory:") as saver:
        put(saver, "1", {"x": array, "l": [array]})
        found = saver.get_tuple(config())
    assert found is not None
    assert shape(found.checkpoint["channel_values"]["x"]) == expected(array, serde)
    assert shape(found.checkpoint["channel_values"]["l"]) == expected([array], serde)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=8)
    | st.sampled_from([*MESSAGES, "__class__", "__ext__", "__serde__"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["__class__", "__ext__", "__serde__", "body"]),
            inner,
            max_size=4,
        )
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_stored_is_restored(value: Any) -> None:
    serde = JsonPlusSerializer()
    assert shape(Forms(serde).restored(Forms(serde).stored(value))) == expected(value, serde)


def test_messages_are_stored_by_their_fields() -> None:
    with CasckptSaver("memory:") as saver:
        put(saver, "1", {"messages": [HumanMessage("hi", id="1"), AIMessage("yes", id="2")]})
        put(saver, "2", {"messages": [HumanMessage("hi", id="1"), AIMessage("no", id="2")]})
        old, new = (saver.store.checkpoint(f"t@{{{moves}}}") for moves in (1, 0))
        assert [(c.op, c.path, c.old, c.new) for c in old.diff(new)] == [
            ("replace", ("messages", 1, "content"), "yes", "no")
        ]
        place = "langchain_core.messages.ai:AIMessage"
        assert new.load("messages[1].__class__") == place
        assert new.load("messages[0].content") == "hi"


@pytest.mark.parametrize("depth", [100, 254])
def test_what_is_too_deep_for_a_tree_is_kept_as_bytes(depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    with CasckptSaver("memory:") as saver:
        put(saver, "1", {"deep": deep, "l": [1]})
        put(saver, "2", {"deep": deep, "l": [1, 2]}, parent="1", new={"l": 2})
        saver.put_writes(config(id="2"), [("x", deep)], "task")
        found = saver.get_tuple(config())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"deep": deep, "l": [1, 2]}
    assert found.pending_writes == [("task", "x", deep)]


def test_what_cannot_be_serialized_is_an_error_and_stores_nothing() -> None:
    with CasckptSaver("memory:") as saver:
        with pytest.raises(TypeError, match="serializable"):
            put(saver, "1", {"x": [object()]})
        assert saver.get_tuple(config()) is None


class Reversed:
    """A serializer of somebody's own."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        tag, data = JsonPlusSerializer().dumps_typed(obj)
        return f"reversed-{tag}", data[::-1]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        assert data[0].startswith("reversed-")
        return JsonPlusSerializer().loads_typed((data[0][9:], data[1][::-1]))


def test_bytes_of_another_serializer_are_kept() -> None:
    with CasckptSaver("memory:", serde=Reversed()) as saver:
        put(saver, "1", {"x": [1, HumanMessage("hi")], "none": None})
        saver.put_writes(config(id="1"), [("x", MESSAGES)], "task")
        found = saver.get_tuple(config())
        assert found is not None
        assert found.checkpoint["channel_values"] == {"x": [1, HumanMessage("hi")], "none": None}
        assert found.metadata["source"] == "loop"
        stored = saver.store.thread("t").load()
        assert stored["x"] == {"__serde__": list(Reversed().dumps_typed([1, HumanMessage("hi")]))}


def test_encryption_is_possible_and_warned_of() -> None:
    class Cipher:
        def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
            return "xor", bytes(byte ^ 0x55 for byte in plaintext)

        def decrypt(self, _name: str, ciphertext: bytes) -> bytes:
            return self.encrypt(ciphertext)[1]

    with casckpt.open("memory:") as store:
        put(CasckptSaver(store), "1", {"x": ["in clear"]})
        with pytest.warns(UserWarning, match="nothing is shared"):
            saver = CasckptSaver(store, serde=EncryptedSerializer(Cipher()))
        put(saver, "2", {"x": ["top secret"]}, parent="1")
        values = [t.checkpoint["channel_values"] for t in saver.list(config())]
        assert values == [{"x": ["top secret"]}, {"x": ["in clear"]}]
        assert b"top secret" not in repr(store.thread("t").load()).encode()


# --- what is not serialized again -----------------------------------------------------------------


def test_a_message_changed_in_place_is_seen() -> None:
    messages: list[Any] = [HumanMessage(f"m{n}", id=str(n)) for n in range(200)]
    with CasckptSaver("memory:") as saver:
        put(saver, "1", {"messages": messages})
        messages[70].content = "changed"
        messages[199].additional_kwargs["x"] = 1
        put(saver, "2", {"messages": messages}, parent="1")
        found = saver.get_tuple(config())
        assert found is not None
        assert found.checkpoint["channel_values"]["messages"] == messages
        changed = [change.path[1] for change in saver.store.diff("t~1", "t")]
        assert changed == [70, 199]


@pytest.mark.parametrize("change", ["append", "pop", "insert", "clear", "type", "bytes", "same"])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_lists_that_changed_are_stored_as_they_are(change: str, size: int) -> None:
    items: list[Any] = [{"n": n} for n in range(size)]
    buffers = [np.zeros(2, dtype="<i4"), np.zeros(1, dtype="<i8"), b"\0" * 8]
    with CasckptSaver("memory:") as saver:
        put(saver, "00", {"x": [*items, buffers[0]] if change == "bytes" else list(items)})
        for step in range(1, 4):
            match change:
                case "append":
                    items.append({"new": step})
                case "pop":
                    items = items[:-1]
                case "insert":
                    items = [{"new": step}, *items]
                case "clear":
                    items = []
                case "type":  # equal, and yet another value
                    items[0] = {"n": [0, False, 0.0][step - 1]}
            value = [*items, buffers[step - 1]] if change == "bytes" else list(items)
            put(saver, f"{step:02}", {"x": value}, parent=f"{step - 1:02}")
            found = saver.get_tuple(config())
            assert found is not None
            back = found.checkpoint["channel_values"]["x"]
            assert shape(back) == expected(value, JsonPlusSerializer())
            # The tree is the one that a whole save of the same state makes.
            with CasckptSaver("memory:") as other:
                put(other, "1", {"x": value})
                assert other.store.thread("t").checkpoint().root == (
                    saver.store.thread("t").checkpoint().root
                )


def test_proofs_are_of_blocks_and_end_at_the_first_difference() -> None:
    items = [{"n": n} for n in range(150)]
    proof = ListProof().extended(items, 0)
    assert [count for count, _ in proof.blocks] == [64, 64, 22]
    assert proof.same(items) == 150
    assert proof.same([*items, 1]) == 150
    assert proof.same(items[:149]) == 128
    assert proof.same([*items[:70], "x", *items[71:]]) == 64
    assert proof.same([]) == 0
    longer = [*items, *range(60)]
    assert proof.extended(longer, 150) == ListProof().extended(longer, 0)
    assert ListProof().extended([object()], 0).same([object()]) == 0


_SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.floats(), st.binary(max_size=3), st.text(max_size=3)),
    *(st.integers(-(1 << 63), (1 << 64) - 1), st.sampled_from(["__class__", "__ext__", "a"])),
)
_KEYS = st.one_of(st.sampled_from(["__class__", "__serde__", "body", "a", "é", "\ud800"]), _SCALARS)


@given(
    st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    )
)
def test_what_is_plain_is_stored_as_the_serializer_writes_it(value: Any) -> None:
    def stored() -> Any:
        try:
            return repr(Forms(JsonPlusSerializer()).stored(value))
        except (TypeError, ValueError) as error:
            return type(error)

    with pytest.MonkeyPatch.context() as patch:
        quick = stored()
        patch.setattr(forms, "_is_plain", lambda *_: False)
        assert quick == stored()


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, [[[[[[[[[[1]]]]]]]]]], True, "\ud800"])
def test_what_is_hardly_plain(value: Any) -> None:
    test_what_is_plain_is_stored_as_the_serializer_writes_it.hypothesis.inner_test(value)
