"""Carrying out a plan: the write transaction of a commit.

In the transaction everything the plan found is checked again (by the epoch at once, else
id by id), then rows are appended, refs moved if they are what was expected, postings
entered. What gc has swept since the plan was made is stored again (an object that was a
duplicate), stored without it (a base), or missing (a child): then nothing is written.

More than PART_BYTES_MAX of new rows go in several transactions, refs and postings in the
last one, under a lease (`leases`) that keeps gc off. Until then the rows are there, but
nothing leads to them; a crash leaves them to gc.

Invariants: a row is written only when all its children have index entries in the same
transaction; `where` holds nothing of an aborted attempt.

Imports: errors, ids, frame, moves, the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from casckpt.errors import StorageError
from casckpt.ids import CUT, ObjectId
from casckpt.storage.engine import MissingObjects, NewObject, Ref, RefConflict, RefUpdate
from casckpt.storage.lmdb import feed, index, leases, posts, tables
from casckpt.storage.lmdb import refs as ref_table
from casckpt.storage.lmdb.plan import Packed, Plan, pack
from casckpt.storage.lmdb.row import Head, encode_head
from casckpt.storage.lmdb.space import Space
from casckpt.storage.moves import conflicts, move

__all__ = ["carry_out"]

PART_BYTES_MAX: Final = 64 << 20
"""Bytes of frames in one transaction: LMDB keeps all its dirty pages in memory."""


def carry_out(space: Space, plan: Plan) -> list[Ref]:
    """Write what was planned; returns the refs after their moves.

    Raises:
        MissingObjects, RefConflict, StorageError: as `Engine.commit` does.
    """
    work = _Work(space, plan)
    parts = _parts(plan.items)
    try:
        for number, part in enumerate(parts, 1):
            work.write(part, last=number == len(parts))
    except BaseException:
        work.give_up()
        raise
    return work.moved


def _parts(items: list[NewObject | Packed]) -> list[list[NewObject | Packed]]:
    parts: list[list[NewObject | Packed]] = [[]]
    size = 0
    for item in items:
        frame = len(item.frame) if isinstance(item, Packed) else 0
        if size + frame > PART_BYTES_MAX and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += frame
    return parts


class _Work:
    """A commit under way, over one or more transactions."""

    def __init__(self, space: Space, plan: Plan) -> None:
        self.space = space
        self.plan = plan
        self.moved: list[Ref] = []
        self.epoch = plan.epoch
        self.where = plan.found
        """Seqs of stored objects, true under `epoch`."""
        self.fresh: dict[ObjectId, tuple[int, Packed, tuple[int, ...]]] = {}
        """What this commit has written: seq, content, children."""
        self.lease: bytes | None = None

    def write(self, part: list[NewObject | Packed], *, last: bool) -> None:
        """One transaction."""

        def attempt(txn: Any) -> _Attempt:
            trial = _Attempt(self, txn)
            if last:
                trial.check_refs()
            for item in part:
                trial.lay_down(item)
            trial.refuse_missing(last=last)
            # The first part may have found all of its objects stored.
            if not last and trial.lease is None and trial.first_seq:
                trial.lease = leases.lease_key(trial.first_seq)
                leases.claim(txn, self.space.tables, trial.lease)
            trial.enter_index()
            if last:
                trial.finish()
            return trial

        done = self.space.write(attempt)
        self.epoch, self.where, self.fresh = done.epoch, done.where, done.fresh
        self.lease, self.moved = done.lease, done.moved
        seqs = self.space.seqs.under(self.epoch)
        for oid, (seq, packed, children) in done.fresh.items():
            seqs[oid] = seq
            packed.known.children = children
        self.space.payloads.put((seq, packed.known) for seq, packed, _ in done.fresh.values())

    def give_up(self) -> None:
        """Take the lease back; the rows already written are garbage."""
        if self.lease is not None:
            lease = self.lease
            self.space.clear(lambda txn: leases.drop(txn, self.space.tables, lease))


class _Attempt:
    """One run of one transaction; thrown away if LMDB asks for another."""

    def __init__(self, work: _Work, txn: Any) -> None:
        self.txn = txn
        self.plan = work.plan
        self.tables = work.space.tables
        self.state = tables.state(txn, self.tables)
        self.epoch = self.state.epoch
        self.where = dict(work.where) if work.epoch == self.epoch else {}
        self.fresh = dict(work.fresh)
        self.lease = work.lease
        self.moved: list[Ref] = []
        self.missing: set[ObjectId] = set()
        self.first_seq = 0
        self._last_seq = tables.last_seq(txn, self.tables, self.state.seq_floor)
        self._finder = txn.cursor(self.tables.index)
        self._before: dict[str, Ref | None] = {}
        self._entries: list[bytes] = []
        """Of the index, to be entered together."""

    def check_refs(self) -> None:
        """Every ref must be what the update expects."""
        for update in self.plan.refs:
            current = ref_table.get(self.txn, self.tables.refs, update.name)
            if conflicts(update, current):
                raise RefConflict(update.name, current)
            self._before[update.name] = current

    def find(self, oid: ObjectId) -> int:
        """The seq of an object, 0 if it is not stored."""
        seq = self.where.get(oid)
        if seq is None:
            seq = index.find(self._finder, oid)
            if seq:
                self.where[oid] = seq
        return seq

    def lay_down(self, item: NewObject | Packed) -> None:
        """Append a row, unless the object is stored."""
        new = item.new if isinstance(item, Packed) else item
        if self.find(new.id):
            return
        packed = item if isinstance(item, Packed) else pack(item)
        children = []
        for child in dict.fromkeys(new.children):
            seq = self.find(child)
            if seq:
                children.append(seq)
            else:
                self.missing.add(child)
        if self.missing:
            return
        seq = self._last_seq + 1
        if seq > tables.SEQ_MAX:
            raise StorageError("the store has used up its row numbers: copy it into a new one")
        packed, data = self._row(seq, packed, children)
        self.txn.put(tables.number_key(seq), data, db=self.tables.rows, append=True)
        self._entries.append(index.entry(new.id, seq))
        self._last_seq = seq
        self.first_seq = self.first_seq or seq
        self.where[new.id] = seq
        self.fresh[new.id] = (seq, packed, tuple(children))

    def _row(self, seq: int, packed: Packed, children: list[int]) -> tuple[Packed, bytes]:
        base, shared, depth = 0, 0, 0
        if packed.base is not None:
            base, before = self._base(packed)
            if not base:
                packed = pack(packed.new)
            else:
                depth = packed.known.depth
                shared = _shared(children, before)
        head = Head(
            packed.new.kind,
            packed.codec,
            len(packed.new.payload),
            base,
            depth,
            shared,
            tuple(children[shared:]),
            0,
        )
        return packed, encode_head(seq, head) + packed.frame

    def _base(self, packed: Packed) -> tuple[int, Sequence[int]]:
        """Seq and children of the base as it is stored now; seq 0: not as it was planned."""
        base = packed.base
        if base is None:
            return 0, ()
        if packed.base_seq:
            there = self.find(base) == packed.base_seq and self._is_as_planned(packed)
            return (packed.base_seq, packed.base_children) if there else (0, ())
        # New in this commit too, unless somebody else stored it first, or it was packed again.
        seq, own, children = self.fresh.get(base, (0, None, ()))
        if own is None or own.known.depth + 1 != packed.known.depth:
            return 0, ()
        if self.find(base) != seq:  # written by an earlier part, and swept: its lease was lost
            return 0, ()
        return seq, children

    def _is_as_planned(self, packed: Packed) -> bool:
        """Whether gc has not replaced the base's row since it was read, however long ago."""
        row = self.txn.get(tables.number_key(packed.base_seq), db=self.tables.rows)
        return row is not None and row[0] >> 4 == packed.base_kind

    def refuse_missing(self, *, last: bool) -> None:
        """Every child must be stored; at the end, everything that was relied on."""
        if last and not self.missing:
            self.missing.update(oid for oid in self.plan.wanted if not self.find(oid))
            whole = {update.target for update in self.plan.refs if update.whole}
            self.missing.update(oid for oid in whole if oid is not None and self._is_cut(oid))
        if self.missing:
            raise MissingObjects(self.missing)

    def _is_cut(self, oid: ObjectId) -> bool:
        """Whether gc has left only a part of an object."""
        seq = self.find(oid)
        row = self.txn.get(tables.number_key(seq), db=self.tables.rows) if seq else None
        return row is not None and row[0] >> 4 == CUT

    def enter_index(self) -> None:
        """Make the new objects known by their ids."""
        if self._entries:
            index.add(self.txn, self.tables.index, self._entries)

    def finish(self) -> None:
        """Move refs, enter postings, end the lease."""
        txn = self.txn
        for update in self.plan.refs:
            self.moved.append(self._move(update))
        for posting in self.plan.remove:
            seq = self.find(posting.id)
            if seq:
                posts.remove(txn, self.tables, posting.list, posts.entry(posting.rank, seq))
        new = []
        for posting in self.plan.add:
            place = posts.entry(posting.rank, self.find(posting.id))
            if posting.id in self.fresh:
                new.append((posting.list, place))
            else:
                posts.add(txn, self.tables, posting.list, place)
        posts.add_new(txn, self.tables, list(dict.fromkeys(new)))
        if self.lease is not None:
            leases.drop(txn, self.tables, self.lease)
            self.lease = None

    def _move(self, update: RefUpdate) -> Ref:
        txn, current = self.txn, self._before[update.name]
        number = 0
        if update.log is not None:
            number = tables.last_log(txn, self.tables, self.state.log_floor) + 1
        ref, entry = move(update, current, floor=self.state.version_floor, number=number)
        ref_table.put(txn, self.tables.refs, ref)
        if entry is not None:
            ref_table.put_entry(txn, self.tables.log, entry)
        elif update.target is not None and update.target not in self.fresh:
            feed.add(txn, self.tables, update.target)
        return ref


def _shared(children: Sequence[int], before: Sequence[int]) -> int:
    """How many leading children are the same."""
    count = 0
    for one, other in zip(children, before, strict=False):
        if one != other:
            break
        count += 1
    return count
