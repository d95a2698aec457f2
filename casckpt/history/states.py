"""States in and out of checkpoints: where history meets the trees.

A checkpoint's root is the encoded state itself up to ROOT_INLINE_BYTES_MAX, else a link to
it; its meta is encoded like any value inside another.

Imports: errors, ids, path, format (constants, records), vault, tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import constants as c
from casckpt.format.records import CheckpointRecord
from casckpt.ids import ObjectId, object_id
from casckpt.tree import native
from casckpt.tree.build import SlowBuilder
from casckpt.tree.read import Loader
from casckpt.tree.source import Codec
from casckpt.vault import Draft, Vault

__all__ = ["Settled", "load_meta", "put_value", "root_id"]


class Settled(NamedTuple):
    """An encoded value, ready to stand in a record."""

    data: bytes
    links: tuple[ObjectId, ...]


def put_value(
    draft: Draft, codec: Codec, value: Any, *, bytes_max: int = c.ROOT_INLINE_BYTES_MAX
) -> Settled:
    """Encode a value; one of more than `bytes_max` becomes an object of its own."""
    form = SlowBuilder(draft, codec).build(value)
    if len(form.data) <= bytes_max:
        return Settled(form.data, form.links)
    oid = draft.put(c.KIND_VALUE, form.data, form.links)
    return Settled(native.link(oid, len(form.data) + form.linked), (oid,))


def load_meta(vault: Vault, codec: Codec, record: CheckpointRecord) -> dict[str, Any]:
    """The meta of a checkpoint, of fresh objects; raises CorruptError."""
    meta = Loader(vault, codec).value(record.meta)
    if type(meta) is not dict:
        raise CorruptError("a checkpoint's meta is not a dict")
    return meta


def root_id(root: bytes) -> ObjectId:
    """The id of a state, whether its root is a link or the encoded state itself."""
    if root.startswith(native.LINK_HEAD):
        start = len(native.LINK_HEAD) + 2  # the head of a byte string of 32
        return ObjectId(root[start : start + 32])
    return object_id(c.KIND_VALUE, root)
