"""Forms: values between LangGraph's serializer and casckpt's trees.

LangGraph's own serializer writes msgpack, with its objects as extensions. Here that document
is opened into lists and dicts, which the trees share and compare part by part, and closed
again before the serializer reads it. So what comes back is what it would have brought back
itself, by construction; and a class is restored if *it* restores it.

    {"__class__": "module:name", ...fields}   a pydantic model; LangChain's messages are some
    {"__ext__": code, "body": ...}            any other extension
    {"__serde__": [type, bytes]}              bytes as the serializer wrote them

Invariants: a value is stored opened only if closing it gives the same bytes, so a dict of the
user's that looks like one of these is stored by its bytes. Another serializer's bytes are
always kept as they are. LangChain's own messages, and the snapshots of delta channels, are built
here when they are read, exactly as the serializer builds them, because that is quicker; all else is
handed to it, messages in it that are built already (`messages`) taken apart again.

Imports: langchain_core, langgraph.checkpoint, ormsgpack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ormsgpack
from langchain_core import messages as lc
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import (
    EXT_DELTA_SNAPSHOT,
    EXT_PYDANTIC_V2,
    JsonPlusSerializer,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot

__all__ = ["CLASS", "CLASSES", "EXT", "MESSAGES", "SERDE", "Forms"]

CLASS: Final = "__class__"
EXT: Final = "__ext__"
SERDE: Final = "__serde__"
_METHOD: Final = "model_validate_json"  # what the serializer notes with every pydantic model

MESSAGES: Final[dict[type, str]] = {
    cls: f"{cls.__module__}:{cls.__name__}"
    for cls in (
        *(lc.HumanMessage, lc.AIMessage, lc.SystemMessage, lc.ToolMessage, lc.ChatMessage),
        *(lc.FunctionMessage, lc.RemoveMessage, lc.AIMessageChunk, lc.HumanMessageChunk),
        *(lc.SystemMessageChunk, lc.ToolMessageChunk, lc.ChatMessageChunk),
    )
}
"""LangChain's messages; the serializer restores them in strict mode too."""
CLASSES: Final[dict[str, type]] = {place: cls for cls, place in MESSAGES.items()}
_HOLDERS: Final = frozenset((list, dict))
_SPECIAL: Final = frozenset((CLASS, EXT, SERDE))
_PLAIN_DEPTH: Final = 8
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1  # what msgpack has


class Forms:
    """Values in and out, by way of one serializer."""

    def __init__(self, serde: SerializerProtocol, *, opens: bool = False) -> None:
        """Go by a serializer; `opens`: it writes as LangGraph's own does."""
        self.serde: Final = serde
        self.opens: Final = opens or type(serde) is JsonPlusSerializer
        """Whether values are opened; else only bytes are kept."""
        self.clear: Final = self if self.opens else Forms(JsonPlusSerializer())
        """For what is kept in clear whatever the serializer: names, versions, metadata."""
        self.builds = type(serde) is JsonPlusSerializer and not getattr(
            serde, "_custom_unpack_ext_hook", False
        )
        """Whether messages are built here: with a hook of the user's they may be something else."""

    def stored(self, value: Any) -> Any:
        """What is stored for a value; that may be the value itself.

        Raises:
            TypeError: the serializer does not know the type.
        """
        if self.opens and _is_plain(value, _PLAIN_DEPTH):
            return value
        tag, data = self.serde.dumps_typed(value)
        if not self.opens:
            return {SERDE: [tag, bytes(data)]}
        match tag:
            case "null":
                return None
            case "bytes":
                return bytes(data)
            case "bytearray":
                return bytearray(data)
            case "msgpack":
                try:
                    return _opened(data)
                except (ValueError, TypeError, RecursionError):
                    if type(value) is list and len(value) > 1:
                        return [self._item(item) for item in value]
        return {SERDE: [tag, bytes(data)]}

    def stored_items(self, values: list[Any]) -> list[Any]:
        """What is stored for the items of a list; only where values are opened."""
        found = self.stored(values)
        if type(found) is list and len(found) == len(values):
            return found
        return [self._item(item) for item in values]

    def _item(self, item: Any) -> Any:
        # Inside of a list, the serializer turns a bytearray into bytes.
        return self.stored(bytes(item) if isinstance(item, bytes | bytearray) else item)

    def closed(self, value: Any) -> Any:
        """What is stored for a value, as the serializer's bytes, whatever it is."""
        tag, data = self.serde.dumps_typed(value)
        return {SERDE: [tag, bytes(data)]}

    def typed(self, stored: Any) -> tuple[str, bytes]:
        """Type and bytes of the value, as LangGraph's serializer writes it.

        Raises:
            ValueError: a list that holds the bytes of another serializer.
        """
        kind = type(stored)
        if stored is None:
            return "null", b""
        if kind is bytes:
            return "bytes", stored
        if kind is bytearray:
            return "bytearray", bytes(stored)
        if kind is dict and stored.keys() == {SERDE}:
            tag, data = stored[SERDE]
            return tag, data
        return "msgpack", _packed(_closed(stored))

    def restored(self, stored: Any) -> Any:
        """The value, of what was stored for it; uses up `stored`."""
        kind = type(stored)
        if kind is dict:
            return self._dict(stored)
        if kind is list:
            for index, item in enumerate(stored):
                if type(item) in _HOLDERS and item:
                    stored[index] = self.restored(item)
        return stored

    def _dict(self, stored: dict[Any, Any]) -> Any:
        cls = None
        if CLASS in stored:
            cls = CLASSES.get(stored[CLASS]) if self.builds else None
            if cls is None:
                return self._loaded(stored)
            del stored[CLASS]
        elif EXT in stored:
            if self.builds and stored[EXT] == EXT_DELTA_SNAPSHOT:
                return _DeltaSnapshot(self.restored(stored["body"]))
            return self._loaded(stored)
        elif SERDE in stored:
            tag, data = stored[SERDE]
            return self.serde.loads_typed((tag, data))
        for key, value in stored.items():
            if value and type(value) in _HOLDERS:
                stored[key] = self.restored(value)
        return stored if cls is None else _built(cls, stored)

    def _loaded(self, stored: Any) -> Any:
        return self.serde.loads_typed(("msgpack", _packed(_closed(stored))))


