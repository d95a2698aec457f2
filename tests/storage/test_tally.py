"""The tally: what gc and packing have left to do, remembered beyond the run."""

from __future__ import annotations

import pytest

from casckpt.errors import StorageError
from casckpt.storage.engine import RefUpdate
from casckpt.storage.lmdb import LmdbEngine, pack
from tests.storage.packing import CHAINS, EVERY, LINES, collect, rows, write

pytestmark = pytest.mark.usefixtures("small_steps")


def test_the_tally_knows_what_a_run_left_to_do(engine: LmdbEngine) -> None:
    stored = len(set(EVERY))
    before = engine.tally()
    assert (before.stored_since_pack, before.hot_bytes >= 4096) == (stored, True)
    packer = pack.Packer(engine._space, keep=0, seconds_max=None)
    steps = packer.steps()
    for _ in range(6):
        next(steps)
    assert engine.tally().busy
    with pytest.raises(StorageError) as caught:
        engine.pack()
    assert caught.value.details["busy"]
    steps.close()  # stopped: nothing is noted
    assert engine.tally().stored_since_pack == stored
    assert engine.pack(seconds_max=0).complete is False
    assert engine.tally().stored_since_pack == stored
    assert engine.pack().complete
    after = engine.tally()
    assert (after.busy, after.stored_since_pack, after.hot_bytes) == (False, 0, 0)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_that_is_stopped_early_takes_its_sign_away(engine: LmdbEngine, steps: int) -> None:
    """Else nobody could collect or pack for as long as this process lives."""

    class Stop(Exception):
        pass

    left = steps

    def progress(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stop

    with pytest.raises(Stop):
        engine.pack(progress=progress)
    assert not engine.tally().busy
    left = steps
    with pytest.raises(Stop):
        engine.gc(lambda: (), progress=progress)
    assert not engine.tally().busy


def test_the_tally_knows_blocks_hardly_in_use(engine: LmdbEngine) -> None:
    engine.pack()
    assert engine.tally().unused_bytes == 0
    for number in range(CHAINS):
        engine.commit(refs=[RefUpdate(f"r{number}", LINES[number][2].id)])
    collect(engine)
    sizes = _blocks_of(engine)
    live: dict[int, int] = {}
    for head in rows(engine).values():
        live[head.block] = live.get(head.block, 0) + head.size
    sparse = [n for n, (raw, _) in sizes.items() if 2 * live[n] < raw]
    assert sparse
    assert engine.tally().unused_bytes == sum(sizes[n][1] for n in sparse)
    engine.pack()
    assert engine.tally().unused_bytes == 0


def _blocks_of(engine: LmdbEngine) -> dict[int, tuple[int, int]]:
    """Payload bytes and stored bytes of each block."""
    with engine._space.reading() as txn, txn.cursor(engine._space.tables.blocks) as cursor:
        return {
            int.from_bytes(key, "big"): (int.from_bytes(value[:4], "big"), len(value))
            for key, value in cursor
        }


def test_a_tally_that_cannot_be_read_counts_as_never_written(engine: LmdbEngine) -> None:
    engine.pack()
    write(engine, lambda txn, here: txn.put(b"upkeep", b"short", db=here.meta))
    assert engine.tally().stored_since_pack == len(set(EVERY))
    assert engine.tally().objects_after_gc == 0
