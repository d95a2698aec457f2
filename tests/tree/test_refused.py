"""What cannot be stored is refused with its path, and nothing is put."""

from __future__ import annotations

import pytest

from casckpt.errors import CorruptError, LimitError, UnsupportedValueError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.read import Loader
from tests.tree.objects import NoCodec, Objects


def refusal(value, kind=UnsupportedValueError):
    with pytest.raises(kind) as caught:
        FastBuilder(Objects(), NoCodec()).build(value)
    return caught.value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), ""),
        ([1, object()], "[1]"),
        ({"a": [{"b": (1, object())}]}, "a[0].b[1]"),
        ({"a": {"b c": object()}}, 'a["b c"]'),
        ({"messages": [{"content": "x" * 600}] * 40 + [{"content": object()}]}, None),
    ],
)
def test_unsupported_values_name_their_path(value, path):
    error = refusal(value)
    expected = "messages[40].content" if path is None else path
    assert error.details["path"] == expected
    assert expected in str(error)


def test_cycles():
    loop = [1]
    loop.append({"again": loop})
    error = refusal(loop)
    assert "contains itself" in str(error)


def test_depth():
    deep = []
    for _ in range(c.DEPTH_MAX - 1):
        deep = [deep]
    Loader(Objects(), NoCodec()).value(FastBuilder(Objects(), NoCodec()).build(deep).data)
    for _ in range(5):
        deep = {"deeper": deep}
    assert "nested deeper" in str(refusal(deep, LimitError))


@pytest.mark.parametrize("build", [FastBuilder, SlowBuilder])
@pytest.mark.parametrize(
    "value", [{float("nan"): 1, float("nan"): 2}, {float("nan"), float("nan")}]
)
def test_two_keys_with_one_encoding(build, value):
    with pytest.raises(UnsupportedValueError):
        build(Objects(), NoCodec()).build(value)


def test_a_bomb_of_shared_objects_is_stopped():
    """Ten links to ten links to ...: 10**12 strings in 13 objects."""
    objects = Objects()
    data = cbor.encode_plain("x" * 2000)
    size = len(data)
    for _ in range(12):
        oid = objects.put(c.KIND_VALUE, data)
        link = cbor.Tag(c.TAG_LINK, [oid, size])
        data = cbor.encode_plain([link] * 10)
        size = len(data) + 10 * size
    with pytest.raises(LimitError, match="more than 1000000 bytes"):
        Loader(objects, NoCodec(), bytes_max=1_000_000).value(data)


@pytest.mark.parametrize(
    "payload",
    [
        [cbor.Tag(c.TAG_LINK, [b"short", 1])],
        [cbor.Tag(c.TAG_LINK, [b"x" * 32])],
        cbor.Tag(c.TAG_LIST_TREE, [[]]),
        cbor.Tag(c.TAG_LIST_TREE, [[b"x" * 32, 1], []]),
        cbor.Tag(c.TAG_LIST_TREE, [[b"x" * 32, 0, 1], []]),
        cbor.Tag(c.TAG_LIST_TREE, 5),
        cbor.Tag(c.TAG_LIST_TREE, [[b"x" * 32, 1, 1]] * 40 + [[]]),
        cbor.Tag(c.TAG_MAP_TREE, [None, [1, b"x" * 32, 1, 1], {}]),
        cbor.Tag(c.TAG_MAP_TREE, []),
        cbor.Tag(c.TAG_TUPLE, 5),
        cbor.Tag(c.TAG_SET, [1, 1]),
        cbor.Tag(c.TAG_SET, [[]]),
        cbor.Tag(c.TAG_BYTEARRAY, "x"),
        cbor.Tag(c.TAG_STR_TREE, [[]]),
        cbor.Tag(c.TAG_SURROGATES, [1]),
    ],
)
def test_malformed_trees_are_corrupt(payload):
    with pytest.raises(CorruptError):
        Loader(Objects(), NoCodec()).value(cbor.encode_plain(payload))


def test_wrong_counts_are_corrupt():
    objects = Objects()
    leaf = objects.put(c.KIND_LIST_LEAF, cbor.encode_plain([1, 2, 3]))
    for count in (2, 4):
        tree = cbor.Tag(c.TAG_LIST_TREE, [[leaf, count, 4], []])
        with pytest.raises(CorruptError):
            Loader(objects, NoCodec()).value(cbor.encode_plain(tree))
    node = objects.put(c.KIND_NODE, cbor.encode_plain([2, leaf, 3, 4]))
    tree = cbor.Tag(c.TAG_LIST_TREE, [[node, 3, 4], [], []])
    with pytest.raises(CorruptError, match="level"):
        Loader(objects, NoCodec()).value(cbor.encode_plain(tree))


def test_deep_lists_that_are_cut_cost_no_more_than_others():
    """Found by nesting: a short list whose first leaf was full was written all over again, and
    so was every list inside of it: 2**depth times.
    """
    deep = "bottom"
    for _ in range(c.DEPTH_MAX):
        deep = [deep, "x" * 900, "y" * 900]
    slow, fast = Objects(), Objects()
    expected = SlowBuilder(slow, NoCodec()).build(deep)
    built = FastBuilder(fast, NoCodec()).build(deep)
    assert (built.data, built.links, built.linked) == (
        expected.data,
        expected.links,
        expected.linked,
    )
    assert Loader(fast, NoCodec()).value(built.data) == deep
