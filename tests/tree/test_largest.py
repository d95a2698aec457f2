"""The largest values of a state: found by their sizes, without reading what is small."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import casckpt
from casckpt.path import format_path


def largest(state, limit=10):
    return casckpt.open("memory:").thread("t").save(state).largest(limit=limit)


def paths(state, limit=10):
    return [format_path(one.path) for one in largest(state, limit)]


def test_large_values_are_named():
    state = {
        "messages": [{"role": "user", "content": "x" * 20}] * 50
        + [{"role": "tool", "content": "y" * 30_000}]
        + [{"role": "user", "content": f"{n} " * 10} for n in range(3_000)],
        "image": bytes(200_000),
        "n": 1,
    }
    found = largest(state)
    assert [format_path(one.path) for one in found[:4]] == [
        "", "messages", "image", "messages[50].content"
    ]  # fmt: skip
    sizes = {format_path(one.path): one.size for one in found}
    assert 200_000 <= sizes["image"] < 200_100
    assert 30_000 <= sizes["messages[50].content"] < 30_100
    assert sizes[""] >= sizes["image"] + sizes["messages"]


def test_a_chain_of_wrappers_is_told_once():
    assert paths({"a": {"b": {"c": ["z" * 50_000]}}}) == ["a.b.c[0]"]


def test_what_lies_in_objects_tuples_and_big_dicts():
    @dataclass
    class Plan:
        steps: str

    assert paths({"p": Plan("s" * 9_000), "q": ("t" * 5_000, 1)}) == ["", "p.steps", "q[0]"]
    big = {f"key {n}": n for n in range(20_000)} | {"key big": "b" * 100_000}
    assert paths(big)[:2] == ["", '["key big"]']


def test_nothing_is_large():
    assert paths(1) == [""]
    assert paths({"a": 1, "b": [1, 2]}) == [""]
    assert largest({}, limit=0) == []


def test_small_parts_are_not_read(monkeypatch):
    from casckpt.vault import Vault

    store = casckpt.open("memory:")
    checkpoint = store.thread("t").save(
        {
            "messages": [{"n": n, "content": f"{n}" * 100} for n in range(20_000)],
            "big": "x" * 60_000,
        }
    )
    store._ledger.forget()
    read = []
    real = Vault.get

    def get(self, oid, kind):
        read.append(oid)
        return real(self, oid, kind)

    monkeypatch.setattr(Vault, "get", get)
    assert [format_path(one.path) for one in checkpoint.largest()] == ["messages", "big"]
    assert len(read) < 150  # of some two thousand


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_sizes_are_those_of_the_store(state):
    checkpoint = casckpt.open("memory:").thread("t").save(state)
    (whole,) = [one for one in checkpoint.largest() if one.path == ()] or [None]
    if whole is not None:
        assert abs(whole.size - checkpoint.size) <= checkpoint.size // 3 + 16


def test_wrong_calls():
    with pytest.raises(casckpt.InvalidInputError):
        largest(1, limit=-1)
