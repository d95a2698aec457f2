"""What is left of pruned checkpoints, read from docs/format.md alone (1 and 5)."""

from typing import Any, NamedTuple

from tests.format.second_reader import Store, plain
from tests.format.second_values import PRUNED, Parser, need


class Left(NamedTuple):
    """What a pruned checkpoint still says; `when`, `why` and `size` are only told."""

    parents: list[bytes]
    jump: bytes | None
    thread: str
    step: int
    created: int
    label: str | None
    tags: list[str]
    key: str | None
    when: int | None
    why: str
    size: int | None


def left(store: Store, id: bytes) -> Left:
    """What is left of a checkpoint; the store has verified its id."""
    payload = store.object(id, PRUNED)
    need(payload[:1] == b"\x83", "not the head of an array of three")
    head, end = Parser(store, payload).string(1)
    items = store.record_head(head)
    need(len(payload) > end + 32, "no digest, or no note")
    note, stop = plain(Parser(store, payload), end + 32)
    need(stop == len(payload), "bytes behind the note")
    need(isinstance(note, list) and len(note) == 3 and type(note[1]) is str, "a note of three")
    need(all(type(part) in {int, type(None)} for part in (note[0], note[2])), "time and size")
    need(store.children(id) == items[0], "its children are the parents")
    for parent in items[0]:
        _, _, step, created = store.outline(parent)
        need(items[3] == step + 1 and items[4] > created, "step or time")
    return Left(*items, *note)


def line(store: Store, id: bytes | None) -> list[Any]:
    """A history from a head to the first, whatever is left of it."""
    found: list[Any] = []
    while id is not None:
        whole = store.find(id).kind != PRUNED
        found.append(store.checkpoint(id) if whole else left(store, id))
        id = found[-1].parents[0] if found[-1].parents else None
    return found
