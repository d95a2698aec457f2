"""What an async store lists: read by pages, never in the event loop.

Invariants: no more than one page is read ahead of what was taken.

Imports: aio.crew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

from casckpt.aio.crew import Crew

__all__ = ["PAGE", "Listing"]

PAGE: Final = 64
"""Entries read at once."""

T = TypeVar("T")


class Listing(Generic[T]):
    """Something to list: `async for` takes one after the other, `await` gives a list of all."""

    def __init__(self, crew: Crew, begin: Callable[[], Iterator[T]]) -> None:
        """Prepare.

        Args:
            crew: reads.
            begin: called for each pass, in an OS thread of the crew.
        """
        self._crew = crew
        self._begin = begin

    async def __aiter__(self) -> AsyncIterator[T]:
        entries = await self._crew.read(lambda: iter(self._begin()))
        while page := await self._crew.read(lambda: list(islice(entries, PAGE))):
            for entry in page:
                yield entry

    def __await__(self) -> Generator[None, None, list[T]]:
        return self._crew.read(lambda: list(self._begin())).__await__()
