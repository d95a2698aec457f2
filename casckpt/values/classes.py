"""Classes that are stored structurally: dataclasses, attrs classes, pydantic models, named
tuples. Those with hooks of their own, flavour "object", are in values/hooks.py.

An instance is written as [flavour, type name, fields], or [flavour, type name, fields, more]
where `more` has, in this order and only if there is something in it:

- "unset": fields, and private attributes with a default, that the instance has not;
- "attributes": what it holds besides;
- "extra", "private": pydantic's two dicts, where they are not None;
- "fields_set": pydantic's set, where it is not all fields and extras.

Invariants: an instance is made without running code of its class (no `__init__`, no
validators, no `__setattr__`). `restore` gives an instance only if it would be written the
same way again.

Imports: format.constants, values (naming, layout, tagged).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from casckpt.format import constants as c
from casckpt.values.layout import Layout, Parts
from casckpt.values.naming import class_attribute
from casckpt.values.tagged import Tagged, corrupt, shown, unsupported

__all__ = ["ClassPlan", "Instance", "flavour_of", "plan_class", "read_instance"]

_MORE: dict[str, dict[str, type]] = {
    "dataclass": {"unset": list, "attributes": dict},
    "attrs": {"unset": list, "attributes": dict},
    "namedtuple": {"attributes": dict},
    "object": {},
    "pydantic": {
        "unset": list,
        "attributes": dict,
        "extra": dict,
        "private": dict,
        "fields_set": list,
    },
}
"""What `more` may hold, in order."""
_TEXT = frozenset((str,))


class Instance(NamedTuple):
    """The content of TAG_OBJECT, checked."""

    flavour: str
    type_name: str
    fields: dict[str, Any]
    more: dict[str, Any]


class ClassPlan:
    """How the instances of one class are written and made."""

    flavour = ""

    def __init__(self, cls: type, name: str) -> None:
        self.cls = cls
        self.name = name

    def reduce(self, value: Any) -> Tagged:
        """The tag and content of an instance."""
        raise NotImplementedError

    def restore(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        """The instance, or None if today's class can not hold just this."""
        raise NotImplementedError


