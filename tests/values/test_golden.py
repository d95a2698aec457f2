"""What each type is written as, in literals: changing a line here changes stored bytes."""

from __future__ import annotations

import collections
import datetime as dt
import pathlib
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from casckpt.format import constants as c
from casckpt.values import Registry
from tests import samples as s
from tests.docs.blocks import ROOT
from tests.strategies import exact, register_all

REGISTRY: Registry = register_all(Registry())
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
MORNING = dt.datetime(2026, 11, 20, 9, 30)  # noqa: DTZ001 - naive is a case of its own


def fixed(name: str | None = None, **offset: int) -> dt.timezone:
    return dt.timezone(dt.timedelta(**offset), *([] if name is None else [name]))


def agent(**fields: Any) -> s.Agent:
    made = s.Agent(**fields)
    made._calls = 3
    return made


def loose(**attributes: Any) -> s.Loose:
    made = s.Loose(0)
    vars(made).update(attributes)
    return made


def derived() -> s.Derived:
    made = s.Derived("r", "c", seed=9)
    assert made.upper == "R"  # computed: not stored
    return made


PLAIN: list[tuple[Any, int, Any]] = [
    (complex(1.5, -0.0), c.TAG_COMPLEX, [1.5, -0.0]),
    (MORNING, c.TAG_DATETIME, "2026-11-20T09:30:00"),
    (MORNING.replace(microsecond=7), c.TAG_DATETIME, "2026-11-20T09:30:00.000007"),
    (MORNING.replace(tzinfo=dt.UTC), c.TAG_DATETIME, "2026-11-20T09:30:00+00:00"),
    (MORNING.replace(tzinfo=fixed(hours=-3)), c.TAG_DATETIME, "2026-11-20T09:30:00-03:00"),
    (MORNING.replace(fold=1), c.TAG_DATETIME, ["2026-11-20T09:30:00", None, 1]),
    (
        MORNING.replace(tzinfo=dt.UTC, fold=1),
        c.TAG_DATETIME,
        ["2026-11-20T09:30:00", 0, 1],
    ),
    (
        MORNING.replace(tzinfo=fixed(seconds=1)),
        c.TAG_DATETIME,
        ["2026-11-20T09:30:00", 1_000_000, 0],
    ),
    (
        MORNING.replace(tzinfo=fixed("EST", hours=-5)),
        c.TAG_DATETIME,
        ["2026-11-20T09:30:00", [-18_000_000_000, "EST"], 0],
    ),
    (
        MORNING.replace(tzinfo=BERLIN),
        c.TAG_DATETIME,
        ["2026-11-20T09:30:00", "Europe/Berlin", 0],
    ),
    (dt.date(2026, 11, 20), c.TAG_DATE, "2026-11-20"),
    (dt.time(9, 30, 1), c.TAG_TIME, "09:30:01"),
    (dt.time(9, 30, tzinfo=dt.UTC), c.TAG_TIME, "09:30:00+00:00"),
    (dt.time(9, 30, tzinfo=BERLIN, fold=1), c.TAG_TIME, ["09:30:00", "Europe/Berlin", 1]),
    (dt.timedelta(days=-1, microseconds=1), c.TAG_TIMEDELTA, -86_399_999_999),
    (dt.UTC, c.TAG_TIMEZONE, 0),
    (fixed("UTC"), c.TAG_TIMEZONE, [0, "UTC"]),
    (fixed(minutes=330), c.TAG_TIMEZONE, 19_800_000_000),
    (BERLIN, c.TAG_TIMEZONE, "Europe/Berlin"),
    (UUID(int=1), c.TAG_UUID, bytes(15) + b"\x01"),
    (Decimal("-0E+3"), c.TAG_DECIMAL, "-0E+3"),
    (Decimal("-sNaN42"), c.TAG_DECIMAL, "-sNaN42"),
    (Decimal("1.00"), c.TAG_DECIMAL, "1.00"),
    (Decimal("-Infinity"), c.TAG_DECIMAL, "-Infinity"),
    (Fraction(-6, 4), c.TAG_FRACTION, [-3, 2]),
    (pathlib.PurePosixPath("a//b/../c"), c.TAG_PATH, ["PurePosixPath", "a/b/../c"]),
    (pathlib.PureWindowsPath("C:/a"), c.TAG_PATH, ["PureWindowsPath", "C:\\a"]),
    (range(3, -7, -2), c.TAG_RANGE, [3, -7, -2]),
    (slice(None, 5), c.TAG_SLICE, [None, 5, None]),
    (IPv4Address("10.0.0.1"), c.TAG_IP, ["IPv4Address", "10.0.0.1"]),
    (IPv4Network("10.0.0.0/8"), c.TAG_IP, ["IPv4Network", "10.0.0.0/8"]),
    (IPv4Interface("10.0.0.1/8"), c.TAG_IP, ["IPv4Interface", "10.0.0.1/8"]),
    (ip_address("fe80::1%eth0"), c.TAG_IP, ["IPv6Address", "fe80::1%eth0"]),
    (ip_network("fe80::/10"), c.TAG_IP, ["IPv6Network", "fe80::/10"]),
    (ip_interface("fe80::1%1/10"), c.TAG_IP, ["IPv6Interface", "fe80::1%1/10"]),
    (collections.deque([1, 2], 3), c.TAG_COLLECTION, ["deque", [1, 2], 3]),
    (collections.deque("a"), c.TAG_COLLECTION, ["deque", ["a"], None]),
    (collections.OrderedDict(b=1, a=2), c.TAG_COLLECTION, ["OrderedDict", {"b": 1, "a": 2}]),
    (collections.Counter("aab"), c.TAG_COLLECTION, ["Counter", {"a": 2, "b": 1}]),
    (
        collections.defaultdict(list, a=[1]),
        c.TAG_COLLECTION,
        ["defaultdict", {"a": [1]}, "list"],
    ),
    (collections.defaultdict(None), c.TAG_COLLECTION, ["defaultdict", {}, None]),
]

