"""Why a value cannot be stored, and what to do about it.

Invariant: every message names the type, and a way out.

Imports: values.tagged.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Awaitable

from casckpt.values.tagged import unsupported

__all__ = ["refusal"]

_BASES: tuple[tuple[type, str], ...] = (
    *((bool, "bool"), (int, "int"), (float, "float"), (complex, "complex"), (str, "str")),
    *((bytes, "bytes"), (bytearray, "bytearray"), (list, "list"), (tuple, "tuple")),
    *((dict, "dict"), (set, "set"), (frozenset, "frozenset"), (dt.datetime, "datetime")),
    *((dt.date, "date"), (dt.time, "time"), (dt.timedelta, "timedelta")),
)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.BuiltinMethodType,
)
_STREAMS = (types.GeneratorType, types.AsyncGeneratorType)


def refusal(cls: type) -> Exception:
    """The error for a value of a type that has no exact form."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    codec = f"register({cls.__qualname__}, encode=..., decode=...)"
    if issubclass(cls, type) or cls.__module__ == "typing" or cls is types.GenericAlias:
        return unsupported(cls, "a class is code, not state: store its name instead")
    if issubclass(cls, (*_FUNCTIONS, types.ModuleType)):
        return unsupported(cls, f"a {cls.__name__} is code, not state: store its name instead")
    if issubclass(cls, Awaitable):
        return unsupported(
            cls, f"a {cls.__name__} is not there yet: await it, and store what it gives"
        )
    if issubclass(cls, _STREAMS) or cls.__name__.endswith("iterator"):
        return unsupported(cls, f"a {cls.__name__} can be read only once: store list(...) of it")
    if issubclass(cls, BaseException):
        why = f"an exception ({name}) does not show all it holds: store str(error), or {codec}"
        return unsupported(cls, why)
    if issubclass(cls, dt.tzinfo):
        why = f"{name} is a time zone of its own kind: use zoneinfo.ZoneInfo, or {codec}"
        return unsupported(cls, why)
    if cls.__module__.startswith("casckpt.tree."):
        word = "draft" if cls.__name__.endswith("Draft") else "view"
        return unsupported(cls, f"a {word} stands for what is stored: save its load()")
    for base, word in _BASES:
        if issubclass(cls, base):
            why = f"{name} is a subclass of {word} and would not come back as itself: {codec}"
            return unsupported(cls, f"{why}, or store {word}(...) of it")
    if cls.__module__.partition(".")[0] == "numpy":
        return unsupported(cls, f"{name} is not a plain numpy array or scalar: {codec}")
    why = f"{name} has no exact form that is known here: {codec}"
    return unsupported(cls, f"{why}, or give it __snapshot__ and __restore__")
