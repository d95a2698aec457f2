"""What is remembered of the last states: of as many threads as there is room for."""

from sys import getsizeof
from types import SimpleNamespace

from casckpt.history import states
from casckpt.history.states import Guided, Guides
from casckpt.tree.fast import FastBuilder
from casckpt.tree.source import Nowhere
from casckpt.values import Registry


def guided(memory):
    return Guided(SimpleNamespace(memory=memory), bytes(32))


def test_many_small_states_are_remembered():
    guides = Guides()
    for number in range(2_000):
        guides.keep(f"t{number}", guided(3_000))
    assert all(guides.get(f"t{number}") for number in range(2_000))


def test_room_is_bounded_and_the_oldest_go_first():
    guides = Guides()
    for number in range(100):
        guides.keep(f"t{number}", guided(4_000_000))
        if guides.get("t0"):
            guides.keep("t0", guided(4_000_000))  # saved to again and again: never the oldest
    kept = [number for number in range(100) if guides.get(f"t{number}")]
    room = states.GUIDES_BYTES_MAX // guided(4_000_000).memory
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


def built(state):
    return Guided(FastBuilder(Nowhere(), Registry()).build(state).guide, bytes(32))


def test_the_keys_of_a_large_dict_count():
    """They are all that is kept of a user's value, and may be most of it."""
    state = {f"key {number}": number for number in range(20_000)}
    keys = sum(map(getsizeof, state))
    names = sum(getsizeof(key.encode()) + 1 for key in state)
    assert keys + names < built(state).memory < 2 * (keys + names)


def test_open_leaves_count():
    chats = {f"chat {n}": [{"text": f"{n} " * 100, "number": n}] * 20 for n in range(40)}
    leaf = sum(map(getsizeof, chats["chat 1"][0].values()))
    assert built(chats).memory > 40 * leaf
    assert built(chats).memory > 30 * built({"chat": chats["chat 1"]}).memory
