"""Stores for the tests of bundles, with a clock that every test can read the same way."""

import itertools

import pytest

import casckpt


class Clock:
    """Nanoseconds that grow by a microsecond each time they are asked for."""

    def __init__(self):
        self.now_ns = 1_780_000_000_000_000_000

    def __call__(self):
        self.now_ns += 1_000
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "lmdb"])
def make(request, tmp_path):
    """Makes a new, empty store each time it is called."""
    numbers, opened = itertools.count(), []

    def open_one():
        path = "memory:" if request.param == "memory" else tmp_path / f"store-{next(numbers)}"
        opened.append(casckpt.open(path, durability="none", clock=Clock()))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(make):
    return make()


@pytest.fixture
def other(make):
    return make()
