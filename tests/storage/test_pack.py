"""The packed tier: what is read stays the same, whatever is packed, killed or collected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casckpt.errors import CorruptError, InvalidInputError, StorageError
from casckpt.storage.engine import RefUpdate
from casckpt.storage.frame import BLOCK, encode_block
from casckpt.storage.lmdb import (
    LmdbEngine,
    blocks,
    leases,
    pack,
    row,
    tables,
)
from casckpt.storage.lmdb.caches import Payloads
from casckpt.testing.common import chain, new_object, noise, text
from tests.storage.packing import (
    CHAINS,
    EVERY,
    LENGTH,
    LINES,
    collect,
    expect_all,
    rows,
    write,
)

DEAD = b"999999999|1|0|another boot"


pytestmark = pytest.mark.usefixtures("small_steps")


def test_all_is_the_same_before_during_and_after(engine: LmdbEngine) -> None:
    listed = list(engine.objects())
    packer = pack.Packer(engine._space, keep=0, seconds_max=None)
    seen = set()
    for step in packer.steps():
        seen.add(step)
        expect_all(engine)
        assert not list(engine.check())
    assert seen == {"begin", "blocks", "rows", "read", "write"}
    assert all(head.codec == BLOCK for head in rows(engine).values())
    assert list(engine.objects()) == listed
    stats = engine.stats()
    assert stats["blocks"]["objects"] == stats["objects"] == len(set(EVERY))
    assert collect(engine) == 0
    engine.compact()
    expect_all(engine)
    assert not list(engine.check())
    assert list(engine.objects()) == listed


def test_what_belongs_together_lies_together(engine: LmdbEngine) -> None:
    """The chains were written in turns; in the blocks each is by itself."""
    engine.pack()
    heads = rows(engine)
    seqs = {head.block: set() for head in heads.values()}
    for seq, head in heads.items():
        with engine._space.reading() as txn:
            known = pack.objects.load(txn, engine._space.tables, Payloads(), seq)
        seqs[head.block].add(next(n for n, x in enumerate(LINES) if known.id in {i.id for i in x}))
    assert len(seqs) > CHAINS
    assert sum(len(chains) > 1 for chains in seqs.values()) < CHAINS


def test_a_second_run_finds_nothing_and_new_rows_join_small_blocks(engine: LmdbEngine) -> None:
    first = engine.pack()
    assert first.complete
    assert first.objects_packed == len(set(EVERY))
    assert first.payload_bytes == sum(len(item.payload) for item in set(EVERY))
    assert engine.pack().objects_packed == 0
    written = first.blocks_written
    for number in range(12):
        engine.commit([new_object(text(200 + number))], [RefUpdate("x", EVERY[-1].id)])
        assert engine.pack().blocks_written <= 1
    assert engine.stats()["blocks"]["blocks"] <= written + 2
    expect_all(engine)


def test_the_newest_stay_if_asked_and_time_may_run_out(engine: LmdbEngine) -> None:
    report = engine.pack(keep=len(set(EVERY)) - 10)
    assert report.objects_packed == 10
    report = engine.pack(seconds_max=0)
    assert (report.objects_packed, report.complete) == (0, False)
    with pytest.raises(InvalidInputError):
        engine.pack(keep=-1)
    assert engine.pack().complete
    expect_all(engine)


def test_noise_and_nothing_stay_as_they_are(engine: LmdbEngine) -> None:
    engine.pack()
    items = [new_object(noise(20_000)), new_object(b""), new_object(b"a")]
    engine.commit(items, [RefUpdate("x", items[0].id)])
    assert engine.pack().objects_packed == 0
    expect_all(engine, items)


def test_deltas_against_packed_bases(engine: LmdbEngine) -> None:
    """Those that were there before, and new ones."""
    engine.pack(keep=60)
    heads = rows(engine)
    across = [s for s, h in heads.items() if h.base and heads[h.base].codec == BLOCK]
    assert across
    last = LINES[0][-1]
    engine.pack()
    new = new_object(last.payload + b" more", [last], last)
    engine.commit([new], [RefUpdate("r0", new.id)])
    head = rows(engine)[max(rows(engine))]
    assert head.base
    expect_all(engine, [*EVERY, new])
    assert not list(engine.check())


def test_bases_go_when_their_deltas_are_packed(engine: LmdbEngine) -> None:
    """A dead base is kept by gc for its bytes; a block has them itself."""
    old, new = chain(2, 50)
    new = new_object(new.payload, [], old)
    engine.commit([old, new], [RefUpdate("n", new.id)])
    collect(engine)
    assert engine.stats()["bases_only"]["rows"] == 1
    engine.pack()
    assert list(engine.check()) == []
    assert engine.stats()["bases_only"]["rows"] == 0
    expect_all(engine, [*EVERY, new])


def test_gc_sweeps_rows_then_blocks_and_pack_writes_half_empty_ones_anew(
    engine: LmdbEngine,
) -> None:
    engine.pack()
    before = engine.stats()["blocks"]
    engine.commit(refs=[RefUpdate(f"r{n}", None) for n in (0, 1)])
    assert collect(engine) == 4 * LENGTH
    after = engine.stats()["blocks"]
    assert after["blocks"] < before["blocks"]
    assert after["payload_bytes"] < after["raw_bytes"], "some rows of mixed blocks are gone"
    left = [item for line in LINES[2:] for item in line]
    expect_all(engine, left)
    engine.commit(refs=[RefUpdate("r2", LINES[2][6].id)])
    collect(engine)
    engine.pack()
    packed = engine.stats()["blocks"]
    assert packed["payload_bytes"] * 2 >= packed["raw_bytes"]
    expect_all(engine, [*LINES[2][:7], *LINES[3]])
    assert not list(engine.check())
    engine.commit(refs=[RefUpdate(f"r{n}", None) for n in (2, 3)])
    collect(engine)
    assert engine.stats()["stored_bytes"] == 0
    assert engine.stats()["blocks"]["blocks"] == 0


def test_numbers_of_blocks_are_not_used_again(engine: LmdbEngine) -> None:
    """Somebody may remember what the old one held."""
    engine.pack()
    engine.read([item.id for item in EVERY])
    numbers = {head.block for head in rows(engine).values()}
    engine.commit(refs=[RefUpdate(f"r{n}", None) for n in range(CHAINS)])
    collect(engine)
    engine._space.payloads._entries.clear()  # the blocks are still remembered
    engine.commit(EVERY, [RefUpdate(f"r{n}", line[-1].id) for n, line in enumerate(LINES)])
    engine.pack()
    assert not numbers & {head.block for head in rows(engine).values()}
    for item, stored in zip(EVERY, engine.read([i.id for i in EVERY]), strict=True):
        assert stored.payload == item.payload


def test_killed_after_any_step_nothing_is_lost_and_the_next_run_goes_on(
    engine: LmdbEngine,
) -> None:
    left = 1
    while left:
        for stop in (3, 7, 12, 25, 50):
            packer = pack.Packer(engine._space, keep=0, seconds_max=None)
            packer._end = lambda _txn: None
            steps = packer.steps()
            for _, _step in zip(range(stop), steps, strict=False):
                pass
            steps.close()
            write(engine, lambda txn, here: txn.put(leases.GC, DEAD, db=here.meta))
            expect_all(engine)
            assert not [p for p in engine.check() if p.severity == "damage"]
        left = sum(head.codec != BLOCK for head in rows(engine).values())
    engine.pack()
    assert not list(engine.check())
    stats = engine.stats()["blocks"]
    assert stats["payload_bytes"] * 2 >= stats["raw_bytes"]


@pytest.mark.parametrize("other", ["gc", "pack"])
def test_a_run_that_was_taken_for_dead_stops(engine: LmdbEngine, other: str) -> None:
    engine.commit(refs=[RefUpdate("r0", None)])
    packer = pack.Packer(engine._space, keep=0, seconds_max=None)
    steps = packer.steps()
    while next(steps) != "write":
        pass
    with pytest.raises(StorageError, match="another gc or pack is at work"):
        engine.pack()
    write(engine, lambda txn, here: txn.put(leases.GC, DEAD, db=here.meta))
    if other == "gc":
        collect(engine)
    else:
        engine.pack()
    with pytest.raises(StorageError, match="this one stops"):
        list(steps)
    expect_all(engine, [item for line in LINES[1:] for item in line])
    assert not [p for p in engine.check() if p.severity == "damage"]


def test_a_block_without_rows_is_untidy_and_goes(engine: LmdbEngine) -> None:
    engine.pack()
    write(engine, lambda txn, here: blocks.add(txn, here, blocks.encode(b"orphan")))
    [problem] = engine.check()
    assert (problem.severity, "blocks serve nobody" in problem.what) == ("untidy", True)
    engine.pack()
    assert not list(engine.check())
    write(engine, lambda txn, here: blocks.add(txn, here, blocks.encode(b"orphan")))
    collect(engine)
    assert not list(engine.check())


def first_block(engine: LmdbEngine) -> tuple[int, bytes, set[str]]:
    """Number and value of a block, and the ids of what lies in it."""
    heads = rows(engine)
    number = min(head.block for head in heads.values())
    found = set()
    with engine._space.reading() as txn:
        value = txn.get(tables.number_key(number), db=engine._space.tables.blocks)
        for seq, head in heads.items():
            if head.block == number:
                known = pack.objects.load(txn, engine._space.tables, Payloads(), seq)
                found.add(known.id.hex())
    return number, value, found


def replace(number: int, value: bytes | None) -> Callable[[Any, tables.Tables], object]:
    key = tables.number_key(number)
    if value is None:
        return lambda txn, here: txn.delete(key, db=here.blocks)
    return lambda txn, here: txn.put(key, value, db=here.blocks)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: None,
        lambda value: value[:-3],
        lambda value: value + b"x",
        lambda _: b"",
        lambda value: b"\xff" + value[1:],
        lambda value: b"\0\0\0\5" + value[4:],
        lambda _: blocks.encode(b"short"),
        lambda _: b"\0\1\0\0" + encode_block(bytes(10_000_000)),
        lambda _: b"\xff\xff\xff\xff" + encode_block(bytes(10_000_000)),
    ],
    ids=["missing", "cut", "longer", "empty", "huge", "small", "short", "bomb", "bomb2"],
)
def test_damage_is_named_with_all_that_it_costs(
    engine: LmdbEngine, spoil: Callable[[bytes], bytes | None]
) -> None:
    engine.pack()
    number, value, ids = first_block(engine)
    write(engine, replace(number, spoil(value)))
    problems = list(engine.check())
    named = {problem.id.hex() for problem in problems if problem.id is not None}
    told = {oid for oid in ids if any(oid[:32] in p.what for p in problems) or oid in named}
    assert told == ids
    assert {problem.severity for problem in problems} == {"damage"}
    for item in EVERY:
        if item.id.hex() in ids:
            with pytest.raises(CorruptError):
                engine.read([item.id])
        else:
            assert engine.read([item.id])[0].payload == item.payload
    engine.pack()  # leaves what it cannot read alone
    assert {oid for oid in ids if any(oid[:32] in p.what for p in engine.check())} == ids


def test_a_flipped_bit_costs_what_it_changes(engine: LmdbEngine) -> None:
    """The frame has no checksum: every object has its id."""
    engine.pack()
    number, value, ids = first_block(engine)
    told = set()
    for at in range(10, len(value), 97):
        write(engine, replace(number, value[:at] + bytes([value[at] ^ 64]) + value[at + 1 :]))
        told = {oid for oid in ids if any(oid[:32] in p.what for p in engine.check())}
        for item in EVERY:
            if item.id.hex() not in told:
                assert engine.read([item.id])[0].payload == item.payload
    write(engine, replace(number, value))
    expect_all(engine)


@pytest.mark.parametrize(
    "change", [{"block": 999}, {"offset": 1 << 40}, {"size": 16 << 20}, {"block": 0}]
)
def test_rows_that_point_nowhere(engine: LmdbEngine, change: dict[str, int]) -> None:
    engine.pack()
    seq, head = next(iter(rows(engine).items()))
    data = row.encode_head(seq, head._replace(**change))
    write(engine, lambda txn, here: txn.put(tables.number_key(seq), data, db=here.rows))
    assert any(problem.severity == "damage" for problem in engine.check())
    with pytest.raises(CorruptError):
        engine.read([item.id for item in EVERY])


def test_packed_heads_are_strict() -> None:
    head = row.Head(3, BLOCK, 700, 0, 0, 0, (5, 2), 0, 77, 123_456)
    data = row.encode_head(9, head)
    assert row.parse(9, data) == head._replace(frame_at=len(data))
    for bad in (data + b"x", *(data[:n] for n in range(len(data)))):
        with pytest.raises(CorruptError):
            row.parse(9, bad)
