"""Listing threads.

Imports: errors, storage (engine interface, through the ledger), history (ancestry, ledger, notes).
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

from casckpt.errors import InvalidInputError
from casckpt.history import notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.notes import ThreadOrigin

__all__ = ["Listed", "count_threads", "near_threads", "threads"]

_PAGE: Final = 256
_NEAR_MAX: Final = 2_000
"""Names looked at for one that was meant."""


class Listed(NamedTuple):
    """A thread, as listings show it."""

    name: str
    head: Point
    origin: ThreadOrigin
    updated_ns: int
    """When its head last moved."""


def threads(
    ledger: Ledger,
    prefix: str = "",
    *,
    after: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[Listed]:
    """The threads whose names begin with `prefix`, in order of their UTF-8 bytes.

    Args:
        ledger: the store.
        prefix: beginning of their names.
        after: only those behind this name.
        limit: no more than so many.
        offset: pass over so many.

    Raises:
        InvalidInputError: a prefix, or a name, that is no text.
    """
    if not isinstance(prefix, str):
        raise InvalidInputError(f"a prefix is a str, not {type(prefix).__name__}")
    if not isinstance(after, str | None):
        raise InvalidInputError(f"after= is the name of a thread, not {type(after).__name__}")
    engine = ledger.engine
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None or offset else min(_PAGE, left)
        behind = None if after is None else notes.thread_ref(after)
        page = engine.refs(notes.thread_ref(prefix), after=behind, limit=size)
        if not page:
            return
        after = page[-1].name.removeprefix(notes.THREADS)
        passed = min(offset, len(page))
        offset -= passed
        page = page[passed:][:left]
        heads = ledger.ancestry.points([ref.target for ref in page if ref.target is not None])
        for ref, head in zip(page, heads, strict=True):
            entry = engine.log_entry(ref.last_log) if ref.last_log else None
            moved_ns = entry.time_ns if entry is not None and entry.new == head.id else 0
            name = ref.name.removeprefix(notes.THREADS)
            updated_ns = max(head.created_ns, moved_ns)
            yield Listed(name, head, ThreadOrigin.decode(ref.info), updated_ns)
        left = None if left is None else left - len(page)


def count_threads(ledger: Ledger) -> int:
    """How many threads there are."""
    count, after = 0, None
    while page := ledger.engine.refs(notes.THREADS, after=after, limit=_PAGE):
        count, after = count + len(page), page[-1].name
    return count


def near_threads(ledger: Ledger, name: str) -> list[str]:
    """Names of threads that may have been meant by `name`, the likeliest first."""
    refs = ledger.engine.refs(notes.thread_ref(name), limit=3)
    longer = [ref.name.removeprefix(notes.THREADS) for ref in refs]
    some = ledger.engine.refs(notes.thread_ref(name[:1]), limit=_NEAR_MAX)
    some += ledger.engine.refs(notes.THREADS, limit=_NEAR_MAX)
    known = [ref.name.removeprefix(notes.THREADS) for ref in some]
    return list(dict.fromkeys([*longer, *get_close_matches(name, known, cutoff=0.5)]))[:5]
