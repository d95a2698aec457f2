"""Raw items: stored bytes decoded without meaning, to be compared at the speed of C.

A raw item is None, a bool, int, float, str, bytes, or a list or dict of raw items; a tagged one
is the tuple `(..., tag, content)`.

`marshal` (version 2) writes equal items alike and different ones differently: types, signs of
zeros, bits of NaNs and the order of dicts count; sharing does not. Since one value has one
encoding, raw items are equal if and only if the values are. It never reaches a disk.

Imports: errors, ids, format (cbor, constants), tree (lazy, read).
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from typing import Any

from casckpt.errors import CorruptError, LimitError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree.lazy import BlobTree, Link, ListTree, MapTree, Node, Opener, Wrapped, reading
from casckpt.tree.read import LOAD_BYTES_MAX, link_target

__all__ = [
    "Raw",
    "Reader",
    "as_key",
    "content_of",
    "decode",
    "encode",
    "same_end",
    "same_start",
    "tag_of",
    "token",
]

Raw = Any

_MARSHAL_VERSION = 2
_RUN_ITEMS_MIN, _RUN_ITEMS_MAX = 16, 4096


def _tagged(tag: int) -> Callable[[Any, bool], Raw]:
    return lambda content, _immutable: (..., tag, content)


_TABLE = cbor.decoders({tag: _tagged(tag) for tag in range(c.TAG_FIRST, c.TAG_LAST + 1)})


def decode(payload: bytes) -> Raw:
    """The raw item of an encoding; raises CorruptError."""
    return cbor.decode(payload, _TABLE)


def encode(raw: Raw) -> bytes:
    """The encoding that a raw item was decoded from."""
    kind = type(raw)
    if kind is list:
        return cbor.head(cbor.ARRAY, len(raw)) + b"".join(map(encode, raw))
    if kind is dict:
        parts = [encode(part) for pair in raw.items() for part in pair]
        return cbor.head(cbor.MAP, len(raw)) + b"".join(parts)
    if kind is tuple:
        return cbor.head(cbor.TAG, raw[1]) + encode(raw[2])
    return cbor.encode_plain(raw)


def as_key(raw: Raw) -> Raw:
    """An entry as it would stand as a key of a dict."""
    if type(raw) is not tuple or raw[1] == c.TAG_KEY:
        return raw
    return (..., c.TAG_KEY, encode(raw))


def token(raw: Raw) -> bytes:
    """What two raw items have in common if and only if they are the same.

    Raises:
        CorruptError: a list, dict or unwrapped tag as a key, which no value is written as.
    """
    try:
        return marshal.dumps(raw, _MARSHAL_VERSION)
    except ValueError:
        msg = "the store holds a malformed key"
        raise CorruptError(msg) from None


def tag_of(raw: Raw) -> int | None:
    """The tag of a tagged item; None of another."""
    return raw[1] if type(raw) is tuple and raw[:1] == (...,) else None


def content_of(raw: Raw) -> Raw:
    """The content of a tagged item."""
    return raw[2]


def same_start(a: Sequence[Raw], b: Sequence[Raw]) -> int:
    """How many items two lists have in common at their beginnings."""
    limit = min(len(a), len(b))
    at, run = 0, _RUN_ITEMS_MIN
    while at < limit:
        run = min(run, limit - at)
        if token(a[at : at + run]) != token(b[at : at + run]):
            break
        at, run = at + run, min(2 * run, _RUN_ITEMS_MAX)
    else:
        return limit
    while run > 1:  # the first difference is in here
        half = run // 2
        if token(a[at : at + half]) == token(b[at : at + half]):
            at, run = at + half, run - half
        else:
            run = half
    return at


def same_end(a: Sequence[Raw], b: Sequence[Raw], limit: int) -> int:
    """How many items, at most `limit`, two lists have in common at their ends."""
    behind, run = 0, _RUN_ITEMS_MIN
    while behind < limit:
        run = min(run, limit - behind)
        if _ending(a, behind, run) != _ending(b, behind, run):
            break
        behind, run = behind + run, min(2 * run, _RUN_ITEMS_MAX)
    else:
        return limit
    while run > 1:
        half = run // 2
        if _ending(a, behind, half) == _ending(b, behind, half):
            behind, run = behind + half, run - half
        else:
            run = half
    return behind


def _ending(items: Sequence[Raw], behind: int, count: int) -> bytes:
    end = len(items) - behind
    return token(items[end - count : end])


class Reader:
    """Raw items of stored objects, and what they stand for; one is used for one walk."""

    def __init__(self, opener: Opener, *, bytes_max: int = LOAD_BYTES_MAX) -> None:
        self.opener = opener
        self.source = opener.source
        self._left = self._bytes_max = bytes_max

    def open(self, raw: Raw) -> Raw:
        """Follow links until something else is there.

        Raises:
            LimitError: more payload bytes than allowed (shared objects can nest without end).
        """
        while tag_of(raw) == c.TAG_LINK:
            payload = self.source.get(link_target(raw[2]), c.KIND_VALUE)
            self._spend(len(payload))
            raw = decode(payload)
        return raw

    def leaves(self, ids: Sequence[ObjectId], kind: int) -> list[Raw]:
        """The raw contents of leaves, read together; raises as `open` does."""
        payloads = self.source.get_many(ids, kind)
        self._spend(sum(map(len, payloads)))
        return [decode(payload) for payload in payloads]

    def _spend(self, payload_bytes: int) -> None:
        self._left -= payload_bytes
        if self._left < 0:
            msg = f"more than {self._bytes_max} bytes of payload to read; compare a path of it"
            raise LimitError(msg, limit=self._bytes_max)

    def value(self, raw: Raw) -> Any:
        """The whole value, of fresh objects."""
        with reading():
            return _built(raw, self.opener.loader().restore)

    def node(self, raw: Raw) -> Node:
        """The node, as `Opener` would have decoded it."""
        with reading():
            return _built(raw, self.opener.closed, self.opener.loader().restore)

    def raw(self, node: Node) -> Raw:
        """The raw item of a node."""
        kind = type(node)
        if kind is list:
            return [self.raw(item) for item in node]
        if kind is dict:
            return {self.key(key): self.raw(item) for key, item in node.items()}
        if isinstance(node, Link):
            return (..., c.TAG_LINK, [node.id, node.size])
        if isinstance(node, Wrapped):
            return (..., node.tag, self.raw(node.content))
        if isinstance(node, ListTree):
            return (..., c.TAG_LIST_TREE, [*_levels(node), self.raw(node.open)])
        if isinstance(node, MapTree):
            content = [self.raw(node.order), *_levels(node), self.raw(node.open)]
            return (..., c.TAG_MAP_TREE, content)
        if isinstance(node, BlobTree):
            return (..., c.TAG_STR_TREE if node.is_text else c.TAG_BYTES_TREE, _levels(node))
        return node

    def key(self, key: Any) -> Raw:
        """The raw item of a key."""
        if type(key) in {str, int, bool, type(None)}:
            return key
        (raw,) = decode(cbor.head(cbor.MAP, 1) + self.opener.encoded_key(key) + cbor.NULL)
        return raw


def _levels(tree: ListTree | MapTree | BlobTree) -> list[Raw]:
    keyed = isinstance(tree, MapTree)
    return [
        [part for ref in refs for part in ((ref.key, *ref[:3]) if keyed else ref[:3])]
        for refs in tree.fan.levels
    ]


def _built(
    raw: Raw, make: Callable[[int, Any], Any], make_key: Callable[[int, Any], Any] | None = None
) -> Any:
    """Put together what a raw item stands for; `make` is called for each tag, inside out."""
    kind = type(raw)
    if kind is list:
        return [_built(item, make, make_key) for item in raw]
    if kind is dict:
        of_key = make_key or make
        return {_built(k, of_key): _built(item, make, make_key) for k, item in raw.items()}
    if kind is tuple:
        if tag_of(raw) is None:
            raise CorruptError("the store holds a malformed key")
        return make(raw[1], _built(raw[2], make, make_key))
    return raw
