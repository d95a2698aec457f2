"""Encoded items taken apart without being decoded: where they end, and what they refer to.

An editor moves entries that it does not change from one chunk to another; their bytes are
final, so only their ends and the links in them have to be found.

Invariants: nothing is changed or interpreted beyond heads, links and the tops of trees; what
is not of the profile raises CorruptError, whatever the bytes.

Imports: errors, ids, format (cbor, constants), tree.native.
"""

from __future__ import annotations

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree import native

__all__ = ["head_at", "held", "link_at", "reference_ends", "skip", "split", "split_pairs", "unkey"]

_TAGS = native.LINK_HEAD[:2]
"""How each of our tags begins: where this does not occur, nothing is referred to."""
_TREES = frozenset((c.TAG_LIST_TREE, c.TAG_MAP_TREE, c.TAG_STR_TREE, c.TAG_BYTES_TREE))
_BLOBS = frozenset((c.TAG_STR_TREE, c.TAG_BYTES_TREE))
_KEY_HEAD = cbor.head(cbor.TAG, c.TAG_KEY)


def _lengths() -> list[int]:
    """By its first byte: bytes of an item without items; 0 where more must be looked at."""
    table = [0] * 256
    for major in (0, 1):
        for low in range(24):
            table[major << 5 | low] = 1
        for low, length in ((24, 2), (25, 3), (26, 5), (27, 9)):
            table[major << 5 | low] = length
    for major in (cbor.BYTES, cbor.TEXT):
        for low in range(24):
            table[major << 5 | low] = 1 + low
    for simple in (0xF4, 0xF5, 0xF6):
        table[simple] = 1
    table[0xFB] = 9
    return table


_LENGTHS = _lengths()
_PLAIN = cbor.decoders({})
_SHORT = frozenset((cbor.BYTES << 5 | 24, cbor.TEXT << 5 | 24))
"""First bytes of strings whose length is the next byte."""


