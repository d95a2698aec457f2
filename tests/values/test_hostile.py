"""Content from a stranger: it is refused, or it is a value that is written just the same.

Nothing else may come out of `restore`: no other error, no import, no file opened, no memory
or time beyond what the content itself has.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import sys
import time
import zoneinfo
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casckpt.errors import CorruptError
from casckpt.format import constants as c
from casckpt.values import Registry
from casckpt.values.builtins import FRACTION_BITS_MAX
from tests.strategies import any_atoms, atoms, exact, keys, native_values, register_all
from tests.values.packing import pack
from tests.values.test_golden import CLASSES, HERE, NUMPY, PLAIN

REGISTRY: Registry = register_all(Registry())
TAGS = range(c.TAG_COMPLEX, c.TAG_LAST + 2)
GOLDEN = [(tag, content) for _, tag, content in PLAIN + NUMPY + CLASSES if tag != c.TAG_CODEC]


def check(tag: int, content: Any) -> None:
    before = exact(pack(REGISTRY, content))
    value = None
    with contextlib.suppress(CorruptError):
        value = REGISTRY.restore(tag, content)
        # It was accepted: then this is how it is written.
        assert exact(pack(REGISTRY, value)[:]) == (tuple, exact(tag), before)
    assert exact(pack(REGISTRY, content)) == before, "content is not changed in passing"


WORDS = st.sampled_from([
    *("UTC", "Europe/Berlin", "../etc/passwd", "PosixPath", "deque", "list", "dataclass"),
    *("pydantic", "attrs", "namedtuple", f"{HERE}:Agent", f"{HERE}:Loose", f"{HERE}:Derived"),
    *("unset", "attributes", "extra", "private", "fields_set", "a", "name", "role", "_calls"),
    *("<f8", ">i2", "|V3", "<U3", "<M8[s]", "S", "2026-11-20", "09:30:00", "1E+5", "os:system"),
])  # fmt: skip
SMALL = st.one_of(WORDS, st.integers(-3, 20), st.none(), st.booleans(), st.just(0.0), st.just(b""))


@given(st.sampled_from(TAGS), native_values() | any_atoms() | WORDS)
def test_any_content(tag: int, content: Any) -> None:
    check(tag, content)


@given(st.sampled_from(TAGS), st.lists(SMALL | native_values(6), max_size=4))
def test_lists_of_likely_words(tag: int, content: Any) -> None:
    check(tag, content)


def _spots(content: Any) -> list[tuple[Any, Any]]:
    """Every place of a nested list or dict: where it is, and its key or index."""
    spots: list[tuple[Any, Any]] = []
    if type(content) is list:
        spots += [(content, i) for i in range(len(content))]
    elif type(content) is dict:
        spots += [(content, key) for key in content]
    return spots + [spot for place, key in spots for spot in _spots(place[key])]


def _grow(place: Any, key: Any, new: Any) -> None:
    if type(place) is list:
        place.insert(key, new)
    elif isinstance(new, str):
        place[new] = new


def _near(value: Any, new: Any) -> Any:
    """Something of the same type, nearly."""
    kind = type(value)
    if kind is int:
        return value + 1
    if kind is str:
        return value[:-1] if isinstance(new, bool) else value + str(new)
    if kind is bytes:
        return value[1:] + b"\x02"
    return (value,)


@given(st.sampled_from(GOLDEN), st.data())
@settings(max_examples=600)
def test_good_content_with_something_wrong(golden: tuple[int, Any], data: st.DataObject) -> None:
    tag, original = golden
    content = [copy.deepcopy(original)]
    for _ in range(data.draw(st.integers(1, 2))):
        place, key = data.draw(st.sampled_from(_spots(content)))
        new = data.draw(SMALL | atoms())
        how = data.draw(st.sampled_from(["replace", "remove", "grow", "near", "near"]))
        if how == "replace":
            place[key] = new
        elif how == "remove" and place is not content:
            del place[key]
        elif how == "near":
            place[key] = _near(place[key], new)
        elif place is not content:
            _grow(place, key, new)
    check(tag, content[0])


@given(
    st.sampled_from(
        ["Agent", "Chat", "Derived", "Loose", "Slotted", "Call", "Key", "Wrapped[int]"]
    ),
    st.sampled_from(["pydantic", "dataclass", "attrs", "namedtuple"]),
    st.dictionaries(WORDS | keys(), SMALL, max_size=4),
    st.dictionaries(WORDS, st.lists(WORDS, max_size=2) | st.dictionaries(WORDS, SMALL)),
)
@settings(max_examples=300)
def test_instances_of_known_classes(name: str, flavour: str, fields: Any, more: Any) -> None:
    check(c.TAG_OBJECT, [flavour, f"{HERE}:{name}", fields])
    check(c.TAG_OBJECT, [flavour, f"{HERE}:{name}", fields, more])


HUGE = 1 << 80_000
REFUSED: list[tuple[int, Any]] = [
    (c.TAG_COMPLEX, [1, 2.0]),
    (c.TAG_COMPLEX, [1.0, 2]),
    (c.TAG_COMPLEX, (1.0, 2.0)),
    (c.TAG_DATETIME, "2026-11-20 09:30:00"),
    (c.TAG_DATETIME, "20261120T093000"),
    (c.TAG_DATETIME, "2026-11-20T09:30:00Z"),
    (c.TAG_DATETIME, "2026-11-20T09:30:00.500"),
    (c.TAG_DATETIME, "2026-11-20T09:30:00-00:00"),
    (c.TAG_DATETIME, "2026-11-20T09:30:00+01:00:01"),
    (c.TAG_DATETIME, "2026-02-30T00:00:00"),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", None, 0]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", 0, 0]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", 0, True]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00+00:00", "UTC", 0]),
    (c.TAG_DATETIME, ["2026-11-20 09:30:00", "UTC", 0]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", "UTC", 2]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", {"key": "UTC"}, 0]),
    # A zone is written into its datetime, so it cannot stand there as a value of its own.
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", dt.UTC, 1]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", zoneinfo.ZoneInfo("UTC"), 0]),
    (c.TAG_DATETIME, ["2026-11-20T09:30:00", REGISTRY.restore(c.TAG_TIMEZONE, "No/Zone"), 0]),
    (c.TAG_TIME, "09:30"),
    (c.TAG_TIME, "T09:30:00"),
    (c.TAG_DATE, "2026-W01-1"),
    (c.TAG_TIMEDELTA, 1.0),
    (c.TAG_TIMEDELTA, HUGE),
    (c.TAG_TIMEDELTA, 10**20),
    (c.TAG_TIMEZONE, 86_400_000_000),
    (c.TAG_TIMEZONE, [0]),
    (c.TAG_TIMEZONE, True),
    (c.TAG_UUID, b"short"),
    (c.TAG_DECIMAL, "1e5"),
    (c.TAG_DECIMAL, "01"),
    (c.TAG_DECIMAL, " 1"),
    (c.TAG_DECIMAL, "1E+999999999999999999999999"),
    (c.TAG_DECIMAL, "nan"),
    (c.TAG_FRACTION, [2, 4]),
    (c.TAG_FRACTION, [1, 0]),
    (c.TAG_FRACTION, [1, -2]),
    (c.TAG_FRACTION, [HUGE, 3]),
    (c.TAG_PATH, ["PurePosixPath", "a//b"]),
    (c.TAG_PATH, ["Path", "a"]),
    (c.TAG_RANGE, [0, 1, 0]),
    (c.TAG_RANGE, [0, True, 1]),
    (c.TAG_IP, ["IPv4Address", "010.0.0.1"]),
    (c.TAG_IP, ["IPv6Address", "::0"]),
    (c.TAG_IP, ["IPv4Network", "10.0.0.1/8"]),
    (c.TAG_COLLECTION, ["deque", [1, 2], 1]),
    (c.TAG_COLLECTION, ["deque", (1, 2), None]),
    (c.TAG_COLLECTION, ["OrderedDict", [["a", 1]]]),
    (c.TAG_COLLECTION, ["Counter", [("a", 1)]]),
    (c.TAG_COLLECTION, ["defaultdict", {}, np.str_("list")]),
    (c.TAG_COLLECTION, ["defaultdict", {}, ["list"]]),
    (c.TAG_COLLECTION, [["deque"], [1, 2], None]),
    (c.TAG_COLLECTION, []),
    (c.TAG_COLLECTION, ["deque", [1], HUGE]),
    (c.TAG_COLLECTION, ["defaultdict", {}, "eval"]),
    (c.TAG_COLLECTION, ["dict", {}]),
    (c.TAG_NDARRAY, ["<f8", [1 << 60], b"12345678"]),
    (c.TAG_NDARRAY, ["<f8", [1 << 62, 1 << 62, 0, 3], b""]),
    (c.TAG_NDARRAY, ["<f8", [-1], b"12345678"]),
    (c.TAG_NDARRAY, ["<f8", [1.0], b"12345678"]),
    (c.TAG_NDARRAY, ["<f8", (1,), b"12345678"]),
    (c.TAG_NDARRAY, ["|u1", [1] * 65, b"1"]),
    (c.TAG_NDARRAY, ["<f8", [1], bytearray(8)]),
    (c.TAG_NDARRAY, ["f8", [1], b"12345678"]),
    (c.TAG_NDARRAY, ["=f8", [1], b"12345678"]),
    (c.TAG_NDARRAY, ["|O", [1], b"12345678"]),
    (c.TAG_NDARRAY, ["object", [1], b"12345678"]),
    (c.TAG_NDARRAY, ["<f8,<f8", [1], bytes(16)]),
    (c.TAG_NDARRAY, ["<i4, (1000000000,)i8", [0], b""]),
    (c.TAG_NDARRAY, ["<M8[1s]", [0], b""]),
    (c.TAG_NDARRAY, ["<M8[s/2]", [0], b""]),
    (c.TAG_NDARRAY, ["|S0", [5], b""]),
    (c.TAG_NDARRAY, ["|S٣", [1], b"abc"]),
    (c.TAG_NDARRAY, ["<f16", [1], bytes(16)]),
    (c.TAG_NDARRAY, [[2, False, [["a", 0, "|u1", []]]], [1], b"\0\1"]),
    (c.TAG_NDARRAY, [[9, True, [["a", 0, "<u8", []]]], [1], bytes(9)]),
    (c.TAG_NUMPY_SCALAR, ["|b1", b"\2"]),
    (c.TAG_NUMPY_SCALAR, [">i2", b"\0\1"]),
    (c.TAG_NUMPY_SCALAR, ["|S1", b"a"]),
    (c.TAG_NUMPY_SCALAR, ["<i2", bytearray(2)]),
    (c.TAG_NUMPY_SCALAR, ["<i2", bytes(4)]),
    (c.TAG_NUMPY_SCALAR, ["U", b"a"]),
    (c.TAG_NUMPY_SCALAR, ["S", "a"]),
    (c.TAG_NUMPY_SCALAR, ["U", 1]),
    (c.TAG_OBJECT, ["dataclass", "m:C"]),
    (c.TAG_OBJECT, ["function", "os:system", {"command": "true"}]),
    (c.TAG_OBJECT, ["dataclass", "", {}]),
    (c.TAG_OBJECT, ["dataclass", b"m:C", {}]),
    (c.TAG_OBJECT, [["dataclass"], "m:C", {}]),
    (c.TAG_OBJECT, ("dataclass", "m:C", {})),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": ["a"]}, None]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {1: 2}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", ["a"]]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, []]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, ["unset"]]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": []}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": ("a",)}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": [b"a"]}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": {"a": 1}}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"attributes": {}}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"attributes": ["a"]}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"extra": {"a": 1}}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {"a": 1}, {"attributes": {"a": 1}}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"attributes": {"a": 1}, "unset": ["b"]}]),
    (c.TAG_OBJECT, ["dataclass", "m:C", {}, {"unset": ["b", "a"]}]),
    (c.TAG_OBJECT, ["pydantic", "m:C", {"a": 1}, {"fields_set": ["a"]}]),
    (c.TAG_ENUM, ["m:C", None, "x"]),
    (c.TAG_ENUM, ["m:C", 1, 1]),
    (c.TAG_ENUM, [b"m:C", "A", 1]),
    (c.TAG_ENUM, ["", "A", 1]),
    (c.TAG_CODEC, [b"c", 1, None]),
    (c.TAG_CODEC, ["", 1, None]),
    (c.TAG_CODEC, ["c", 0, None]),
    (c.TAG_CODEC, ["c", True, None]),
    (c.TAG_COLLECTION + 1, None),
    (c.TAG_LINK, [b"", 1]),
]


@pytest.mark.parametrize(
    ("tag", "content"), REFUSED, ids=[f"{tag}-{i}" for i, (tag, _) in enumerate(REFUSED)]
)
def test_refused(tag: int, content: Any) -> None:
    began = time.process_time()
    with pytest.raises(CorruptError) as caught:
        REGISTRY.restore(tag, content)
    assert len(str(caught.value)) < 400, "the message does not repeat what was sent"
    assert time.process_time() - began < 1


def nested(levels: int) -> Any:
    descr: Any = "|u1"
    for _ in range(levels):
        descr = [1, False, [["a", 0, descr, []]]]
    return descr


GOOD = ["a", 0, "|u1", []]
WRONG_STRUCTURES: list[Any] = [
    *(None, 1, b"|u1", "u1", "|u2", "", (1, False, [GOOD]), [1, False], [1, False, [GOOD], 0]),
    *([True, False, [GOOD]], [0, False, []], [-1, False, []], [1 << 31, False, []]),
    *([1, 0, [GOOD]], [1, None, [GOOD]], [1, False, (GOOD,)], [1, False, {"a": 0}]),
    *([1, False, [("a", 0, "|u1", [])]], [1, False, [GOOD[:3]]], [1, False, [[*GOOD, "t", "u"]]]),
    *([2, False, [["a", True, "|u1", []]]], [1, False, [["a", -1, "|u1", []]]]),
    *([1, False, [["a", 0, "|u1", ()]]], [1, False, [["a", 0, "|u1", [1] * 65]]]),
    *([1, False, [["a", 0, "|u1", [True]]]], [1, False, [["a", 0, "|u1", [-1]]]]),
    *([1, False, [["", 0, "|u1", []]]], [1, False, [[b"a", 0, "|u1", []]]]),
    *([2, False, [GOOD, ["a", 1, "|u1", []]]], [2, False, [GOOD, ["b", 1, "|u1", [], "a"]]]),
    *([1, False, [[*GOOD, ""]]], [1, False, [[*GOOD, None]]], [1, False, [["a", 0, "|O8", []]]]),
    *([2, False, [["a", 0, "<u2", []], ["b", 1, "|u1", []]]], [1, False, [["a", 0, "<u2", []]]]),
    *([1, False, [["a", 1, "|u1", []]]], [1, False, [["a", 0, nested(16), []]]]),
]


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize("descr", WRONG_STRUCTURES, ids=range(len(WRONG_STRUCTURES)))
def test_refused_dtypes(descr: Any, has_numpy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the parser: numpy is not asked, and need not be there."""
    if not has_numpy:
        monkeypatch.setitem(sys.modules, "numpy", None)
    for size in (0, 1, 2):
        with pytest.raises(CorruptError):
            Registry().restore(c.TAG_NDARRAY, [descr, [1], bytes(size)])
        with pytest.raises(CorruptError):
            Registry().restore(c.TAG_NUMPY_SCALAR, [descr, bytes(size)])


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a\0b", "zone.tab", "Europe", "",
                                 "Europe/Nowhere", "tzdata.zi", "x" * 100_000])  # fmt: skip
