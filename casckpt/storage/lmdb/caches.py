"""What is remembered between transactions, and why it cannot lie.

Invariants: neither a seq nor a block's number is ever used twice, so what a row says
(`Payloads`; packing changes only how it says it) and what a block holds (`Blocks`) stays true
for ever, though the row or block may be gone. But gc may replace a row by what is left of its
object (`replace`), and another process does not hear of it: so where a row is remembered that
may have been replaced, a reader looks whether it is still of that kind (`objects`), and a
commit looks at its base (`commit`). That an id is stored under a seq (`Seqs`) is true as long
as no index entry was removed, that is under the same epoch (`tables.State`): the memory is
dropped when the epoch has moved on, whichever process moved it.

Imports: ids.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from casckpt.ids import ObjectId, object_id

__all__ = ["Blocks", "Known", "Payloads", "Seqs"]

PAYLOADS_BYTES_MAX: Final = 16 << 20
"""Payloads kept: bases of what is likely read or written next."""
PAYLOAD_BYTES_MAX: Final = 128 << 10
"""Larger ones are never bases and would push the others out."""
ENTRY_BYTES: Final = 400
"""What an entry costs besides its payload, roughly."""
BLOCKS_BYTES_MAX: Final = 16 << 20
"""Decompressed blocks kept: what is read near by is likely in the same one."""
SEQS_MAX: Final = 1 << 16


class Known:
    """The content of one row, decoded."""

    __slots__ = ("_id", "children", "depth", "kind", "payload")

    def __init__(
        self, kind: int, payload: bytes, depth: int, children: tuple[int, ...] | None = None
    ) -> None:
        self.kind = kind
        self.payload = payload
        self.depth = depth
        self.children = children
        """Seqs of all children; None: not resolved yet."""
        self._id: ObjectId | None = None

    @property
    def id(self) -> ObjectId:
        """The id, from the bytes."""
        if self._id is None:
            self._id = object_id(self.kind, self.payload)
        return self._id

    def name(self, oid: ObjectId) -> None:
        """Tell the id, where it is known already."""
        self._id = oid


class Blocks:
    """Decompressed blocks by number; the least recently used go first, the last one stays."""

    def __init__(self, bytes_max: int = BLOCKS_BYTES_MAX) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0
        self._bytes_max = bytes_max

    def get(self, number: int) -> bytes | None:
        """The block, if remembered."""
        raw = self._entries.get(number)
        if raw is not None:
            with suppress(KeyError):
                self._entries.move_to_end(number)
        return raw

    def put(self, number: int, raw: bytes) -> None:
        """Remember it. Only committed blocks: an aborted number is given out again."""
        with self._lock:
            if number not in self._entries:
                self._bytes += len(raw)
            self._entries[number] = raw
            while self._bytes > self._bytes_max and len(self._entries) > 1:
                _, old = self._entries.popitem(last=False)
                self._bytes -= len(old)


class Payloads:
    """Decoded rows by seq; the least recently used go first. The blocks go with them."""

    def __init__(self, bytes_max: int = PAYLOADS_BYTES_MAX) -> None:
        self.blocks = Blocks()
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, Known] = OrderedDict()
        self._bytes = 0
        self._bytes_max = bytes_max

    def get(self, seq: int) -> Known | None:
        """The content of the row, if remembered."""
        entry = self._entries.get(seq)
        if entry is not None:
            try:  # noqa: SIM105 - `suppress` takes longer than all the rest
                self._entries.move_to_end(seq)
            except KeyError:  # another OS thread may just have dropped it
                pass
        return entry

    def drop(self, seqs: Iterable[int]) -> None:
        """Forget rows that were replaced."""
        with self._lock:
            for seq in seqs:
                entry = self._entries.pop(seq, None)
                if entry is not None:
                    self._bytes -= len(entry.payload) + ENTRY_BYTES

    def put(self, entries: Iterable[tuple[int, Known]]) -> None:
        """Remember them. Only committed rows: an aborted commit's seqs are given out again."""
        with self._lock:
            for seq, entry in entries:
                size = len(entry.payload)
                if size > PAYLOAD_BYTES_MAX:
                    continue
                if seq not in self._entries:
                    self._bytes += size + ENTRY_BYTES
                self._entries[seq] = entry
            while self._bytes > self._bytes_max:
                _, old = self._entries.popitem(last=False)
                self._bytes -= len(old.payload) + ENTRY_BYTES


class Seqs:
    """Which ids are stored under which seqs, as seen under one epoch."""

    def __init__(self) -> None:
        self._current: tuple[int, dict[ObjectId, int]] = (-1, {})

    def latest(self) -> tuple[int, dict[ObjectId, int]]:
        """The epoch seen last, and what is known under it."""
        return self._current

    def under(self, epoch: int) -> dict[ObjectId, int]:
        """What is known under this epoch; finders add to it."""
        known_under, seqs = self._current
        if known_under == epoch:
            if len(seqs) > SEQS_MAX:
                self._current = (epoch, {})
                return self._current[1]
            return seqs
        seqs = {}
        if epoch > known_under:  # else: an older snapshot, whose findings are of no later use
            self._current = (epoch, seqs)
        return seqs
