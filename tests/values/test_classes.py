"""Classes: all that an instance holds comes back, and no code of its class is run for it."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import pydantic
import pytest

from casckpt.errors import UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values import Registry
from tests.strategies import exact
from tests.values.packing import pack, unpack

T = TypeVar("T")


def again(value: Any, *classes: type) -> Any:
    """What comes back where the value's class and these are registered."""
    registry = Registry()
    for cls in (type(value), *classes):
        registry.register(cls)
    back = unpack(registry, pack(registry, value))
    assert exact(back) == exact(value)
    return back


# --- no code is run --------------------------------------------------------------------------


def forbidden(*_: Any, **__: Any) -> None:
    pytest.fail("code of the class was run")


def test_a_dataclass_is_made_without_its_code() -> None:
    @dataclasses.dataclass
    class Watched:
        a: int

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)

    value = Watched(1)
    Watched.__init__ = Watched.__post_init__ = Watched.__setattr__ = forbidden  # type: ignore[assignment]
    Watched.__new__ = Watched.__setstate__ = Watched.__getstate__ = forbidden  # type: ignore[assignment]
    Watched.__reduce_ex__ = Watched.__eq__ = forbidden  # type: ignore[assignment]
    assert vars(again(value)) == {"a": 1}


def test_a_model_is_made_without_its_code() -> None:
    class Watched(pydantic.BaseModel):
        a: int
        _b: int = pydantic.PrivateAttr(default=2)

    value = Watched(a=1)
    for name in ("__init__", "__setattr__", "model_post_init", "model_construct", "__setstate__"):
        setattr(Watched, name, forbidden)
    assert again(value)._b == 2


def test_an_invalid_model_stays_what_it_is() -> None:
    class Strict(pydantic.BaseModel):
        a: int

    broken = Strict.model_construct(a="no int")  # type: ignore[arg-type]
    assert again(broken).a == "no int"


def test_descriptors_are_not_called() -> None:
    class Doubling:
        def __set_name__(self, _: type, name: str) -> None:
            self.name = f"_{name}"

        def __get__(self, value: Any, _: type | None = None) -> Any:
            return 7 if value is None else vars(value)[self.name]

        def __set__(self, value: Any, item: int) -> None:
            vars(value)[self.name] = item * 2

    @dataclasses.dataclass
    class Odd:
        a: int = Doubling()  # type: ignore[assignment]

    assert Odd(4).a == 8
    assert again(Odd(4)).a == 8


# --- what an instance holds ------------------------------------------------------------------


def test_fields_that_are_not_set_stay_so() -> None:
    @dataclasses.dataclass(slots=True)
    class Lazy:
        a: int
        b: int = dataclasses.field(init=False)

    assert not hasattr(again(Lazy(1)), "b")
    value = Lazy(1)
    del value.a
    assert not hasattr(again(value), "a")


def test_a_deleted_field_of_a_model() -> None:
    class Model(pydantic.BaseModel):
        a: int = 1
        b: int = 2
        _p: int = 3

    value = Model()
    del value.a
    del value._p
    back = again(value)
    assert "a" not in vars(back)
    with pytest.raises(AttributeError):
        _ = back._p


def test_fields_set_of_a_model() -> None:
    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")
        a: int = 1
        b: int = 2

    for value in (Model(), Model(a=1), Model(a=1, b=2), Model(x=1), Model(a=1, b=2, x=1)):
        assert again(value).model_fields_set == value.model_fields_set
    odd = Model.model_construct(_fields_set={"elsewhere"}, a=1, b=2)
    assert again(odd).model_fields_set == {"elsewhere"}
    grown = Model(a=1, b=2)
    grown.x = 1  # type: ignore[attr-defined]
    del grown.x  # type: ignore[attr-defined]
    assert again(grown).model_dump(exclude_unset=True) == grown.model_dump(exclude_unset=True)


def test_slots_and_a_dict_together() -> None:
    class Base:
        __slots__ = ("s",)

    @dataclasses.dataclass
    class Both(Base):
        a: int

    value = Both(1)
    value.s = [2]  # type: ignore[attr-defined]
    value.free = 3  # type: ignore[attr-defined]
    back = again(value)
    assert (back.a, back.s, back.free) == (1, [2], 3)


def test_an_attribute_behind_a_slot_is_refused() -> None:
    class Base:
        __slots__ = ("s",)

    @dataclasses.dataclass
    class Both(Base):
        a: int

    value = Both(1)
    vars(value)["s"] = 2
    refused(value, "attribute 's' is out of reach")


