"""Editing what is damaged, or was never written by us: an error of ours, or none."""

from __future__ import annotations

import random

import pytest

from casckpt.errors import CasckptError, CorruptError
from casckpt.format import cbor
from casckpt.tree.draft import Draft
from casckpt.tree.draft_dict import DictDraft
from casckpt.tree.draft_list import ListDraft
from casckpt.tree.edit import Edit
from casckpt.values import Registry
from tests.tree import edits
from tests.tree.objects import Objects


class Damaged(Objects):
    """Some objects hold other bytes than they were stored with."""

    def __init__(self, stored, changed):
        super().__init__()
        self.stored = {
            oid: (kind, changed(payload), links) for oid, (kind, payload, links) in stored.items()
        }

    def get(self, oid, kind):
        if oid not in self.stored or self.stored[oid][0] != kind:
            raise CorruptError("no such object: what the vault would say")
        return super().get(oid, kind)


class Sink(Objects):
    """A sink that does not mind what a forged object refers to."""

    def put(self, kind, payload, children=(), base=None):
        del children, base
        return super().put(kind, payload)


def use(draft):
    """Read and change a bit of everything."""
    if isinstance(draft, DictDraft):
        for key in list(draft)[:10]:
            use(draft.get(key))
        draft["new"] = 1
        draft.pop(next(iter(draft)), None)
        draft.pop(next(reversed(draft), None), None)
    elif isinstance(draft, ListDraft):
        for at in {0, len(draft) // 2, len(draft) - 1} if draft else ():
            use(draft[at])
        draft.insert(len(draft) // 3, 1)
        draft.pop(0)
        draft.append(2)
    elif isinstance(draft, Draft):
        draft.add("x")
        draft.discard("w1")


def damaged(rng):
    """What happens to an object, if anything."""

    def change(payload):
        data, roll = bytearray(payload), rng.random()
        if roll < 0.5:
            return payload
        if roll < 0.75:
            data[rng.randrange(min(len(data), 60))] = rng.randrange(256)
        elif roll < 0.85:
            del data[rng.randrange(len(data)) :]
        elif roll < 0.95:
            data[0:0] = cbor.head(cbor.TAG, rng.randrange(51790, 51825))
        else:
            return rng.choice([b"", b"\xa0", b"\x80", b"\x01", b"\xf6", b"\x9f\xff"])
        return bytes(data)

    return change


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_said_or_not_met(seed):
    rng = random.Random(seed)
    objects, root = edits.stored(edits.state(rng))
    met = 0
    for _ in range(25):
        broken = Damaged(objects.stored, damaged(rng))
        try:
            edit = Edit(broken, Registry(), damaged(rng)(root))
            use(edit.draft)
            edit.build(Sink())
        except CasckptError:
            met += 1
    assert met
