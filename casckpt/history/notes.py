"""The small print of refs: names and infos of refs, notes of the log, names of postings.

All are CBOR arrays (docs/format.md, chapter "Refs"), opaque to engines.

Invariants: what a note holds is only read back through here; one of a kind unknown to this
version is shown, not refused.

Imports: errors, ids, format (cbor).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.ids import ID_BYTES, ObjectId

__all__ = [
    "APPS",
    "KEYS",
    "LABELS",
    "PRUNED",
    "PRUNES",
    "TAGS",
    "TAG_LISTS",
    "THREADS",
    "TIMES",
    "Note",
    "ThreadOrigin",
    "key_list",
    "label_list",
    "prunes_ref",
    "tag_list",
    "tags_ref",
    "thread_name",
    "thread_ref",
]

THREADS: Final = "thread/"
TAGS: Final = "tags/"
PRUNES: Final = "prune/"
"""Refs that never have a target; in their logs is what was pruned of the thread of that name."""
APPS: Final = "app/"
"""What is built on a store may have refs of its own under `app/WHO/`: their targets stay alive."""
TIMES: Final = b"time"
"""The posting list of all checkpoints, by created_ns; so are those of labels and tags."""
PRUNED: Final = b"pruned"
"""The posting list of the checkpoints whose states are to go with the next gc, by created_ns."""
LABELS: Final = b"label\0"
TAG_LISTS: Final = b"tag\0"
KEYS: Final = b"key\0"


def thread_ref(name: str) -> str:
    """The ref that is a thread's head."""
    return THREADS + name


def prunes_ref(thread: str) -> str:
    """The ref in whose log the prunings of a thread are."""
    return PRUNES + thread


def thread_name(ref: str) -> str:
    """The thread whose head a ref is."""
    return ref.removeprefix(THREADS)


def tags_ref(checkpoint: ObjectId) -> str:
    """The ref of the tags of a checkpoint, once they differ from those it was saved with."""
    return TAGS + checkpoint.hex()


def label_list(label: str) -> bytes:
    """The posting list of the checkpoints with this label."""
    return LABELS + label.encode()


def key_list(key: str) -> bytes:
    """The posting list of the checkpoints with this key, by thread (`history.keys`)."""
    return KEYS + key.encode()


def tag_list(tag: str) -> bytes:
    """The posting list of the checkpoints that have this tag now."""
    return TAG_LISTS + tag.encode()


class ThreadOrigin(NamedTuple):
    """The info of a thread's ref: where the thread comes from."""

    created_ns: int
    forked_at: ObjectId | None = None
    """The checkpoint it was forked at; None: it began with a save."""
    forked_from: str | None = None
    """The thread it was forked from."""

    def encode(self) -> bytes:
        """The bytes of the info."""
        return cbor.encode_plain([*self])

    @classmethod
    def decode(cls, info: bytes) -> ThreadOrigin:
        """Read the info of a ref; raises CorruptError."""
        match cbor.decode_generic(info):
            case [int(created_ns), None, None]:
                return cls(created_ns)
            case [int(created_ns), bytes(at), str(name)] if len(at) == ID_BYTES:
                return cls(created_ns, ObjectId(at), name)
        raise CorruptError("a thread's origin is malformed")


class Note(NamedTuple):
    """The note of a log entry: what kind of move it was, and what that kind needs."""

    kind: str
    """rewind, fork, import, delete, undo, tag, untag, prune or unprune; perhaps others, of later
    versions."""
    facts: tuple[Any, ...] = ()
    """fork: the origin's name. delete: the ref's info. undo: the number of the log entry that
    the thread is back at (0: none). tag, untag: the tags. prune: see history/pruned.py."""

    def encode(self) -> bytes:
        """The bytes of the note."""
        return cbor.encode_plain([self.kind, *self.facts])

    @classmethod
    def decode(cls, note: bytes) -> Note:
        """Read a note; raises CorruptError."""
        match cbor.decode_generic(note):
            case [str(kind), *facts]:
                return cls(kind, tuple(facts))
        raise CorruptError("a note in the log is malformed")
