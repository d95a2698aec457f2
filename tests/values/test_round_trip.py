"""The law of values: what is restored is exactly what was reduced, and is written the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from casckpt.values import Record, Registry, array_row_bytes
from tests.strategies import (
    any_atoms,
    any_values,
    arrays,
    atoms,
    classes,
    enums,
    exact,
    numpy_scalars,
    register_all,
    same,
)
from tests.values.packing import pack, unpack

KNOWING: Registry = register_all(Registry())
IGNORANT = Registry()


def check(value: Any) -> None:
    """Comes back as itself where its classes are known, and unchanged where they are not."""
    packed = pack(KNOWING, value)
    assert exact(unpack(KNOWING, packed)) == exact(value)
    assert exact(pack(KNOWING, unpack(KNOWING, packed))) == exact(packed)
    stranger = unpack(IGNORANT, packed)
    assert exact(pack(IGNORANT, stranger)) == exact(packed)


@given(any_values())
def test_any_value(value: Any) -> None:
    check(value)


@given(any_atoms())
def test_built_in_types(value: Any) -> None:
    check(value)
    # No class is involved: they need no registering.
    assert same(unpack(IGNORANT, pack(IGNORANT, value)), value)


@given(arrays())
def test_arrays(value: np.ndarray[Any, Any]) -> None:
    check(value)
    content = KNOWING.reduce(value).content
    rows = value.shape[0] if value.ndim else 1
    assert array_row_bytes(content) * rows == len(content[2]) or not value.size


@given(numpy_scalars())
def test_numpy_scalars(value: np.generic) -> None:
    check(value)


@given(classes(atoms()))
@settings(max_examples=200)
def test_classes(value: Any) -> None:
    check(value)


@given(enums())
def test_enums(value: Any) -> None:
    check(value)
    assert unpack(KNOWING, pack(KNOWING, value)) is value


@given(any_values())
def test_a_record_equals_another_load_of_it(value: Any) -> None:
    packed = pack(KNOWING, value)
    first, second = unpack(IGNORANT, packed), unpack(IGNORANT, packed)
    if isinstance(first, Record) and "nan" not in repr(packed).lower():
        assert first == second
        assert hash(first) == hash(second)


@pytest.mark.parametrize("other", [0, True, "x", None, {}])
def test_a_record_is_nothing_else(other: object) -> None:
    record = IGNORANT.restore(51817, ["dataclass", "m:C", {}])
    assert isinstance(record, Record)
    assert record != other
