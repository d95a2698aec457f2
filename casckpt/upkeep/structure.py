"""Whether states are stored as they must be: each is loaded, built anew, and compared.

The slow builder, the oracle of the fast one, knows every rule of docs/format.md: where
chunks end, what is inlined, sizes, counts, order, the one content of every tag. Classes are
loaded as records, so that no code of theirs runs.

Heads and tagged checkpoints first, then others at even distances, until BYTES_MAX bytes of
states are done: a sample, unless the store is small.

Invariants: reads only; memory for one state at a time.

Imports: errors, ids, storage (engine interface), values, tree (build, read), history, upkeep (postings, report).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from casckpt.errors import CasckptError, CorruptError, NotFoundError
from casckpt.format import constants as c
from casckpt.format.records import CheckpointRecord
from casckpt.history import notes
from casckpt.history.ledger import Ledger
from casckpt.history.states import root_id, size_of
from casckpt.ids import ObjectId, object_id
from casckpt.tree import native
from casckpt.tree.build import SlowBuilder
from casckpt.tree.read import Loader
from casckpt.upkeep.postings import checkpoints, readable
from casckpt.upkeep.report import DAMAGE, Finding, Progress
from casckpt.values import Registry

__all__ = ["BYTES_MAX", "check"]

BYTES_MAX: Final = 256 << 20
"""Bytes of states built anew: about a minute."""
_PAGE: Final = 1_024


def check(ledger: Ledger, progress: Progress | None = None) -> Iterator[Finding]:
    """What is stored otherwise than it would be built."""
    ids = list(dict.fromkeys(_first(ledger)))
    rest = [point.id for point in checkpoints(ledger) if point.left is None]
    whole = set(rest)
    left, seen, told = BYTES_MAX, set[ObjectId](), set[str]()
    for done, oid in enumerate([*(oid for oid in ids if oid in whole), *_spread(rest)], 1):
        if left <= 0:
            return
        if progress is not None:
            progress("structure", done, len(rest))
        try:
            record = ledger.ancestry.record(oid)
            left -= size_of(record.root)
            root = root_id(record.root)
            if root in seen:
                continue
            seen.add(root)
            what = _state(ledger, record) or _meta(ledger, record)
        except (CorruptError, NotFoundError) as error:
            lost = error.details.get("object")
            what, id = error.message, lost if isinstance(lost, str) else oid.hex()
        else:
            id = oid.hex()
        if what and id not in told:
            told.add(id)
            yield Finding(DAMAGE, f"checkpoint {oid.hex()[:16]}: {what}", id)


def _first(ledger: Ledger) -> Iterator[ObjectId]:
    after: str | None = None
    while page := ledger.engine.refs(notes.THREADS, after=after, limit=_PAGE):
        yield from (ref.target for ref in page if ref.target is not None)
        after = page[-1].name
    for name in ledger.engine.posting_lists(notes.TAG_LISTS, limit=_PAGE):
        yield from (posting.id for posting in readable(ledger, name))


def _spread(ids: list[ObjectId]) -> Iterator[ObjectId]:
    """All of them, far apart at first: every 1024th, then every 512th between them, ..."""
    step = 1 << 10
    yield from ids[::step]
    while step > 1:
        yield from ids[step // 2 :: step]
        step //= 2


class _Made:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.ids: set[ObjectId] = set()

    def put(
        self,
        kind: int,
        payload: bytes,
        children: tuple[ObjectId, ...] = (),  # noqa: ARG002 - the protocol's
        base: ObjectId | None = None,  # noqa: ARG002
    ) -> ObjectId:
        oid = object_id(kind, payload)
        self.ids.add(oid)
        return oid


def _state(ledger: Ledger, record: CheckpointRecord) -> str:
    built, linked = _built(ledger, record.root)
    if len(built) > c.ROOT_INLINE_BYTES_MAX:
        oid = object_id(c.KIND_VALUE, built)
        built = native.link(oid, len(built) + linked)
    return "" if built == record.root else "its state is not stored as it would be built"


def _meta(ledger: Ledger, record: CheckpointRecord) -> str:
    built, _ = _built(ledger, record.meta)
    return "" if built == record.meta else "its meta is not stored as it would be built"


def _built(ledger: Ledger, encoding: bytes) -> tuple[bytes, int]:
    """A value's encoding, and the bytes in what it links to, as the slow builder has it."""
    codec = Registry()
    value: Any = Loader(ledger.vault, codec).value(encoding)
    try:
        built = SlowBuilder(_Made(), codec).build(value)
    except CasckptError as error:
        raise CorruptError(f"a value that could not be saved: {error.message}") from None
    return built.data, built.linked
