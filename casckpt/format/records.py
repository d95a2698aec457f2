"""The records of history: checkpoints, what is left of pruned ones, and tags changed later.

All are CBOR arrays (docs/format.md, chapter "Records"). A checkpoint has three items: what
history is made of, the meta and the state's root, each encoded by itself and wrapped in a byte
string: a record is read without reading the last two, and keeps its id without them
(`casckpt.ids`).

Invariants: `decode` of what `encode` made gives the fields back; what decodes re-encodes to
the same bytes. The children of a checkpoint are the links of root and meta, then its
parents; `jump` is no child (it always points at an ancestor).

Imports: errors, ids, cbor, constants.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ID_BYTES, ObjectId, cut, head_end

__all__ = ["CheckpointRecord", "PruneNote", "PrunedRecord", "TagsRecord", "read_record"]

_STEP_MAX = (1 << 63) - 1
_THREE = cbor.head(cbor.ARRAY, 3)
_SEVEN, _EIGHT = cbor.head(cbor.ARRAY, 7), cbor.head(cbor.ARRAY, 8)


class CheckpointRecord(NamedTuple):
    """One checkpoint, as it is hashed."""

    parents: tuple[ObjectId, ...]
    """None, or one; more are reserved for merges."""
    jump: ObjectId | None
    """An ancestor further back (history/ancestry.py), so that any can be reached in O(log n)."""
    thread: str
    step: int
    """Checkpoints before this one in its history."""
    created_ns: int
    """Nanoseconds since 1970-01-01 UTC."""
    label: str | None
    tags: tuple[str, ...]
    meta: bytes
    """An encoded value: a dict."""
    root: bytes
    """An encoded value: the state."""
    key: str | None = None
    """An id that the caller gave; the head has an eighth item if there is one."""

    def encode(self) -> bytes:
        """The payload (KIND_CHECKPOINT)."""
        parts = map(cbor.encode_plain, (self.head(), self.meta, self.root))
        return _THREE + b"".join(parts)

    def head(self) -> bytes:
        """What history is made of, encoded."""
        head = b"".join(map(cbor.encode_plain, self[:7]))
        if self.key is None:
            return _SEVEN + head
        return _EIGHT + head + cbor.encode_plain(self.key)

    @classmethod
    def decode(cls, payload: bytes) -> CheckpointRecord:
        """Read a payload.

        Raises:
            CorruptError: not a checkpoint record.
        """
        parts = cbor.decode_generic(payload)
        if type(parts) is not list or len(parts) != 3 or type(parts[0]) is not bytes:
            _fail("it has other parts")
        head, meta, root = parts
        return cls._made(head, meta, root)

    @classmethod
    def _made(cls, head: bytes, meta: bytes, root: bytes) -> CheckpointRecord:
        fields = cbor.decode_generic(head)
        if type(fields) is not list or not 7 <= len(fields) <= 8:
            _fail("it has another number of fields")
        parents, jump, thread, step, created_ns, label, tags, *keys = fields
        for key in keys:
            if type(key) is not str:
                _fail("its key is not text")
        if type(parents) is not list or type(tags) is not list:
            _fail("parents or tags are not a list")
        record = cls(
            tuple(parents), jump, thread, step, created_ns, label, tuple(tags), meta, root, *keys
        )
        record._check()
        return record

    def _check(self) -> None:
        ids = self.parents if self.jump is None else (*self.parents, self.jump)
        for i in ids:  # a loop: whoever walks over a history comes by here at each step
            if type(i) is not bytes or len(i) != ID_BYTES:
                _fail("an id is malformed")
        if type(self.thread) is not str or not self.thread:
            _fail("its thread has no name")
        if type(self.step) is not int or not 0 <= self.step <= _STEP_MAX:
            _fail("its step is out of range")
        if type(self.created_ns) is not int:
            _fail("its time is not a number")
        if self.label is not None and type(self.label) is not str:
            _fail("its label is not text")
        for tag in self.tags:
            if type(tag) is not str:
                _fail("a tag is not text")
        if type(self.meta) is not bytes or type(self.root) is not bytes:
            _fail("its meta or root is not a byte string")
        if bool(self.parents) != (self.step > 0) or (self.jump is None) != (not self.parents):
            _fail("its parent and step disagree")


class PruneNote(NamedTuple):
    """What is noted beside a pruned checkpoint; not hashed, so nothing may rest on it."""

    time_ns: int | None
    """When it was pruned; None: that is forgotten."""
    why: str
    """The policy, in its own words."""
    size: int | None
    """Bytes of the state, encoded and uncompressed."""


class PrunedRecord(NamedTuple):
    """What is left of a checkpoint whose state is gone: verified as the record was."""

    record: CheckpointRecord
    """Without meta and root: both are empty."""
    digest: bytes
    """Of what is gone."""
    note: PruneNote

    @staticmethod
    def encode(payload: bytes, note: PruneNote) -> bytes:
        """What is left of a record's payload (KIND_PRUNED)."""
        return cut(payload) + cbor.encode_plain([*note])

    @classmethod
    def decode(cls, payload: bytes) -> PrunedRecord:
        """Read a payload.

        Raises:
            CorruptError: not what is left of a checkpoint record.
        """
        end = head_end(payload)
        digest, rest = payload[end : end + ID_BYTES], payload[end + ID_BYTES :]
        head = cbor.decode_generic(payload[1:end])  # of the array of three that it was
        if type(head) is not bytes:
            _fail("it has no head")
        match cbor.decode_generic(rest):
            case [(int() | None) as time_ns, str(why), (int() | None) as size]:
                note = PruneNote(time_ns, why, size)
            case _:
                raise CorruptError("what is noted beside a pruned checkpoint is malformed")
        return cls(CheckpointRecord._made(head, b"", b""), digest, note)  # noqa: SLF001 - its family

    def payload(self) -> bytes:
        """The one encoding of it."""
        head = cbor.encode_plain(self.record.head())
        return b"\x83" + head + self.digest + cbor.encode_plain([*self.note])


def read_record(kind: int, payload: bytes) -> CheckpointRecord:
    """A record, of a checkpoint or of what is left of one (then without meta and root).

    Raises:
        CorruptError: neither of them.
    """
    if kind == c.KIND_PRUNED:
        return PrunedRecord.decode(payload).record
    return CheckpointRecord.decode(payload)


class TagsRecord(NamedTuple):
    """The tags of a checkpoint, as changed after it was saved."""

    checkpoint: ObjectId
    tags: tuple[str, ...]

    def encode(self) -> bytes:
        """The payload (KIND_TAGS)."""
        return cbor.encode_plain([self.checkpoint, list(self.tags)])

    @classmethod
    def decode(cls, payload: bytes) -> TagsRecord:
        """Read a payload.

        Raises:
            CorruptError: not a tags record.
        """
        fields = cbor.decode_generic(payload)
        match fields:
            case [bytes(checkpoint), list(tags)] if len(checkpoint) == ID_BYTES and all(
                type(tag) is str for tag in tags
            ):
                return cls(ObjectId(checkpoint), tuple(tags))
        msg = "not a tags record"
        raise CorruptError(msg)


def _fail(why: str) -> NoReturn:
    msg = f"not a checkpoint record: {why}"
    raise CorruptError(msg)
