"""What a commit will write, worked out before its write transaction.

Everything slow happens here: finding what is stored, reading bases, compressing. What was
found is a guess as soon as the read transaction ends; `commit` checks it again.

Invariants: objects are in the order given, each once; a plan can be carried out whatever
has happened since, for every object's payload is at hand.

Imports: frame, ids, the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from casckpt.ids import CUT, ObjectId
from casckpt.storage.engine import MissingObjects, NewObject, Posting, RefUpdate
from casckpt.storage.frame import BASE_PAYLOAD_BYTES_MAX, DELTA, DELTA_HEAD_BYTES, Base, encode
from casckpt.storage.lmdb import index, objects, tables
from casckpt.storage.lmdb.caches import Known
from casckpt.storage.lmdb.row import DEPTH_MAX
from casckpt.storage.lmdb.space import Space

__all__ = ["Packed", "Plan", "pack", "plan"]

_NEW_MAX: Final = 4
"""More new objects than that are worth asking for before they are compressed."""
LINK_BYTES: Final = 12
"""What a delta must save for each link of the chain that it hangs on, itself included: else it
lies whole, and the chain begins anew. So short records of long histories are read without long
chains, and in chats chains begin where they cost least (docs/decisions/0003)."""
LINK_PAYLOAD_BYTES_MAX: Final = 1024
"""Longer payloads save enough; to see it, they would have to be compressed twice."""


class Packed(NamedTuple):
    """An object, ready to be laid down."""

    new: NewObject
    codec: int
    frame: bytes
    known: Known
    """Its payload and depth, for later objects that are stored against it."""
    base: ObjectId | None
    """Only if the codec is DELTA."""
    base_seq: int
    """The base's row; 0: the base is new in this commit, too."""
    base_children: tuple[int, ...]
    """The base's children; of no meaning if the base is new."""
    base_kind: int = 0
    """The base's; of no meaning if it is new."""


class Plan(NamedTuple):
    """A commit, worked out."""

    items: list[NewObject | Packed]
    """Packed, unless it was found stored."""
    wanted: list[ObjectId]
    """What must be stored besides the children of new objects."""
    refs: Sequence[RefUpdate]
    add: Sequence[Posting]
    remove: Sequence[Posting]
    epoch: int
    found: dict[ObjectId, int]
    """Seqs of what is stored, true as long as the epoch is the same."""


class _Finder:
    """Looks ids up, in one read transaction."""

    def __init__(self, space: Space, txn: Any) -> None:
        self.epoch = tables.state(txn, space.tables).epoch
        self.found: dict[ObjectId, int] = {}
        self._seqs = space.seqs.under(self.epoch)
        self._cursor = txn.cursor(space.tables.index)

    def find(self, oid: ObjectId) -> int:
        seq = self._seqs.get(oid)
        if seq is None:
            seq = index.find(self._cursor, oid)
            if not seq:
                return 0
            self._seqs[oid] = seq
        self.found[oid] = seq
        return seq


def plan(
    space: Space,
    new: Sequence[NewObject],
    refs: Sequence[RefUpdate],
    *,
    uses: Collection[ObjectId],
    add: Sequence[Posting],
    remove: Sequence[Posting],
) -> Plan:
    """Work a commit out.

    Raises:
        MissingObjects: something that it relies on is not stored.
    """
    wanted = [*uses, *[posting.id for posting in add]]
    wanted += [update.target for update in refs if update.target is not None]
    remembered = _from_memory(space, new, wanted)
    if remembered is not None:
        return Plan(remembered.items, wanted, refs, add, remove, *remembered[1:])
    distinct: dict[ObjectId, NewObject] = {}
    fresh: set[ObjectId] = set()
    missing: set[ObjectId] = set()
    bases: dict[ObjectId, _Base] = {}
    with space.reading() as txn:
        finder = _Finder(space, txn)
        for item in new:
            if item.id in distinct:
                continue
            if not finder.find(item.id):
                fresh.add(item.id)
                missing.update(c for c in item.children if c not in distinct and not finder.find(c))
                if item.base is not None and item.base not in fresh and item.base not in bases:
                    _read_base(space, txn, finder, item.base, bases)
            distinct[item.id] = item
        missing.update(oid for oid in wanted if oid not in distinct and not finder.find(oid))
    if missing:
        raise MissingObjects(missing)
    items: list[NewObject | Packed] = []
    packed: dict[ObjectId, Packed] = {}
    for item in distinct.values():
        if item.id in fresh:
            packed[item.id] = _pack_near(item, packed, bases)
            items.append(packed[item.id])
        else:
            items.append(item)
    return Plan(items, wanted, refs, add, remove, finder.epoch, finder.found)


