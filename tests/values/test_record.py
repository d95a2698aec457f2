"""`Record`: a mapping that shows what is there and is written back unchanged."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from casckpt.format import constants as c
from casckpt.format.constants import DEPTH_MAX
from casckpt.values import Record, Registry, Tagged


def made(fields: Any = None, *more: Any, name: str = "app.models:User") -> Record:
    content = ["dataclass", name, {"a": 1} if fields is None else fields, *more]
    record = Registry().restore(c.TAG_OBJECT, content)
    assert isinstance(record, Record)
    return record


def test_it_reads_like_a_mapping() -> None:
    record = made({"a": 1, "b": [2]})
    assert isinstance(record, Mapping)
    assert (record["a"], record.get("z"), "b" in record, len(record)) == (1, None, True, 2)
    assert dict(**record) == {"a": 1, "b": [2]}
    assert list(record.items()) == [("a", 1), ("b", [2])]
    with pytest.raises(KeyError):
        record["z"]
    match record:
        case {"a": 1}:
            pass
        case _:
            pytest.fail("a record matches like a mapping")


def test_it_shows_what_it_is() -> None:
    record = made({"a": 1}, {"attributes": {"n": 2}})
    assert repr(record) == "Record('app.models:User', {'a': 1})"
    assert record.type_name == "app.models:User"
    assert record.flavour == "dataclass"
    assert record.more == {"attributes": {"n": 2}}
    assert made().more == {}
    assert Registry().restore(c.TAG_ENUM, ["m:E", "A", 1]).flavour == "enum"
    assert Registry().restore(c.TAG_CODEC, ["x", 1, None]).flavour == "codec"


def test_it_is_read_only() -> None:
    record: Any = made()
    with pytest.raises(TypeError):
        record["a"] = 2
    with pytest.raises(AttributeError):
        record.type_name = "x"
    with pytest.raises(AttributeError):
        record.anything = "x"
    with pytest.raises(TypeError):
        record.more["x"] = 1


def test_equal_by_type_name_flavour_and_content() -> None:
    assert made() == made()
    assert made() != made({"a": 2})
    assert made() != made(name="other:User")
    assert made() != made({"a": 1}, {"attributes": {"n": 2}})
    assert made({"a": 1, "b": 2}) == made({"b": 2, "a": 1}), "as dataclasses and dicts are"
    attrs = Registry().restore(c.TAG_OBJECT, ["attrs", "app.models:User", {"a": 1}])
    assert made() != attrs
    assert made() != {"a": 1}
    assert made({"a": {"x": 1}}) != made({"a": {"y": 1}})
    assert made({"a": {"x": 1}}) != made({"a": {"x": 1, "y": 1}})
    for one, two in (({1}, frozenset({1})), (b"x", bytearray(b"x")), (1, 1.0)):
        assert made({"a": one}) == made({"a": two}), "as Python has it"
        assert hash(made({"a": one})) == hash(made({"a": two}))


def test_it_may_be_a_key_whatever_it_holds() -> None:
    fields = {"a": [1, {"b": {2}}, bytearray(b"x"), np.arange(3), (1, [2])], "c": made()}
    one, two = made(fields), made(copy.deepcopy(fields))
    assert one == two
    assert hash(one) == hash(two)
    assert {one: 1}[two] == 1
    assert len({made({"a": n}) for n in range(100)}) == 100
    assert len({hash(made({"a": [n]})) for n in range(100)}) > 90, "not one bucket for all"


def test_arrays_in_it_are_compared_as_a_whole() -> None:
    assert made({"a": np.arange(3)}) == made({"a": np.arange(3)})
    assert made({"a": np.arange(3)}) != made({"a": np.array([0, 1, 9])})
    assert made({"a": np.arange(3)}) != made({"a": np.arange(4)})
    assert made({"a": np.arange(3)}) != made({"a": 1})
    assert made({"a": np.zeros(2, "i4")}) != made({"a": np.zeros(2, "f4")})
    assert made({"a": np.zeros((2, 3))}) != made({"a": np.zeros((3, 2))})


def test_it_is_written_back_unchanged() -> None:
    content = ["dataclass", "m:C", {"a": 1}]
    registry = Registry()
    assert registry.reduce(registry.restore(c.TAG_OBJECT, content)) == Tagged(c.TAG_OBJECT, content)


def test_it_may_be_as_deep_as_any_value() -> None:
    deep: Any = 1
    for _ in range(DEPTH_MAX - 2):
        deep = {"a": [deep]} if type(deep) is list else [deep]
    one, two = made({"a": deep}), made({"a": copy.deepcopy(deep)})
    assert one == two
    assert hash(one) == hash(two)


def test_it_can_be_copied() -> None:
    record = made({"a": [1]})
    assert copy.copy(record) == record
    deep = copy.deepcopy(record)
    assert deep == record
    assert deep["a"] is not record["a"]
    assert Registry().reduce(deep) == Registry().reduce(record)
