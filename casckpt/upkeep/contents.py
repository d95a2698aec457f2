"""What an object's payload must be, and what it refers to, by docs/format.md.

Each kind has its shape; every payload but a chunk is the one encoding of what it says. What
other objects must confirm (sizes, counts, where chunks end) is not judged here.

Imports: errors, ids, format, storage (engine interface), history (names).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from casckpt.errors import CorruptError, InvalidInputError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.format.records import PrunedRecord, TagsRecord, read_record
from casckpt.history import names
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.storage.engine import StoredObject

__all__ = ["references"]

_CHUNK_BYTES_MAX = c.CDC_LONG_BYTES_MAX + 3
"""No piece is longer: a piece of text may end behind the character that it would end in."""


def references(stored: StoredObject) -> list[ObjectId]:
    """What an object refers to, in the order of its payload, each once: its children.

    Raises:
        CorruptError: such a payload cannot have been written for this kind.
    """
    if stored.kind == c.KIND_CHUNK:
        if not 0 < len(stored.payload) <= _CHUNK_BYTES_MAX:
            raise CorruptError(f"a chunk of {len(stored.payload)} bytes")
        return []
    return list(dict.fromkeys(_read(stored.kind, stored.payload)))


def _read(kind: int, payload: bytes) -> Iterator[ObjectId]:
    if kind in {c.KIND_CHECKPOINT, c.KIND_PRUNED}:
        return _checkpoint(kind, payload)
    item = _item(payload)
    if kind == c.KIND_TAGS:
        return _tags(payload)
    if kind == c.KIND_VALUE:
        return _links(item)
    if kind == c.KIND_LIST_LEAF and type(item) is list and item:
        return _links(item)
    if kind == c.KIND_MAP_LEAF and type(item) is dict and item:
        _check_ascending([cbor.encode_plain(key) for key in item])
        return _links(item)
    if kind in {c.KIND_NODE, c.KIND_MAP_NODE} and type(item) is list and item:
        level, *rest = item
        if type(level) is int and 1 <= level < c.TREE_LEVEL_MAX and rest:
            return iter(_level(rest, keyed=kind == c.KIND_MAP_NODE))
    name = c.KIND_NAMES.get(kind)
    raise CorruptError(f"not a {name}" if name else f"of the unknown kind {kind}")


def _item(encoding: bytes) -> Any:
    item = cbor.decode_generic(encoding)
    if not cbor.is_canonical(encoding):
        raise CorruptError("not the one encoding of what it says")
    return item


def _checkpoint(kind: int, payload: bytes) -> Iterator[ObjectId]:
    record = read_record(kind, payload)
    try:
        names.check_thread_name(record.thread)
        names.check_label(record.label)
        names.check_key(record.key)
        repeated = names.check_tags(record.tags) != record.tags
    except InvalidInputError as error:
        raise CorruptError(f"a checkpoint with a name that is none: {error.message}") from None
    if repeated:
        raise CorruptError("a checkpoint with a tag twice")
    pruned = kind == c.KIND_PRUNED
    if (PrunedRecord.decode(payload).payload() if pruned else record.encode()) != payload:
        raise CorruptError("not the one encoding of what it says")
    if record.created_ns < 0:
        raise CorruptError("a checkpoint older than 1970")
    for encoding in () if pruned else (record.root, record.meta):
        yield from _links(_item(encoding))
    yield from record.parents


def _tags(payload: bytes) -> Iterator[ObjectId]:
    record = TagsRecord.decode(payload)
    if len(set(record.tags)) != len(record.tags):
        raise CorruptError("tags with one twice")
    return iter((record.checkpoint,) if record.tags else ())


class _Ids(NamedTuple):
    """References of open chunks, on the list of what is still to be gone through."""

    ids: list[ObjectId]


def _links(item: Any) -> Iterator[ObjectId]:
    todo = [item]
    while todo:
        item = todo.pop()
        if type(item) is list:
            todo += reversed(item)
        elif type(item) is dict:
            for key, value in reversed(item.items()):
                todo += (value, key)
        elif type(item) is _Ids:
            yield from item.ids
        elif type(item) is cbor.Tag:
            match item.number, item.value:
                case c.TAG_LINK, [bytes(oid), int(size)] if len(oid) == ID_BYTES and size >= 0:
                    yield ObjectId(oid)
                case c.TAG_LIST_TREE, [*levels, list(leaf)] if levels:
                    todo += (leaf, _opened(levels))
                case c.TAG_MAP_TREE, [order, *levels, dict(leaf)] if levels:
                    todo += (leaf, _opened(levels, keyed=True), order)
                case ((c.TAG_STR_TREE | c.TAG_BYTES_TREE), [*levels]) if levels:
                    todo.append(_opened(levels))
                case c.TAG_KEY, bytes(key):
                    todo.append(cbor.decode_generic(key))
                case number, value if c.TAG_TUPLE <= number <= c.TAG_LAST or number in {2, 3}:
                    todo.append(value)
                case number, _:
                    raise CorruptError(f"a malformed or foreign tag ({number})")


def _opened(levels: list[Any], *, keyed: bool = False) -> _Ids:
    """The references of the open chunks at the top of a tree."""
    return _Ids([oid for level in levels for oid in _level(level, keyed=keyed)])


def _level(flat: Any, *, keyed: bool) -> list[ObjectId]:
    """The ids in a flat array of references."""
    width = 4 if keyed else 3
    if type(flat) is not list or len(flat) % width:
        raise CorruptError("references that are cut short")
    columns = [flat[at::width] for at in range(width)]
    *lasts, ids, counts, sizes = columns
    good = (
        all(type(oid) is bytes and len(oid) == ID_BYTES for oid in ids)
        and all(type(number) is int and number > 0 for number in (*counts, *sizes))
        and all(type(key) is bytes for column in lasts for key in column)
    )
    if not good:
        raise CorruptError("references that are malformed")
    for keys in lasts:
        _check_ascending(keys)
    return [ObjectId(oid) for oid in ids]


def _check_ascending(keys: list[bytes]) -> None:
    if not all(before < after for before, after in pairwise(keys)):
        raise CorruptError("keys that are out of order")
