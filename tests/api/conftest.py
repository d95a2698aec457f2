"""Stores for the tests of the public API: each test runs in memory and on disk."""

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

    def advance(self, delta):
        self.now_ns += int(delta.total_seconds() * 1e9)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "lmdb"])
def place(request, tmp_path):
    """A path for a store, a new one each time it is called."""
    numbers = itertools.count()
    if request.param == "memory":
        return lambda: "memory:"
    return lambda: tmp_path / f"store-{next(numbers)}"


@pytest.fixture
def store(place, clock):
    with casckpt.open(place(), durability="none", clock=clock) as store:
        yield store


@pytest.fixture
def disk(tmp_path):
    """A path for a store on disk."""
    return tmp_path / "store"
