"""gc and packing among writers: they pass, and every way we know to get them wrong is caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from casckpt.storage.lmdb import (
    choose,
    commit,
    feed,
    index,
    litter,
    mark,
    pack,
    replace,
    roots,
    row,
    survey,
    sweep,
    tables,
    young,
)
from tests.storage.gc_model import World, template

STEPS = 120
RUNS = 40
RUNS_SLOW = 3000
RUNS_MUTANT = 900
"""More than ten times what any mutant has needed."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SCAN_ROWS", 4)
    monkeypatch.setattr(sweep, "BATCH_ROWS", 2)
    monkeypatch.setattr(roots, "PAGE", 2)
    monkeypatch.setattr(litter, "LOOK", 4)
    monkeypatch.setattr(litter, "BATCH", 2)
    monkeypatch.setattr(survey, "SLICE", 4)
    monkeypatch.setattr(survey, "BATCH", 1)
    monkeypatch.setattr(pack, "READ_ROWS", 2)
    monkeypatch.setattr(replace, "READ_ROWS", 2)
    monkeypatch.setattr(replace, "BATCH_ROWS", 1)
    monkeypatch.setattr(pack, "BATCH_ROWS", 2)
    monkeypatch.setattr(choose, "TARGET_BYTES", 1500)


@pytest.fixture(name="run")
def run_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], World]:
    empty = template(tmp_path / "template")

    def run(seed: int) -> World:
        monkeypatch.setattr(index, "YOUNG_MAX", 5 * (seed % 3))
        monkeypatch.setattr(young, "YOUNG_BYTES_MAX", 40 * (seed % 3))
        world = World(tmp_path / f"{seed}", empty, seed)
        world.run(STEPS)
        return world

    return run


def test_nothing_reachable_is_lost_and_no_garbage_is_left(run: Callable[[int], World]) -> None:
    worlds = [run(seed) for seed in range(RUNS)]
    assert sum(world.long_done for world in worlds) > RUNS, "long commits must come about, too"
    assert sum(world.rows_packed for world in worlds) > RUNS * 5, "and so must packing"
    assert sum(world.rows_replaced for world in worlds) > RUNS // 8, "and replacing"


@pytest.mark.slow
def test_the_same_for_many_more_histories(run: Callable[[int], World]) -> None:
    for seed in range(RUNS, RUNS_SLOW):
        run(seed)


def ascending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest first: children go before their parents."""
    real = sweep._Batch._condemn
    monkeypatch.setattr(
        sweep._Batch,
        "_condemn",
        lambda self, txn, rows, at: real(self, txn, rows, len(self.collector.seqs) - 1 - at),
    )


def no_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What refs gain while gc runs is not heard of."""
    monkeypatch.setattr(roots.Roots, "drain", lambda *_: None)


def no_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves to old objects that are not logged leave no trace."""
    monkeypatch.setattr(feed, "add", lambda *_: None)


def check_before_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan found stored is taken for stored."""
    real = commit._Attempt.__init__

    def init(self: commit._Attempt, work: commit._Work, txn: object) -> None:
        real(self, work, txn)
        self.where = dict(work.where)

    monkeypatch.setattr(commit._Attempt, "__init__", init)


def epoch_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears that index entries were removed."""
    real = tables.put_state
    monkeypatch.setattr(
        tables, "put_state", lambda txn, here, new: real(txn, here, new._replace(epoch=0))
    )


def bases_stay_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row kept for its bytes can be found, and taken for an object with all its children."""
    real = sweep._Batch._condemn

    def condemn(self: sweep._Batch, txn: object, rows: object, at: int) -> int:
        if self.collector.marks.state(self.collector.seqs[at]) == mark.BASE:
            return 0
        return real(self, txn, rows, at)

    monkeypatch.setattr(sweep._Batch, "_condemn", condemn)


def bases_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only children are marked."""
    monkeypatch.setattr(mark.Marks, "_need", lambda *_: None)


def new_rows_need_no_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain marks a new row's children only."""
    real = mark._needed

    def needed(seq: int, head: mark.Head, count: int) -> list:
        return [item for item in real(seq, head, count) if item[1] < 0]

    monkeypatch.setattr(mark, "_needed", needed)


