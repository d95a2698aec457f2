"""A kit for asynchronous tests: coroutines run to their end, and a value that can be held up."""

import asyncio
import threading

import pytest

SECONDS_MAX = 30


@pytest.fixture
def go():
    """Runs a coroutine; one that hangs fails."""
    return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, SECONDS_MAX))


class Gate:
    """A value whose encoding waits: so that a test knows where the writing thread is."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.actions = []
        """Done by the writing thread as it comes by, each once."""

    def encode(self):
        self.reached.set()
        assert self.opened.wait(SECONDS_MAX)
        if self.actions:
            self.actions.pop(0)()
        return "gate"

    @classmethod
    def decode(cls, _):
        return cls()


async def reached(gate):
    """Wait, without holding up the loop, for the writing thread to come to the gate."""
    assert await asyncio.to_thread(gate.reached.wait, SECONDS_MAX)
