"""Rows that gc left as bases: packing makes them needless, and takes them along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from casckpt.errors import StorageError
from casckpt.storage.engine import NewObject, Problem, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, check, index, pack, sweep
from casckpt.testing.common import chain, new_object
from tests.storage.packing import EVERY, LINES, collect, expect_all, rows, write

pytestmark = pytest.mark.usefixtures("small_steps")


def dead_bases(engine: LmdbEngine, length: int) -> tuple[NewObject, list[int]]:
    """A live row that is a delta against a line of dead ones: that, and the dead rows."""
    line = [new_object(item.payload) for item in chain(length, 50)]
    for item, before in zip(line, [None, *line], strict=False):
        engine.commit([item._replace(base=before.id if before else None)], [
            RefUpdate("n", item.id)
        ])  # fmt: skip
    last = max(rows(engine))
    collect(engine)
    dead = list(range(last - length + 1, last))
    assert {*dead} <= {*rows(engine)}
    assert engine.stats()["bases_only"]["rows"] == length - 1
    return line[-1], dead


def test_lines_of_bases_go_and_those_still_needed_stay(engine: LmdbEngine) -> None:
    """The line's last row is kept out of blocks at first, then packed."""
    last, dead = dead_bases(engine, 5)
    engine.pack(keep=1)
    assert {*dead} <= {*rows(engine)}
    assert list(engine.check()) == []
    engine.pack()
    assert not {*dead} & {*rows(engine)}
    assert list(engine.check()) == []
    expect_all(engine, [*EVERY, last])


def test_bases_stay_while_it_goes_on(engine: LmdbEngine) -> None:
    """Sound after every step, and when killed there; readers that look meanwhile see no loss."""
    last, dead = dead_bases(engine, 5)
    packer = pack.Packer(engine._space, keep=0, seconds_max=None)
    seen = []
    for step in packer.steps():
        seen.append(step)
        expect_all(engine, [*EVERY, last])
        assert not [p for p in engine.check() if p.severity == "damage"]
    assert "bases" in seen
    assert not {*dead} & {*rows(engine)}
    new = new_object(b"more")
    engine.commit([new], [RefUpdate("x", new.id)])
    expect_all(engine, [*EVERY, last, new])


def test_who_looks_while_bases_go(engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row was seen to need a base that goes before the look comes there: that is no damage."""
    _, dead = dead_bases(engine, 5)
    monkeypatch.setattr(sweep, "SCAN_ROWS", 1)
    looks = sweep.Collector(engine._space, tuple, dry_run=True, keep_since_ns=None).steps()
    while next(looks) != "mark":
        pass
    assert list(check_with(engine, monkeypatch, engine.pack)) == []
    assert not {*dead} & {*rows(engine)}
    with pytest.raises(StorageError, match="begun"):
        list(looks)


def check_with(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
) -> Iterator[Problem]:
    """Problems found by a check; after the newest row `work` is done."""
    monkeypatch.setattr(check, "SLICE", 1)
    real, calls = check.Marks.scan, []

    def slow(*args: Any) -> bool:
        more = real(*args)
        calls.append(1)
        if len(calls) == 1:
            work()
        return more

    monkeypatch.setattr(check._Survey, "scan", slow)
    return engine.check()


@pytest.mark.parametrize("lost", ["child", "head", "base", "moved from"])
def test_nothing_goes_where_something_is_missing(engine: LmdbEngine, lost: str) -> None:
    """An entry of the index is lost: what it led to can be salvaged from the rows."""
    last, dead = dead_bases(engine, 5)
    undone = new_object(b"what a ref has moved away from")
    for item in undone, last:
        engine.commit([item], [RefUpdate("n", item.id, log=b"moved")])
    with engine._space.reading() as txn, txn.cursor(engine._space.tables.index) as finder:
        item = {"child": LINES[0][3], "head": last, "base": LINES[1][-3]}.get(lost, undone)
        seq = index.find(finder, item.id)
    write(engine, lambda txn, here: index.remove(txn, here.index, item.id[:16], seq))
    engine.pack()
    assert seq in rows(engine)
    assert ({*dead} <= {*rows(engine)}) == (item is not undone)
