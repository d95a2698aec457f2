"""The JSON and CBOR forms: what goes out comes back, exactly; what is malformed is refused."""

from __future__ import annotations

import datetime as dt
import json
import struct
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt import InvalidInputError, LimitError
from casckpt.exchange import from_cbor, from_json, to_cbor, to_form, to_json
from casckpt.exchange.jsonform import room
from casckpt.values import Registry
from tests.strategies import any_values, json_values, native_values, register_all, same

REGISTRY = Registry()
register_all(REGISTRY)

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@given(any_values())
def test_json_comes_back(value: Any) -> None:
    text = to_json(value, registry=REGISTRY)
    assert same(from_json(text, registry=REGISTRY), value)
    pretty = to_json(value, indent=2, registry=REGISTRY).encode()
    assert same(from_json(pretty, registry=REGISTRY), value)


@given(any_values())
def test_cbor_comes_back(value: Any) -> None:
    assert same(from_cbor(to_cbor(value, registry=REGISTRY), registry=REGISTRY), value)


@given(any_values())
def test_unknown_classes_pass_through_unchanged(value: Any) -> None:
    """A shell knows no classes: what it reads as records it writes as it was."""
    text = to_json(value, registry=REGISTRY)
    assert to_json(from_json(text)) == text
    data = to_cbor(value, registry=REGISTRY)
    assert to_cbor(from_cbor(data)) == data


@given(json_values())
def test_plain_json_stands_for_itself(value: Any) -> None:
    assert same(to_form(value), value)
    assert json.loads(to_json(value)) == value
    assert same(from_json(json.dumps(value)), value)
    assert same(from_json(json.dumps(value), plain=True), value)


@given(native_values())
def test_the_form_is_json_to_everybody(value: Any) -> None:
    text = to_json(value)
    text.encode()  # no lone surrogates
    json.loads(text, parse_constant=pytest.fail)


def _nan(bits: int) -> float:
    (value,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    return float(value)


EXAMPLES = [
    ((1, "a"), '{"$casckpt":"tuple","value":[1,"a"]}'),
    ({3, 1}, '{"$casckpt":"set","value":[1,3]}'),
    (b"\x00\xff", '{"$casckpt":"bytes","value":"AP8="}'),
    (bytearray(b"a"), '{"$casckpt":"bytearray","value":"YQ=="}'),
    ({1: "a"}, '{"$casckpt":"dict","value":[[1,"a"]]}'),
    ({"$casckpt": 1}, '{"$casckpt":"dict","value":[["$casckpt",1]]}'),
    ("a\ud800b", '{"$casckpt":"str","value":["a",55296,"b"]}'),
    ("\ud83d\ude00", '{"$casckpt":"str","value":[55357,56832]}'),
    (float("nan"), '{"$casckpt":"float","value":"nan"}'),
    (float("-inf"), '{"$casckpt":"float","value":"-inf"}'),
    (_nan(0xFFF8000000000001), '{"$casckpt":"float","value":"0xfff8000000000001"}'),
    (-0.0, "-0.0"),
    (1.0, "1.0"),
    (2**100, str(2**100)),
    (-(2**13_000), '{"$casckpt":"int","value":"-0x1' + "0" * 3250 + '"}'),
    (dt.timedelta(seconds=1), '{"$casckpt":"timedelta","value":1000000}'),
]


@pytest.mark.parametrize(("value", "text"), EXAMPLES, ids=[text[:50] for _, text in EXAMPLES])
def test_examples(value: Any, text: str) -> None:
    assert to_json(value) == text
    assert same(from_json(text), value)


MALFORMED = [
    ('{"$casckpt":"tuple"}', ""),
    ('{"$casckpt":"tuple","value":1}', ""),
    ('{"$casckpt":"tuple","value":[],"more":1}', ""),
    ('{"$casckpt":7,"value":[]}', ""),
    ('{"$casckpt":"spoon","value":[]}', ""),
    ('{"$casckpt":"set","value":[1,1]}', ""),
    ('{"$casckpt":"set","value":[[1]]}', ""),
    ('{"$casckpt":"dict","value":[[1,2],[1,3]]}', ""),
    ('{"$casckpt":"dict","value":[[1]]}', ""),
    ('{"$casckpt":"dict","value":[[[],1]]}', ""),
    ('{"$casckpt":"dict","value":{"a":1}}', ""),
    ('{"$casckpt":"bytes","value":"A"}', ""),
    ('{"$casckpt":"bytes","value":[1]}', ""),
    ('{"$casckpt":"float","value":"0x1"}', ""),
    ('{"$casckpt":"float","value":"1.5"}', ""),
    ('{"$casckpt":"float","value":[1]}', ""),
    ('{"$casckpt":"int","value":"zz"}', ""),
    ('{"$casckpt":"str","value":["a",1]}', ""),
    ('{"$casckpt":"str","value":"a"}', ""),
    ('{"$casckpt":"datetime","value":"soon"}', ""),
    ('{"$casckpt":"object","value":[1,2]}', ""),
    ('{"$casckpt":"key","value":{"$casckpt":"bytes","value":""}}', ""),
    ('{"a":[0,{"b/c":{"$casckpt":"spoon","value":0}}]}', "/a/1/b~1c"),
    ('{"\\u0024casckpt":"spoon","value":0}', ""),
]


@pytest.mark.parametrize(("text", "path"), MALFORMED, ids=[text for text, _ in MALFORMED])
def test_a_malformed_wrapper_is_refused_with_its_path(text: str, path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        from_json(text)
    assert caught.value.details["path"] == path
    assert isinstance(from_json(text, plain=True), dict)


NOT_JSON = [
    "", "{", "[1,]", "nul", '{"a":1,"a":2}', "NaN", "[Infinity]", "-Infinity", "1" * 5000,
    b"\xff", '{"a":1} x',
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_JSON, ids=[repr(text)[:20] for text in NOT_JSON])
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError):
        from_json(text)


def test_a_byte_order_mark_is_no_harm() -> None:
    assert from_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {1: v}, lambda v: (v,)])
def test_the_deepest_value_there_is(wrap: Any) -> None:
    value: Any = 0
    for _ in range(256):
        value = wrap(value)
    assert same(from_json(to_json(value)), value)
    assert same(from_cbor(to_cbor(value)), value)


def test_bottomless_json_is_refused() -> None:
    with pytest.raises(LimitError):
        from_json("[" * 1_000_000)


@given(st.binary(max_size=40))
def test_any_bytes_are_cbor_or_refused(data: bytes) -> None:
    try:
        value = from_cbor(data)
    except InvalidInputError:
        return
    assert same(from_cbor(to_cbor(value)), value)


def test_cbor_with_links_is_refused() -> None:
    link = bytes.fromhex("d9ca50") + b"\x82\x58\x20" + bytes(32) + b"\x01"
    with pytest.raises(InvalidInputError, match="links"):
        from_cbor(link)


def test_the_recursion_limit_is_put_back_whoever_leaves_last():
    """It is that of all OS threads."""
    before = sys.getrecursionlimit()
    inside, leave = threading.Event(), threading.Event()

    def longer():
        with room():
            inside.set()
            assert leave.wait(10)

    with room():
        thread = threading.Thread(target=longer)
        thread.start()
        assert inside.wait(10)
    assert sys.getrecursionlimit() > before  # the other is still inside
    leave.set()
    thread.join()
    assert sys.getrecursionlimit() == before
