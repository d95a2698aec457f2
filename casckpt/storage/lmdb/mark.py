"""Which rows are needed: one descending scan, then whatever was gained since.

A row refers only to older rows, so when a scan from the newest row downwards comes to a
row, everything that could need it has been seen. Four states are enough, one byte a row:

- LIVE   reachable: all its children are needed, and its base's bytes;
- BASE   only its bytes are needed, by a live row stored as a delta against it. Of its
         children only the leading ones are needed that the live row shares with it
         (`row.Head.shared`);
- CUT    reachable, and to be replaced by something with fewer children (`replace`): only
         those are needed. Live rows that are deltas against it are to be rewritten first;
         until then they have children listed there, which are needed;
- 0      not needed (yet).

`scan` makes the descending pass; `gain` marks single rows later, with their closure, when
refs have gained them (`sweep` says when).

Whatever needs a CUT row after the scan makes it LIVE: then it stays as it is.

Invariants: marks only grow; after a scan, and after each `gain`, the marked set is closed:
a LIVE row's children are LIVE or CUT, a marked row's base is marked or about to be no base
any more, a BASE row's needed leading children are LIVE or CUT. A needed row that is missing
stops everything.

Imports: errors, its neighbours.
"""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.storage.lmdb.row import Head, parse
from casckpt.storage.lmdb.tables import flags, number_key

__all__ = ["BASE", "CUT", "LIVE", "Cut", "Marks"]

BASE: Final = 1
LIVE: Final = 2
CUT: Final = 3


class Cut(NamedTuple):
    """What takes the place of a row."""

    row: bytes
    kept: tuple[int, ...]
    """Seqs of its children."""


