"""Hypothesis strategies for states: every type that can be stored, nested at random.

`native_values()` are what the tree stores by itself; `any_values()` adds everything above
that, classes of tests/samples.py included (`register_all` makes a registry know them).
`same(a, b)` says whether two values are exactly the same. All of these are re-exported here.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import functools
import ipaddress
import pathlib
import struct
import zoneinfo
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests import samples
from tests.exact import exact, same
from tests.samples import register_all

__all__ = [
    "any_atoms",
    "any_values",
    "arrays",
    "atoms",
    "classes",
    "exact",
    "hashables",
    "json_values",
    "keys",
    "native_values",
    "numpy_scalars",
    "register_all",
    "same",
]

# --- native ------------------------------------------------------------------------------

_INT_EDGES = [s * (1 << n) + d for n in (7, 8, 31, 32, 53, 63, 64, 65, 200) for s in (1, -1)
              for d in (-1, 0, 1)]  # fmt: skip


def _nan(bits: int) -> float:
    (value,) = struct.unpack(">d", (0x7FF0_0000_0000_0000 | bits).to_bytes(8, "big"))
    return float(value)


def ints() -> st.SearchStrategy[int]:
    """Small ones, and around every border of the encoding."""
    return st.one_of(st.integers(-30, 300), st.integers(), st.sampled_from(_INT_EDGES))


def floats() -> st.SearchStrategy[float]:
    """All bit patterns: signed zeros, infinities, NaNs with payloads and signs."""
    odd = st.integers(1, (1 << 52) - 1).map(_nan)
    return st.one_of(st.floats(), odd, odd.map(lambda x: -x))


def texts() -> st.SearchStrategy[str]:
    """Any str; lone surrogates now and then."""
    surrogates = st.text(st.characters(categories=("Cs", "Lu")), max_size=4)
    return st.one_of(st.text(max_size=12), st.text(max_size=12), surrogates)


@functools.cache
def atoms() -> st.SearchStrategy[Any]:
    """Native values without items."""
    return st.one_of(
        *(st.none(), st.booleans(), ints(), floats(), texts()),
        *(st.binary(max_size=20), st.binary(max_size=20).map(bytearray)),
    )


@functools.cache
def hashables() -> st.SearchStrategy[Any]:
    """Native values that may be keys and members, tuples and frozensets of them included.

    No NaN: two of them are two keys, but one encoding.
    """
    plain = st.one_of(
        *(st.none(), st.booleans(), ints(), texts(), st.binary(max_size=8)),
        floats().filter(lambda x: x == x),  # noqa: PLR0124 - false for NaN
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
        ),
        max_leaves=5,
    )


def keys() -> st.SearchStrategy[Any]:
    """Keys of dicts, most of them texts as in life."""
    return st.one_of(st.text(max_size=6), st.text(max_size=6), hashables())


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys(), inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(hashables(), max_size=4),
        st.frozensets(hashables(), max_size=4),
    )


@functools.cache
def native_values(max_leaves: int = 12) -> st.SearchStrategy[Any]:
    """None, bool, int, float, str, bytes, list, dict, tuple, set, frozenset, bytearray."""
    return st.recursive(atoms(), _containers, max_leaves=max_leaves)


@functools.cache
def json_values(max_leaves: int = 12) -> st.SearchStrategy[Any]:
    """What JSON can say: no NaN, no infinity, text keys, no lone surrogates."""
    text = st.text(max_size=12)
    plain = st.one_of(
        st.none(), st.booleans(), ints(), st.floats(allow_nan=False, allow_infinity=False), text
    )
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=max_leaves,
    )


# --- built-in types above the native ones ------------------------------------------------

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


def complexes() -> st.SearchStrategy[complex]:
    return st.builds(complex, floats(), floats())


def timezones() -> st.SearchStrategy[dt.tzinfo]:
    """Fixed offsets to the microsecond, with and without a name; zones by key."""
    day = dt.timedelta(hours=24) - dt.timedelta.resolution
    offsets = st.one_of(st.timedeltas(-day, day), st.just(dt.timedelta(0)))
    minutes = st.integers(-1439, 1439).map(lambda n: dt.timedelta(minutes=n))
    return st.one_of(
        st.just(dt.UTC),
        st.builds(dt.timezone, offsets | minutes),
        st.builds(dt.timezone, offsets | minutes, texts()),
        st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    )


def _folded(value: Any, fold: int, zone: dt.tzinfo | None) -> Any:
    return value.replace(fold=fold, tzinfo=zone)


def _zoned(naive: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(_folded, naive, st.sampled_from([0, 0, 1]), st.none() | timezones())


def decimals() -> st.SearchStrategy[decimal.Decimal]:
    """Every sign, exponent and payload, signalling NaNs included."""
    digits = st.lists(st.integers(0, 9), max_size=30).map(tuple)
    sign = st.sampled_from([0, 1])
    exponents = st.integers(-40, 40) | st.integers(-(10**17), 10**17)
    return st.builds(
        lambda s, d, e: decimal.Decimal((s, d, e)),
        sign, digits, st.one_of(exponents, st.sampled_from(["n", "N"]))
    ) | st.sampled_from([decimal.Decimal("Infinity"), decimal.Decimal("-Infinity")])  # fmt: skip


def paths() -> st.SearchStrategy[pathlib.PurePath]:
    part = st.sampled_from([".", "..", "a", "B", "c.txt", "ü", " ", "x\\y", "\ud800"])
    posix = st.lists(part | st.just("/"), max_size=4)
    windows = st.lists(part | st.sampled_from(["C:\\", "//host/share/", "d"]), max_size=4)
    return st.one_of(
        posix.map(lambda parts: pathlib.PurePosixPath(*parts)),
        posix.map(lambda parts: pathlib.Path(*parts)),
        windows.map(lambda parts: pathlib.PureWindowsPath(*parts)),
    )


def addresses() -> st.SearchStrategy[Any]:
    v4 = st.builds(ipaddress.IPv4Address, st.integers(0, (1 << 32) - 1))
    v6 = st.builds(ipaddress.IPv6Address, st.integers(0, (1 << 128) - 1))
    scoped = v6.map(lambda a: ipaddress.IPv6Address(f"{a}%eth0"))
    four = st.tuples(v4, st.integers(0, 32))
    six = st.tuples(v6 | scoped, st.integers(0, 128))
    return st.one_of(
        *(v4, v6, scoped),
        four.map(ipaddress.IPv4Interface),
        six.map(lambda pair: ipaddress.IPv6Interface(f"{pair[0]}/{pair[1]}")),
        four.map(lambda pair: ipaddress.IPv4Network(pair, strict=False)),
        st.tuples(v6, st.integers(0, 128)).map(
            lambda pair: ipaddress.IPv6Network(pair, strict=False)
        ),
    )


@functools.cache
def any_atoms() -> st.SearchStrategy[Any]:
    """One of every built-in type that the registry stores; all are hashable but the slices."""
    bounds = st.integers(-(10**20), 10**20)
    fractions = st.fractions() | st.builds(Fraction, bounds, st.integers(1, 10**30))
    return st.one_of(
        *(complexes(), _zoned(st.datetimes()), _zoned(st.times()), st.dates(), st.timedeltas()),
        *(timezones(), st.uuids(), decimals(), fractions, paths(), addresses()),
        st.builds(range, bounds, bounds, bounds.filter(bool)),
        st.builds(slice, st.none() | bounds, st.none() | texts(), st.none() | bounds),
    )


# --- numpy -------------------------------------------------------------------------------

_FLAT = [
    *("|b1", "|i1", "|u1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8", "<c8", ">c16"),
    *("<M8[ns]", ">M8[25us]", "<M8", "<m8[D]", "<m8", "|S3", "<U2", ">U3", "|V5"),
]
_STRUCTURED: list[Any] = [
    [("a", "<i4"), ("b", ">f8")],
    [("when", "<M8[s]"), ("name", "<U3"), ("grid", "<i2", (2, 2))],
    [("outer", [("x", "|b1"), ("y", "|S2")]), ("z", "|u1")],
    {"names": ["p", "q"], "formats": ["<i2", "<f4"], "offsets": [1, 6], "itemsize": 13},
    {"names": ["q", "p"], "formats": ["<i2", "<f4"], "offsets": [4, 0], "titles": ["T", None]},
]
DTYPES = [
    *map(np.dtype, _FLAT),
    *map(np.dtype, _STRUCTURED),
    np.dtype("i1,f8", align=True),
]


def _filled(dtype: np.dtype[Any], shape: tuple[int, ...], seed: bytes) -> np.ndarray[Any, Any]:
    array = np.zeros(shape, dtype)
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    noise = (seed * (count // len(seed) + 1))[:count]
    if dtype.names is not None:
        for at, name in enumerate(dtype.names):
            part = array[name]
            part[...] = _filled(part.dtype, part.shape, seed[at % len(seed) :] + b"\x01")
    elif dtype.kind == "b":
        array[...] = np.frombuffer(noise, "u1").reshape(shape) > 127
    elif dtype.kind == "U":
        text = "".join(chr(0x41 + byte) for byte in noise)
        width = dtype.itemsize // 4
        flat = [
            text[i * width : i * width + byte % 4] for i, byte in enumerate(noise[: array.size])
        ]
        array[...] = np.array(flat, dtype).reshape(shape)
    else:
        array = np.frombuffer(noise, dtype).reshape(shape).copy()
    return array


def _laid_out(array: np.ndarray[Any, Any], how: str) -> np.ndarray[Any, Any]:
    """The same values, differently in memory."""
    if how == "fortran":
        return np.asfortranarray(array)
    if how == "reversed" and array.ndim:
        return array[::-1]
    if how == "strided" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if how == "transposed":
        return array.T
    return array


def arrays() -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Every kind of dtype, 0-d and empty ones, in every layout."""
    shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
    layouts = st.sampled_from(["plain", "fortran", "reversed", "strided", "transposed"])
    filled = st.builds(_filled, st.sampled_from(DTYPES), shapes, st.binary(min_size=1, max_size=9))
    return st.builds(_laid_out, filled, layouts)


