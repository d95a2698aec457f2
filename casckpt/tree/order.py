"""The order of a dict's keys, before and after a change.

A dict keeps its order in place; a large one lies in the order of its keys' encodings, and
where its own order is another, a list of the keys lies beside it. Whether two dicts differ in
order is told from these lists alone, and of them only what differs is read; except where one
has a list and the other has none: then all keys are looked at.

Invariant: `differs` is False only if removing and then adding, in the order given, leaves the
keys in the new dict's order.

Imports: errors, format (constants), tree (align, raw, region).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from operator import lt
from types import MappingProxyType
from typing import Any, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import constants as c
from casckpt.tree import region
from casckpt.tree.align import align
from casckpt.tree.raw import Raw, Reader, as_key, encode, same_end, same_start, tag_of, token

__all__ = ["Order", "keys_of", "order_of"]


class Order(NamedTuple):
    """What becomes of the order of a dict."""

    added: list[bytes]
    """The tokens of the added keys, in the order in which to add them."""
    differs: bool
    """Whether the keys must be put in order then."""
    before: Mapping[bytes, Raw] = MappingProxyType({})
    """Of added keys that do not come last: the key that each is put before."""


def keys_of(reader: Reader, raw: Raw) -> list[Raw]:
    """All keys of a raw dict or map tree, in its own order."""
    listed = reader.open(_listed(raw))
    if listed is None:
        return _tail(reader, raw, region.side(reader, raw, keyed=True).length)
    side = region.side(reader, listed)
    empty = region.Side(None, [])
    return [
        key if type(key) is str else as_key(key)
        for stretch in region.regions(side, empty)
        for left, _ in region.items(reader, stretch, side, empty)
        for key in left
    ]


def order_of(reader: Reader, a: Raw, b: Raw, removed: set[bytes], added: dict[bytes, Raw]) -> Order:
    """How the order of `b` follows from that of `a`.

    Args:
        reader: where both are read from.
        a: the old dict, raw and opened.
        b: the new one.
        removed: tokens of the keys that only `a` has.
        added: tokens and keys that only `b` has.
    """
    if type(a) is type(b) is dict:
        return _of_small(a, b, removed, added)
    before, after = _listed(a), _listed(b)
    if before is not None and token(before) == token(after):
        return Order([], differs=False)  # one order, so one set of keys
    before, after = reader.open(before), reader.open(after)
    if before is not None and after is not None:
        return _of_lists(reader, before, after, removed, added)
    if before is None and after is None:
        names = sorted(added, key=lambda name: encode(added[name]))
        behind = [token(key) for key in _tail(reader, b, len(names))] if names else names
        return Order(names, differs=behind != names)
    if before is None:
        return _out_of_key_order(keys_of(reader, b), added)
    kept = [key for key in keys_of(reader, a) if token(key) not in removed]
    new = sorted(added, key=lambda name: encode(added[name]))
    both = [*kept, *(added[name] for name in new)]
    return Order(new, differs=not _is_sorted(both))


def _of_small(
    a: dict[Raw, Raw], b: dict[Raw, Raw], removed: set[bytes], added: dict[bytes, Raw]
) -> Order:
    """Of two dicts of one leaf: a new key can say where it stands, if the old ones stay."""
    if not removed and not added:
        return Order([], differs=token(list(a)) != token(list(b)))
    names = [token(key) for key in b]
    new = [name for name in names if name in added]
    stayed = [name for name in map(token, a) if name not in removed]
    if stayed != [name for name in names if name not in added]:
        return Order(new, differs=True)
    before: dict[bytes, Raw] = {}
    following: list[Raw] = []
    for name, key in zip(reversed(names), reversed(b), strict=True):
        if name not in added:
            following = [key]
        elif following:
            before[name] = following[0]
    return Order(new, differs=False, before=before)


def _out_of_key_order(keys: list[Raw], added: dict[bytes, Raw]) -> Order:
    """Of a dict that was in key order: are its keys still, with the new ones behind them?"""
    kept = len(keys) - len(added)
    new = [token(key) for key in keys[kept:]]
    if set(new) != added.keys():
        return Order([name for name in map(token, keys) if name in added], differs=True)
    return Order(new, differs=not _is_sorted(keys[:kept]))


def _listed(raw: Raw) -> Raw | None:
    """The keys as a raw list or list tree; None: they are in key order."""
    if type(raw) is dict:
        return list(raw)
    if tag_of(raw) != c.TAG_MAP_TREE or not raw[2]:
        msg = "the store holds a dict that is none"
        raise CorruptError(msg)
    return raw[2][0]


def _is_sorted(keys: list[Raw]) -> bool:
    """Whether keys lie in the order of their encodings."""
    spelled: list[Any]
    if all(type(key) is str for key in keys):  # shorter ones first, then by UTF-8
        datas = [key.encode() for key in keys]
        spelled = list(zip(map(len, datas), datas, strict=True))
    else:
        spelled = [encode(key) for key in keys]
    return all(map(lt, spelled, islice(spelled, 1, None)))


def _tail(reader: Reader, raw: Raw, count: int) -> list[Raw]:
    """The last keys of a dict that lies in key order."""
    side = region.side(reader, raw, keyed=True)
    keys: list[Raw] = []
    if side.fan is not None and count > len(side.open):
        start = side.length - count
        for at, ref in side.fan.leaves_from(start):
            (leaf,) = reader.leaves([ref.id], c.KIND_MAP_LEAF)
            keys += islice(leaf, max(0, start - at), None)
    keys += side.open
    return keys[len(keys) - count :]


def _of_lists(
    reader: Reader, before: Raw, after: Raw, removed: set[bytes], added: dict[bytes, Raw]
) -> Order:
    """Of two lists of keys, by what differs between them."""
    a, b = region.side(reader, before), region.side(reader, after)
    gone = 0
    new: list[bytes] = []
    in_front = False  # whether a new key stands in front of a kept one
    for stretch in region.regions(a, b):
        in_front |= bool(new) and stretch.skipped > 0
        for left, right in region.items(reader, stretch, a, b):
            start = same_start(left, right)
            in_front |= bool(new) and start > 0
            end = same_end(left, right, min(len(left), len(right)) - start)
            mine = [token(as_key(key)) for key in left[start : len(left) - end]]
            theirs = [token(as_key(key)) for key in right[start : len(right) - end]]
            runs = align(mine, theirs)
            at = 0
            for run in runs:
                new += theirs[at : run.b]
                in_front |= bool(new)
                at = run.b + run.length
            new += theirs[at:]
            in_front |= bool(new) and end > 0
            gone += len(mine) - sum(run.length for run in runs)
    if gone == len(removed) and len(new) == len(added):
        return Order(new, differs=in_front)
    return Order(list(added), differs=True)
