"""What the tests are made of: objects with right ids, an empty store, an expected error.

Imports: ids, the engine interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, ClassVar, TypeVar

from casckpt.ids import object_id
from casckpt.storage.engine import Engine, NewObject

__all__ = ["Suite", "chain", "new_object", "noise", "raises", "text"]

E = TypeVar("E", bound=BaseException)


class Suite:
    """Base of the tests."""

    HEADER: ClassVar[bytes] = b"the header of a store"

    def new_engine(self) -> Engine:
        """An empty store with the header HEADER, in a place of its own."""
        raise NotImplementedError

    def empty(self) -> closing[Engine]:
        """`with self.empty() as engine:`."""
        return closing(self.new_engine())


def text(number: int, length: int = 400) -> bytes:
    """Bytes that compress about as well as prose, different for each number."""
    words = (f"{number * 7919 + n * 104729 % 997:x}" for n in range(length // 2 + 1))
    return " ".join(words).encode()[:length]


def noise(length: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(object_id(1, b"%d" % n) for n in range(length // 32 + 1))[:length]


def new_object(
    payload: bytes,
    children: Iterable[NewObject] = (),
    base: NewObject | None = None,
    kind: int = 1,
) -> NewObject:
    """An object with its right id."""
    ids = tuple(child.id for child in children)
    return NewObject(object_id(kind, payload), kind, payload, ids, base.id if base else None)


def chain(length: int, number: int = 0) -> list[NewObject]:
    """Objects that each have the one before for a child and for a base."""
    objects: list[NewObject] = []
    for step in range(length):
        before = objects[-1:]
        payload = text(number, 600) + b" %d" % step
        objects.append(new_object(payload, before, before[0] if before else None))
    return objects


def raises(kind: type[E], call: Callable[[], Any]) -> E:
    """The error that the call must raise."""
    try:
        call()
    except kind as error:
        return error
    msg = f"{kind.__name__} was not raised"
    raise AssertionError(msg)
