"""Looking for damage.

The pages first: py-lmdb's verifier reads the file without mapping it, so that no damage can
kill the process. If it finds any, that is all that is told.

The books: every entry of the index leads to a row, no two to the same, and no two from one
id; with all those rows taken for live, one scan of gc's own (`mark`) must find every child
and every base that they need, indexed where it is a child. What is left over serves nobody.
A packed row's block is there, and long enough; a block that no row lies in is untidy.
Targets of refs are stored; refs, log and postings can be read. The data: every row decodes,
and the index leads from the id of its bytes to it; what it refers to, if the caller can say,
are its children.

Reading takes many transactions, and gc may remove things in between. The epoch tells: if it
has moved, the books are gone through again.

Invariants: what is wrong is yielded, never raised; nothing is written.

Imports: errors, ids, the engine interface, its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from casckpt.errors import CorruptError, StorageError
from casckpt.storage.engine import Children, Problem, StoredObject
from casckpt.storage.lmdb import blocks, browse, index, leases, objects, pages, posts, refs, tables
from casckpt.storage.lmdb.caches import Payloads
from casckpt.storage.lmdb.mark import LIVE, Marks
from casckpt.storage.lmdb.row import DEPTH_MAX, Head, parse
from casckpt.storage.lmdb.space import Space
from casckpt.storage.lmdb.survey import Survey
from casckpt.storage.lmdb.tables import SEQ_MAX

__all__ = ["check", "damaged_pages"]

SLICE: Final = 2048
"""Rows, index entries, postings read in one transaction."""
RETRIES: Final = 5
"""Times that gc may get in the way before we give up."""


def check(space: Space, *, data: bool, children: Children | None = None) -> Iterator[Problem]:
    """See `Engine.check`.

    Raises:
        StorageError: gc removes things all the time; try again when it has ended.
    """
    problems = damaged_pages(space)
    if problems:
        # LMDB follows what pages say, out of the file if they say so: go no further.
        for problem in problems:
            yield Problem("damage", f"a page of the file: {problem}", final=True)
        return
    for step in (
        _roots,
        _books,
        _blocks,
        _refs,
        _log,
        _posts,
        partial(_data, children) if data else _nothing,
    ):
        try:
            yield from step(space)
        except CorruptError as error:
            yield _damage(error.message)


def _damage(what: str) -> Problem:
    return Problem("damage", what)


def _nothing(_: Space) -> Iterator[Problem]:
    return iter(())


def damaged_pages(space: Space) -> list[str]:
    """What is wrong with the file's pages, as LMDB lays them out.

    The verifier reads a file at rest. While others write, what it finds means nothing; if
    they do not stop, they are held up for once (about 5 ms for each megabyte).
    """
    path = Path(space.path)
    for _ in range(RETRIES):
        before = space.last_transaction()
        problems = pages.page_problems(path)
        if not problems or space.last_transaction() == before:
            return problems
    return [] if space.read_only else space.write(lambda _: pages.page_problems(path))


def _roots(space: Space) -> Iterator[Problem]:
    """Whether LMDB may have fallen back to a commit that was not the last."""
    for _ in range(RETRIES):
        before = space.last_transaction()
        what = pages.lost_commit(Path(space.path))
        if not what:
            return
        if space.last_transaction() == before:
            yield _damage(what)
            return


class _Survey(Marks):
    """Marks that note what is wrong and go on."""

    def __init__(self, low: int, top: int) -> None:
        super().__init__(low, top, top)
        self.problems: list[Problem] = []
        self.lost: dict[int, str] = {}
        """Rows that are missing, by seq."""

    def fault(self, error: CorruptError) -> None:
        if "row" in error.details:
            self.lost[error.details["row"]] = error.message
        else:
            self.problems.append(_damage(error.message))


def _books(space: Space) -> Iterator[Problem]:
    for _ in range(RETRIES):
        epoch, problems = _survey(space)
        with space.reading() as txn:
            if tables.state(txn, space.tables).epoch == epoch:
                yield from problems
                return
    raise StorageError(f"{space.path}: gc is at work; check again when it has ended")


def _survey(space: Space) -> tuple[int, list[Problem]]:
    """The epoch, and what is wrong with rows and index under it."""
    with space.reading() as txn:
        tables.header(txn, space.tables)
        epoch = tables.state(txn, space.tables).epoch
        low, top = tables.span(txn, space.tables)
    if top > SEQ_MAX:
        return epoch, [_damage(f"a row has the impossible number {top}")]
    marks = _Survey(low, top)
    _enter_index(space, marks)
    indexed = bytes(marks.states)
    more = True
    while more:
        with space.reading() as txn:
            more = marks.scan(txn, space.tables.rows, SLICE)
    at = marks.states.find(LIVE)  # a damaged number may put a billion rows between two
    while at >= 0:
        if not indexed[at]:
            marks.problems.append(_damage(f"the index does not lead to row {at + low}, a child"))
        at = marks.states.find(LIVE, at + 1)
    for seq in marks.condemned:
        if not marks.states[seq - low]:
            marks.problems.append(Problem("untidy", f"row {seq} serves nobody; gc removes it"))
    marks.problems += _name(space, marks.lost, "lost")
    return epoch, marks.problems


def _enter_index(space: Space, marks: _Survey) -> None:
    """Take every row that the index leads to for a root."""
    after = b""
    more = True
    while more:
        with space.reading() as txn, txn.cursor(space.tables.index) as cursor:
            page = index.scan(cursor, after, SLICE)
        before = after
        for entry in page:
            prefix = entry[: index.PREFIX_BYTES]
            seq = int.from_bytes(entry[index.PREFIX_BYTES :], "big")
            if len(entry) != index.ENTRY_BYTES:
                marks.fault(CorruptError("an entry of the index is malformed"))
            elif prefix == before[: index.PREFIX_BYTES]:
                marks.fault(CorruptError(f"the index has two rows for object {prefix.hex()}"))
            elif seq < marks.low:
                msg = f"object {prefix.hex()} is lost: its row {seq} is missing"
                marks.fault(CorruptError(msg))
            elif seq <= marks.top:
                if marks.state(seq) == LIVE:
                    marks.fault(CorruptError(f"the index has two objects for row {seq}"))
                marks.root(seq)
            before = entry
        more = len(page) == SLICE
        after = page[-1] if page else b""


def _blocks(space: Space) -> Iterator[Problem]:
    """Rows against the blocks they lie in, each slice in one snapshot: packing moves rows."""
    used: set[int] = set()
    suspects: dict[int, str] = {}
    with space.reading() as txn:
        top = tables.state(txn, space.tables).last_block
    below: int | None = None
    more = True
    while more:
        lengths: dict[int, int | None] = {}
        with space.reading(buffers=True) as txn:
            slice_ = browse.descend(txn, space.tables.rows, below, SLICE)
            for seq, row in slice_:
                head = _packed(seq, row)
                if head is None:
                    continue
                used.add(head.block)
                if head.block not in lengths:
                    lengths[head.block] = blocks.raw_bytes(txn, space.tables, head.block)
                length = lengths[head.block]
                if length is None:
                    suspects[seq] = f"block {head.block} is missing"
                elif head.offset + head.size > length:
                    suspects[seq] = f"row {seq} ends behind the end of block {head.block}"
        more = len(slice_) == SLICE
        below = slice_[-1][0] if slice_ else None
    yield from _name(space, suspects, "lost")
    yield from _unused(space, top, used)


def _packed(seq: int, row: bytes) -> Head | None:
    """The head of a packed row; of a malformed one other steps tell."""
    try:
        head = parse(seq, row)
    except CorruptError:
        return None
    return head if head.block else None


def _unused(space: Space, top: int, used: set[int]) -> Iterator[Problem]:
    """Blocks up to `top` without rows, unless packing or gc are at work: they come by that."""
    survey = Survey(space)
    for _ in survey.blocks():
        pass
    unused = sorted(n for n in survey.found if n <= top and n not in used)
    with space.reading() as txn:
        busy = leases.holder(txn, space.tables, leases.GC) is not None
    if unused and not busy:
        yield Problem("untidy", f"{len(unused)} blocks serve nobody; gc or pack removes them")
    if survey.found and max(survey.found) > survey.top:
        yield _damage(f"a block has the number {max(survey.found)}, which was not given out")


def _refs(space: Space) -> Iterator[Problem]:
    after: str | None = None
    more = True
    while more:
        problems = []
        with space.reading() as txn, txn.cursor(space.tables.index) as finder:
            page = refs.list_refs(txn, space.tables.refs, "", after, SLICE, deleted=True)
            for ref in page:
                if ref.target is not None and not index.find(finder, ref.target):
                    what = f"the target of ref {ref.name!r} is missing"
                    problems.append(Problem("damage", what, ref.target))
        yield from problems
        more = len(page) == SLICE
        after = page[-1].name if page else None


def _log(space: Space) -> Iterator[Problem]:
    before: int | None = None
    more = True
    while more:
        with space.reading() as txn:
            page = refs.newest(txn, space.tables.log, before, SLICE)
        for entry in page:
            if entry.previous >= entry.number:
                yield _damage(f"log entry {entry.number} follows a later one")
        more = len(page) == SLICE
        before = page[-1].number if page else None


def _posts(space: Space) -> Iterator[Problem]:
    place: tuple[bytes, bytes] | None = None
    while True:
        lost: dict[bytes, int] = {}
        with space.reading() as txn:
            page, place = posts.walk(txn, space.tables, place, SLICE)
            _, last = tables.span(txn, space.tables)
            for name, value in page:
                if len(value) != posts.ENTRY_BYTES:
                    raise CorruptError(f"list {name!r} has a malformed posting")
                if int.from_bytes(value[8:], "big") > last:
                    raise CorruptError(f"list {name!r} has a posting of a row yet to come")
                if txn.get(b"\0\0" + value[8:], db=space.tables.rows) is None:
                    lost[name] = lost.get(name, 0) + 1
            for name in posts.doubled(txn, space.tables) if place is None else ():
                raise CorruptError(f"list {name!r} has a posting twice")
        for name, count in lost.items():
            yield Problem("untidy", f"list {name!r} has {count} postings of objects that are gone")
        if place is None:
            return


def _data(children: Children | None, space: Space) -> Iterator[Problem]:
    """Decode every row, newest first, so that most bases are remembered from their deltas."""
    cache = Payloads()
    suspects: dict[int, str] = {}
    below: int | None = None
    more = True
    while more:
        malformed = []
        with space.reading() as txn, txn.cursor(space.tables.index) as finder:
            slice_ = browse.descend(txn, space.tables.rows, below, SLICE // 8)
            for seq, row in slice_:
                what = _look(txn, space, cache, finder, seq, row)
                if what:
                    suspects[seq] = what
                elif children is not None:
                    malformed += _read(txn, space, cache, finder, seq, children)
        yield from malformed
        more = len(slice_) == SLICE // 8
        below = slice_[-1][0] if slice_ else None
    # Those that the index does not lead to are bases that gc has left, or gone by now.
    yield from _name(space, suspects, "damaged")


def _look(txn: Any, space: Space, cache: Payloads, finder: Any, seq: int, row: bytes) -> str:
    """What is wrong with a row's bytes, or, if they are not indexed, could be."""
    try:
        head = parse(seq, row)
        known = objects.load(txn, space.tables, cache, seq)
        if known is not None and index.find(finder, known.id) == seq:
            if head.base:
                base = cache.get(head.base)
                if base is not None and base.depth >= head.depth:
                    return f"row {seq} states a depth of {head.depth} (limit {DEPTH_MAX})"
            return ""
    except CorruptError as error:
        return error.message
    return f"the bytes of row {seq} do not match the id it is indexed by"


