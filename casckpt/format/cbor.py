"""Our profile of CBOR (RFC 8949): one value, one encoding.

Allowed: integers in their shortest form, big integers (tags 2 and 3) only beyond 64 bits
and without leading zeros, floats always as 64 bits, definite lengths only, valid UTF-8, no
duplicate map keys, false, true and null, and the tags of `constants`. Anything else is
refused (docs/format.md, chapter "Encoding").

Invariant: what `decode` accepts in strict form re-encodes to the same bytes
(`is_canonical`). The plain `decode` is for payloads whose id has been verified; it refuses
what could do harm (other tags, indefinite lengths, depth), and leaves proof of the single
encoding to fsck and to whatever brings objects in from elsewhere.

Imports: cbor2 (this is its only importer), errors, constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack
from typing import Any

import cbor2

from casckpt.errors import CasckptError, CorruptError
from casckpt.format import constants as c

__all__ = [
    "ARRAY",
    "BYTES",
    "FALSE",
    "MAP",
    "NULL",
    "TAG",
    "TEXT",
    "TEXT_HEADS",
    "TRUE",
    "Tag",
    "TagDecoders",
    "decode",
    "decode_generic",
    "decoders",
    "encode_bytes",
    "encode_float",
    "encode_int",
    "encode_plain",
    "encode_text",
    "head",
    "is_canonical",
]

BYTES, TEXT, ARRAY, MAP, TAG = 2, 3, 4, 5, 6  # major types
FALSE, TRUE, NULL = b"\xf4", b"\xf5", b"\xf6"

_HEADS = [
    [bytes((major << 5 | n,)) if n < 24 else bytes((major << 5 | 24, n)) for n in range(256)]
    for major in range(8)
]
TEXT_HEADS = _HEADS[TEXT]
"""The heads of texts of up to 255 bytes."""
_INT64 = 1 << 64
# A value of DEPTH_MAX containers; each may carry a tag and the array of a tree around it.
_DECODE_DEPTH_MAX = 4 * c.DEPTH_MAX


def head(major: int, n: int) -> bytes:
    """The head of an item: major type and argument, in the shortest form."""
    if n < 256:
        return _HEADS[major][n]
    if n < 65536:
        return pack(">BH", major << 5 | 25, n)
    if n < 4294967296:
        return pack(">BI", major << 5 | 26, n)
    return pack(">BQ", major << 5 | 27, n)


def encode_int(value: int) -> bytes:
    """An int of any size."""
    if value >= 0:
        if value < _INT64:
            return head(0, value)
        digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return b"\xc2" + head(BYTES, len(digits)) + digits
    if value >= -_INT64:
        return head(1, -1 - value)
    value = -1 - value
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return b"\xc3" + head(BYTES, len(digits)) + digits


def encode_float(value: float) -> bytes:
    """A float: all of its 64 bits, whatever they are."""
    return pack(">Bd", 0xFB, value)


def encode_text(value: str) -> bytes:
    """A str without lone surrogates.

    Raises:
        UnicodeEncodeError: it has lone surrogates (see TAG_SURROGATES).
    """
    data = value.encode()
    return head(TEXT, len(data)) + data


def encode_bytes(value: bytes) -> bytes:
    """A byte string."""
    return head(BYTES, len(value)) + value


class Tag:
    """A tagged item of `decode_generic` and `encode_plain`: tests, fsck and tools."""

    __slots__ = ("number", "value")

    def __init__(self, number: int, value: Any) -> None:
        self.number = number
        self.value = value

    def __repr__(self) -> str:
        return f"Tag({self.number}, {self.value!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tag):
            return self.number == other.number and bool(self.value == other.value)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.number, self.value))


def encode_plain(value: Any) -> bytes:
    """The encoding of None, bool, int, float, str, bytes, list, dict and `Tag`, nested.

    For records and tests: it splits nothing. A tuple is written as an array, because the
    decoder gives tuples where an array lies inside a map key.
    """
    kind = type(value)
    if value is None:
        return NULL
    if kind is bool:
        return TRUE if value else FALSE
    if kind is int:
        return encode_int(value)
    if kind is str:
        return encode_text(value)
    if kind is bytes:
        return encode_bytes(value)
    if kind is float:
        return encode_float(value)
    if kind is list or kind is tuple:
        return head(ARRAY, len(value)) + b"".join(map(encode_plain, value))
    if kind is dict:
        parts = [head(MAP, len(value))]
        for key, item in value.items():  # a loop, not a generator: one frame a level
            parts.append(encode_plain(key))
            parts.append(encode_plain(item))
        return b"".join(parts)
    if kind is Tag:
        return head(TAG, value.number) + encode_plain(value.value)
    msg = f"{kind.__name__} is not part of the encoding"
    raise TypeError(msg)


TagDecoders = Mapping[int, Callable[[Any, bool], Any]]
"""What to make of each tag: called with the decoded content, and whether the result must be
hashable (it lies inside a map key; arrays are then tuples)."""


def _refuse(_content: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2's signature
    msg = "a tag that is not part of the format"
    raise CorruptError(msg)


def _refuse_tag(tag: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2's signature
    msg = f"tag {tag.tag} is not part of the format"
    raise CorruptError(msg)


# cbor2 gives some tags a meaning of its own (regular expressions, shared references, MIME
# messages ...): all of them are refused. Tags 2 and 3 are ours as well.
_FOREIGN_TAGS = (
    *(0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100),
    *(256, 258, 260, 261, 1004, 43000, 55799),
)
_REFUSED: dict[int, Callable[[Any, bool], Any]] = dict.fromkeys(_FOREIGN_TAGS, _refuse)


def decoders(tags: TagDecoders) -> dict[int, Callable[[Any, bool], Any]]:
    """A complete table for `decode`: the given tags, and every other one refused."""
    return {**_REFUSED, **tags}


def decode(payload: bytes, table: dict[int, Callable[[Any, bool], Any]]) -> Any:
    """Decode one item; `table` is made by `decoders`.

    Raises:
        CorruptError: not an item of the profile. Other errors of casckpt that `table` raises
            pass through.
    """
    if len(payload) > c.KEYS_UNSEEN_BYTES_MAX:
        _expect_plain_keys(payload)
    try:
        return cbor2.loads(
            payload,
            semantic_decoders=table,
            tag_hook=_refuse_tag,
            max_depth=_DECODE_DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORDecodeError as error:
        # cbor2 wraps what a tag's decoder raised, once for every level it was inside of.
        cause: BaseException = error
        while isinstance(cause, cbor2.CBORDecodeError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, CasckptError) or not isinstance(cause, _MALFORMED):
            raise cause from None
        msg = f"not a valid encoding: {cause}"
        raise CorruptError(msg) from error


def _expect_plain_keys(payload: bytes) -> None:
    """Refuse keys that are arrays, maps or tagged: many of them could be made to have one hash.

    Whoever writes wraps such keys (TAG_KEY), and whoever reads counts them then. What is
    malformed in other ways is left to the decoder.
    """
    at, end = 0, len(payload)
    around: list[tuple[int, bool]] = []
    left, in_map = 1, False  # items to come, of an array or of a map (a key if it is even)
    while at < end:
        major, low = payload[at] >> 5, payload[at] & 31
        width = _WIDTHS.get(low, 0)
        n = int.from_bytes(payload[at + 1 : at + 1 + width], "big") if width else low
        if in_map and not left & 1 and major in _COMPOUND and (major, n) != (TAG, c.TAG_KEY):
            raise CorruptError("the store holds a key that is an array, a map or tagged")
        at += 1 + width
        if major == TAG:
            continue  # what it is on is the item
        left -= 1
        if major in {BYTES, TEXT}:
            at += n
        elif major in {ARRAY, MAP}:
            around.append((left, in_map))
            left, in_map = (2 * n, True) if major == MAP else (n, False)
        while not left and around:
            left, in_map = around.pop()
        if not left:
            return


_COMPOUND = frozenset((ARRAY, MAP, TAG))
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of an item's argument, by the low bits of its first byte."""
_MALFORMED = (
    *(cbor2.CBORDecodeError, TypeError, ValueError, LookupError),
    *(OverflowError, RecursionError),
)
"""What bad content makes decoders raise; other errors are ours and pass through."""


def _generic(number: int) -> Callable[[Any, bool], Any]:
    return lambda content, _immutable: Tag(number, content)


def _key(content: Any, _immutable: bool) -> Tag:  # noqa: FBT001 - cbor2's signature
    if type(content) is not bytes or content[:1] != _TAGGED or not is_canonical(content):
        msg = "a key that is wrapped without need, or not canonical"
        raise CorruptError(msg)
    return Tag(c.TAG_KEY, content)


_TAGGED = head(TAG, c.TAG_FIRST)[:1]
_GENERIC = decoders({n: _generic(n) for n in range(c.TAG_FIRST, c.TAG_LAST + 1)})
_GENERIC[c.TAG_KEY] = _key


def decode_generic(payload: bytes) -> Any:
    """Decode without meaning: tags become `Tag`, nothing is followed.

    Raises:
        CorruptError: not an item of the profile.
    """
    return decode(payload, _GENERIC)


def is_canonical(payload: bytes) -> bool:
    """Whether these bytes are the one encoding of what they say."""
    try:
        return encode_plain(decode_generic(payload)) == payload
    except (CorruptError, TypeError, UnicodeEncodeError, RecursionError):
        return False
