"""Small changes in large values write few objects: counted, not timed.

A tree of n entries has about log(n)/log(fan-out) levels; one change rewrites one chunk a
level, and where a cut moves, its neighbour. `FEW` leaves room for both on three levels.
"""

from __future__ import annotations

import random

import pytest

from casckpt.tree.fast import FastBuilder
from tests.tree.objects import NoCodec, Objects

FEW = 7


def new_objects(before, after):
    """Objects that `after` needs and `before` has not, with a guide and without."""
    counts = []
    for guided in (True, False):
        objects = Objects()
        guide = FastBuilder(objects, NoCodec()).build([before]).guide
        objects.new = 0
        FastBuilder(objects, NoCodec(), guide=guide if guided else None).build([after])
        counts.append(objects.new)
    assert counts[0] == counts[1]
    return counts[0]


RNG = random.Random(1)
LIST = [{"id": n, "text": f"item {RNG.getrandbits(64):x}", "done": False} for n in range(20_000)]
DICT = {f"key-{RNG.getrandbits(48):012x}": {"n": n} for n in range(20_000)}
SET = {f"member {RNG.getrandbits(64):x}" for _ in range(10_000)}
BYTES = RNG.randbytes(5_000_000)
TEXT = "".join(chr(RNG.randrange(0x20, 0x2FF)) for _ in range(600_000))


@pytest.mark.parametrize("at", [0, 1, 9_000, 19_999])
def test_list(at):
    item = {"id": -1, "text": "new"}
    assert 0 < new_objects(LIST, [*LIST[:at], item, *LIST[at:]]) <= FEW
    assert 0 < new_objects(LIST, [*LIST[:at], *LIST[at + 1 :]]) <= FEW
    deep = [*LIST[:at], {**LIST[at], "done": True}, *LIST[at + 1 :]]
    assert 0 < new_objects(LIST, deep) <= FEW


def test_list_append():
    assert 0 < new_objects(LIST, [*LIST, {"id": -1}]) <= FEW


def test_list_moved_block():
    moved = [*LIST[:1000], *LIST[2000:], *LIST[1000:2000]]
    assert 0 < new_objects(LIST, moved) <= 3 * FEW


def test_dict_value():
    key = list(DICT)[13_000]
    assert 0 < new_objects(DICT, {**DICT, key: {"n": -1}}) <= FEW


def test_dict_key_added():
    # In the tree of entries, and at the end of the sequence of keys.
    assert 0 < new_objects(DICT, {**DICT, "key-new": {"n": -1}}) <= 2 * FEW


def test_dict_key_removed():
    key = list(DICT)[13_000]
    assert 0 < new_objects(DICT, {k: v for k, v in DICT.items() if k != key}) <= 2 * FEW


def test_dict_reordered():
    key = list(DICT)[13_000]
    last = {k: v for k, v in DICT.items() if k != key} | {key: DICT[key]}
    assert 0 < new_objects(DICT, last) <= 2 * FEW


def test_set():
    assert 0 < new_objects(SET, SET | {"one more"}) <= FEW
    assert 0 < new_objects(SET, SET - {next(iter(SET))}) <= FEW


@pytest.mark.parametrize("at", [0, 2_500_000, 5_000_000])
def test_bytes_inserted(at):
    assert 0 < new_objects(BYTES, BYTES[:at] + b"!" + BYTES[at:]) <= FEW


@pytest.mark.parametrize("at", [0, 300_000, 600_000])
def test_text_inserted(at):
    assert 0 < new_objects(TEXT, TEXT[:at] + "é" + TEXT[at:]) <= FEW


def test_deep_inside():
    nested = {"level": {"level": {"level": {"list": LIST, "other": DICT}}}}
    changed = {"level": {"level": {"level": {"list": LIST, "other": {**DICT, "x": 1}}}}}
    assert 0 < new_objects(nested, changed) <= 3 * FEW


def test_equal_parts_are_one():
    objects = Objects()
    FastBuilder(objects, NoCodec()).build([LIST, LIST, {"again": LIST}])
    many = objects.new
    objects = Objects()
    FastBuilder(objects, NoCodec()).build([LIST])
    assert many <= objects.new + 1


def test_identical_items_make_no_tiny_or_huge_chunks():
    """No entropy at all: the cut rule must still give chunks between its limits."""
    objects = Objects()
    FastBuilder(objects, NoCodec()).build([[7] * 200_000])
    sizes = [len(payload) for _, payload, _ in objects.stored.values()]
    assert objects.new <= 12
    assert max(sizes) <= 16_384 + 16
