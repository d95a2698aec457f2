"""Forged bundles, found by search: each is refused, or does no harm.

Whoever forges a bundle seals it, too, and lets its head name whatever comes last: so many of
these are bundles.
"""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import casckpt
from casckpt.bundle.handle import Bundles
from casckpt.bundle.stream import BundleReader
from casckpt.exchange import export_jsonl
from tests.bundle.histories import write_history
from tests.bundle.test_hostile import bundled, forged


@pytest.fixture(scope="module")
def sound():
    with casckpt.open("memory:") as store:
        write_history(store, 11, steps=25)
        return bundled(store)


def taken_or_refused(data):
    """A forged bundle: refused, or the store is as sound as any, and its listings work."""
    with casckpt.open("memory:") as store:
        try:
            store.bundles.unbundle(io.BytesIO(data))
        except casckpt.CasckptError:
            assert store.threads() == []
            return False
        assert store.fsck().ok
        for info in store.threads():
            for checkpoint in store.thread(info.name).log():
                assert checkpoint.size >= 0
                assert type(checkpoint.meta) is dict
                assert type(checkpoint.tags) is tuple
                assert checkpoint.created_at.year >= 1970
                with contextlib.suppress(casckpt.CasckptError):
                    checkpoint.load()
        with contextlib.suppress(casckpt.CasckptError):
            export_jsonl(store, io.BytesIO())
        assert store.stats().threads
        return True


@st.composite
def mutations(draw, entries):
    """Objects with bytes changed, cut, doubled or moved."""
    made = list(entries)
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(made) - 1))
        kind, payload = made[number]
        match draw(st.sampled_from(["byte", "byte", "cut", "insert", "kind", "drop", "move"])):
            case "byte":
                at = draw(st.integers(0, len(payload) - 1))
                new = bytes([payload[at] ^ draw(st.integers(1, 255))])
                made[number] = (kind, payload[:at] + new + payload[at + 1 :])
            case "cut":
                made[number] = (kind, payload[: draw(st.integers(1, len(payload)))])
            case "insert":
                at = draw(st.integers(0, len(payload)))
                made[number] = (kind, payload[:at] + draw(st.binary(max_size=3)) + payload[at:])
            case "kind":
                made[number] = (draw(st.integers(0, 12)), payload)
            case "drop" if len(made) > 1:
                del made[number]
            case "move":
                made.append(made.pop(number))
    return made


@pytest.fixture(scope="module")
def small_objects():
    """The objects of one thread: few and short, so that a mutation hits what matters."""
    with casckpt.open("memory:", clock=lambda: 7) as store:
        store.thread("t").save({"a": [1, (2, b"x")]}, label="l", tags=["u"], meta={"k": [1.5]})
        store.thread("t").save({"a": "v" * 9_000})
        store.checkpoint("t~1").tag("later")
        return [(e.kind, e.payload) for e in BundleReader(io.BytesIO(bundled(store))).entries()]


@settings(max_examples=150)
@given(st.data())
def test_what_is_forged_is_refused_or_sound(small_objects, data):
    """The head follows what was forged, so many of these are bundles; none does any harm."""
    taken_or_refused(forged(data.draw(mutations(small_objects))))


@pytest.mark.slow
@settings(max_examples=5_000)
@given(st.data())
def test_what_is_forged_is_refused_or_sound_searched(small_objects, data):
    taken_or_refused(forged(data.draw(mutations(small_objects))))


@pytest.mark.slow
def test_every_single_bit(sound):
    for at in range(8 * len(sound)):
        data = bytearray(sound)
        data[at // 8] ^= 1 << at % 8
        with pytest.raises(casckpt.CasckptError):
            Bundles.verify(io.BytesIO(data))


def test_some_forgeries_are_taken(small_objects):
    """A canary of the test above: a label that was changed is a checkpoint like any other."""
    assert taken_or_refused(forged(small_objects))
    kind, payload = next(entry for entry in small_objects if entry[0] == 7)
    assert b"\x61l" in payload
    assert taken_or_refused(forged([(kind, payload.replace(b"\x61l", b"\x61m"))]))
    assert not taken_or_refused(forged(small_objects[1:]))
