"""Registering and allowing classes, codecs, and what a store from a stranger can reach."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import sys
from types import ModuleType
from typing import Any, Generic, TypeVar

import numpy as np
import pydantic
import pytest

from casckpt.errors import CorruptError, InvalidInputError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values import Record, Registry
from casckpt.values import registry as registry_module
from tests import samples as s
from tests.values.packing import pack, unpack

T = TypeVar("T")


@dataclasses.dataclass
class Here:
    a: int

    @dataclasses.dataclass
    class Inner:
        b: int


class Slow:
    """No flavour at all."""

    def __init__(self, a: Any) -> None:
        self.a = a


def at(registry: Registry, name: str, fields: Any, flavour: str = "dataclass") -> Any:
    return registry.restore(c.TAG_OBJECT, [flavour, name, fields])


# --- register --------------------------------------------------------------------------------


def test_a_local_class_works_when_registered() -> None:
    @dataclasses.dataclass
    class Local:
        a: int

    registry = Registry()
    name = f"{__name__}:test_a_local_class_works_when_registered.<locals>.Local"
    assert registry.reduce(Local(1)).content[1] == name
    assert isinstance(at(registry, name, {"a": 1}), Record)
    assert registry.register(Local) is Local
    assert at(registry, name, {"a": 1}) == Local(1)


def test_register_may_stand_above_a_class() -> None:
    registry = Registry()

    @registry.register
    @dataclasses.dataclass
    class Local:
        a: int

    assert unpack(registry, pack(registry, Local(1))) == Local(1)


def test_a_name_of_its_own() -> None:
    registry = Registry()
    registry.register(Here, name="here")
    assert registry.reduce(Here(1)).content == ["dataclass", "here", {"a": 1}]
    assert at(registry, "here", {"a": 1}) == Here(1)
    # What was stored under the old name would be written under the new one.
    assert isinstance(at(registry, f"{__name__}:Here", {"a": 1}), Record)
    registry.register(Here, name="there")
    assert registry.reduce(Here(1)).content[1] == "there"
    assert isinstance(at(registry, "here", {"a": 1}), Record)


def test_a_name_belongs_to_one_class() -> None:
    registry = Registry()
    registry.register(Here, name="n")
    with pytest.raises(InvalidInputError, match=r"'n' belongs to .*Here"):
        registry.register(Slow, name="n", encode=vars, decode=lambda v: Slow(**v))
    with pytest.raises(InvalidInputError, match="belongs to"):
        registry.register(s.Message, name="n")


def define() -> type:
    @dataclasses.dataclass
    class Cell:
        a: int

    return Cell


def test_a_class_defined_anew_takes_over() -> None:
    """A cell of a notebook, run twice."""
    first, second = define(), define()
    registry = Registry()
    registry.register(first)
    registry.register(second)
    content = registry.reduce(second(1)).content
    assert type(registry.restore(c.TAG_OBJECT, content)) is second
    with pytest.raises(UnsupportedValueError, match="another class is known as"):
        registry.reduce(first(1))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cls": Slow}, "needs a codec"),
        ({"cls": Slow, "encode": vars}, "both encode= and decode="),
        ({"cls": Slow, "decode": vars}, "both encode= and decode="),
        ({"cls": Slow(1)}, "takes a class"),
        ({"cls": int, "encode": int, "decode": int}, "int is stored already"),
        ({"cls": decimal.Decimal, "encode": int, "decode": int}, "Decimal is stored already"),
        ({"cls": np.ndarray, "encode": int, "decode": int}, "ndarray is stored already"),
        ({"cls": np.float64, "encode": int, "decode": int}, "float64 is stored already"),
        ({"cls": Record, "encode": int, "decode": int}, "Record is stored already"),
        ({"cls": Here, "name": ""}, "1 to"),
        ({"cls": Here, "name": "x" * 513}, "1 to"),
        ({"cls": Here, "name": 7}, "1 to"),
        ({"cls": Slow, "encode": vars, "decode": Slow, "version": 0}, "version"),
        ({"cls": Slow, "encode": vars, "decode": Slow, "version": True}, "version"),
        ({"cls": Slow, "encode": vars, "decode": Slow, "version": 1 << 31}, "version"),
    ],
)
def test_misuse_of_register(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        Registry().register(**arguments)


def test_generic_models_are_told_apart() -> None:
    """Both of these are Box[Item] to pydantic."""

    class Box(pydantic.BaseModel, Generic[T]):
        item: T

    def make(module: str) -> Any:
        return pydantic.create_model("Item", __module__=module, a=(int, ...))

    one, two = Box[make("one")], Box[make("two")]
    assert one.__qualname__ == two.__qualname__
    registry = Registry()
    names = {
        registry.reduce(cls(item={"a": 1})).content[1].rpartition("[")[2] for cls in (one, two)
    }
    assert names == {"one:Item]", "two:Item]"}


# --- allow -----------------------------------------------------------------------------------


def test_classes_of_an_allowed_module() -> None:
    registry = Registry()
    assert isinstance(at(registry, f"{__name__}:Here", {"a": 1}), Record)
    registry.allow(__name__.partition(".")[0] + ".")
    assert at(registry, f"{__name__}:Here", {"a": 1}) == Here(1)
    assert at(registry, f"{__name__}:Here.Inner", {"b": 1}) == Here.Inner(1)
    assert registry.restore(c.TAG_ENUM, ["tests.samples:Color", "RED", "red"]) is s.Color.RED
    model = at(registry, "tests.samples:Wrapped[int]", {"item": 1}, "pydantic")
    assert type(model) is s.Wrapped[int]
    assert isinstance(at(registry, "tests.samples:Wrapped[str]", {"item": 1}, "pydantic"), Record)


@pytest.mark.parametrize("prefix", ["", ".", "a..b", "a b", "os;x", "1a"])
def test_misuse_of_allow(prefix: str) -> None:
    with pytest.raises(InvalidInputError):
        Registry().allow(prefix)


def test_a_prefix_is_a_package_not_a_beginning() -> None:
    registry = Registry()
    registry.allow("tests.sample")
    assert isinstance(at(registry, "tests.samples:Frozen", {"a": 1, "b": 1}), Record)
    registry.allow("tests.samples")
    assert at(registry, "tests.samples:Frozen", {"a": 1, "b": 1}) == s.Frozen(1)


def test_a_reloaded_class_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    registry.allow("tests.samples")
    old = s.Frozen
    assert type(at(registry, "tests.samples:Frozen", {"a": 1, "b": 1})) is old

    new = dataclasses.make_dataclass("Frozen", ["a", "b"], namespace={"__module__": s.__name__})
    monkeypatch.setattr(s, "Frozen", new)
    assert type(at(registry, "tests.samples:Frozen", {"a": 1, "b": 1})) is new
    fresh = Registry()
    fresh.allow("tests.samples")
    with pytest.raises(UnsupportedValueError, match="reloaded"):
        fresh.reduce(old(1))


class Lure:
    """Things in a module that a store may name."""

    @staticmethod
    def build() -> ModuleType:
        module = ModuleType("lure")

        def boom(*_: Any, **__: Any) -> None:
            pytest.fail("the store ran something")

        class Meta(type):
            __getattr__ = boom

        class Spoof:
            """Says it is a dataclass type."""

            __dataclass_fields__ = ()
            __class__ = type  # type: ignore[assignment]
            __call__ = boom

        module.function = boom  # type: ignore[attr-defined]
        module.instance = Spoof()  # type: ignore[attr-defined]
        module.meta = Meta("meta", (), {"__module__": "lure"})  # type: ignore[attr-defined]
        module.plain = type("plain", (), {"__module__": "lure", "__init__": boom})  # type: ignore[attr-defined]
        module.borrowed = Here  # type: ignore[attr-defined]
        module.alias = dataclasses.make_dataclass("other", ["a"], namespace={"__module__": "lure"})  # type: ignore[attr-defined]
        module.__getattr__ = boom  # type: ignore[method-assign]
        return module


@pytest.mark.parametrize("flavour", ["dataclass", "pydantic", "attrs", "namedtuple"])
@pytest.mark.parametrize(
    "name",
    [
        *("function", "instance", "meta", "meta.x", "plain", "plain.mro", "borrowed", "alias"),
        *("absent", "", ".", "function.__globals__", "borrowed.Inner", "__dict__", "plain[int]"),
        *("__builtins__", "plain.__class__", "plain.__init__.__globals__"),
    ],
)
def test_only_classes_of_the_flavour_are_found(
    name: str, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lure", Lure.build())
    registry = Registry()
    registry.allow("lure")
    assert isinstance(at(registry, f"lure:{name}", {"a": 1}, flavour), Record)
    assert isinstance(registry.restore(c.TAG_ENUM, [f"lure:{name}", "a", 1]), Record)


def test_a_lazy_module_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            pytest.fail(f"the module began to load: {name}")

    monkeypatch.setitem(sys.modules, "lazy_one", Lazy("lazy_one"))
    registry = Registry()
    registry.allow("lazy_one")
    assert isinstance(at(registry, "lazy_one:Here", {}), Record)


def test_a_codec_is_not_reached_as_a_class() -> None:
    registry = Registry()
    registry.register(Slow, encode=vars, decode=lambda _: pytest.fail("decoded"))
    assert isinstance(at(registry, f"{__name__}:Slow", {"a": 1}), Record)


# --- codecs ----------------------------------------------------------------------------------


def test_a_codec() -> None:
    registry = Registry()
    registry.register(Slow, name="slow", encode=lambda v: [v.a], decode=lambda state: Slow(*state))
    assert registry.reduce(Slow(1)).content == ["slow", 1, [1]]
    assert registry.restore(c.TAG_CODEC, ["slow", 1, [7]]).a == 7
    assert dict(registry.restore(c.TAG_CODEC, ["slow", 2, [7]])) == {"version": 2, "state": [7]}


def test_a_codec_goes_before_a_flavour() -> None:
    registry = Registry()
    registry.register(Here, encode=lambda v: v.a, decode=Here)
    assert registry.reduce(Here(1)) == (c.TAG_CODEC, [f"{__name__}:Here", 1, 1])


def _two(state: Any, stored: int) -> Slow:
    return Slow((state, stored))


def _named(state: Any, version: int = 0) -> Slow:
    return Slow((state, version))


@pytest.mark.parametrize("decode", [_two, _named])
def test_an_older_version_is_decoded_by_who_asks_for_it(decode: Any) -> None:
    registry = Registry()
    registry.register(Slow, name="slow", encode=lambda v: v.a, decode=decode, version=3)
    for version in (1, 2, 3):
        assert registry.restore(c.TAG_CODEC, ["slow", version, "s"]).a == ("s", version)
    assert isinstance(registry.restore(c.TAG_CODEC, ["slow", 4, "s"]), Record)


def _other(state: Any, scale: int = 2) -> Slow:
    return Slow(state * scale)


@pytest.mark.parametrize("decode", [Slow, _other])
def test_an_older_version_is_a_record_for_who_does_not(decode: Any) -> None:
    registry = Registry()
    registry.register(Slow, name="slow", encode=lambda v: v.a, decode=decode, version=3)
    assert isinstance(registry.restore(c.TAG_CODEC, ["slow", 2, "s"]), Record)
    assert type(registry.restore(c.TAG_CODEC, ["slow", 3, "s"])) is Slow


def test_errors_name_the_codec() -> None:
    registry = Registry()
    registry.register(Slow, name="slow", encode=lambda v: v.a, decode=lambda state: state["x"])
    with pytest.raises(UnsupportedValueError, match=r"'slow' gave something .* code, not state"):
        registry.reduce(Slow({"deep": [(1, [lambda: 0])]}))
    ring: list[Any] = []
    ring.append(ring)
    assert registry.reduce(Slow(ring)).content[2] is ring, "a cycle is for the tree to report"
    with pytest.raises(CorruptError, match="'slow' failed to decode: TypeError") as caught:
        registry.restore(c.TAG_CODEC, ["slow", 1, 5])
    assert caught.value.details == {"codec": "slow", "version": 1}
    registry.register(Slow, name="slow", encode=lambda v: v.b, decode=lambda _: "text")
    with pytest.raises(UnsupportedValueError, match="'slow' failed to encode: AttributeError"):
        registry.reduce(Slow(1))
    with pytest.raises(CorruptError, match="'slow' decoded a str"):
        registry.restore(c.TAG_CODEC, ["slow", 1, 5])


# --- bookkeeping -----------------------------------------------------------------------------


def test_classes_made_at_run_time_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_PLANS_MAX", 40)
    registry = Registry()
    registry.register(Here)
    for n in range(100):
        registry.reduce(enum.Enum(f"E{n}", "A").A)  # type: ignore[attr-defined]
    assert len(registry._reducers) <= 42
    assert unpack(registry, pack(registry, Here(1))) == Here(1)


def test_registries_do_not_know_each_other() -> None:
    one, two = Registry(), Registry()
    one.register(Here)
    one.allow("tests")
    assert isinstance(at(two, f"{__name__}:Here", {"a": 1}), Record)