NUMPY: list[tuple[Any, int, Any]] = [
    (np.array([[1, 2]], ">i2"), c.TAG_NDARRAY, [">i2", [1, 2], b"\0\1\0\2"]),
    (np.array([[1, 2], [3, 4]], "u1").T, c.TAG_NDARRAY, ["|u1", [2, 2], b"\1\3\2\4"]),
    (np.array(True), c.TAG_NDARRAY, ["|b1", [], b"\1"]),
    (np.zeros((0, 3), "<f4"), c.TAG_NDARRAY, ["<f4", [0, 3], b""]),
    (
        np.array(["2026-11-20"], "<M8[D]"),
        c.TAG_NDARRAY,
        ["<M8[D]", [1], (20777).to_bytes(8, "little")],
    ),
    (np.array(["ab"], "<U3"), c.TAG_NDARRAY, ["<U3", [1], "ab\0".encode("utf-32-le")]),
    (
        np.array([(1, 2.0)], np.dtype("i1,<f8", align=True)),
        c.TAG_NDARRAY,
        [
            [16, True, [["f0", 0, "|i1", []], ["f1", 8, "<f8", []]]],
            [1],
            b"\1" + bytes(7) + b"\0\0\0\0\0\0\0\x40",
        ],
    ),
    (
        np.zeros(1, [(("Title", "a"), "|i1", (2, 1))]),
        c.TAG_NDARRAY,
        [[2, False, [["a", 0, "|i1", [2, 1], "Title"]]], [1], b"\0\0"],
    ),
    (np.float16(1), c.TAG_NUMPY_SCALAR, ["<f2", b"\0\x3c"]),
    (np.int64(-1), c.TAG_NUMPY_SCALAR, ["<i8", b"\xff" * 8]),
    (np.bool_(True), c.TAG_NUMPY_SCALAR, ["|b1", b"\1"]),
    (np.datetime64("NaT", "us"), c.TAG_NUMPY_SCALAR, ["<M8[us]", bytes(7) + b"\x80"]),
    (np.str_("a\0"), c.TAG_NUMPY_SCALAR, ["U", "a\0"]),
    (np.bytes_(b"a\0"), c.TAG_NUMPY_SCALAR, ["S", b"a\0"]),
]

