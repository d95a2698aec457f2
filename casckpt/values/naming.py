"""Names of classes, and classes by name: without importing, and without running anything.

A class is named "module:qualname"; a generic pydantic model "module:qualname[arguments]",
where pydantic's own name leaves out the modules of the arguments.

Invariants: a name from a store finds only a class that is loaded already, in a module that
was allowed, and that says itself that it has this name. Looking it up calls no
`__getattr__`, of modules or of metaclasses.

Imports: values.tagged.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from casckpt.values.tagged import unsupported

__all__ = ["class_attribute", "find_class", "is_inside", "type_name"]


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
    if isinstance(argument, type) and type(argument).__module__ != "types":
        return argument.__name__ if argument.__module__ == "builtins" else type_name(argument)
    written = repr(argument)
    if " at 0x" in written:
        why = f"{cls.__name__} has no name that lasts; register it under one: register(cls, name=)"
        raise unsupported(cls, why)
    return written


def is_inside(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or lies in one of these packages."""
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def find_class(name: str, prefixes: tuple[str, ...]) -> type | None:
    """The loaded class of this name in an allowed module, or None."""
    module_name, _, qualname = name.partition(":")
    if not is_inside(module_name, prefixes):
        return None
    module = sys.modules.get(module_name)
    if not isinstance(module, ModuleType):
        return None
    plain, bracket, _ = qualname.partition("[")
    # Not module.__dict__: a lazy module would begin to load.
    found: Any = None
    members = object.__getattribute__(module, "__dict__")
    for part in plain.split("."):
        found = members.get(part)
        if not issubclass(type(found), type):
            return None
        members = type.__getattribute__(found, "__dict__")
    if members.get("__module__") != module_name or found.__qualname__ != plain:
        return None
    return _with_arguments(found, name) if bracket else found


def _with_arguments(origin: type, name: str) -> type | None:
    """The generic model of this name, if the program has made it already."""
    cls: type
    for cls in type.__subclasses__(origin):
        if _generic(cls) is not None and type_name(cls) == name:
            return cls
    return None
