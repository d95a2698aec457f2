"""Postings: ordered lists to find objects by.

Imports: errors, the engine interface, common.
"""
# ruff: noqa: S101 - a conformance suite asserts

from __future__ import annotations

from casckpt.errors import InvalidInputError, LimitError
from casckpt.storage.engine import Engine, NewObject, Posting
from casckpt.testing.common import Suite, chain, new_object, raises, text

__all__ = ["PostingTests"]

NAME = b"label\0green"


def _three_a_rank(engine: Engine, name: bytes, ranks: int) -> list[Posting]:
    """Fill a list, ranks in no order; returns it in its order."""
    objects = [new_object(text(n)) for n in range(3 * ranks)]
    entries = [Posting(name, (n * 7) % ranks, item.id) for n, item in enumerate(objects)]
    for item, entry in zip(objects, entries, strict=True):
        engine.commit([item], add=[entry])
    return sorted(entries, key=lambda entry: entry.rank)  # stable: storing order in a rank


class PostingTests(Suite):
    """`commit` of postings, `postings`, `postings_count`, `posting_lists`."""

    def test_a_list_is_ordered_by_rank_then_storing(self) -> None:
        """In both directions."""
        with self.empty() as engine:
            entries = _three_a_rank(engine, NAME, 10)
            assert engine.postings(NAME) == entries[::-1]
            assert engine.postings(NAME, newest_first=False) == entries
            assert engine.postings_count(NAME) == 30
            assert engine.postings(b"label") == []
            assert engine.postings_count(b"label") == 0

    def test_a_part_of_a_list(self) -> None:
        """From a rank on, up to another, behind an entry, so many."""
        with self.empty() as engine:
            entries = _three_a_rank(engine, NAME, 10)
            part = [entry for entry in entries if 3 <= entry.rank < 7]
            assert engine.postings(NAME, since=3, until=7) == part[::-1]
            assert engine.postings(NAME, since=3, until=7, newest_first=False) == part
            assert engine.postings(NAME, since=7, until=3) == []
            assert engine.postings(NAME, until=0) == []
            assert engine.postings(NAME, since=2**64 - 1) == []
            for newest_first in (True, False):
                order = entries[::-1] if newest_first else entries
                for at, entry in enumerate(order):
                    page = engine.postings(NAME, newest_first=newest_first, after=entry, limit=4)
                    assert page == order[at + 1 : at + 5]
                    page = engine.postings(
                        NAME, newest_first=newest_first, after=entry, since=3, until=7
                    )
                    assert page == [e for e in order[at + 1 :] if e in part]
            assert engine.postings(NAME, limit=0) == []

    def test_extreme_ranks(self) -> None:
        """0 and 2**64 - 1 are ranks, nothing beyond."""
        with self.empty() as engine:
            item = new_object(b"x")
            ends = [Posting(NAME, 0, item.id), Posting(NAME, 2**64 - 1, item.id)]
            engine.commit([item], add=ends)
            assert engine.postings(NAME, newest_first=False) == ends
            assert engine.postings(NAME, since=1) == ends[1:]
            assert engine.postings(NAME, until=2**64) == ends[::-1]
            assert engine.postings(NAME, until=2**64 - 1) == ends[:1]
            for rank in (-1, 2**64):
                entry = Posting(NAME, rank, item.id)
                raises(InvalidInputError, lambda e=entry: engine.commit(add=[e]))  # type: ignore[misc]

    def test_an_entry_is_there_once_or_not(self) -> None:
        """Adding it again and removing what is not there change nothing."""
        with self.empty() as engine:
            item, lost = new_object(b"x"), new_object(b"lost")
            entry = Posting(NAME, 5, item.id)
            engine.commit([item], add=[entry, entry])
            engine.commit(add=[entry])
            assert engine.postings(NAME) == [entry]
            engine.commit(remove=[entry._replace(rank=6), Posting(NAME, 5, lost.id)])
            assert engine.postings(NAME) == [entry]
            engine.commit(remove=[entry], add=[entry._replace(rank=7)])
            assert engine.postings(NAME) == [entry._replace(rank=7)]
            engine.commit(remove=[entry._replace(rank=7)])
            assert engine.postings(NAME) == []
            assert engine.posting_lists() == []

    def test_names_of_lists(self) -> None:
        """By prefix, after a name, up to a limit; any bytes."""
        with self.empty() as engine:
            item = new_object(b"x")
            names = sorted([b"\0", b"\xff\xff", b"a", b"a\0", b"a\0b", b"ab", b"b", b"n" * 400])
            engine.commit([item], add=[Posting(name, 1, item.id) for name in names])
            assert engine.posting_lists() == names
            assert engine.posting_lists(b"a") == [n for n in names if n.startswith(b"a")]
            assert engine.posting_lists(b"a\0", after=b"a\0") == [b"a\0b"]
            assert engine.posting_lists(after=b"a", limit=2) == [b"a\0", b"a\0b"]
            assert engine.posting_lists(b"zz") == []
            for name in (b"", b"x" * 10_000):
                entry = Posting(name, 1, item.id)
                raises(LimitError, lambda e=entry: engine.commit(add=[e]))  # type: ignore[misc]

    def test_a_long_list_is_walked_in_pages(self) -> None:
        """Every entry once, whatever the page."""
        with self.empty() as engine:
            objects: list[NewObject] = chain(700)
            entries = [Posting(b"time", n // 2, item.id) for n, item in enumerate(objects)]
            engine.commit(objects, add=entries)
            assert engine.postings(b"time", newest_first=False) == entries
            seen: list[Posting] = []
            while page := engine.postings(b"time", after=seen[-1] if seen else None, limit=99):
                seen += page
            assert seen == entries[::-1]
