"""Damaged and hostile trees: named errors from paths, views and diffs, never anything else."""

from __future__ import annotations

import random

import pytest

from casckpt.errors import CasckptError, CorruptError, LimitError, PrunedError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.format.cbor import Tag, encode_plain
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.diff import diff
from casckpt.tree.lazy import Opener
from casckpt.tree.locate import find
from casckpt.tree.view import MappingView, RecordView, SequenceView, view
from tests.samples import Message
from tests.tree.objects import Objects
from tests.tree.pairs import REGISTRY, built
from tests.tree.tiny import tiny_chunks

VALUE = {
    "list": [{"n": n, "t": "x" * (n % 40)} for n in range(40)],
    "dict": {f"key {n}": n for n in range(60)},
    "other": {(n, "x"): {n} for n in range(20)},
    "set": set(range(60)),
    "text": "text " * 30,
    "bytes": b"bytes" * 30,
    "instance": Message("user", ["y"] * 40),
    "reverse": {n: n for n in range(60, 0, -1)},
}
CHANGED = {
    **VALUE,
    "list": [*VALUE["list"][:20], {"n": -1}, *VALUE["list"][21:]],
    "dict": {**VALUE["dict"], "key 30": 0, "new": 1},
    "set": {*VALUE["set"], 99},
    "instance": Message("user", ["y"] * 20 + ["z"] * 20),
    "reverse": {**{n: n for n in range(60, 30, -1)}, 99: 1, **{n: n for n in range(30, 0, -1)}},
}


def touch(opener, data):
    """Look at everything, through a view."""
    todo = [view(opener, opener.node(data))]
    while todo:
        seen = todo.pop()
        if isinstance(seen, MappingView):
            todo += seen.values()
            if isinstance(seen, RecordView):
                seen.load()
        elif isinstance(seen, SequenceView):
            todo += seen
    for path in [("list", 30, "n"), ("dict", "key 7"), ("text", slice(40, 50)), ("x",)]:
        opener.load(find(opener, opener.node(data), path))


class Lossy(Objects):
    """What is not stored is missing by name, and what is of another kind too, as in the vault."""

    def get(self, oid, kind):
        if oid not in self.stored or self.stored[oid][0] != kind:
            raise PrunedError("not stored")
        return super().get(oid, kind)


def compare(objects, old, new):
    for change in diff(objects, REGISTRY, old, new):
        assert str(change)
        assert change.old is not change.new or change.old is None


def damaged(rng, payload):
    at = rng.randrange(len(payload))
    how = rng.randrange(4)
    if how == 0:
        return payload[:at] + bytes([rng.randrange(256)]) + payload[at + 1 :]
    if how == 1:
        return payload[:at]
    if how == 2:
        return payload[:at] + payload[at + 1 :]
    return payload[:at] + bytes([payload[at] ^ 1 << rng.randrange(8)]) + payload[at + 1 :]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_damaged_the_error_is_ours(seed):
    """Below the vault's verification: as if somebody had signed the nonsense."""
    rng = random.Random(seed)
    stored, old, new = built(VALUE, CHANGED, tiny=True)
    objects, sound = Lossy(), dict(stored.stored)
    failures = 0
    for _ in range(60):
        objects.stored = dict(sound)
        oid = rng.choice(list(sound))
        kind, payload, children = sound[oid]
        objects.stored[oid] = (kind, damaged(rng, payload), children)
        with tiny_chunks():
            for look in (
                lambda: touch(Opener(objects, REGISTRY), new),
                lambda: compare(objects, old, new),
            ):
                try:
                    look()
                except CasckptError:
                    failures += 1
    assert failures > 40


LEAF = [[ObjectId(bytes(32)), 1, 1]]


@pytest.mark.parametrize(
    "hostile",
    [
        Tag(c.TAG_LIST_TREE, []),
        Tag(c.TAG_LIST_TREE, [1, 2]),
        Tag(c.TAG_LIST_TREE, [[b"short", 1, 1], []]),
        Tag(c.TAG_LIST_TREE, [[bytes(32), -1, 1], []]),
        Tag(c.TAG_MAP_TREE, []),
        Tag(c.TAG_MAP_TREE, [None, {}]),
        Tag(c.TAG_MAP_TREE, [5, [b"k", bytes(32), 1, 1], {}]),
        Tag(c.TAG_TUPLE, 5),
        Tag(c.TAG_SET, {}),
        Tag(c.TAG_STR_TREE, []),
        Tag(c.TAG_LINK, [b"x", 1]),
        Tag(c.TAG_OBJECT, ["dataclass", "m:C"]),
        Tag(c.TAG_OBJECT, ["dataclass", "m:C", []]),
        Tag(c.TAG_OBJECT, 5),
        Tag(c.TAG_NDARRAY, [1]),
        Tag(c.TAG_NDARRAY, ["<i4", [3], b"xyz"]),
        Tag(c.TAG_NDARRAY, ["<i4", ["x"], b""]),
    ],
)
def test_malformed_trees(hostile):
    objects = Lossy()
    opener = Opener(objects, REGISTRY)
    bad, good = encode_plain({"k": hostile}), encode_plain({"k": 1})
    with pytest.raises(CasckptError) as caught:
        find(opener, opener.node(bad), ("k", 0))
    assert not isinstance(caught.value, LimitError)
    other = encode_plain({"k": Tag(hostile.number, [])})
    for a, b in ((bad, good), (good, bad), (bad, other)):
        try:
            compare(objects, a, b)
        except CasckptError:
            continue


def test_a_list_as_a_key():
    bad = cbor.head(cbor.MAP, 1) + encode_plain([1]) + cbor.NULL
    objects = Lossy()
    with pytest.raises(CorruptError):
        compare(objects, bad, encode_plain({"k": 1}))


def bomb(objects, bottom, levels):
    """A value in which one object is linked ten times on every level."""
    oid = objects.put(c.KIND_VALUE, encode_plain(bottom))
    for _ in range(levels):
        payload = encode_plain({f"k{n}": Tag(c.TAG_LINK, [oid, 1]) for n in range(10)})
        oid = objects.put(c.KIND_VALUE, payload)
    return native.link(oid, 1)


def test_objects_shared_without_end():
    """The walk streams, so memory is bounded; a budget of bytes bounds the time."""
    objects = Lossy()
    a, b = bomb(objects, {"k": "a"}, 40), bomb(objects, {"k": "b"}, 40)
    first = next(iter(diff(objects, REGISTRY, a, b)))
    assert first.path == ("k0",) * 40 + ("k",)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("casckpt.tree.raw.Reader._spend", spender(100_000))
        with pytest.raises(LimitError):
            list(diff(objects, REGISTRY, a, b))


def spender(bytes_max):
    left = [bytes_max]

    def spend(_reader, payload_bytes):
        left[0] -= payload_bytes
        if left[0] < 0:
            raise LimitError("over")

    return spend


def test_a_tree_that_claims_to_be_endless():
    """Nodes shared on every level: refused before its leaves fill the memory."""
    objects = Lossy()
    roots = []
    for bottom in ("a", "b"):
        oid = objects.put(c.KIND_LIST_LEAF, encode_plain([bottom]))
        count = 1
        for level in range(1, 8):
            payload = encode_plain([level, *[oid, count, 1] * 40])
            oid, count = objects.put(c.KIND_NODE, payload), count * 40
        levels = [[oid, count, 1], *([[]] * 7)]
        roots.append(encode_plain(Tag(c.TAG_LIST_TREE, [*levels, []])))
    with pytest.raises(LimitError, match="differ in more than"):
        compare(objects, roots[0], roots[1])
