"""Where the instances of a class keep what they hold: in slots, in a dict, or in both.

An instance is taken apart into its declared fields, its other attributes and the names of
the fields that are not set, and put together again without `__init__` and without any other
code of its class.

What is left out, because it is derived and would differ between equal instances: the values
of `functools.cached_property`, the hash that attrs keeps, and the note of the arguments of a
generic (`__orig_class__`).

Invariants: what is put together comes apart into the same parts, or the class can not hold
them today (it has changed, say) and there is no instance. Values are carried, never copied.

Imports: errors, values (naming, tagged).
"""

from __future__ import annotations

from functools import cached_property
from types import BuiltinFunctionType, MemberDescriptorType
from typing import Any, NamedTuple

from casckpt.errors import UnsupportedValueError
from casckpt.values.naming import class_attribute
from casckpt.values.tagged import unsupported

__all__ = ["Layout", "Parts"]

_ABSTRACT = 1 << 20
"""CPython's flag of classes that still have abstract methods."""
_ATTRS_HASH = "_attrs_cached_hash"
_NAMES_MAX = 256
"""Names of attributes remembered for a class."""


class Parts(NamedTuple):
    """What an instance holds."""

    fields: dict[str, Any]
    """Declared fields that are set, in the order of the declaration."""
    attributes: dict[str, Any]
    """All else: slots first, then the instance's dict in its order."""
    unset: list[str]
    """Declared fields that are neither set nor found on the class, sorted."""

    def holds_the_same(self, other: Parts) -> bool:
        """Whether the other has the very same values under the same names in the same order."""
        return self.unset == other.unset and all(
            (*mine,) == (*theirs,) and all(mine[name] is theirs[name] for name in mine)
            for mine, theirs in zip(self[:2], other[:2], strict=True)
        )


class Layout:
    """Takes instances of one class apart, and puts them together."""

    def __init__(self, cls: type, declared: tuple[str, ...], core: type = object) -> None:
        """Look at a class once; `core` is the built-in base that the caller looks after.

        Raises:
            UnsupportedValueError: it inherits a state of its own from another class written
                in C (a dict, an exception), which its fields do not show.
        """
        self.cls = cls
        self.declared = declared
        self._slots: dict[str, MemberDescriptorType] = {}
        self._derived = {"__orig_class__", _ATTRS_HASH}
        for base in cls.__mro__:
            if base is object or base is core:
                continue
            for name, member in vars(base).items():
                if name == "__new__" and type(member) is BuiltinFunctionType:
                    why = (
                        f"{cls.__qualname__} is a subclass of {base.__qualname__}, whose content "
                        "its fields do not show; register it with encode and decode"
                    )
                    raise unsupported(cls, why)
                if type(member) is MemberDescriptorType and not name.startswith("__pydantic_"):
                    self._slots.setdefault(member.__name__, member)
                elif isinstance(member, cached_property):
                    self._derived.add(name)
        self._has_dict = cls.__dictoffset__ != 0
        self._hash_slot = self._slots.pop(_ATTRS_HASH, None)
        self._all_in_dict = self._has_dict and not self._slots
        self._all_in_slots = not self._has_dict and self._slots.keys() == {*declared}
        self._in_order = [(name, self._slots[name]) for name in declared if self._all_in_slots]
        self._is_abstract = bool(cls.__flags__ & _ABSTRACT)
        self._code_names: dict[str, bool] = {}
        code = getattr(class_attribute(cls, "__hash__"), "__code__", None)
        keeps_hash = _ATTRS_HASH in getattr(code, "co_names", ())
        self._hash_in_dict = keeps_hash and self._hash_slot is None and self._has_dict

    def gather(self, value: Any) -> Parts:
        """Take an instance apart.

        Raises:
            UnsupportedValueError: it has an attribute that could not be restored.
        """
        if self._all_in_dict:
            held: dict[str, Any] = object.__getattribute__(value, "__dict__")
            if (*held,) == self.declared:
                return Parts(held.copy(), {}, [])
        elif self._all_in_slots:
            try:
                return Parts({name: slot.__get__(value) for name, slot in self._in_order}, {}, [])
            except AttributeError:
                pass  # one is not set
        return self._gather_all(value)

    def _gather_all(self, value: Any) -> Parts:
        held: dict[str, Any] = {}
        for name, slot in self._slots.items():
            try:
                held[name] = slot.__get__(value)
            except AttributeError:
                continue
        if self._has_dict:
            for name, item in object.__getattribute__(value, "__dict__").items():
                if type(name) is not str or name in self._slots:
                    raise unsupported(self.cls, f"the attribute {name!r} is out of reach")
                held[name] = item
        fields = {name: held.pop(name) for name in self.declared if name in held}
        unset = [n for n in self.declared if n not in fields and not self._is_on_class(n)]
        attributes = {name: item for name, item in held.items() if name not in self._derived}
        for name in attributes:
            if self._is_code(name):
                why = f"the attribute {name!r} hides something that {self.cls.__qualname__} defines"
                raise unsupported(self.cls, why)
        return Parts(fields, attributes, sorted(unset))

    def _is_on_class(self, name: str) -> bool:
        """Whether a field that is not set is found on the class all the same."""
        return name not in self._slots and any(name in vars(base) for base in self.cls.__mro__)

    def _is_code(self, name: str) -> bool:
        """Whether the class has a method or property of this name.

        An attribute in its place would change what the instance does.
        """
        known = self._code_names.get(name)
        if known is None:
            member = class_attribute(self.cls, name)
            is_code = member is not None and hasattr(type(member), "__get__")
            known = is_code and name not in self._slots
            if len(self._code_names) < _NAMES_MAX:  # they may come from a store
                self._code_names[name] = known
        return known

    def make(self) -> Any:
        """An instance that holds nothing yet; None if the class has none, being abstract."""
        if self._is_abstract:
            return None
        value: Any = object.__new__(self.cls)
        if self._hash_slot is not None:
            self._hash_slot.__set__(value, None)
        elif self._hash_in_dict:
            object.__getattribute__(value, "__dict__")[_ATTRS_HASH] = None
        return value

    def fill(self, value: Any, parts: Parts) -> bool:
        """Give a new instance what it held; False if its class can not hold just that.

        Nothing of the class is called, neither `__setattr__` nor its descriptors.
        """
        fields, attributes, unset = parts
        plain = (*fields,) == self.declared and not attributes and not unset
        held = object.__getattribute__(value, "__dict__") if self._has_dict else None
        if self._all_in_dict and held is not None:
            held.update(fields)
            held.update(attributes)
        elif self._all_in_slots and plain:
            for name, slot in self._in_order:
                slot.__set__(value, fields[name])
        else:
            for name, item in (*fields.items(), *attributes.items()):
                if name in self._slots:
                    self._slots[name].__set__(value, item)
                elif held is not None:
                    held[name] = item
                else:
                    return False
        if plain:
            return True
        try:
            return parts.holds_the_same(self.gather(value))
        except UnsupportedValueError:
            return False
