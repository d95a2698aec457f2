"""What is remembered of the last states: of as many threads as there is room for."""

from casckpt.history import states
from casckpt.history.states import Guided, Guides


def guided(size):
    return Guided(None, bytes(32), size)


def test_many_small_states_are_remembered():
    guides = Guides()
    for number in range(2_000):
        guides.keep(f"t{number}", guided(12_000))
    assert all(guides.get(f"t{number}") for number in range(2_000))


def test_room_is_bounded_and_the_oldest_go_first():
    guides = Guides()
    for number in range(100):
        guides.keep(f"t{number}", guided(50_000_000))
        if guides.get("t0"):
            guides.keep("t0", guided(50_000_000))  # saved to again and again: never the oldest
    kept = [number for number in range(100) if guides.get(f"t{number}")]
    room = states.GUIDES_BYTES_MAX // guided(50_000_000).weight
    assert kept == [0, *range(100 - room + 1, 100)]


def test_the_last_stays_however_large():
    guides = Guides()
    guides.keep("small", guided(1_000))
    guides.keep("huge", guided(1 << 40))
    assert guides.get("huge")
    assert guides.get("small") is None
    guides.keep("huge", guided(1_000))
    guides.keep("small", guided(1_000))
    assert guides.get("huge")
    assert guides.get("small")


def test_cleared_it_begins_anew():
    guides = Guides()
    guides.keep("huge", guided(1 << 40))
    guides.clear()
    assert guides.get("huge") is None
    guides.keep("a", guided(1_000))
    guides.keep("b", guided(1_000))
    assert guides.get("a")
    assert guides.get("b")
