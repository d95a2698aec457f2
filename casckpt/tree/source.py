"""What trees need from below: objects by id, and a place to put new ones.

Imports: ids only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from casckpt.ids import ObjectId, object_id

__all__ = ["Codec", "Nowhere", "ObjectSink", "ObjectSource", "TaggedValue"]


class ObjectSource(Protocol):
    """Where payloads come from, verified against their ids."""

    def get(self, oid: ObjectId, kind: int) -> bytes:
        """One payload; raises PrunedError or CorruptError."""
        ...

    def get_many(self, oids: Sequence[ObjectId], kind: int) -> list[bytes]:
        """Several payloads, read together."""
        ...

    def find_many(self, oids: Sequence[ObjectId], kind: int) -> dict[ObjectId, bytes]:
        """Those of several objects that are stored, sound and of this kind; no errors."""
        ...


class ObjectSink(Protocol):
    """Where new objects go, children first."""

    def put(
        self,
        kind: int,
        payload: bytes,
        children: tuple[ObjectId, ...] = (),
        base: ObjectId | None = None,
    ) -> ObjectId:
        """Add an object; `base` is one it resembles, if known."""
        ...


class Nowhere:
    """A sink that keeps nothing: only ids are wanted."""

    def put(
        self,
        kind: int,
        payload: bytes,
        children: tuple[ObjectId, ...] = (),
        base: ObjectId | None = None,
    ) -> ObjectId:
        """The id that the object would have."""
        del children, base
        return object_id(kind, payload)


class TaggedValue(Protocol):
    """What `Codec.reduce` gives: a tag and a content of native values."""

    @property
    def tag(self) -> int:
        """One of the TAG_ constants."""
        ...

    @property
    def content(self) -> Any:
        """Native values, or values that reduce again."""
        ...


class Codec(Protocol):
    """Types above the native ones (`casckpt.values.Registry`)."""

    def reduce(self, value: Any) -> TaggedValue:
        """The tag and content that stand for a value; raises UnsupportedValueError."""
        ...

    def restore(self, tag: int, content: Any) -> Any:
        """The value that a tag and its loaded content stand for; raises CorruptError."""
        ...