HERE = "tests.samples"
CLASSES: list[tuple[Any, int, Any]] = [
    (s.Frozen(1), c.TAG_OBJECT, ["dataclass", f"{HERE}:Frozen", {"a": 1, "b": 1}]),
    (s.Slotted(1), c.TAG_OBJECT, ["dataclass", f"{HERE}:Slotted", {"a": 1, "b": 1}]),
    (
        derived(),
        c.TAG_OBJECT,
        [
            "dataclass",
            f"{HERE}:Derived",
            {"role": "r", "content": "c", "at": None, "extra": {}, "more": 9},
            {"unset": ["late"], "attributes": {"total": (9, "r")}},
        ],
    ),
    (s.Box[int](1), c.TAG_OBJECT, ["dataclass", f"{HERE}:Box", {"item": 1}]),
    (s.Checked(1), c.TAG_OBJECT, ["dataclass", f"{HERE}:Checked", {"a": 1, "b": None}]),
    (s.Tool("t", 1), c.TAG_OBJECT, ["attrs", f"{HERE}:Tool", {"name": "t", "_secret": 1}]),
    (s.Call("t"), c.TAG_OBJECT, ["attrs", f"{HERE}:Call", {"name": "t", "args": ()}]),
    (s.Point(1), c.TAG_OBJECT, ["namedtuple", f"{HERE}:Point", {"x": 1, "y": 0}]),
    (
        loose(n=1),
        c.TAG_OBJECT,
        ["namedtuple", f"{HERE}:Loose", {"a": 0}, {"attributes": {"n": 1}}],
    ),
    (s.Pair(1, 2), c.TAG_OBJECT, ["namedtuple", f"{HERE}:Pair", {"left": 1, "right": 2}]),
    (
        s.Chat(role="user", tokens=7),
        c.TAG_OBJECT,
        [
            "pydantic",
            f"{HERE}:Chat",
            {"role": "user", "content": None, "tokens": 7, "parts": []},
            {"fields_set": ["role", "tokens"]},
        ],
    ),
    (
        agent(name="n", last=None, more=1),
        c.TAG_OBJECT,
        [
            "pydantic",
            f"{HERE}:Agent",
            {"name": "n", "last": None},
            {"extra": {"more": 1}, "private": {"_calls": 3}},
        ],
    ),
    (s.Tags([1]), c.TAG_OBJECT, ["pydantic", f"{HERE}:Tags", {"root": [1]}]),
    (
        s.Wrapped[int](item=1),
        c.TAG_OBJECT,
        ["pydantic", f"{HERE}:Wrapped[int]", {"item": 1}],
    ),
    (
        s.Wrapped[s.Chat](item=s.Chat(role=1)),
        c.TAG_OBJECT,
        ["pydantic", f"{HERE}:Wrapped[{HERE}:Chat]", {"item": s.Chat(role=1)}],
    ),
    (
        s.Wrapped[list[s.Chat] | None](item=None),
        c.TAG_OBJECT,
        ["pydantic", f"{HERE}:Wrapped[list[{HERE}.Chat] | None]", {"item": None}],
    ),
    (s.Color.CRIMSON, c.TAG_ENUM, [f"{HERE}:Color", "RED", "red"]),
    (s.Color.GREEN, c.TAG_ENUM, [f"{HERE}:Color", "GREEN", ("g", 1.0)]),
    (s.Level.HIGH, c.TAG_ENUM, [f"{HERE}:Level", "HIGH", 10]),
    (s.Role.USER, c.TAG_ENUM, [f"{HERE}:Role", "USER", "user"]),
    (s.Mode.READ, c.TAG_ENUM, [f"{HERE}:Mode", "READ", 1]),
    (s.Mode.READ | s.Mode.RUN, c.TAG_ENUM, [f"{HERE}:Mode", None, 5]),
    (s.Mode(0), c.TAG_ENUM, [f"{HERE}:Mode", None, 0]),
    (s.Bits(9), c.TAG_ENUM, [f"{HERE}:Bits", None, 9]),
    (s.Money(5, "EUR"), c.TAG_CODEC, ["money", 1, {"cents": 5, "currency": "EUR"}]),
    (s.Text("x"), c.TAG_CODEC, [f"{HERE}:Text", 3, "x"]),
]


def shown(value: Any) -> str:
    """The same in every process."""
    return repr(value).partition(" object at ")[0]


@pytest.mark.parametrize(("value", "tag", "content"), PLAIN + NUMPY + CLASSES, ids=shown)
def test_golden(value: Any, tag: int, content: Any) -> None:
    assert exact(REGISTRY.reduce(value)[:]) == exact((tag, content))
    assert exact(REGISTRY.restore(tag, content)) == exact(value)


def test_every_tag_has_its_line() -> None:
    tags = {tag for _, tag, _ in PLAIN + NUMPY + CLASSES}
    assert tags == {*range(c.TAG_COMPLEX, c.TAG_COLLECTION + 1)}


def test_every_tag_is_in_the_docs() -> None:
    page = (ROOT / "docs/values.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| 518")]
    assert sorted(int(row[2:7]) for row in rows) == [*range(c.TAG_COMPLEX, c.TAG_COLLECTION + 1)]


def test_a_zone_of_the_users_own_lies_in_its_datetime() -> None:
    zone = s.Nowhere()
    content = REGISTRY.reduce(MORNING.replace(tzinfo=zone)).content
    assert content == ["2026-11-20T09:30:00", zone, 0]
    assert REGISTRY.restore(c.TAG_DATETIME, content).tzinfo is zone
