"""Ledgers to test history with: the memory engine, a clock that ticks when it is read."""

from casckpt.errors import UnsupportedValueError
from casckpt.history.ledger import Ledger
from casckpt.storage.memory import MemoryEngine


class Clock:
    """Nanoseconds that grow by `tick_ns` each time they are asked for."""

    def __init__(self, tick_ns=1_000):
        self.now_ns, self.tick_ns = 1_000_000_000, tick_ns

    def __call__(self):
        self.now_ns += self.tick_ns
        return self.now_ns


class NativeOnly:
    """A codec that knows no types."""

    def reduce(self, value):
        raise UnsupportedValueError(type(value).__name__)

    def restore(self, tag, content):
        raise AssertionError((tag, content))


def new_ledger(clock=None):
    return Ledger(MemoryEngine(b"header"), NativeOnly(), clock or Clock())
