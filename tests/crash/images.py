"""From a record of writes and syncs: every image that a power loss may leave, or a sample.

The model of the disk, as redb's and ALICE's:

- a write is durable once a sync of its file has returned (or it waited itself, O_DSYNC);
- until then any subset of the pages it wrote may be there, in any order, and a page may be
  torn at sectors of 512 bytes;
- a sync that failed settles nothing: what it was for may be there or not, for ever, whatever
  later syncs return (Linux forgets such pages), unless it is written again;
- names (link, rename, unlink) are durable once their directory was synced; until then as many
  of the first ones as you like, as a journal keeps them.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("=ccB5xQQQQ")
PAGE = 4096
SECTOR = 512
ALL_SUBSETS_MAX = 4
"""Pages, of which every subset is tried."""


class Entry(NamedTuple):
    """One recorded call."""

    op: str
    failed: bool
    waits: bool
    inode: int
    offset: int
    names: str
    data: bytes


class Image(NamedTuple):
    """What may be left."""

    data: bytes | None
    """Of data.mdb; None: there is none."""
    told: tuple[str, ...]
    """What the program had been told by then."""


def entries(record: Path) -> Iterator[Entry]:
    """Read a record."""
    log = record.read_bytes()
    at = 0
    while at < len(log):
        op, failed, waits, inode, offset, size, names = HEAD.unpack_from(log, at)
        at += HEAD.size
        text = log[at : at + names].decode()
        at += names
        yield Entry(
            op.decode(), failed != b"\0", bool(waits), inode, offset, text, log[at : at + size]
        )
        at += size


class Unit(NamedTuple):
    """A piece of a write that is there or not: at most a page."""

    offset: int
    data: bytes
    doomed: bool = False
    """No sync settles it any more."""


class File:
    """Bytes that are durable, and those that may become so."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.pending: list[Unit] = []

    def write(self, offset: int, data: bytes) -> list[Unit]:
        units = []
        end = offset + len(data)
        at = offset
        while at < end:
            stop = min(end, (at // PAGE + 1) * PAGE)
            units.append(Unit(at, data[at - offset : stop - offset]))
            at = stop
        self.pending += units
        return units

    def settle(self, units: list[Unit]) -> None:
        for unit in units:
            self.pending.remove(unit)
            _lay(self.durable, unit)
            # What is older and covered by it can no longer be seen.
            self.pending = [u for u in self.pending if not (u.doomed and _covers(unit, u))]

    def sync(self, *, failed: bool) -> None:
        if failed:
            self.pending = [unit._replace(doomed=True) for unit in self.pending]
        else:
            self.settle([unit for unit in self.pending if not unit.doomed])

    def image(self, chosen: list[Unit]) -> bytes:
        data = bytearray(self.durable)
        for unit in chosen:
            _lay(data, unit)
        return bytes(data)


def _covers(unit: Unit, other: Unit) -> bool:
    return unit.offset <= other.offset and (
        unit.offset + len(unit.data) >= other.offset + len(other.data)
    )


def _lay(data: bytearray, unit: Unit) -> None:
    if len(data) < unit.offset:
        data.extend(bytes(unit.offset - len(data)))
    data[unit.offset : unit.offset + len(unit.data)] = unit.data


def choices(pending: list[Unit], rng: random.Random, count: int) -> Iterator[list[Unit]]:
    """All subsets of few; of many nothing, everything, beginnings, all but one, random ones."""
    many = len(pending)
    if many <= ALL_SUBSETS_MAX:
        for bits in range(1 << many):
            yield [unit for n, unit in enumerate(pending) if bits >> n & 1]
    else:
        yield []
        yield pending
        for _ in range(count):
            yield pending[: rng.randrange(1, many)]
            left_out = rng.randrange(many)
            yield pending[:left_out] + pending[left_out + 1 :]
            density = rng.random()
            yield [unit for unit in pending if rng.random() < density]
    for _ in range(min(count, many)):
        yield [piece for unit in pending for piece in _torn(unit, rng)]


def _torn(unit: Unit, rng: random.Random) -> list[Unit]:
    """Some of its sectors."""
    pieces = []
    at, end = unit.offset, unit.offset + len(unit.data)
    while at < end:
        stop = min(end, (at // SECTOR + 1) * SECTOR)
        if rng.random() < 0.7:
            pieces.append(Unit(at, unit.data[at - unit.offset : stop - unit.offset]))
        at = stop
    return pieces


class Disk:
    """Plays a record back, and says at each point what a power loss could leave."""

    def __init__(self, place: Path, *, rng: random.Random, count: int) -> None:
        """Begin with what lies in a store's directory now; all of that is durable."""
        self.place = place
        self.files: dict[int, File] = {}
        self.names: dict[str, int] = {}
        self.unnamed: list[Entry] = []
        """Changes of names that are not durable yet."""
        self.told: tuple[str, ...] = ()
        self._rng = rng
        self._count = count
        self._seen: set[tuple[bytes, tuple[str, ...]]] = set()
        data = place / "data.mdb"
        if data.exists():
            self.files[data.stat().st_ino] = File(data.read_bytes())
            self.names[str(data)] = data.stat().st_ino

    def play(self, record: Path, *, no_syncs: bool = False) -> Iterator[Image]:
        """Every image, each once."""
        yield from self.images()
        for entry in entries(record):
            if entry.op == "m":
                self.told = (*self.told, entry.names)
                yield from self.images()
            elif entry.names.endswith("lock.mdb"):
                continue  # it is made anew by whoever opens it first
            elif entry.op == "w":
                units = self.files.setdefault(entry.inode, File()).write(entry.offset, entry.data)
                yield from self.images()
                if entry.waits and not no_syncs:
                    self.files[entry.inode].settle(units)
            elif entry.op == "s" and not no_syncs:
                self._sync(entry)
            elif entry.op in "lru":
                self.unnamed.append(entry)
                yield from self.images()

    def _sync(self, entry: Entry) -> None:
        if entry.inode in self.files:
            self.files[entry.inode].sync(failed=entry.failed)
        elif not entry.failed:
            later = []
            for change in self.unnamed:
                if (
                    str(Path(change.names.split("\n")[-1] or change.names[:-1]).parent)
                    == entry.names
                ):
                    _rename(self.names, change)
                else:
                    later.append(change)
            self.unnamed = later

    def images(self) -> Iterator[Image]:
        """What a power loss now could leave."""
        for length in range(len(self.unnamed) + 1):
            names = dict(self.names)
            for change in self.unnamed[:length]:
                _rename(names, change)
            inode = names.get(str(self.place / "data.mdb"))
            if inode is None:
                yield from self._new(None)
                continue
            file = self.files[inode]
            for chosen in choices(file.pending, self._rng, self._count):
                yield from self._new(file.image(chosen))

    def _new(self, data: bytes | None) -> Iterator[Image]:
        key = hashlib.blake2b(data or b"").digest(), self.told
        if key not in self._seen:
            self._seen.add(key)
            yield Image(data, self.told)


def _rename(names: dict[str, int], change: Entry) -> None:
    old, new = change.names.split("\n")
    if change.op == "u":
        names.pop(old, None)
        return
    names[new] = change.inode
    if change.op == "r":
        names.pop(old, None)
