"""Types that have no exact form: the error names the type, and a way out that works."""

from __future__ import annotations

import ast
import datetime as dt
import io
import pathlib
import threading
import typing
import zoneinfo
from collections import ChainMap, OrderedDict, UserDict, defaultdict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from casckpt.errors import LimitError, UnsupportedValueError
from casckpt.values import Registry
from casckpt.values.builtins import FRACTION_BITS_MAX

BASES: list[tuple[type, Any]] = [
    *((int, 1), (float, 1.0), (complex, 1j), (str, "x"), (bytes, b"x"), (bytearray, b"x")),
    *((list, [1]), (dict, {1: 2}), (tuple, (1,)), (set, {1}), (frozenset, {1})),
]


@pytest.mark.parametrize(("base", "start"), BASES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_subclass_of_a_native_type(base: type, start: Any) -> None:
    cls = type("Sub", (base,), {"__module__": "app"})
    registry = Registry()
    with pytest.raises(UnsupportedValueError) as caught:
        registry.reduce(cls(start))
    message = str(caught.value)
    assert f"app.Sub is a subclass of {base.__name__} and would not come back" in message
    assert "register(Sub, encode=..., decode=...)" in message
    assert caught.value.details["type"] == "app.Sub"
    # The mend works.
    registry.register(cls, encode=base, decode=cls)
    back = registry.restore(*registry.reduce(cls(start)))
    assert type(back) is cls
    assert back == start


OTHERS: list[tuple[type, tuple[Any, ...]]] = [
    *((dt.datetime, (2026, 1, 1)), (dt.date, (2026, 1, 1)), (dt.time, (1,)), (dt.timedelta, (1,))),
    *((UUID, (None, bytes(16))), (Decimal, (1,)), (Fraction, (1,)), (zoneinfo.ZoneInfo, ("UTC",))),
    *((pathlib.PurePosixPath, ("a",)), (OrderedDict, ()), (defaultdict, ())),
    *((np.float64, (1,)), (np.str_, ("x",))),
]


@pytest.mark.parametrize(("base", "arguments"), OTHERS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_subclass_of_any_other_type(base: type, arguments: tuple[Any, ...]) -> None:
    cls = type("Sub", (base,), {"__module__": "app"})
    with pytest.raises(UnsupportedValueError, match=r"app\.Sub"):
        Registry().reduce(cls(*arguments))


def function() -> None:
    """Code."""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), r"builtins\.object has no exact form that is known here: register\(object"),
        (function, "code, not state"),
        (lambda: 0, "code, not state"),
        (len, "code, not state"),
        ([].append, "code, not state"),
        (io, "code, not state"),
        (int, "code, not state"),
        (list[int], "code, not state"),
        (typing.List[int], "code, not state"),  # noqa: UP006
        (typing.Any, "code, not state"),
        (iter([]), r"store list\(...\) of it"),
        ((x for x in ()), r"store list\(...\) of it"),
        (ValueError("x"), r"store str\(error\)"),
        (threading.Lock(), "lock has no exact form"),
        (io.StringIO(), "StringIO has no exact form"),
        (memoryview(b""), "memoryview has no exact form"),
        (SimpleNamespace(a=1), "SimpleNamespace has no exact form"),
        (MappingProxyType({}), "mappingproxy has no exact form"),
        (UserDict(), "UserDict has no exact form"),
        (ChainMap(), "ChainMap has no exact form"),
        ({}.keys(), "dict_keys has no exact form"),
        (ast.Pass(), "ast.Pass has no exact form"),
        (..., "ellipsis has no exact form"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_no_exact_form(value: Any, says: str) -> None:
    with pytest.raises(UnsupportedValueError, match=says) as caught:
        Registry().reduce(value)
    assert caught.value.details["type"]


def test_a_path_that_prints_as_another_one() -> None:
    value = pathlib.PureWindowsPath("./c:a")
    if pathlib.PureWindowsPath(str(value)) != value:  # mended in later Pythons
        with pytest.raises(UnsupportedValueError, match="prints as 'c:a'"):
            Registry().reduce(value)


def test_a_fraction_that_is_too_large() -> None:
    registry = Registry()
    edge = (1 << FRACTION_BITS_MAX) - 1
    value = Fraction(edge, edge - 1)
    assert registry.restore(*registry.reduce(value)) == value
    with pytest.raises(LimitError, match="65536 bits"):
        registry.reduce(Fraction(edge + 1, edge))


def test_a_fraction_of_other_ints() -> None:
    with pytest.raises(UnsupportedValueError, match="not int"):
        Registry().reduce(Fraction(np.int64(3), np.int64(2)))


def test_a_zone_of_a_file() -> None:
    folder = next(p for p in map(pathlib.Path, zoneinfo.TZPATH) if (p / "Europe/Berlin").is_file())
    registry = Registry()
    with (folder / "Europe/Berlin").open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file, key="Europe/Berlin")
    for value in (zone, dt.datetime(2026, 1, 1, tzinfo=zone)):
        with pytest.raises(UnsupportedValueError, match="read from a file"):
            registry.reduce(value)
    same_rules = zoneinfo.ZoneInfo.no_cache("Europe/Berlin")
    assert registry.reduce(same_rules).content == "Europe/Berlin"


def test_a_time_zone_of_its_own_kind() -> None:
    class Elsewhere(dt.tzinfo):
        pass

    registry = Registry()
    content = registry.reduce(dt.datetime(2026, 1, 1, tzinfo=Elsewhere())).content
    with pytest.raises(UnsupportedValueError, match=r"Elsewhere is a time zone of its own kind"):
        registry.reduce(content[1])
