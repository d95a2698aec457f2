"""The numbers are what they are called."""

from __future__ import annotations

import gc
import os
import statistics
from pathlib import Path

import pytest

from bench.measure import IoCounter, Samples, disk_usage, percentile, quiet_gc, settle
from bench.report import human_bytes, human_us, ratio, table


def test_percentiles_are_those_of_the_standard_library() -> None:
    values = [float(n * n % 101) for n in range(57)]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert [percentile(values, q) for q in range(1, 100)] == pytest.approx(cuts)
    assert percentile(values, 0) == min(values)
    assert percentile(values, 100) == max(values)
    assert percentile([3.0], 99) == 3.0


@pytest.mark.parametrize(("values", "q"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_a_percentile_of_nothing_is_an_error(values: list[float], q: float) -> None:
    with pytest.raises(ValueError, match=r"no values|not between"):
        percentile(values, q)


def test_samples_are_given_in_microseconds() -> None:
    samples = Samples([1_000, 3_000, 2_000, 100_000])
    assert samples.median_us() == 2.5
    assert samples.as_json()["max_us"] == 100.0
    assert samples.as_json()["n"] == 4
    assert samples.as_json()["total_ms"] == 0.11  # 0.106, rounded
    assert Samples().as_json() == {}


def test_sizes_count_every_file_below(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    (deep / ".hidden-journal").write_bytes(b"x" * 5000)
    (deep / "db-wal").write_bytes(b"x" * 300)
    os.link(tmp_path / "a", deep / "same-file")
    usage = disk_usage(tmp_path)
    assert (usage.files, usage.apparent_bytes) == (3, 6300)
    assert usage.allocated_bytes >= 3 * 512


def test_a_hole_is_no_allocated_space(tmp_path: Path) -> None:
    with (tmp_path / "map").open("wb") as file:
        file.truncate(1 << 24)
    usage = disk_usage(tmp_path)
    assert usage.apparent_bytes == 1 << 24
    assert usage.allocated_bytes < 1 << 20


def test_a_single_file_is_its_own_size(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * 77)
    assert disk_usage(file).apparent_bytes == 77


def test_written_bytes_are_counted(tmp_path: Path) -> None:
    counter = IoCounter()
    before = counter.bytes_written()
    if before is None:
        pytest.skip("no /proc/self/io here")
    (tmp_path / "file").write_bytes(b"x" * 12345)
    after = counter.bytes_written()
    counter.close()
    assert after is not None
    assert after - before >= 12345


def test_a_settled_disk_is_found_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy for three probes, then steady: it stops at the third of those that agree."""
    probes = iter([9000.0, 5000.0, 2000.0, 300.0, 310.0, 290.0])
    monkeypatch.setattr(Samples, "median_us", lambda _: next(probes))
    monkeypatch.setattr("bench.measure.os.sync", lambda: None)
    monkeypatch.setattr("bench.measure.time.sleep", lambda _: None)
    assert settle(tmp_path) == 290.0
    assert not list(tmp_path.iterdir())


def test_the_collector_is_off_inside_and_on_after() -> None:
    assert gc.isenabled()
    with quiet_gc() as collect:
        assert not gc.isenabled()
        collect()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_figures_for_people() -> None:
    assert [human_us(v) for v in (0.5, 12.34, 999, 12_340, 2.5e6)] == [
        "0.5 µs", "12.3 µs", "999 µs", "12.3 ms", "2.5 s",
    ]  # fmt: skip
    assert [human_bytes(v) for v in (999, 1234, 5_000_000, 1.5e9)] == [
        "999 B", "1.23 kB", "5 MB", "1.5 GB",
    ]  # fmt: skip
    assert (ratio(10, 4), ratio(1000, 1), ratio(1, 0), ratio(None, 2)) == (
        "2.5x", "1000x", None, None,
    )  # fmt: skip
    printed = table(("a", "b"), [("x", 12), ("yy", None)])
    assert printed.splitlines() == ["| a  |  b |", "|----|---:|", "| x  | 12 |", "| yy |  - |"]