def shared_children_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base is kept for its bytes, but not the children a live row shares with it."""
    real = mark.Marks._need
    monkeypatch.setattr(
        mark.Marks, "_need", lambda self, seq, base, _count: real(self, seq, base, 0)
    )


def numbers_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor is not raised when the newest rows go."""
    real = tables.put_state
    monkeypatch.setattr(
        tables, "put_state", lambda txn, here, new: real(txn, here, new._replace(seq_floor=0))
    )


def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The horizon is taken after the roots were read: rows of that time are fair game."""
    real = sweep.Collector._take_horizon

    def late(self: sweep.Collector, txn: object) -> None:
        real(self, txn)
        self.roots._row += 3

    monkeypatch.setattr(sweep.Collector, "_take_horizon", late)


def children_are_packed_as_the_row_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed row lists what the row named itself, not what it shared with its base."""
    real = pack.Packer._read

    def read(self: pack.Packer, txn: object, finder: object, seq: int, offset: int) -> object:
        found = real(self, txn, finder, seq, offset)
        if found is None:
            return None
        item, payload = found
        head = item.head._replace(own=row.parse(seq, item.row).own)
        return item._replace(head=head), payload

    monkeypatch.setattr(pack.Packer, "_read", read)


def blocks_go_with_half_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The survey overlooks rows."""
    real = survey.Survey.rows

    def rows(self: survey.Survey, look: object = None) -> object:
        yield from real(self, look)
        self.live_bytes = {n: b for n, b in self.live_bytes.items() if b > 700}

    monkeypatch.setattr(survey.Survey, "rows", rows)


def targets_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a ref points at is no reason to leave it whole."""
    real = mark.Marks.root
    monkeypatch.setattr(mark.Marks, "root", lambda self, seq, **_: real(self, seq, whole=False))


def deltas_are_not_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored against a row that is replaced stays as it is."""
    monkeypatch.setattr(replace.Replacer, "rebase", lambda *_, **__: iter(()))


def what_is_taken_up_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a row has been asked for since the scan."""
    real = mark.Marks.state
    monkeypatch.setattr(
        mark.Marks, "state", lambda self, seq: mark.CUT if seq in self.cuts else real(self, seq)
    )


def lent_children_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is replaced takes along the children that a live delta shares with it."""
    monkeypatch.setattr(mark.Marks, "_lend", lambda *_: None)


def replaced_before_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once and at first, while newer garbage is still stored against it."""
    real = sweep.Collector._sweep

    def sweep_(self: sweep.Collector) -> object:
        def all_of_them(txn: object) -> None:
            self.roots.drain(txn)
            with txn.cursor(self.tables.rows) as rows:
                for seq in self.seqs:
                    if self.marks.state(seq) == mark.CUT:
                        rows.set_key(tables.number_key(seq))
                        replace.put(rows, seq, self.marks.cuts[seq].row)
                        self.marks.replaced(seq)
            state = tables.state(txn, self.tables)
            tables.put_state(txn, self.tables, state._replace(epoch=state.epoch + 1))

        self.space.write(all_of_them)
        yield "replace"
        yield from real(self)

    monkeypatch.setattr(sweep.Collector, "_sweep", sweep_)


MUTANTS = [
    targets_are_replaced,
    deltas_are_not_rewritten,
    what_is_taken_up_is_replaced,
    lent_children_are_forgotten,
    replaced_before_the_sweep,
    children_are_packed_as_the_row_has_them,
    blocks_go_with_half_their_rows,
    ascending,
    no_drain,
    no_feed,
    check_before_the_transaction,
    epoch_stands_still,
    bases_stay_indexed,
    bases_are_not_needed,
    new_rows_need_no_bases,
    shared_children_are_forgotten,
    numbers_are_used_again,
    two_at_a_time,
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None],
    run: Callable[[int], World],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant(monkeypatch)
    for seed in range(RUNS_MUTANT):
        try:
            run(seed)
        except Exception as error:  # noqa: BLE001 (whatever it is: somebody has noticed)
            print(f"caught in run {seed}: {error!r}")
            return
    pytest.fail(f"not caught in {RUNS_MUTANT} runs: {mutant.__doc__}")
