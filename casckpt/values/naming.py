"""Names of classes, and classes by name: without importing, and without running anything.

A class is named "module:qualname"; a generic pydantic model "module:qualname[arguments]",
where pydantic's own name leaves out the modules of the arguments.

Invariants: a name from a store finds only a class that is loaded already, in a module that
was allowed, and that says itself that it has this name. Looking it up calls no
`__getattr__`, of modules or of metaclasses.

Imports: errors, values.tagged.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

from casckpt.errors import UnsupportedValueError
from casckpt.values.tagged import unsupported

__all__ = ["Shelf", "class_attribute", "type_name"]


def class_attribute(cls: type, name: str) -> Any:
    """An attribute of a class or its bases as it stands there; None if there is none."""
    for base in type.mro(cls) if cls is type else cls.__mro__:
        members = type.__getattribute__(base, "__dict__")
        if name in members:
            return members[name]
    return None


def _generic(cls: type) -> dict[str, Any] | None:
    """What pydantic notes of a generic model with arguments."""
    note = type.__getattribute__(cls, "__dict__").get("__pydantic_generic_metadata__")
    return note if type(note) is dict and note.get("origin") is not None else None


def type_name(cls: type) -> str:
    """The name that a class is stored under unless it was registered under another.

    Raises:
        UnsupportedValueError: an argument of a generic model has no name of its own.
    """
    note = _generic(cls)
    if note is None:
        return f"{cls.__module__}:{cls.__qualname__}"
    arguments = ", ".join(_argument(cls, argument) for argument in note["args"])
    return f"{type_name(note['origin'])}[{arguments}]"


def _argument(cls: type, argument: Any) -> str:
    if isinstance(argument, type):
        return argument.__name__ if argument.__module__ == "builtins" else type_name(argument)
    written = repr(argument)
    if " at 0x" in written:
        why = f"{cls.__name__} has no name that lasts; register it under one: register(cls, name=)"
        raise unsupported(cls, why)
    return written


class Shelf:
    """The loaded classes of allowed modules, by name."""

    def __init__(self, prefixes: tuple[str, ...] = ()) -> None:
        """Allow the modules of these names, and all that lie in packages of these names."""
        self.prefixes = prefixes
        self._found: dict[str, _Found] = {}

    def find(self, name: str) -> type | None:
        """The class of this name; None if it is not allowed, not loaded, or no class."""
        if not self.prefixes:
            return None
        known = self._found.get(name)
        if known is None or not known.is_still_there():
            known = self._look_up(name)
            if known is None:
                return None
            self._found[name] = known
        return known.cls

    def _look_up(self, name: str) -> _Found | None:
        module_name, _, qualname = name.partition(":")
        if not any(module_name == p or module_name.startswith(f"{p}.") for p in self.prefixes):
            return None
        module = sys.modules.get(module_name)
        if not issubclass(type(module), ModuleType):
            return None
        plain, bracket, _ = qualname.partition("[")
        parts = plain.split(".")
        # Not module.__dict__: a lazy module would begin to load.
        members = top = object.__getattribute__(module, "__dict__")
        cls: Any = None
        for part in parts:
            cls = members.get(part)
            if not issubclass(type(cls), type):
                return None
            members = type.__getattribute__(cls, "__dict__")
        if members.get("__module__") != module_name or _qualname(cls) != plain:
            return None
        found = _with_arguments(cls, name) if bracket else cls
        if found is None:
            return None
        return _Found(module_name, module, top, parts[0], top[parts[0]], found)


class _Found(NamedTuple):
    """Where a class was found."""

    module_name: str
    module: Any
    members: dict[str, Any]
    part: str
    """The name in the module that leads to the class."""
    member: Any
    cls: type

    def is_still_there(self) -> bool:
        """Whether neither the module nor the class was replaced, by a reload for example."""
        is_loaded = sys.modules.get(self.module_name) is self.module
        return is_loaded and self.members.get(self.part) is self.member


def _qualname(cls: type) -> Any:
    return type.__dict__["__qualname__"].__get__(cls)


def _with_arguments(origin: type, name: str) -> type | None:
    """The generic model of this name, if the program has made it already."""
    cls: type
    for cls in type.__subclasses__(origin):
        try:
            if _generic(cls) is not None and type_name(cls) == name:
                return cls
        except UnsupportedValueError:
            continue  # a sibling without a name
    return None