def head_at(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument, and where the head ends.

    Raises:
        CorruptError: there is no head of definite length.
    """
    try:
        first = data[at]
    except IndexError:
        raise _malformed() from None
    major, low = first >> 5, first & 31
    if low < 24:
        return major, low, at + 1
    if low > 27:
        raise _malformed()
    end = at + 1 + (1 << low - 24)
    return major, int.from_bytes(data[at + 1 : end], "big"), end


def skip(data: bytes, at: int, count: int = 1) -> int:
    """Where `count` items end; raises CorruptError."""
    lengths = _LENGTHS
    try:
        while count:
            first = data[at]
            length = lengths[first]
            if length:
                at += length
                count -= 1
                continue
            if first in _SHORT:  # the commonest of those with a longer head
                at += 2 + data[at + 1]
                count -= 1
                continue
            major, n, at = head_at(data, at)
            if major in {cbor.BYTES, cbor.TEXT}:
                at += n
                count -= 1
            elif major == cbor.ARRAY:
                count += n - 1
            elif major == cbor.MAP:
                count += 2 * n - 1
            elif major != cbor.TAG:
                raise _malformed()
    except IndexError:
        raise _malformed() from None
    if at > len(data):
        raise _malformed()
    return at


def split(data: bytes, at: int, count: int) -> list[bytes]:
    """The encodings of `count` items that stand one behind the other."""
    lengths = _LENGTHS
    parts = []
    try:
        for _ in range(count):
            end = at + lengths[data[at]]
            if end == at:
                end = skip(data, at)
            parts.append(data[at:end])
            at = end
    except IndexError:
        raise _malformed() from None
    if at > len(data):
        raise _malformed()
    return parts


def split_pairs(data: bytes, at: int, count: int) -> tuple[list[bytes], list[bytes]]:
    """The keys of `count` entries of a map, and the entries, keys included."""
    lengths = _LENGTHS
    keys, entries = [], []
    try:
        for _ in range(count):
            middle = at + lengths[data[at]]
            if middle == at:
                middle = skip(data, at)
            end = middle + lengths[data[middle]]
            if end == middle:
                end = skip(data, middle)
            keys.append(data[at:middle])
            entries.append(data[at:end])
            at = end
    except IndexError:
        raise _malformed() from None
    if at > len(data):
        raise _malformed()
    return keys, entries


def reference_ends(data: bytes, at: int, count: int, *, keyed: bool) -> list[int]:
    """Where each of `count` references to closed chunks ends, counted from `at`; 0 in front."""
    lengths = _LENGTHS
    start, ends = at, [0]
    try:
        for _ in range(count):
            if keyed:
                at = skip(data, at)
            at += 2 + ID_BYTES
            at += lengths[data[at]]
            at += lengths[data[at]]
            ends.append(at - start)
    except IndexError:
        raise _malformed() from None
    if at > len(data):
        raise _malformed()
    return ends


def link_at(data: bytes, at: int = 0) -> ObjectId:
    """The id in the link that begins here."""
    start = at + len(native.LINK_HEAD) + 2
    oid = data[start : start + ID_BYTES]
    if len(oid) != ID_BYTES:
        raise _malformed()
    return ObjectId(oid)


def unkey(key: bytes) -> bytes:
    """The entry that stands in a map as this key (the reverse of `native.as_key`)."""
    if not key.startswith(_KEY_HEAD):
        return key
    return key[head_at(key, len(_KEY_HEAD))[2] :]


def held(data: bytes, at: int = 0, count: int = 1) -> tuple[list[ObjectId], int]:
    """What `count` items refer to: the ids in order, and the bytes in and below those objects."""
    if _TAGS not in data:
        return [], 0
    links: list[ObjectId] = []
    linked, _ = _collect(data, at, count, links)
    return links, linked


def _collect(data: bytes, at: int, count: int, links: list[ObjectId]) -> tuple[int, int]:
    """Add the links of `count` items; bytes linked, and where the items end."""
    linked = 0
    try:
        while count:
            length = _LENGTHS[data[at]]
            if length:
                at += length
                count -= 1
                continue
            start = at
            major, n, at = head_at(data, at)
            if major in {cbor.BYTES, cbor.TEXT}:
                at += n
                count -= 1
            elif major == cbor.ARRAY:
                count += n - 1
            elif major == cbor.MAP:
                count += 2 * n - 1
            elif major != cbor.TAG:
                raise _malformed()
            elif n == c.TAG_LINK:
                links.append(link_at(data, start))
                _, size, at = head_at(data, start + len(native.LINK_HEAD) + 2 + ID_BYTES)
                linked += size
                count -= 1
            elif n in _TREES:
                more, at = _collect_tree(data, at, n, links)
                linked += more
                count -= 1
            elif n == c.TAG_KEY:
                _, length, at = head_at(data, at)
                linked += _collect(data[at : at + length], 0, 1, links)[0]
                at += length
                count -= 1
    except IndexError:
        raise _malformed() from None
    return linked, at


def _collect_tree(data: bytes, at: int, tag: int, links: list[ObjectId]) -> tuple[int, int]:
    """As `_collect`, for the array of a tree's open chunks."""
    _, arrays, at = head_at(data, at)
    linked = 0
    keyed = tag == c.TAG_MAP_TREE
    if keyed:
        linked, at = _collect(data, at, 1, links)
        arrays -= 1
    for _ in range(arrays if tag in _BLOBS else arrays - 1):
        start, width = at, 4 if keyed else 3
        _, fields, at = head_at(data, at)
        at += reference_ends(data, at, fields // width, keyed=keyed)[-1]
        flat = cbor.decode(data[start:at], _PLAIN)
        ids, sizes = flat[width - 3 :: width], flat[width - 1 :: width]
        if {*map(type, ids)} - {bytes} or {*map(type, sizes)} - {int}:
            raise _malformed()
        links += ids
        linked += sum(sizes)
    if tag not in _BLOBS:
        more, at = _collect(data, at, 1, links)
        linked += more
    return linked, at


def _malformed() -> CorruptError:
    return CorruptError("the store holds a malformed encoding")