class _AttributesPlan(ClassPlan):
    """Dataclasses and attrs classes: all they are is their attributes."""

    def __init__(self, cls: type, name: str, flavour: str, declared: tuple[str, ...]) -> None:
        super().__init__(cls, name)
        self.flavour = flavour
        self._layout = Layout(cls, declared)

    def reduce(self, value: Any) -> Tagged:
        fields, attributes, unset = self._layout.gather(value)
        if not attributes and not unset:
            return Tagged(c.TAG_OBJECT, [self.flavour, self.name, fields])
        more = _more(unset=unset, attributes=attributes)
        return Tagged(c.TAG_OBJECT, [self.flavour, self.name, fields, more])

    def restore(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        value = self._layout.make()
        parts = Parts(fields, more.get("attributes", {}), more.get("unset", []))
        return value if value is not None and self._layout.fill(value, parts) else None


class _TuplePlan(ClassPlan):
    """Named tuples; those with a dict may hold attributes besides."""

    flavour = "namedtuple"

    def __init__(self, cls: type, name: str) -> None:
        super().__init__(cls, name)
        self._names: tuple[str, ...] = class_attribute(cls, "_fields")
        self._layout = Layout(cls, (), core=tuple)
        self._is_bare = cls.__dictoffset__ == 0

    def reduce(self, value: Any) -> Tagged:
        if tuple.__len__(value) != len(self._names):
            why = f"a {self.cls.__qualname__} of {tuple.__len__(value)} items: its fields are "
            raise unsupported(self.cls, f"{why}{', '.join(self._names)}")
        fields = dict(zip(self._names, tuple.__iter__(value), strict=True))
        more = {} if self._is_bare else _more(attributes=self._layout.gather(value).attributes)
        content = [self.flavour, self.name, fields]
        return Tagged(c.TAG_OBJECT, [*content, more] if more else content)

    def restore(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        if (*fields,) != self._names:
            return None
        value: Any = tuple.__new__(self.cls, fields.values())
        if more and not self._layout.fill(value, Parts({}, more["attributes"], [])):
            return None
        return value


class _ModelPlan(ClassPlan):
    """Pydantic models: fields, and three things of pydantic's beside them."""

    flavour = "pydantic"

    def __init__(self, cls: Any, name: str) -> None:
        super().__init__(cls, name)
        known = class_attribute(cls, "__pydantic_fields__")
        fields = tuple(cls.model_fields if known is None else known)
        self._is_root = class_attribute(cls, "__pydantic_extra__") is None
        self._layout = Layout(cls, fields)
        # Private attributes with a default are there unless they were deleted.
        undefined = getattr(sys.modules.get("pydantic_core"), "PydanticUndefined", None)
        self._privates = {
            name
            for name, private in (class_attribute(cls, "__private_attributes__") or {}).items()
            if private.default is not undefined or private.default_factory is not None
        }

    def reduce(self, value: Any) -> Tagged:
        fields, attributes, unset = self._layout.gather(value)
        try:
            extra, private = value.__pydantic_extra__, value.__pydantic_private__
            given = value.__pydantic_fields_set__
        except AttributeError:
            raise unsupported(self.cls, f"a {self.cls.__qualname__} that is half made") from None
        if self._privates:
            unset = sorted({*unset, *(self._privates.difference(private or ()))})
        more = _more(unset=unset, attributes=attributes)
        if extra is not None:
            more["extra"] = self._named(extra)
        if private is not None:
            more["private"] = self._named(private)
        if given != ({*fields, *extra} if extra else fields.keys()):
            more["fields_set"] = sorted(self._named(dict.fromkeys(given)))
        content = [self.flavour, self.name, fields]
        return Tagged(c.TAG_OBJECT, [*content, more] if more else content)

    def _named(self, part: dict[Any, Any]) -> dict[str, Any]:
        for name in part:
            if type(name) is not str:
                raise unsupported(self.cls, f"a field named {name!r}, which is no plain str")
        return dict(part)

    def restore(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        value = self._layout.make()
        if value is None:
            return None
        extra, private = more.get("extra"), more.get("private")
        unset = own = more.get("unset", [])
        if self._privates:
            own = [name for name in unset if name not in self._privates]
            if self._privates.difference(private or ()) != {*unset}.difference(own):
                return None
        if not self._layout.fill(value, Parts(fields, more.get("attributes", {}), own)):
            return None
        given = set(more["fields_set"]) if "fields_set" in more else {*fields, *(extra or ())}
        object.__setattr__(value, "__pydantic_fields_set__", given)
        if self._is_root:  # has neither: both are None on the class
            return value if extra is None and private is None else None
        object.__setattr__(value, "__pydantic_extra__", None if extra is None else dict(extra))
        object.__setattr__(
            value, "__pydantic_private__", None if private is None else dict(private)
        )
        return value


def _more(**parts: Any) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part}


# --- which flavour a class has ---------------------------------------------------------------


def flavour_of(cls: type) -> str | None:
    """dataclass, attrs, pydantic or namedtuple; None for any other class."""
    model = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    if model is not None and model in cls.__mro__:
        return "pydantic"
    if class_attribute(cls, "__attrs_attrs__") is not None:
        return "attrs"
    if class_attribute(cls, "__dataclass_fields__") is not None:
        return "dataclass"
    names = class_attribute(cls, "_fields")
    if tuple in cls.__mro__ and type(names) is tuple and len(set(names)) == len(names):
        return "namedtuple" if all(type(name) is str for name in names) else None
    return None


def _plan_attrs(cls: type, name: str) -> ClassPlan:
    declared = tuple(attribute.name for attribute in class_attribute(cls, "__attrs_attrs__"))
    return _AttributesPlan(cls, name, "attrs", declared)


def _plan_dataclass(cls: type, name: str) -> ClassPlan:
    declared = tuple(field.name for field in dataclasses.fields(cls))
    return _AttributesPlan(cls, name, "dataclass", declared)


_PLANS: dict[str, Callable[[type, str], ClassPlan]] = {
    "pydantic": _ModelPlan,
    "attrs": _plan_attrs,
    "dataclass": _plan_dataclass,
    "namedtuple": _TuplePlan,
}


def plan_class(cls: type, name: str) -> ClassPlan | None:
    """The plan of a class stored under this name; None if it has none of the flavours.

    Raises:
        UnsupportedValueError: it has one, but holds more than its fields show.
    """
    flavour = flavour_of(cls)
    return None if flavour is None else _PLANS[flavour](cls, name)


# --- reading ---------------------------------------------------------------------------------


def read_instance(content: Any) -> Instance:
    """The content of TAG_OBJECT, checked as far as that goes without its class.

    Raises:
        CorruptError: no instance is written like this.
    """
    if type(content) is not list or len(content) not in (3, 4):
        corrupt("an instance that is not [flavour, type name, fields]")
    flavour, name, fields, *rest = content
    if type(flavour) is not str or flavour not in _MORE:
        corrupt(f"an instance of flavour {shown(flavour)}")
    if type(name) is not str or not name:
        corrupt(f"an instance of type {shown(name)}")
    _check_names(fields)
    if not rest:
        return Instance(flavour, name, fields, {})
    _check_more(flavour, fields, rest[0])
    return Instance(flavour, name, fields, rest[0])


def _check_names(fields: Any) -> None:
    if type(fields) is not dict or not _TEXT.issuperset(map(type, fields)):
        corrupt("an instance whose fields have no names")


def _check_more(flavour: str, fields: dict[str, Any], more: Any) -> None:
    if type(more) is not dict or not more:
        corrupt("an instance with something unreadable besides its fields")
    allowed = _MORE[flavour]
    if [name for name in allowed if name in more] != [*more]:
        corrupt("an instance with something unknown besides its fields")
    for name, part in more.items():
        if type(part) is not allowed[name] or (not part and name in ("unset", "attributes")):
            corrupt(f"an instance whose {name} is malformed")
    for name in ("unset", "fields_set"):
        names = more.get(name, [])
        if not _TEXT.issuperset(map(type, names)) or names != sorted({*names}):
            corrupt(f"an instance whose {name} is malformed")
    for name in ("attributes", "extra", "private"):
        _check_names(more.get(name, {}))
    if not fields.keys().isdisjoint({*more.get("unset", ()), *more.get("attributes", ())}):
        corrupt("an instance whose fields stand there twice")
    if "fields_set" in more and set(more["fields_set"]) == {*fields, *more.get("extra", ())}:
        corrupt("an instance whose fields_set goes without saying")
