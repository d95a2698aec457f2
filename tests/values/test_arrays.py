"""numpy: what is part of an array's value, what is not, and what is refused."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from casckpt.errors import CorruptError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values import Record, Registry, array_row_bytes
from tests.strategies import DTYPES, same

REGISTRY = Registry()


def again(value: Any) -> Any:
    return REGISTRY.restore(*REGISTRY.reduce(value))


def test_layout_in_memory_is_not_part_of_the_value() -> None:
    grid = np.arange(12, dtype="<i4").reshape(3, 4)
    for twin in (np.asfortranarray(grid), np.repeat(grid, 2, 1)[:, ::2], grid[::-1][::-1]):
        assert REGISTRY.reduce(twin) == REGISTRY.reduce(grid)
    frozen = grid.copy()
    frozen.flags.writeable = False
    back = again(frozen)
    assert back.flags.c_contiguous
    assert back.flags.writeable


def test_what_lies_between_fields_is_not_part_of_the_value() -> None:
    dtype = np.dtype(
        {"names": ["a", "b"], "formats": ["u1", "<u2"], "offsets": [1, 4], "itemsize": 8}
    )
    noisy = np.frombuffer(bytes(range(24)), dtype)
    clean = np.zeros(3, dtype)
    for name in ("a", "b"):
        clean[name] = noisy[name]
    assert REGISTRY.reduce(noisy) == REGISTRY.reduce(clean)
    assert REGISTRY.reduce(noisy[1]) == REGISTRY.reduce(clean[1])
    assert REGISTRY.reduce(np.repeat(noisy, 2)[::2]) == REGISTRY.reduce(clean)
    descr, shape, data = REGISTRY.reduce(clean).content
    for hole in (0, 2, 3, 6, 7):
        bad = bytearray(data)
        bad[hole] = 1
        with pytest.raises(CorruptError, match="between its fields"):
            REGISTRY.restore(c.TAG_NDARRAY, [descr, shape, bytes(bad)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype(dtype: np.dtype[Any]) -> None:
    for shape in ((), (0,), (2, 0, 3), (2, 1)):
        back = again(np.zeros(shape, dtype))
        assert back.dtype == dtype
        assert back.shape == shape
        assert back.dtype.isalignedstruct == dtype.isalignedstruct


def test_bits_of_floats() -> None:
    for kind, bits in (("<f2", "<u2"), ("<f4", "<u4"), ("<f8", "<u8")):
        size = np.dtype(bits).itemsize * 8
        odd = [0, 1 << size - 1, (1 << size) - 1, ((1 << size) - 1) ^ (1 << size - 9)]
        values = np.array(odd, bits).view(kind)
        assert again(values).tobytes() == values.tobytes()
        for value in values:
            assert again(value).tobytes() == value.tobytes()


def test_integers_that_numpy_calls_the_same() -> None:
    value = np.longlong(5)
    assert again(value) == value
    assert again(value).dtype == value.dtype


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.array([None]), "holds Python objects"),
        (np.array([(None, 1)], [("a", "O"), ("b", "i4")]), "holds Python objects"),
        (np.array([1], np.longdouble), "not the same on every machine"),
        (np.longdouble(1), "not the same on every machine"),
        (np.array([1], np.clongdouble), "not the same on every machine"),
        (np.zeros(2, "V0"), "no exact form"),
        (np.zeros(2, []), "no bytes"),
        (np.zeros(2, np.dtype("f8", metadata={"a": 1})), "metadata"),
        (np.zeros(2, np.dtype([("a", "f8")], metadata={"a": 1})), "metadata"),
        (np.zeros(2, np.dtype([("a", np.dtype("f8", metadata={"a": 1}))])), "metadata"),
        (np.zeros(2, {"names": ["a", "b"], "formats": ["u2", "u1"], "offsets": [0, 1]}), "overlap"),
        (np.zeros(2, [("a", "u1")]).view(np.recarray), "not a plain numpy array"),
        (np.asarray(np.zeros(2, [("a", "u1")]).view(np.recarray)), "is of records"),
        (np.ma.masked_array([1], [True]), "not a plain numpy array"),
        (np.dtype("f8"), "not a plain numpy array or scalar"),
        (np.random.default_rng(0), "not a plain numpy array or scalar"),
        (np.add, "not a plain numpy array or scalar"),
        (np.float64, "code, not state"),
    ],
    ids=str,
)
def test_refused(value: Any, says: str) -> None:
    with pytest.raises(UnsupportedValueError, match=says):
        REGISTRY.reduce(value)


@pytest.mark.skipif(np.__version__ < "2", reason="since numpy 2")
def test_texts_of_any_length_are_refused() -> None:
    with pytest.raises(UnsupportedValueError, match="no exact form"):
        REGISTRY.reduce(np.array(["x"], np.dtypes.StringDType()))


def test_structures_too_deep_are_refused() -> None:
    dtype: Any = np.dtype("u1")
    for _ in range(16):
        dtype = np.dtype([("a", dtype)])
    assert same(again(np.zeros(1, dtype)), np.zeros(1, dtype))
    with pytest.raises(UnsupportedValueError, match="16 structures"):
        REGISTRY.reduce(np.zeros(1, [("a", dtype)]))


def test_rows() -> None:
    assert array_row_bytes(REGISTRY.reduce(np.zeros((5, 3, 2), "<f4")).content) == 24
    assert array_row_bytes(REGISTRY.reduce(np.zeros(5, "<i2,<i4")).content) == 6
    assert array_row_bytes(REGISTRY.reduce(np.zeros((), "<f8")).content) == 8
    assert array_row_bytes(REGISTRY.reduce(np.zeros((5, 0), "<f8")).content) == 1
    assert array_row_bytes(REGISTRY.reduce(np.zeros(5, "<U3")).content) == 12
    with pytest.raises(CorruptError):
        array_row_bytes(["<f8", [-1], b""])


def test_without_numpy_there_are_records(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.zeros(2, "i1,f8"),
        np.float32(1),
        np.str_("x"),
    ]
    tagged = [REGISTRY.reduce(value) for value in values]
    monkeypatch.setitem(sys.modules, "numpy", None)
    registry = Registry()
    for each in tagged:
        record = registry.restore(*each)
        assert isinstance(record, Record)
        assert record.flavour == "numpy"
        assert registry.reduce(record) == each
    assert registry.restore(*tagged[0])["shape"] == [2, 3]
    for bad in ([">i4", [2], b"1234"], ["|O", [1], b"12345678"], ["<f8", [1 << 60], b""]):
        with pytest.raises(CorruptError):
            registry.restore(c.TAG_NDARRAY, bad)
