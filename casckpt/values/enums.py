"""Enums, flags and their combinations: [type name, member name, value].

The name is None for a combination of flags that has none of its own. The value is there for
readers who do not know the class; a member comes back by its name, a combination by its value.

Invariants: a member is found without calling the class; what a member holds besides its
value is its class's affair and is not stored.

Imports: errors, format.constants, values (exactly, naming, tagged).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from casckpt.errors import UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values.exactly import identical
from casckpt.values.naming import class_attribute
from casckpt.values.tagged import Tagged, corrupt, items, shown, unsupported

__all__ = ["EnumPlan", "Member", "read_member"]

_make_combination: Callable[[Any, int], Any] = vars(enum.Flag)["_missing_"].__func__
"""The standard library's own; a class may have overridden it."""


class Member(NamedTuple):
    """The content of TAG_ENUM, checked."""

    type_name: str
    name: str | None
    value: Any


class EnumPlan:
    """How the members of one enum are written and found."""

    flavour = "enum"

    def __init__(self, cls: type, name: str, reduce: Callable[[Any], Tagged]) -> None:
        """`reduce` is the registry's, to compare values that are not native."""
        self.cls = cls
        self.name = name
        self._reduce = reduce
        self._members: dict[str, Any] = class_attribute(cls, "_member_map_")
        self._is_flag = issubclass(cls, enum.Flag)

    def reduce(self, member: Any) -> Tagged:
        """The tag and content of a member."""
        name, value = member._name_, member._value_
        if self._members.get(name) is not member:
            if not self._is_flag or type(value) is not int:
                why = f"{self.cls.__qualname__} does not list the member {name!r}"
                raise unsupported(self.cls, why)
            name = None
        return Tagged(c.TAG_ENUM, [self.name, name, value])

    def restore(self, name: str | None, value: Any) -> Any:
        """The member, or None if today's class has none of this name and value."""
        if name is None:
            return self._combination(value)
        member = self._members.get(name)
        if member is None or member._name_ != name:
            return None
        try:
            return member if identical(member._value_, value, self._reduce) else None
        except UnsupportedValueError:
            return None

    def _combination(self, value: Any) -> Any:
        if not self._is_flag:
            return None
        found: Any = class_attribute(self.cls, "_value2member_map_").get(value)
        if found is None:
            try:
                found = _make_combination(self.cls, value)
            except ValueError:  # bits that the class does not know
                return None
        if type(found) is not self.cls or vars(found)["_value_"] != value:
            return None
        return None if self._members.get(vars(found)["_name_"]) is found else found


def read_member(content: Any) -> Member:
    """The content of TAG_ENUM, checked as far as that goes without its class.

    Raises:
        CorruptError: no member is written like this.
    """
    type_name, name, value = items(content, 3, "a member of an enum")
    if type(type_name) is not str or not type_name:
        corrupt(f"a member of the enum {shown(type_name)}")
    if (name is not None and type(name) is not str) or (name is None and type(value) is not int):
        corrupt(f"a member of an enum named {shown(name)}")
    return Member(type_name, name, value)