def test_private_slots_are_mangled_only_once() -> None:
    @dataclasses.dataclass
    class Hidden:
        __slots__ = ("__x", "a")
        a: int

        def __post_init__(self) -> None:
            self.__x = self.a + 1

        def x(self) -> int:
            return self.__x

    assert again(Hidden(1)).x() == 2


def test_what_is_derived_is_left_out() -> None:
    @dataclasses.dataclass
    class Cached(Generic[T]):
        a: T

        @functools.cached_property
        def double(self) -> Any:
            return [self.a, self.a]

    plain, used = Cached(1), Cached[int](1)
    assert used.double == [1, 1]
    registry = Registry()
    assert registry.reduce(plain) == registry.reduce(used)
    assert again(used).double == [1, 1]


@pytest.mark.parametrize("slots", [True, False])
def test_a_hash_that_attrs_keeps_is_computed_anew(slots: bool) -> None:
    @attrs.define(frozen=True, cache_hash=True, slots=slots)
    class Key:
        name: str

    value = Key("x")
    hash(value)
    back = again(value)
    assert back._attrs_cached_hash is None, "it is another number in another process"
    assert hash(back) == hash(value)


def test_values_are_carried_not_copied() -> None:
    @dataclasses.dataclass
    class Holder:
        a: Any

    inner = [1]
    registry = Registry()
    registry.register(Holder)
    content = registry.reduce(Holder(inner)).content
    assert content[2]["a"] is inner
    assert registry.restore(c.TAG_OBJECT, content).a is inner


def test_reduce_does_not_hand_out_the_instance() -> None:
    """The content is a snapshot: changing it does not change the value."""

    @dataclasses.dataclass
    class Holder:
        a: Any

    value = Holder(1)
    Registry().reduce(value).content[2]["a"] = 2
    assert value.a == 1


class Point(NamedTuple):
    a: Any
    b: Any


# --- what cannot be stored -------------------------------------------------------------------


def refused(value: Any, match: str) -> None:
    with pytest.raises(UnsupportedValueError, match=match) as caught:
        Registry().reduce(value)
    assert caught.value.details["type"]


def test_a_state_that_the_fields_do_not_show_is_refused() -> None:
    @dataclasses.dataclass
    class Mapped(dict[str, int]):
        a: int = 1

    @dataclasses.dataclass
    class Broken(Exception):
        a: int = 1

    @attrs.define
    class Text(str):  # noqa: SLOT000 - attrs makes them
        a: int = 1

    refused(Mapped(), "Mapped is a subclass of dict")
    refused(Broken(), "Broken is a subclass of")
    refused(Text(), "Text is a subclass of str")


def test_an_attribute_in_place_of_a_method_is_refused() -> None:
    @dataclasses.dataclass
    class Patched:
        a: int

        def run(self) -> int:
            return self.a

    value = Patched(1)
    value.run = "text"  # type: ignore[assignment]
    refused(value, "'run' hides something that .*Patched defines")


def test_odd_attributes_are_refused() -> None:
    @dataclasses.dataclass
    class Open:
        a: int

    value = Open(1)
    vars(value)[2] = 3  # type: ignore[index]
    refused(value, "attribute 2")

    class Extra(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

    class Name(str):
        __slots__ = ()

    refused(Extra.model_construct(**{Name("x"): 1}), "no plain str")
    refused(Extra.__new__(Extra), "half made")


def test_odd_tuples_are_refused() -> None:
    refused(tuple.__new__(Point, (1,)), "of 1 items")

    class NoNames(tuple[int, ...]):
        __slots__ = ()
        _fields = ("a", "a")

    refused(NoNames([1, 2]), "subclass of tuple")


def test_a_member_that_its_enum_does_not_list_is_refused() -> None:
    class Open(enum.Enum):
        A = "a"

        @classmethod
        def _missing_(cls, value: object) -> Any:
            made = object.__new__(cls)
            made._name_, made._value_ = "OTHER", value
            return made

    refused(Open("z"), "does not list the member 'OTHER'")


def test_collections_with_attributes_are_refused() -> None:
    counter = collections.Counter("a")
    counter.note = 1  # type: ignore[attr-defined]
    refused(counter, "Counter with attributes of its own")
    refused(collections.defaultdict(lambda: 1), "factory")
