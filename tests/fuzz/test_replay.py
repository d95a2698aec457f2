"""The seeds of every fuzz target, and the inputs that once failed, are read without a fault."""

import random

import pytest

from casckpt.errors import CorruptError
from casckpt.storage import frame
from fuzz import readers
from fuzz.targets import FAILED, TARGETS, failed

QUICK = sorted(TARGETS.keys() - {"cli", "sessions", "sealed", "bundle", "jsonl"})


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_seeds_and_what_once_failed(name):
    seeds = [*TARGETS[name].seeds()]
    assert seeds
    for data in [*seeds, *failed(name), b"", b"\0"]:
        TARGETS[name].run(data)


def test_what_once_failed_has_a_target():
    assert {folder.name for folder in FAILED.iterdir()} <= TARGETS.keys()


def mutated(data, rng):
    """A seed with some bytes changed, doubled or left out."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.choice(
                    [b"\x00", b"\xff", b"\x9f", b"\xd9\xca\x50", b"9" * 20, b"\\"]
                )
            case 2:
                del data[at : at + rng.randint(1, 9)]
            case _:
                data[at:at] = data[: rng.randint(0, 60)]
    return bytes(data)


@pytest.mark.parametrize("name", QUICK)
def test_near_the_seeds(name):
    """A little of what atheris does at length, for where it is not installed."""
    rng = random.Random(7)
    seeds = [*TARGETS[name].seeds()]
    for _ in range(300):
        TARGETS[name].run(mutated(rng.choice(seeds), rng))


def fails(name, seeds):
    rng = random.Random(7)
    for _ in range(2_000):
        try:
            TARGETS[name].run(mutated(rng.choice(seeds), rng))
        except Exception:  # noqa: BLE001 - any will do
            return True
    return False


def test_canaries(monkeypatch):
    """With a guard removed, its target fails: what the others find nothing with, finds this."""
    with monkeypatch.context() as patch:
        patch.setattr(frame, "_inflate", lambda data, _, unpacker: unpacker.decompress(data))
        assert fails("frame", [*TARGETS["frame"].seeds()])
    with monkeypatch.context() as patch:
        patch.setattr(readers.cbor, "is_canonical", lambda _: True)
        assert fails("cbor", [*TARGETS["cbor"].seeds()])
    with monkeypatch.context() as patch:
        patch.setattr(readers, "CorruptError", KeyError)
        assert fails("row", [*TARGETS["row"].seeds()])


def test_a_bomb_is_not_expanded():
    """A frame that would expand to far more than it says is refused by its length."""
    bomb = frame.encode_block(bytes(1 << 24))
    assert len(bomb) < 2_000
    with pytest.raises(CorruptError):
        frame.decode(frame.ZSTD, 100, bomb)