def _from_memory(
    space: Space, new: Sequence[NewObject], wanted: Sequence[ObjectId]
) -> _Remembered | None:
    """What a small save needs to know is remembered from the one before: then nothing is read.

    None: not all of it is remembered, or an object may be stored already, which would be
    compressed in vain.
    """
    if not 0 < len(new) <= _NEW_MAX:
        return None
    epoch, seqs = space.seqs.latest()
    found = {item.id: seqs[item.id] for item in new if item.id in seqs}
    fresh = {item.id for item in new if item.id not in found}
    if not all(oid in fresh or oid in found for oid in wanted):
        return None
    items: dict[ObjectId, NewObject | Packed] = {}
    packed: dict[ObjectId, Packed] = {}
    bases: dict[ObjectId, _Base] = {}
    for item in new:
        if item.id in found:
            items[item.id] = item
            continue
        for oid in (*item.children, item.base):
            if oid not in fresh:
                if oid is None or oid not in seqs:
                    return None
                found[oid] = seqs[oid]
        if item.base is not None and item.base not in fresh:
            known = space.payloads.get(found[item.base])
            if known is None or known.children is None:
                return None
            bases[item.base] = _Base(found[item.base], known, known.children)
        items[item.id] = packed[item.id] = _pack_near(item, packed, bases)
    return _Remembered([*items.values()], epoch, found)


class _Remembered(NamedTuple):
    items: list[NewObject | Packed]
    epoch: int
    found: dict[ObjectId, int]


class _Base(NamedTuple):
    seq: int
    known: Known
    children: tuple[int, ...]


def _read_base(
    space: Space, txn: Any, finder: _Finder, oid: ObjectId, bases: dict[ObjectId, _Base]
) -> None:
    """Fetch what is needed of a base; a hint that leads nowhere is no error."""
    seq = finder.find(oid)
    known = objects.load(txn, space.tables, space.payloads, seq) if seq else None
    if known is not None and known.depth < DEPTH_MAX:
        children = objects.children(txn, space.tables, space.payloads, seq)
        bases[oid] = _Base(seq, known, children)


def _pack_near(
    item: NewObject, packed: dict[ObjectId, Packed], bases: dict[ObjectId, _Base]
) -> Packed:
    """Pack an object against its base, if that is known and near enough."""
    if item.base is None or len(item.payload) > BASE_PAYLOAD_BYTES_MAX:
        return pack(item)
    base = bases.get(item.base)
    if base is None and item.base in packed:
        base = _Base(0, packed[item.base].known, ())
    if base is None or base.known.depth >= DEPTH_MAX or base.known.kind == CUT:
        return pack(item)  # what is left of an object may come to lie otherwise
    codec, frame = encode(item.payload, Base(base.known.payload, item.base))
    if codec != DELTA:
        return _packed(item, codec, frame)
    depth = base.known.depth + 1
    size, costs = len(item.payload), len(frame) + DELTA_HEAD_BYTES + depth * LINK_BYTES
    # So short, alone, they come to two fifths at best: less need not be tried.
    if size <= LINK_PAYLOAD_BYTES_MAX and costs * 5 > size * 2:
        whole = pack(item)
        if len(whole.frame) < costs:
            return whole
    known = _known(item, depth)
    return Packed(item, codec, frame, known, item.base, base.seq, base.children, base.known.kind)


def pack(item: NewObject) -> Packed:
    """Pack an object for itself."""
    codec, frame = encode(item.payload)
    return _packed(item, codec, frame)


def _packed(item: NewObject, codec: int, frame: bytes) -> Packed:
    return Packed(item, codec, frame, _known(item, 0), None, 0, ())


def _known(item: NewObject, depth: int) -> Known:
    known = Known(item.kind, item.payload, depth)
    known.name(item.id)
    return known