def numpy_scalars() -> st.SearchStrategy[np.generic]:
    """Scalars of every dtype."""
    flat = [d for d in DTYPES if d.kind not in "US" and d.isnative]
    made = st.builds(
        lambda d, seed: _filled(d, (1,), seed)[0],
        st.sampled_from(flat),
        st.binary(min_size=1, max_size=9),
    )
    strings = st.text(max_size=5).map(np.str_) | st.binary(max_size=5).map(np.bytes_)
    return st.one_of(made, strings)


# --- classes -----------------------------------------------------------------------------


def enums() -> st.SearchStrategy[Any]:
    """Members, and combinations of flags."""
    members = [member for cls in samples.ENUMS for member in cls]
    flags = [samples.Mode(n) for n in range(8)] + [samples.Bits(n) for n in (0, 5, 6, 9)]
    return st.sampled_from(members + flags)


def _with(value: Any, attributes: dict[str, Any]) -> Any:
    vars(value).update(attributes)
    return value


def classes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Instances of the classes of tests/samples.py, with `inner` in their fields."""
    s = samples
    more = st.dictionaries(st.sampled_from(["_n", "total", "extra_1"]), inner, max_size=2)
    private = st.builds(_private, st.builds(s.Agent, name=inner), inner)
    return st.one_of(
        *(st.builds(s.Point, inner, inner), st.builds(s.Pair, inner, inner)),
        st.builds(_with, st.builds(s.Loose, inner), more),
        st.builds(_with, st.builds(s.Message, inner, inner, inner), more),
        *(st.builds(s.Frozen, inner), st.builds(s.Slotted, inner, inner)),
        *(st.builds(s.Derived, inner, inner), st.builds(s.Box[int], inner)),
        st.builds(_with, st.builds(s.Plain, inner), more),
        *(st.builds(s.Tool, inner, inner), st.builds(s.Call, inner), st.builds(s.Open, inner)),
        *(st.builds(s.Chat, role=inner), st.builds(s.Chat, role=inner, parts=st.lists(inner))),
        *(st.builds(s.Agent, name=inner, other=inner), private),
        st.builds(s.Agent, name=inner, last=st.builds(s.Chat, role=inner)),
        *(st.builds(s.Wrapped, item=inner), st.builds(s.Wrapped[int], item=ints())),
        *(st.builds(s.Tags, st.lists(inner, max_size=3)), st.builds(s.Checked, ints(), inner)),
        *(st.builds(s.Money, ints(), inner), texts().map(s.Text)),
        st.datetimes().map(lambda when: when.replace(tzinfo=s.Nowhere())),
    )


def _private(agent: Any, value: Any) -> Any:
    agent._calls = value
    return agent


def _collections(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.dictionaries(keys(), inner, max_size=3)
    factories = st.sampled_from([None, list, dict, int, set, str])
    return st.one_of(
        st.lists(inner, max_size=3).map(collections.deque),
        st.builds(collections.deque, st.lists(inner, max_size=3), st.integers(0, 4)),
        pairs.map(collections.OrderedDict),
        pairs.map(collections.Counter),
        st.builds(collections.defaultdict, factories, pairs),
    )


def _hashable_any() -> st.SearchStrategy[Any]:
    s, plain = samples, hashables()
    return st.one_of(
        *(enums(), st.uuids(), st.dates(), timezones(), paths(), addresses()),
        *(st.builds(s.Key, plain), st.builds(s.Point, plain, plain), st.builds(s.Frozen, plain)),
        st.builds(lambda key: (key, 1), st.builds(s.Key, plain)),
    )


@functools.cache
def any_values(max_leaves: int = 10) -> st.SearchStrategy[Any]:
    """Anything that can be stored."""
    leaves = st.one_of(atoms(), any_atoms(), enums(), numpy_scalars(), arrays())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            _containers(inner),
            _collections(inner),
            classes(inner),
            st.dictionaries(_hashable_any(), inner, max_size=3),
            st.sets(_hashable_any(), max_size=3),
        ),
        max_leaves=max_leaves,
    )
