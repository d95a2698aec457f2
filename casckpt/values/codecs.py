"""Codecs: pairs of functions that a program registers for its own classes.

A value is written as [codec name, version, state], the state being what `encode` gave.

Invariants: a codec serves the instances of exactly its class. That `encode(decode(state))`
is the state again is the codec's promise; nothing here can prove it.

Imports: errors, format.constants, values.tagged.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from casckpt.errors import CorruptError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values.tagged import Tagged, corrupt, items, shown, unsupported

__all__ = ["CodecPlan", "CodecState", "read_state"]

_ATOMS = frozenset((type(None), bool, int, float, str, bytes, bytearray))
_SEQUENCES = frozenset((list, tuple, set, frozenset))
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CodecState(NamedTuple):
    """The content of TAG_CODEC, checked."""

    name: str
    version: int
    state: Any


class CodecPlan:
    """How the instances of a class with a codec are written and made."""

    flavour = "codec"

    def __init__(
        self,
        cls: type,
        name: str,
        encode: Callable[[Any], Any],
        decode: Callable[..., Any],
        version: int,
        check: Callable[[type], object],
    ) -> None:
        """`check` raises UnsupportedValueError for a type that can not be stored."""
        self.cls = cls
        self.name = name
        self._encode = encode
        self._decode = decode
        self._version = version
        self._check = check
        self._wants_version = _takes_version(decode)

    def reduce(self, value: Any) -> Tagged:
        """The tag and content of an instance.

        Raises:
            UnsupportedValueError: `encode` failed, or gave what can not be stored.
        """
        try:
            state = self._encode(value)
        except Exception as error:
            why = f"the codec {self.name!r} failed to encode: {type(error).__name__}: {error}"
            raise unsupported(self.cls, why) from error
        if type(state) not in _ATOMS:
            self._check_state(state)
        return Tagged(c.TAG_CODEC, [self.name, self._version, state])

    def _check_state(self, state: Any) -> None:
        """Name the codec if its state has something that can not be stored."""
        seen: set[int] = set()
        pending = [state]
        while pending:
            part = pending.pop()
            kind = type(part)
            if kind in _ATOMS:
                continue
            if kind in _SEQUENCES or kind is dict:
                if id(part) not in seen:  # a cycle is the tree's to report
                    seen.add(id(part))
                    pending += part
                    pending += part.values() if kind is dict else ()
                continue
            try:
                self._check(kind)
            except UnsupportedValueError as error:
                why = f"the codec {self.name!r} gave something that can not be stored: {error}"
                raise unsupported(self.cls, why) from error

    def restore(self, version: int, state: Any) -> Any:
        """The instance; None if the state is of a version that `decode` does not take.

        Raises:
            CorruptError: `decode` failed, or made something else.
        """
        if version != self._version and not (self._wants_version and version < self._version):
            return None
        try:
            value = self._decode(state, version) if self._wants_version else self._decode(state)
        except Exception as error:
            msg = f"the codec {self.name!r} failed to decode: {type(error).__name__}: {error}"
            raise CorruptError(msg, codec=self.name, version=version) from error
        if type(value) is not self.cls:
            msg = f"the codec {self.name!r} decoded a {type(value).__name__}"
            raise CorruptError(msg, codec=self.name, version=version)
        return value


def _takes_version(decode: Callable[..., Any]) -> bool:
    """Whether `decode` needs two arguments, or has one named version."""
    try:
        parameters = inspect.signature(decode).parameters
    except (TypeError, ValueError):  # a class written in C
        return False
    needed = [p for p in parameters.values() if p.kind in _POSITIONAL and p.default is p.empty]
    return len(needed) == 2 or "version" in [*parameters][1:2]


def read_state(content: Any) -> CodecState:
    """The content of TAG_CODEC, checked as far as that goes without the codec.

    Raises:
        CorruptError: nothing is written like this.
    """
    name, version, state = items(content, 3, "a codec's state")
    if type(name) is not str or not name:
        corrupt(f"the state of a codec named {shown(name)}")
    if type(version) is not int or not 1 <= version < 1 << 31:
        corrupt(f"a codec's state of version {shown(version)}")
    return CodecState(name, version, state)
