"""Several processes on one store: one winner a round, nothing lost when some are killed."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from casckpt.storage.engine import NewObject
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object, noise, text
from tests.storage.helpers import start_python

RACER = """
import sys
from casckpt.storage.engine import *
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object
engine = open_lmdb(sys.argv[1], durability="none")
for line in sys.stdin:  # a round
    item = new_object(f"{sys.argv[2]} {line}".encode())
    try:
        engine.commit([item], [RefUpdate("prize/" + line.strip(), item.id, ABSENT)])
        print("won", flush=True)
    except RefConflict:
        print("lost", flush=True)
"""

WRITER = """
import sys
from casckpt.storage.engine import *
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object, noise, text
engine = open_lmdb(sys.argv[1], durability="none")
name = sys.argv[2]
ref = engine.ref(name)
head, step = (ref.target, int(ref.info)) if ref else (None, 0)
last = NewObject(head, 1, b"", (), None) if head else None
while True:
    step += 1
    parents = [last] if last else []
    leaf = new_object(noise(3000)[step % 500:] + b"%d" % step)
    item = new_object(text(7, 2000) + b"%s %d" % (name.encode(), step), [leaf, *parents], last)
    [ref] = engine.commit([leaf, item], [RefUpdate(name, item.id, ref or ABSENT, b"%d" % step)],
                          add=[Posting(b"time", step, item.id)])
    print(step, item.id.hex(), flush=True)
    last = item
    if step % 7 == 0 and name == "w0":
        engine.gc(lambda: ())
"""


def test_one_winner_a_round(tmp_path: Path) -> None:
    place = tmp_path / "s"
    engine = open_lmdb(place, b"header", durability="none")
    racers = [start_python(RACER, str(place), str(who)) for who in range(2)]
    wins = [0, 0]
    for number in range(60):
        for racer in racers:
            racer.stdin.write(f"{number}\n")
        for racer in racers:
            racer.stdin.flush()
        results = [racer.stdout.readline().strip() for racer in racers]
        assert sorted(results) == ["lost", "won"], [racer.poll() for racer in racers]
        winner = results.index("won")
        wins[winner] += 1
        ref = engine.ref(f"prize/{number}")
        assert ref is not None
        [stored] = engine.read([ref.target])
        assert stored.payload == f"{winner} {number}\n".encode()
    for racer in racers:
        racer.communicate(timeout=10)
    assert sum(wins) == 60
    assert engine.stats()["objects"] == 60  # a loser's object was not stored
    engine.close()


def killing(place: Path, rounds: int, seconds: float, writers: int) -> int:
    """Kill writers at random; returns how many commits had been acknowledged."""
    rng = random.Random(5)
    open_lmdb(place, b"header").close()
    heads = {f"w{who}": 0 for who in range(writers)}
    acknowledged = 0
    for _ in range(rounds):
        processes = {name: start_python(WRITER, str(place), name) for name in heads}
        for process in processes.values():
            process.stdout.readline()  # it is at work
        time.sleep(rng.random() * seconds)
        for process in processes.values():
            process.send_signal(signal.SIGKILL)
        engine = open_lmdb(place, durability="none")
        for name, process in processes.items():
            out, err = process.communicate(timeout=10)
            assert not err, err
            # The last line may be cut: then it was not acknowledged.
            lines = [line for line in out.splitlines(keepends=True) if line.endswith("\n")]
            acknowledged += len(lines) + 1
            step, oid = lines[-1].split() if lines else (heads[name] + 1, None)
            ref = engine.ref(name)
            assert int(ref.info) >= int(step) > heads[name]
            heads[name] = int(ref.info)
            if oid:
                assert engine.read([bytes.fromhex(oid)])[0] is not None
            assert_history(engine, name, int(ref.info))
        assert not [p for p in engine.check() if p.severity == "damage"]
        engine.close()
    return acknowledged


def assert_history(engine: object, name: str, step: int) -> None:
    """Every step from the head to the first can be read, with its leaf."""
    item = None
    wanted: list[NewObject] = []
    for number in range(1, step + 1):
        leaf = new_object(noise(3000)[number % 500 :] + b"%d" % number)
        parents = [item] if item else []
        item = new_object(text(7, 2000) + b"%s %d" % (name.encode(), number), [leaf, *parents])
        wanted += [leaf, item]
    assert engine.ref(name).target == item.id
    for want, stored in zip(wanted, engine.read([w.id for w in wanted]), strict=True):
        assert stored is not None
        assert stored.payload == want.payload


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    assert killing(tmp_path / "s", rounds=3, seconds=0.15, writers=2) > 6


@pytest.mark.slow
def test_killed_writers_lose_nothing_often(tmp_path: Path) -> None:
    assert killing(tmp_path / "s", rounds=30, seconds=0.4, writers=3) > 100
