"""What is hashed and stored does not depend on the machine's byte order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import casckpt
from tests.exact import same

CASCKPT = Path(casckpt.__file__).parent
NUMBERS = [0, 1, -2, 1000, 123_456]
ROOTS = {
    "<i4": "df642da6075c75424143997c046a253d05746007b803b4c9b3d0f3e4c969999d",
    ">i4": "f4f65b970d9ec717b70be5438f7cc9151982794dfc30a01d7175b628a9d0f6b1",
    "<i8": "367078cfc3d574f6d67caa73f168038be8160007f3475d3c7e93ec3737ed6bab",
    ">i8": "2accc94f5d98a7fee472461d89c89680358145becdc6d9c04d8dfd0aa57735dc",
    "<f8": "c16dd8c8bfff1768908d43538b418fe7afe6f774e93442c3bef0da3a3c8eaf8c",
    ">f8": "f186a5ee0913879ddd2a2357ba3211a34c69911275f1e5e9258090d9a4b480af",
}
"""Golden: computed on a little-endian machine, the same on all."""


def array(order: str) -> np.ndarray:
    return np.array(NUMBERS, dtype=order)


def root(value: object) -> str:
    with casckpt.open("memory:") as store:
        return store.thread("t").save(value).root


@pytest.mark.parametrize("dtype", ROOTS)
def test_arrays_keep_their_own_order(tmp_path: Path, dtype: str) -> None:
    with casckpt.open(tmp_path / "s", durability="none") as store:
        saved = store.thread("t").save({"a": array(dtype)})
        assert same(saved.load(), {"a": array(dtype)})
        assert store.thread("t").save(array(dtype)).root == ROOTS[dtype]
        assert list(saved.view()["a"]) == NUMBERS


@pytest.mark.parametrize("kind", ["i4", "i8", "f8"])
def test_a_swapped_array_is_another_value_of_the_same_numbers(kind: str) -> None:
    little, big = array(f"<{kind}"), array(f">{kind}")
    assert (little == big).all()
    assert root(little) != root(big)
    assert root(big.byteswap().view(f"<{kind}")) == root(little)


def test_nothing_is_packed_in_the_machines_own_order() -> None:
    """Every format of `struct` begins by saying its order, or has single bytes only."""
    found = []
    for path in CASCKPT.rglob("*.py"):
        if path.name == "exactly.py":  # compares two floats in memory, stores nothing
            continue
        text = path.read_text(encoding="utf-8")
        found += re.findall(r'(?:Struct|pack|unpack|unpack_from|pack_into)\(f?"([^"]*)"', text)
    assert found
    assert [one for one in found if one[:1] not in {"<", ">", "!"}] == []
