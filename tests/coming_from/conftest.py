"""A store, and a clock that tests can read."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

import casckpt

BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


def tick():
    """A clock that goes on by an hour each time it is looked at."""
    hours = count(0)
    return lambda: int((BEGUN + timedelta(hours=next(hours))).timestamp()) * 10**9


@pytest.fixture(params=["memory", "lmdb"])
def place(request, tmp_path):
    return "memory:" if request.param == "memory" else str(tmp_path / "store")


@pytest.fixture
def store(place):
    with casckpt.open(place, durability="none", clock=tick()) as opened:
        yield opened


@pytest.fixture
def run(store):
    return store.thread("t")