def test_a_zone_that_is_not_known_is_kept(key: str) -> None:
    check(c.TAG_TIMEZONE, key)
    check(c.TAG_DATETIME, ["2026-11-20T09:30:00", key, 0])
    record = REGISTRY.restore(c.TAG_DATETIME, ["2026-11-20T09:30:00", key, 0])
    assert record.type_name == "datetime:datetime"
    assert record["zone"] == key


def test_work_is_bounded() -> None:
    """The dearest content of each kind, of about a megabyte, takes moments."""
    big = (1 << FRACTION_BITS_MAX - 1) - 1
    fields = [[f"f{i}", i, "|u1", []] for i in range(20_000)]
    dear = [
        (c.TAG_FRACTION, [big, big - 1]),
        (c.TAG_DECIMAL, "9" * 1_000_000),
        (c.TAG_DECIMAL, "1E+99999999999999999"),
        (c.TAG_RANGE, [-HUGE, HUGE, 1]),
        (c.TAG_NDARRAY, [[20_000, False, fields], [50], bytes(1_000_000)]),
        (c.TAG_NDARRAY, [nested(10_000), [1], b"\0"]),
        (c.TAG_NDARRAY, [[1, False, [["a", 0, "|V999999999", [0]]]], [1], b"\0"]),
        (c.TAG_NDARRAY, ["|V999999999", [0], b""]),
        (c.TAG_NDARRAY, [[2_147_483_647, False, []], [0], b""]),
        (c.TAG_ENUM, [f"{HERE}:Bits", None, HUGE]),
        (c.TAG_DATETIME, ["2026-11-20T09:30:00", "a/" * 500_000, 0]),
    ]
    for tag, content in dear:
        began = time.process_time()
        with contextlib.suppress(CorruptError):
            REGISTRY.restore(tag, content)
        assert time.process_time() - began < 2, (tag, str(content)[:50])


def test_an_array_has_memory_of_its_own() -> None:
    data = b"\1\2"
    array = REGISTRY.restore(c.TAG_NDARRAY, ["|u1", [2], data])
    assert isinstance(array, np.ndarray)
    array[0] = 9
    assert data == b"\1\2"
    assert array.flags.owndata
