"""The soak in its short form, and the growth that its verdict must see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import soak
from tests.soak import ROUNDS_MIN, Row, Soak, verdict

LEVEL = Row(
    minutes=0.0,
    saves=100,
    file_mb=10.0,
    used_mb=8.0,
    memory_mb=60.0,
    readers=0,
    threads=4,
    save_ms=3.0,
    save_ms_p99=20.0,
    save_ms_max=50.0,
    load_ms=0.5,
    upkeep_s=1.0,
)


def test_what_stays_level_is_level() -> None:
    assert verdict([LEVEL] * 20) == []
    assert verdict([replace(LEVEL, file_mb=10 + n % 4) for n in range(20)]) == []
    assert verdict([LEVEL] * (ROUNDS_MIN - 1)) != []


@pytest.mark.parametrize(
    ("column", "a_round"),
    [
        *(("file_mb", 2.0), ("used_mb", 2.0), ("memory_mb", 9.0), ("readers", 1.0)),
        *(("threads", 1.0), ("save_ms", 2.0), ("load_ms", 2.0), ("upkeep_s", 2.0)),
    ],
)
def test_what_grows_is_seen(column: str, a_round: float) -> None:
    rows = [replace(LEVEL, **{column: getattr(LEVEL, column) + a_round * n}) for n in range(20)]
    [found] = verdict(rows)
    assert found.startswith(f"{column} grows")


@pytest.mark.slow
def test_a_soak_in_short(tmp_path: Path) -> None:
    """Caches fill in the first minute: what they take is bounded, and left out here."""
    short = Soak(tmp_path / "s", saves_per_round=400, durability="none")
    short.run(30)
    assert len(short.rows) >= ROUNDS_MIN
    assert short.kills
    rows = [replace(row, memory_mb=0.0) for row in short.rows]
    assert verdict(rows, latency=False) == [], soak.table(short.rows)


@pytest.mark.slow
def test_a_soak_without_collecting_is_not_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Soak, "_upkeep", lambda *_: 0.0)
    short = Soak(tmp_path / "s", saves_per_round=400, durability="none")
    short.run(1)
    assert any(found.startswith("used_mb grows") for found in verdict(short.rows, latency=False))
