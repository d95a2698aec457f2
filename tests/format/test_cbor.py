"""The encoding profile: what it accepts re-encodes to the same bytes, the rest is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(cbor.Tag, st.integers(c.TAG_FIRST, c.TAG_COLLECTION), inner)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_what_is_encoded_decodes_and_encodes_to_the_same(value):
    payload = cbor.encode_plain(value)
    assert cbor.is_canonical(payload)
    assert cbor.encode_plain(cbor.decode_generic(payload)) == payload


@given(st.binary(max_size=60))
def test_any_bytes_are_canonical_or_refused(data):
    """Whatever passes the strict check is the one encoding of what it says."""
    if cbor.is_canonical(data):
        assert cbor.encode_plain(cbor.decode_generic(data)) == data
    else:
        try:
            value = cbor.decode_generic(data)
        except CorruptError:
            return
        with contextlib.suppress(TypeError, UnicodeEncodeError):
            assert cbor.encode_plain(value) != data


@given(PLAIN, st.data())
def test_a_flipped_bit_is_another_value_or_refused(value, data):
    payload = bytearray(cbor.encode_plain(value))
    at = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[at // 8] ^= 1 << at % 8
    if cbor.is_canonical(bytes(payload)):
        assert cbor.encode_plain(cbor.decode_generic(bytes(payload))) != cbor.encode_plain(value)


@pytest.mark.parametrize(
    "bits", [0x7FF0000000000001, 0x7FF8000000000000, 0xFFF8000000000123, 0x8000000000000000]
)
def test_every_bit_of_a_float_is_kept(bits):
    (value,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    payload = cbor.encode_float(value)
    assert payload == b"\xfb" + bits.to_bytes(8, "big")
    assert struct.pack(">d", cbor.decode_generic(payload)) == bits.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("what", "payload"),
    [
        ("nothing", ""),
        ("an int not in its shortest form", "1801"),
        ("a length not in its shortest form", "780161"),
        ("an indefinite array", "9f01ff"),
        ("an indefinite string", "7f6161ff"),
        ("a 16-bit float", "f97e00"),
        ("a 32-bit float", "fa3f800000"),
        ("undefined", "f7"),
        ("a simple value", "e1"),
        ("a big int that fits 64 bits", "c24101"),
        ("a big int with a leading zero", "c24a00010000000000000000"),
        ("a key twice", "a2016101016102"),
        ("bytes behind the item", "0101"),
        ("an item that ends early", "820"[:2]),
        ("invalid UTF-8", "62ff00"),
        ("a surrogate in UTF-8", "63eda080"),
        ("a date tag", "c074323032362d31312d32305430303a30303a30305a"),
        ("a shared reference", "d81c80"),
        ("a regular expression", "d823626128"),
        ("a MIME message", "d82440"),
        ("a tag of nobody", "d9ca0f01"),
        ("an array of 2**64 - 1 items", "9bffffffffffffffff"),
    ],
)
def test_refused(what, payload):
    assert not cbor.is_canonical(bytes.fromhex(payload)), what


def test_tags_that_cbor2_would_act_on_never_decode():
    """Found by reading cbor2: it has meanings of its own for these tags, some of them dear."""
    for tag in (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004):
        payload = cbor.head(cbor.TAG, tag) + cbor.encode_plain(["(a+)+", 1])
        with pytest.raises(CorruptError):
            cbor.decode_generic(payload)


def test_depth_is_bounded():
    with pytest.raises(CorruptError):
        cbor.decode_generic(b"\x81" * 100_000 + b"\x00")
