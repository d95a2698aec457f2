"""Raw values: what LangGraph's serializer has written, taken apart without building any object.

An extension (a message, a model, a set) stays a code and its bytes, so nothing is imported or
called for it; and put together again, the bytes are those that were there. Another saver's
database is read so: it need not be trusted, and what comes out is what went in.

Imports: langgraph.checkpoint, ormsgpack.
"""

from __future__ import annotations

from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

__all__ = ["Extension", "RawSerializer", "raw"]


class Extension:
    """An extension of msgpack, which stands for an object."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


class RawSerializer:
    """Writes raw values as LangGraph's serializer has written what they come from."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Type and bytes of a raw value.

        Raises:
            TypeError: none of msgpack's.
        """
        if obj is None:
            return "null", b""
        if type(obj) is bytes:
            return "bytes", obj
        if type(obj) is bytearray:
            return "bytearray", bytes(obj)
        option = ormsgpack.OPT_NON_STR_KEYS
        return "msgpack", ormsgpack.packb(obj, default=_extension, option=option)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The raw value of plain bytes; of others, what `JsonPlusSerializer` reads."""
        return raw(*data)


_LANGGRAPHS: Final = JsonPlusSerializer()


def raw(type_: str, data: bytes, serde: SerializerProtocol | None = None) -> Any:
    """The raw value of what a serializer has written.

    Args:
        type_: as the serializer called it.
        data: what it wrote.
        serde: another serializer than LangGraph's: objects are built by it, and taken apart.

    Raises:
        Exception: whatever a serializer raises that cannot read the bytes.
    """
    if serde is None:
        match type_:
            case "null":
                return None
            case "bytes":
                return bytes(data)
            case "bytearray":
                return bytearray(data)
            case "msgpack":
                option = ormsgpack.OPT_NON_STR_KEYS
                return ormsgpack.unpackb(data, ext_hook=Extension, option=option)
    # LangGraph's, too, builds objects of what it wrote as JSON until 2025: only its own.
    built = (serde or _LANGGRAPHS).loads_typed((type_, data))
    return raw(*_LANGGRAPHS.dumps_typed(built))


def _extension(value: Any) -> ormsgpack.Ext:
    if type(value) is Extension:
        return ormsgpack.Ext(value.code, value.data)
    raise TypeError(f"{type(value).__name__} is no raw value")
