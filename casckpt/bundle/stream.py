"""Bundles out to a file and in from one, a section at a time.

Invariants: at most one block is in memory, uncompressed and compressed. A reader gives nothing
of a section whose seal it has not checked.

Imports: errors, ids, format (constants), bundle (layout).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, NoReturn

from casckpt.bundle import layout
from casckpt.bundle.layout import BLOCK, END, HEAD, MAGIC, SEAL_BYTES, SECTION, End, Head
from casckpt.errors import (
    CasckptError,
    CorruptError,
    FormatVersionError,
    InvalidInputError,
    LimitError,
)
from casckpt.format.constants import KIND_CHECKPOINT, KIND_PRUNED, PAYLOAD_BYTES_MAX
from casckpt.ids import ObjectId, object_id

__all__ = ["PAYLOAD_BYTES_IN_ALL_MAX", "BundleReader", "BundleWriter", "Entry"]

PAYLOAD_BYTES_IN_ALL_MAX = 64 << 30
"""Payload bytes that one bundle may expand to, unless the caller allows more."""
_READ_BYTES = 1 << 20
_CHECKPOINTS = frozenset({KIND_CHECKPOINT, KIND_PRUNED})


class Entry(NamedTuple):
    """One object, as it stands in a bundle."""

    id: ObjectId
    kind: int
    payload: bytes


class BundleWriter:
    """Writes a bundle; `finish` makes it whole."""

    def __init__(self, target: BinaryIO, head: Head) -> None:
        self._target = target
        self._seal = layout.first_seal()
        self._block: list[tuple[int, bytes]] = []
        self._block_bytes = 0
        self.entries = 0
        self.checkpoints = 0
        self.payload_bytes = 0
        self.written_bytes = len(MAGIC)
        """Of the file, so far."""
        target.write(MAGIC)
        self._section(HEAD, head.encode())

    def put(self, kind: int, payload: bytes) -> None:
        """Add an object; its children must be in the bundle, or presupposed, before it."""
        if self._block and (
            self._block_bytes >= layout.BLOCK_BYTES
            or self._block_bytes + len(payload) > PAYLOAD_BYTES_MAX
            or len(self._block) >= layout.BLOCK_ENTRIES_MAX
        ):
            self._flush()
        self._block.append((kind, payload))
        self._block_bytes += len(payload)
        self.entries += 1
        self.checkpoints += kind in _CHECKPOINTS
        self.payload_bytes += len(payload)

    def finish(self) -> None:
        """Write what is left, and the end."""
        if self._block:
            self._flush()
        self._section(END, End(self.entries, self.checkpoints, self.payload_bytes).encode())

    def _flush(self) -> None:
        self._section(BLOCK, layout.encode_entries(self._block))
        self._block, self._block_bytes = [], 0

    def _section(self, kind: bytes, body: bytes) -> None:
        if len(body) > layout.SECTION_BYTES_MAX:
            msg = f"a section of a bundle holds at most {layout.SECTION_BYTES_MAX:,} bytes"
            raise LimitError(msg, limit=layout.SECTION_BYTES_MAX)
        self._seal = layout.seal(self._seal, kind, body)
        for part in (SECTION.pack(kind, len(body)), body, self._seal):
            self._target.write(part)
            self.written_bytes += len(part)


class BundleReader:
    """Reads a bundle: its head at once, then its objects, once."""

    def __init__(self, source: BinaryIO, *, bytes_max: int = PAYLOAD_BYTES_IN_ALL_MAX) -> None:
        """Begin to read.

        Args:
            source: its bytes, from the first; read forward only, never beyond the end.
            bytes_max: payload bytes it may expand to.

        Raises:
            InvalidInputError: not a bundle.
            FormatVersionError: one of a later version, or of a store with other parameters.
            CorruptError: it is damaged or cut off; `details` has the offset.
        """
        self._source = source
        self._bytes_max = bytes_max
        self._seal = layout.first_seal()
        self.offset = 0
        """Bytes of the file read so far."""
        self._begun = 0
        magic = self._read(len(MAGIC), whole=False)
        if magic != MAGIC:
            _refuse(magic)
        kind, body = self._section()
        if kind != HEAD:
            self._fail("its head is missing")
        try:
            self.head = Head.decode(body)
        except CorruptError as error:
            self._fail(error.message)
        self.end: End | None = None
        """Known once all was read."""

    def entries(self) -> Iterator[Entry]:
        """Every object, in order; raises CorruptError, and LimitError if it expands too far."""
        entries = checkpoints = payload_bytes = 0
        while True:
            kind, body = self._section()
            if kind == END:
                break
            if kind != BLOCK:
                self._fail("a section of an unknown kind")
            try:
                for object_kind, payload in layout.decode_entries(body):
                    entries += 1
                    checkpoints += object_kind in _CHECKPOINTS
                    payload_bytes += len(payload)
                    if payload_bytes > self._bytes_max:
                        self._too_much()
                    yield Entry(object_id(object_kind, payload), object_kind, payload)
            except CorruptError as error:
                if "offset" in error.details:
                    raise
                self._fail(error.message)
        try:
            self.end = End.decode(body)
        except CorruptError as error:
            self._fail(error.message)
        if self.end != (entries, checkpoints, payload_bytes):
            self._fail("its end counts other objects than there are")
        if self._source.read(1):
            self._begun = self.offset
            self._fail("something stands behind its end")

    def place(self, error: CasckptError) -> NoReturn:
        """Raise an error about an object in the section read last, with where that is."""
        if isinstance(error, CorruptError) and "offset" not in error.details:
            self._fail(error.message)
        raise error

    def _section(self) -> tuple[bytes, bytes]:
        self._begun = self.offset
        begin = self._read(SECTION.size)
        kind, size = SECTION.unpack(begin)
        if size > layout.SECTION_BYTES_MAX or kind not in {HEAD, BLOCK, END}:
            self._fail("no section begins here")
        body = self._read(size)
        self._seal = layout.seal(self._seal, kind, body)
        if self._read(SEAL_BYTES) != self._seal:
            self._fail("the section that begins here is not as it was written")
        return kind, body

    def _read(self, size: int, *, whole: bool = True) -> bytes:
        # No more is asked for at once than is likely to come: a pipe gives what it has.
        parts, left = [], size
        while left:
            part = self._source.read(min(left, _READ_BYTES))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        self.offset += size - left
        if left and whole:
            raise CorruptError(
                f"the bundle is cut off at byte {self.offset:,}: get it again", offset=self.offset
            )
        return b"".join(parts)

    def _fail(self, why: str) -> NoReturn:
        msg = f"the bundle is damaged at byte {self._begun:,}: {why}: get it again"
        raise CorruptError(msg, offset=self._begun) from None

    def _too_much(self) -> NoReturn:
        msg = (
            f"the bundle expands to more than {self._bytes_max:,} bytes: allow more"
            " (bytes_max, --max-bytes) if you trust where it comes from"
        )
        raise LimitError(msg, limit=self._bytes_max)


def _refuse(magic: bytes) -> NoReturn:
    if magic.startswith(layout.MAGIC_BEGINS) and len(magic) == len(MAGIC):
        msg = "a bundle of a later version: upgrade casckpt"
        raise FormatVersionError(msg)
    if MAGIC.startswith(magic):
        msg = f"the bundle is cut off at byte {len(magic):,}: get it again"
        raise CorruptError(msg, offset=len(magic))
    msg = "not a bundle of casckpt ('casckpt bundle create' makes one)"
    raise InvalidInputError(msg)
