"""Small texts: times, sizes, values in one line, changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import casckpt
from casckpt.cli import changes, style
from casckpt.cli.heads import Heads
from casckpt.cli.times import ago, iso, parse_age, parse_time
from casckpt.cli.values import clean, kind, one_line
from tests.strategies import any_atoms, native_values

SHOWN = st.one_of(native_values(), any_atoms())
NOW = datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC)

AGES = {
    "90s": 90, "15min": 900, "2h": 7200, "2 hours": 7200, "1d12h": 129600, "3 weeks": 1814400,
    "0": 0, "1.5h": 5400, "1m": 60, "10 secs": 10,
}  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), AGES.items())
def test_ages(text: str, seconds: int) -> None:
    assert parse_age(text) == timedelta(seconds=seconds)
    assert parse_time(f"{text} ago", NOW) == NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", " ", "soon", "h", "5", "-5h", "2 fortnights", "9" * 40 + "w"])
def test_no_ages(text: str) -> None:
    with pytest.raises(ValueError, match="not an age"):
        parse_age(text)
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text, NOW)


def test_times() -> None:
    assert parse_time("2026-11-20T14:30:00Z") == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert parse_time("2026-11-20 14:30+02:00") == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    local = datetime.fromisoformat("2026-11-20").astimezone()
    assert parse_time("2026-11-20") == local
    assert parse_time("now", NOW) == NOW
    assert parse_time("today", NOW) - parse_time("yesterday", NOW) == timedelta(days=1)
    for bad in ("0000-01-01", "9999-99-99", "2026-13-01"):
        with pytest.raises(ValueError, match="not a time"):
            parse_time(bad, NOW)


@given(st.integers(0, 200_000_000_000).map(lambda s: datetime.fromtimestamp(s / 3, UTC)))
def test_what_iso_writes_is_read_back(when: datetime) -> None:
    assert parse_time(iso(when)) == when.replace(microsecond=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "just now"), (45, "45 s ago"), (150, "2 min ago"), (3 * 3600, "3 h ago"),
     (5 * 86400, "5 days ago"), (400 * 86400, "2025-10-16"), (-7200, "2026-11-20T17:00:00Z")],
)  # fmt: skip
def test_how_long_ago(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
     (12_345_678, "12.3 MB"), (5 * 10**12, "5,000.0 GB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert style.size(count) == text


@given(st.text(), st.integers(1, 40))
def test_cut_text_fits(text: str, room: int) -> None:
    cut = style.cut(text, room)
    assert style.columns(cut) <= room
    assert cut == text or cut.endswith("…")


@given(SHOWN, st.integers(8, 100))
def test_any_value_fits_on_one_harmless_line(value: Any, room: int) -> None:
    text = one_line(value, room)
    assert style.columns(text) <= room
    assert text.isprintable()
    assert kind(value)


def test_a_repr_that_fails_is_no_failure_of_ours() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    assert one_line([Odd()], 40) == "[<Odd>]"


def test_values_are_read_no_further_than_shown() -> None:
    class Endless(list[int]):
        """Complains if somebody looks at what is not shown."""

        def __iter__(self) -> Any:
            yield from range(40)
            pytest.fail("read too far")

    assert one_line(Endless([1]), 40).endswith("…")


def test_terminals_are_not_acted_upon() -> None:
    evil = "\x1b[2J\x9b31m\u202e\r\n\x07"
    assert clean(evil).isprintable()
    assert one_line({evil: [evil]}, 200).isprintable()
    change = casckpt.Change("replace", ("a", evil), evil, {"x": evil})
    for line in changes.lines(change, 80):
        assert "\x1b[2J" not in line
        assert "\u202e" not in line


@given(SHOWN, SHOWN, st.integers(40, 200))
def test_any_change_fits(old: Any, new: Any, room: int) -> None:
    for op in ("add", "remove", "replace"):
        change = casckpt.Change(op, ("messages", 3, "content"), old, new)
        for line in changes.lines(change, room):
            assert style.columns(click.unstyle(line)) <= room


@pytest.mark.parametrize("all_max", [1000, 1])
def test_heads_are_known_among_many_threads(all_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casckpt.cli.heads._ALL_MAX", all_max)
    with casckpt.open("memory:") as store:
        first, second = (store.thread("a").save(n) for n in range(2))
        fork = store.thread("a").fork("b", at=first)
        third = fork.save(2)
        heads = Heads(store)
        assert [heads.at(c) for c in (first, second, third)] == [[], ["a"], ["b"]]
        bare = fork.fork("c")
        assert Heads(store).at(bare.head) == (["b", "c"] if all_max > 1 else ["b"])