def _built(cls: Any, fields: dict[str, Any]) -> Any:
    """A message, as the serializer builds it: validated if it can be, else as it is."""
    try:
        return cls(**fields)
    except Exception:  # noqa: BLE001 - as the serializer: whatever a validator raises
        try:
            return cls.model_construct(**fields)
        except Exception:  # noqa: BLE001 - the same
            return fields


def _is_plain(value: Any, depth: int) -> bool:
    """Whether it is stored as it is: most facts about checkpoints, and many values."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return bool(_INT_MIN <= value <= _INT_MAX)
    if kind is bool or kind is float or value is None:
        return True
    if not depth:
        return False
    if kind is list:
        return all(_is_plain(item, depth - 1) for item in value)
    return (
        kind is dict
        and all(type(key) is str and key.isascii() for key in value)
        and _SPECIAL.isdisjoint(value)
        and all(_is_plain(item, depth - 1) for item in value.values())
    )


def _opened(data: bytes) -> Any:
    found = _unpacked(data)
    if _packed(_closed(found)) != data:
        raise ValueError("not the only form")
    return found


def _unpacked(data: bytes) -> Any:
    return ormsgpack.unpackb(data, ext_hook=_open_extension, option=ormsgpack.OPT_NON_STR_KEYS)


def _packed(value: Any) -> bytes:
    return ormsgpack.packb(value, default=_apart, option=ormsgpack.OPT_NON_STR_KEYS)


def _apart(value: Any) -> ormsgpack.Ext:
    """A message that is built already, as the serializer wrote it."""
    place = MESSAGES.get(type(value))
    if place is None:
        raise TypeError(f"{type(value).__name__} is not stored so")
    fields = value.__dict__ | (value.__pydantic_extra__ or {})
    return _closed({CLASS: place, **fields})  # type: ignore[no-any-return]


def _open_extension(code: int, data: bytes) -> Any:
    body = _unpacked(data)
    if code == EXT_PYDANTIC_V2:
        match body:
            case [str(module), str(name), dict(fields), str(method)] if (
                method == _METHOD and ":" not in module and CLASS not in fields
            ):
                return {CLASS: f"{module}:{name}", **fields}
    return {EXT: code, "body": body}


def _closed(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return _closed_items(value)
    if kind is not dict:
        return value
    if SERDE in value:
        raise ValueError("it looks like something else")
    place = value.get(CLASS)
    if type(place) is str:
        module, _, name = place.partition(":")
        fields = {key: _closed(item) for key, item in value.items() if key != CLASS}
        return ormsgpack.Ext(EXT_PYDANTIC_V2, _packed([module, name, fields, _METHOD]))
    code = value.get(EXT)
    if type(code) is int and value.keys() == {EXT, "body"}:
        return ormsgpack.Ext(code, _packed(_closed(value["body"])))
    if CLASS in value or EXT in value:
        raise ValueError("it looks like something else")
    return {key: _closed(item) if type(item) in _HOLDERS else item for key, item in value.items()}


def _closed_items(values: Sequence[Any]) -> list[Any]:
    return [_closed(item) if type(item) in _HOLDERS else item for item in values]