def _read(
    txn: Any, space: Space, cache: Payloads, finder: Any, seq: int, children: Children
) -> list[Problem]:
    """What is wrong with a sound object's payload, or with the children that were stored."""
    known = objects.load(txn, space.tables, cache, seq)
    if known is None:
        return []
    try:
        named = children(StoredObject(known.id, known.kind, known.payload))
        seqs = tuple(index.find(finder, oid) for oid in named)
        if objects.children(txn, space.tables, cache, seq) == seqs:
            return []
        what = "its row has other children than its payload"
    except CorruptError as error:
        what = error.message
    return [Problem("damage", f"object {known.id.hex()[:16]}: {what}", known.id)]


def _name(space: Space, suspects: dict[int, str], how: str) -> Iterator[Problem]:
    """Tell of those rows that the index leads to, by the ids it has for them."""
    after = b""
    more = bool(suspects)
    while more:
        with space.reading() as txn, txn.cursor(space.tables.index) as cursor:
            page = index.scan(cursor, after, SLICE)
        for entry in page:
            seq = int.from_bytes(entry[index.PREFIX_BYTES :], "big")
            if seq in suspects:
                prefix = entry[: index.PREFIX_BYTES]
                what = f"object {prefix.hex()} is {how}: {suspects[seq]}"
                yield Problem("damage", what, prefix=prefix)
        more = len(page) == SLICE
        after = page[-1] if page else b""
