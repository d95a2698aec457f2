"""Long str and bytes: cut alike whole and in parts, with a guide and without; little is new."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from casckpt.format import constants as c
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.split import piece_ends
from casckpt.values import Registry
from tests.tree.objects import NoCodec, Objects

RNG = random.Random(3)
NOISE = RNG.randbytes(900_000)
LETTERS = "eeettaaooiinnsshhrrdlu.,—бдекл漢"
WORDS = ["".join(RNG.choices(LETTERS, k=RNG.randrange(2, 9))) for _ in range(3000)]
TEXT = " ".join(RNG.choices(WORDS, k=110_000))


def slow(value):
    return SlowBuilder(Objects(), NoCodec()).build(value).data


def spliced(value, at, gone, new):
    return value[:at] + new + value[at + gone :]


@pytest.mark.parametrize("is_text", [False, True])
def test_parts_are_cut_where_the_whole_is(is_text):
    """Only ends that nothing behind can move are told before everything is there."""
    data = TEXT.encode() if is_text else NOISE
    whole = list(piece_ends(data, is_text=is_text))
    found, done, there = [], 0, 0
    while there < len(data):
        there = min(there + RNG.randrange(1, 200_000), len(data))
        part, is_all = data[done:there], there == len(data)
        ends = list(piece_ends(part, is_text=is_text, before=done, is_all=is_all))
        found += [done + end for end in ends]
        done = found[-1] if found else 0
    assert found == whole


def test_pieces_have_the_sizes_of_the_format():
    for data, is_text in ((NOISE, False), (TEXT.encode(), True), (bytes(700_000), False)):
        ends = list(piece_ends(data, is_text=is_text))
        for start, end in pairwise([0, *ends[:-1]]):
            short = start < c.CDC_LONG_FROM
            least = c.CDC_BYTES_MIN if short else c.CDC_LONG_BYTES_MIN
            most = c.CDC_BYTES_MAX if short else c.CDC_LONG_BYTES_MAX
            assert least <= end - start <= most + 3 * is_text


@pytest.mark.parametrize("old", [NOISE, TEXT], ids=["bytes", "str"])
@pytest.mark.parametrize(
    ("at", "gone", "new"),
    [
        (300_000, 40, 40),  # replaced in place
        (500, 0, 1),  # everything moves, some pieces over the border of short and long ones
        (500, 9000, 0),
        (c.CDC_LONG_FROM - 3, 5, 900),
        (10**9, 0, 3000),  # appended
        (450_000, 10**9, 0),  # cut off
        (20_000, 10**9, 0),
    ],
)
def test_a_guide_changes_nothing_but_what_is_written(old, at, gone, new):
    change = old[7000 : 7000 + new]
    value = spliced(old, at, gone, change)
    objects = Objects()
    built = FastBuilder(objects, NoCodec()).build(old)
    before = set(objects.stored)
    again = FastBuilder(objects, NoCodec(), guide=built.guide).build(value)
    assert again.data == slow(value)
    fresh = [payload for oid, (_, payload, _) in objects.stored.items() if oid not in before]
    size = len(value if isinstance(value, bytes) else value.encode())
    assert sum(map(len, fresh)) <= min(size, new * 4 + 4 * c.CDC_LONG_BYTES_MAX)


def test_edit_after_edit_with_the_guide_of_the_last():
    value, objects, guide = NOISE, Objects(), None
    for _ in range(12):
        at = RNG.randrange(len(value))
        value = spliced(value, at, RNG.randrange(3) * 700, RNG.randbytes(RNG.randrange(2000)))
        built = FastBuilder(objects, NoCodec(), guide=guide).build(value)
        guide = built.guide
        assert built.data == slow(value)


def test_few_different_words_are_cut_by_content_too():
    """Where the patterns hardly occur, their endings do: an insertion does not move all ends."""
    old = "".join(RNG.choices(["ab", "c "], k=2_000_000))
    objects = Objects()
    built = FastBuilder(objects, NoCodec()).build(old)
    before = set(objects.stored)
    FastBuilder(objects, NoCodec(), guide=built.guide).build("!" + old)
    fresh = [payload for oid, (_, payload, _) in objects.stored.items() if oid not in before]
    assert sum(map(len, fresh)) < len(old) / 2


def test_a_guide_of_another_type_is_no_guide():
    """Text is cut between characters, an array between rows."""
    numpy = pytest.importorskip("numpy")
    text = TEXT.encode()
    array = numpy.frombuffer(text[: len(text) // 1000 * 1000], "|u1").reshape(-1, 1000)
    for old, new in ((TEXT, text), (text, TEXT), (array, array.tobytes())):
        built = FastBuilder(Objects(), Registry()).build({"x": old})
        again = FastBuilder(Objects(), Registry(), guide=built.guide).build({"x": new})
        assert again.data == slow({"x": new})
        built = FastBuilder(Objects(), Registry()).build(old)
        assert FastBuilder(Objects(), Registry(), guide=built.guide).build(new).data == slow(new)