class Marks:
    """The states of all rows from `low` to `top`.

    Args:
        low: the smallest seq there is.
        horizon: rows above it are live, whoever needs them.
        top: the largest seq there was when the marking began; rows above it are live and
            are `gain`ed by whoever finds them.
    """

    def __init__(self, low: int, horizon: int, top: int) -> None:
        self.low = low
        self.horizon = horizon
        self.top = top
        self.states = flags(low, top)
        self.cuts: dict[int, Cut] = {}
        """Rows to be replaced, if they are reachable; filled before the scan."""
        self.rebases = array("Q")
        """Rows needed for their bytes that are deltas against such rows, newest first."""
        self.condemned = array("Q")
        """Rows that the scan found not LIVE, newest first; CUT ones among them."""
        self.kinds = bytearray()
        """Their kinds."""
        self.condemned_bytes = 0
        """Bytes of the rows among them that would be removed."""
        self._needs: dict[int, int] = {}
        """Of BASE rows ahead of the scan: how many leading children are needed."""
        self._next = top
        """The scan has seen everything above."""

    def progress(self) -> tuple[int, int]:
        """How far the scan has come, and how far it has to go."""
        return self.top - self._next, len(self.states)

    def state(self, seq: int) -> int:
        """LIVE, BASE or 0."""
        if seq > self.top:
            return LIVE
        return self.states[seq - self.low] if seq >= self.low else 0

    def root(self, seq: int, *, whole: bool = True) -> None:
        """Mark a row before the scan begins; a `whole` one is not replaced."""
        if self.low <= seq <= self.top:
            self.states[seq - self.low] = LIVE
        if whole:
            self.cuts.pop(seq, None)

    def replaced(self, seq: int) -> None:
        """A CUT row has been replaced: now it is a row like others."""
        self.states[seq - self.low] = LIVE
        self.cuts.pop(seq, None)

    def scan(self, txn: Any, table: Any, limit: int) -> bool:
        """Go down over up to `limit` rows; whether there are more.

        Raises:
            CorruptError: a needed row is missing or malformed.
        """
        states, low = self.states, self.low
        with txn.cursor(table) as cursor:
            there = cursor.set_range(number_key(self._next))
            if not there:
                there = cursor.last()
            elif int.from_bytes(cursor.key(), "big") != self._next:
                there = cursor.prev()
            if there:
                for key, data in cursor.iterprev():
                    seq = int.from_bytes(key, "big")
                    if not low <= seq <= self._next:
                        raise CorruptError(f"row {seq} is out of order")
                    if seq != self._next:
                        self._expect_gap(seq)
                    self._next = seq - 1
                    state = states[seq - low]
                    if seq > self.horizon:
                        state = states[seq - low] = LIVE
                    try:
                        if state == LIVE and seq in self.cuts:
                            self._cut(seq, data)
                        elif state == LIVE:
                            head = parse(seq, data)
                            for child in head.own:
                                if child < low:
                                    raise _missing(child, seq)
                                states[child - low] = LIVE
                            if head.base:
                                self._need(seq, head.base, head.shared)
                        else:
                            self._condemn(seq, data, state)
                    except CorruptError as error:
                        self.fault(error)
                    limit -= 1
                    if not limit:
                        return True
        self._expect_gap(low - 1)
        return False

    def fault(self, error: CorruptError) -> None:
        """Something needed is missing or malformed: stop (where `check` goes on)."""
        msg = f"{error.message}: nothing more was removed; run fsck"
        raise CorruptError(msg, **error.details)

    def _need(self, seq: int, base: int, count: int) -> None:
        """The scan is at `seq`: its base's bytes and `count` leading children are needed."""
        if base < self.low:
            raise _missing(base, seq)
        if base in self.cuts:
            self.rebases.append(seq)
            self._need_children(base, count)
        elif self.states[base - self.low] != LIVE:
            self.states[base - self.low] = BASE
            self._need_children(base, count)

    def _need_children(self, base: int, count: int) -> None:
        if count > self._needs.get(base, -1):
            self._needs[base] = count

    def _condemn(self, seq: int, data: bytes, state: int) -> None:
        self.condemned.append(seq)
        self.kinds.append(data[0] >> 4 if data else 0)
        needed = self._needs.pop(seq, 0)
        if state == BASE:
            head = parse(seq, data)
            self._share(seq, head, needed)
            if head.base:
                self._need(seq, head.base, min(needed, head.shared))
            return
        self.condemned_bytes += len(data)
        if needed:
            self._lend(seq, parse(seq, data), needed)

    def _cut(self, seq: int, data: bytes) -> None:
        """The scan is at a reachable row that is to be replaced."""
        self.condemned_bytes += len(data) - len(self.cuts[seq].row)
        self.condemned.append(seq)
        self.kinds.append(data[0] >> 4)
        self.states[seq - self.low] = CUT
        for child in self.cuts[seq].kept:
            if child < self.low:
                raise _missing(child, seq)
            self.states[child - self.low] = LIVE
        self._lend(seq, parse(seq, data), self._needs.pop(seq, 0))

    def _lend(self, seq: int, head: Head, needed: int) -> None:
        """Only leading children are needed of a row, not its bytes."""
        self._share(seq, head, needed)
        if head.base and min(needed, head.shared):
            self._need_children(head.base, min(needed, head.shared))

    def _share(self, seq: int, head: Head, needed: int) -> None:
        for child in _leading(seq, head, needed):
            if child < self.low:
                raise _missing(child, seq)
            self.states[child - self.low] = LIVE

    def _expect_gap(self, seq: int) -> None:
        """No row between `seq` and the last one is needed, for none is there."""
        begin, end = seq + 1 - self.low, self._next + 1 - self.low
        if end > begin and self.states.count(0, begin, end) != end - begin:
            for missing in range(end - 1, begin - 1, -1):
                if self.states[missing]:
                    self.fault(_missing(missing + self.low, 0))

    def gain(self, txn: Any, table: Any, seq: int) -> None:
        """After the scan: a row is reachable after all; mark it with all it needs.

        Raises:
            CorruptError: a needed row is missing or malformed.
        """
        if self.state(seq) != LIVE:
            self._close(txn, table, [(seq, -1, 0)])

    def gain_new(self, txn: Any, table: Any, seq: int, data: bytes) -> None:
        """After the scan: a row above `top`; mark all it needs."""
        self._close(txn, table, _needed(seq, parse(seq, data), -1))

    def _close(self, txn: Any, table: Any, todo: list[tuple[int, int, int]]) -> None:
        """Mark rows and what they need. `todo`: seq, leading children or -1 (live), parent."""
        while todo:
            seq, needed, parent = todo.pop()
            state = self.state(seq)
            if state == LIVE:
                continue
            if state == CUT:
                needed = -1  # it stays as it is
            data = txn.get(number_key(seq), db=table)
            if data is None or seq < self.low:
                raise _missing(seq, parent)
            self.states[seq - self.low] = LIVE if needed < 0 else BASE
            todo += _needed(seq, parse(seq, data), needed)


def _needed(seq: int, head: Head, needed: int) -> list[tuple[int, int, int]]:
    """What a row needs: all (`needed` -1) or only its bytes and leading children."""
    children = head.own if needed < 0 else _leading(seq, head, needed)
    todo = [(child, -1, seq) for child in children]
    if head.base:
        todo.append((head.base, head.shared if needed < 0 else min(needed, head.shared), seq))
    return todo


def _leading(seq: int, head: Head, needed: int) -> tuple[int, ...]:
    """Those of the first `needed` children that the row names itself."""
    if needed > head.shared + len(head.own):
        raise CorruptError(f"row {seq} has fewer children than a later row shares with it")
    return head.own[: max(needed - head.shared, 0)]


def _missing(seq: int, parent: int) -> CorruptError:
    who = f", though row {parent} needs it" if parent else ""
    return CorruptError(f"row {seq} is missing{who}", row=seq)
