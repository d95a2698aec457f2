"""Classes that changed since a value was saved: the instance, if it can hold just that, or a
Record, and what was stored stays as it is.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import enum
from collections import namedtuple
from typing import Any, NamedTuple

import attrs
import pydantic
import pytest

from casckpt.format import constants as c
from casckpt.values import Record, Registry
from tests.strategies import exact
from tests.values.packing import pack, unpack


class Point(NamedTuple):
    a: Any
    b: Any


def forbidden(*_: Any) -> None:
    pytest.fail("code of the class was run")


def changed(value: Any, old: type, new: type) -> Any:
    """What comes back where the class was changed since it was saved."""
    saved = Registry()
    saved.register(old, name="it")
    packed = pack(saved, value)
    registry = Registry()
    registry.register(new, name="it")
    back = unpack(registry, packed)
    assert exact(pack(registry, back)) == exact(packed)
    return back


def test_a_field_with_a_plain_default_may_be_added() -> None:
    @dataclasses.dataclass
    class Old:
        a: int

    @dataclasses.dataclass
    class New:
        a: int
        b: int = 5

    back = changed(Old(1), Old, New)
    assert type(back) is New
    assert back == New(1, 5)


def test_any_other_change_of_fields_gives_a_record() -> None:
    @dataclasses.dataclass
    class Old:
        a: int
        b: int = 2

    @dataclasses.dataclass
    class Fewer:
        a: int

    @dataclasses.dataclass
    class Swapped:
        b: int
        a: int

    @dataclasses.dataclass
    class More:
        a: int
        b: int
        c: list[int] = dataclasses.field(default_factory=list)

    @dataclasses.dataclass(slots=True)
    class Slots:
        a: int
        b: int
        c: int = 1

    class Model(pydantic.BaseModel):
        a: int
        b: int

    @attrs.define
    class Attrs:
        a: int
        b: int

    @dataclasses.dataclass
    class Method:
        a: int

        def b(self) -> None:
            """Not to be hidden by a value."""

    @dataclasses.dataclass
    class Abstract(abc.ABC):
        a: int
        b: int

        @abc.abstractmethod
        def c(self) -> None: ...

    for new in (Swapped, More, Slots, Model, Attrs, Method, Abstract, Point):
        back = changed(Old(1), Old, new)
        assert isinstance(back, Record), new
        assert dict(back) == {"a": 1, "b": 2}
    # What is no field any more is an attribute; it would be written as one.
    assert isinstance(changed(Old(1), Old, Fewer), Record)


def test_models_and_tuples_that_change_give_records() -> None:
    class Old(pydantic.BaseModel):
        a: int

    class New(pydantic.BaseModel):
        a: int
        b: int = 1

    class Private(pydantic.BaseModel):
        a: int
        _p: int = pydantic.PrivateAttr(default=1)

    class Abstract(Old, abc.ABC):
        @abc.abstractmethod
        def b(self) -> None: ...

    for new in (New, Private, Abstract):
        assert isinstance(changed(Old(a=1), Old, new), Record)
    assert New(**changed(Old(a=1), Old, New)) == New(a=1)

    Longer = namedtuple("Longer", "x y z", defaults=[0])  # noqa: PYI024
    assert isinstance(changed(Point(1, 2), Point, Longer), Record)


def test_enums_that_change_give_records() -> None:
    class Old(enum.Enum):
        A = 1
        B = 2

    class New(enum.Enum):
        A = 1.0
        C = 2

    class Renamed(enum.Enum):
        C = 1
        A = 1  # noqa: PIE796 - an alias now

    for new in (New, Renamed):
        assert isinstance(changed(Old.A, Old, new), Record)
    record = changed(Old.B, Old, New)
    assert dict(record) == {"name": "B", "value": 2}
    assert record.flavour == "enum"


def test_the_value_of_a_member_may_be_anything() -> None:
    deep: Any = [1.0]
    for _ in range(250):
        deep = {"a": (deep,)} if type(deep) is list else [deep]
    values = [
        deep,
        [1, 2],
        {1, (2.0, "x")},
        b"x",
        {"b": 1, "a": 2},
        frozenset({None}),
        -0.0,
        3 + 0j,
    ]
    others = [[deep], [1], {1, (2, "x")}, "x", {"a": 2, "b": 1}, frozenset({0}), 0.0, 3.0]
    for value, other in zip(values, others, strict=True):
        registry = Registry()
        cls: Any = enum.Enum("Any", {"A": value})  # type: ignore[misc]
        registry.register(cls, name="e")
        assert registry.restore(c.TAG_ENUM, ["e", "A", copy.deepcopy(value)]) is cls.A
        assert isinstance(registry.restore(c.TAG_ENUM, ["e", "A", other]), Record)


def test_a_flag_without_the_bits_gives_a_record() -> None:
    class Old(enum.Flag):
        A = 1
        B = 2

    class New(enum.Flag):
        A = 1

    assert isinstance(changed(Old.A | Old.B, Old, New), Record)
    assert changed(Old.A, Old, New) is New.A


def test_a_combination_is_one_of_a_flag() -> None:
    class Number(enum.IntEnum):
        A = 1

    class Fitting(enum.IntFlag, boundary=enum.CONFORM):
        A = 1
        B = 4

    class Ejecting(enum.IntFlag, boundary=enum.EJECT):
        A = 1

    for cls, value in ((Number, 1), (Number, 99), (Fitting, 9), (Fitting, 1), (Ejecting, 8)):
        registry = Registry()
        registry.register(cls, name="e")
        assert isinstance(registry.restore(c.TAG_ENUM, ["e", None, value]), Record)
    registry.register(Fitting, name="f")
    assert registry.restore(c.TAG_ENUM, ["f", None, 5]) is Fitting.A | Fitting.B


def test_the_missing_hook_of_an_enum_is_not_called() -> None:
    class Watched(enum.Flag):
        A = 1
        B = 2
        _missing_ = classmethod(forbidden)

    registry = Registry()
    registry.register(Watched, name="w")
    assert registry.restore(c.TAG_ENUM, ["w", None, 3]).value == 3
    assert isinstance(registry.restore(c.TAG_ENUM, ["w", None, 8]), Record)
