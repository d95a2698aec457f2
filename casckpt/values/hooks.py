"""Objects that say themselves what they are made of, by methods of their class.

Two pairs are known: `__snapshot__` and `__restore__`, casckpt's own (`Snapshotable`), and a
`__getstate__` that the class itself defines, with a `__setstate__`. What the first gives, a dict
from names to values, is stored as the fields of an instance (TAG_OBJECT), so that it is shared,
opened and compared like those of a dataclass.

Invariants: a class with a flavour (dataclass, pydantic, ...) is stored by that unless it has
`__snapshot__`; methods of a class are called on restoring only if the program named that very
class, never because its module is allowed.

Imports: errors, format.constants, values (classes, naming, tagged).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, Self, runtime_checkable

from casckpt.errors import CorruptError, InvalidInputError
from casckpt.format import constants as c
from casckpt.values.classes import ClassPlan
from casckpt.values.naming import class_attribute
from casckpt.values.tagged import Tagged, unsupported

__all__ = ["HookPlan", "Snapshotable", "plan_snapshot", "plan_state", "rebuild"]

_HEAP_TYPE: Final = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: made by a class statement."""


@runtime_checkable
class Snapshotable(Protocol):
    """A class whose instances can be stored: it gives their state, and makes one of it."""

    def __snapshot__(self) -> dict[str, Any]:
        """What it is made of: names, and any values that can be stored."""

    @classmethod
    def __restore__(cls, state: dict[str, Any]) -> Self:
        """An instance, of what `__snapshot__` gave."""


class HookPlan(ClassPlan):
    """How the instances of a class with hooks are written and made."""

    flavour = "object"

    def __init__(
        self,
        cls: type,
        name: str,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
    ) -> None:
        super().__init__(cls, name)
        self._encode = encode
        self._decode = decode

    def reduce(self, value: Any) -> Tagged:
        """The tag and content of an instance.

        Raises:
            UnsupportedValueError: the hook failed, or gave no dict from names to values.
        """
        try:
            state = self._encode(value)
        except Exception as error:
            why = f"{self.name} failed to give its state: {type(error).__name__}: {error}"
            raise unsupported(self.cls, why) from error
        if type(state) is not dict or not all(type(name) is str for name in state):
            why = f"the state that {self.name} gives is no dict from names (str) to values"
            raise unsupported(self.cls, why)
        return Tagged(c.TAG_OBJECT, [self.flavour, self.name, state])

    def restore(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        """The instance.

        Raises:
            CorruptError: the hook failed, or made something else.
        """
        del more  # this flavour has none
        try:
            value = self._decode(fields)
        except Exception as error:
            msg = f"{self.name} failed to take its state: {type(error).__name__}: {error}"
            raise CorruptError(msg, type=self.name) from error
        if type(value) is not self.cls:
            raise CorruptError(f"{self.name} restored a {type(value).__name__}", type=self.name)
        return value


def plan_snapshot(cls: type, name: str) -> HookPlan | None:
    """The plan of a class with `__snapshot__` and `__restore__`; None: it has none of them.

    Raises:
        UnsupportedValueError: it has one without the other.
    """
    has = [class_attribute(cls, hook) is not None for hook in ("__snapshot__", "__restore__")]
    if not any(has):
        return None
    if not all(has):
        why = f"{cls.__qualname__} has only one of __snapshot__ and __restore__: give it both"
        raise unsupported(cls, why)
    made: Any = cls
    return HookPlan(cls, name, made.__snapshot__, made.__restore__)


def plan_state(cls: type, name: str) -> HookPlan | None:
    """The plan of a class with a `__getstate__` of its own and a `__setstate__`; or None."""
    # An inherited __getstate__ need not know of what this class adds.
    if "__getstate__" not in vars(cls) or "__setstate__" not in _defined(cls):
        return None
    if not all(base is object or base.__flags__ & _HEAP_TYPE for base in cls.__mro__):
        return None  # it inherits content from a class made in C, of which its hooks may not tell
    made: Any = cls

    def decode(state: Any) -> Any:
        value = object.__new__(made)
        made.__setstate__(value, state)
        return value

    return HookPlan(cls, name, made.__getstate__, decode)


def _defined(cls: type) -> set[str]:
    """The names that a class and its bases define, but for `object`."""
    return {name for base in cls.__mro__ if base is not object for name in vars(base)}


def rebuild(cls: type, value: Any) -> Any:
    """An instance of a class, of what was stored as something else: a plain dict, a record.

    Raises:
        InvalidInputError: it cannot be made of that.
    """
    if type(value) is cls:
        return value
    made: Any = cls
    try:
        if class_attribute(cls, "__restore__") is not None:
            return made.__restore__(value)
        if class_attribute(cls, "__pydantic_fields__") is not None:
            return made.model_validate(dict(value))
        if class_attribute(cls, "__setstate__") is not None and "__setstate__" in _defined(cls):
            instance = object.__new__(made)
            made.__setstate__(instance, value)
            return instance
        return made(**value)
    except Exception as error:
        raise InvalidInputError(
            f"no {cls.__qualname__} can be made of the {type(value).__name__} that is stored "
            f"there: {type(error).__name__}: {error}"
        ) from error
