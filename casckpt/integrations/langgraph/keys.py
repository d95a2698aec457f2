"""Keys: what LangGraph's ids are called in a store.

A *space* is one namespace of one LangGraph thread: a line of checkpoints of its own. It is a
casckpt thread, and a run of refs, one for each checkpoint and one for each task that has
written something::

    app/langgraph/<thread>/<namespace>/<checkpoint>~          the checkpoint
    app/langgraph/<thread>/<namespace>/<checkpoint>~<task>    what the task wrote, pending
    app/langgraph-runs/<run>/<thread>/<namespace>/<checkpoint>~   the checkpoint, of a run

Thread, namespace, task and run are hashed there (ids may have any length and any character).
Checkpoint ids are written so that the order of names is the *descending* order of ids, for
LangGraph's newest checkpoint is the one with the greatest id.

Invariants: `descending` is one-to-one and order-reversing, and no spelling begins another;
`thread_name` is one-to-one, up to hashing what is too long.

Imports: history.notes.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from casckpt.history import notes

__all__ = ["ALL", "Space", "ascending", "descending", "run_prefix", "space", "thread_prefix"]

ALL: Final = notes.APPS + "langgraph/"
"""All refs of ours begin so."""
RUNS: Final = notes.APPS + "langgraph-runs/"
"""The refs by which a run's checkpoints are found."""
END: Final = "~"
"""Ends a checkpoint's id; sorts behind every character of it."""
_MIRROR: Final = 0x9E  # c -> 0x9E - c turns the order of printable ASCII round
_LOW, _HIGH = 0x22, 0x7C  # written as they are; what lies outside is "!xx" and "}xx"
_PLAIN: Final = bytes(range(_LOW, _HIGH + 1))
_MIRRORED: Final = bytes(max(0, _MIRROR - byte) if byte < 0x80 else byte for byte in range(256))
_ESCAPE = re.compile(r"[!}]([0-9a-f]{2})|(.)", re.DOTALL)
_RESERVED: Final = frozenset("~^:@{}%")
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FULL_ID = re.compile("[0-9a-fA-F]{64}")
_NAME_BYTES_MAX: Final = 240
_KEPT_CHARS: Final = 50  # of a name that is too long, before its hash


class Space(NamedTuple):
    """One namespace of one LangGraph thread."""

    thread_id: str
    checkpoint_ns: str
    prefix: str
    """What the names of its refs begin with."""
    name: str
    """The casckpt thread that it is."""

    def checkpoint(self, checkpoint_id: str) -> str:
        """The name of a checkpoint's ref; those of its writes begin so."""
        return self.prefix + descending(checkpoint_id) + END

    def task(self, checkpoint_id: str, task_id: str) -> str:
        """The name of the ref of what a task wrote."""
        return self.checkpoint(checkpoint_id) + _hashed(task_id)

    def of_run(self, run_id: str, checkpoint_id: str) -> str:
        """The name of the ref by which the checkpoint is found by its run."""
        return run_prefix(run_id) + self.checkpoint(checkpoint_id)[len(ALL) :]

    def behind(self, checkpoint_id: str) -> str:
        """A name behind all of a checkpoint's, and before those of any older one."""
        return self.checkpoint(checkpoint_id) + "\x7f"

    def checkpoint_id(self, ref: str) -> str:
        """The id of the checkpoint that a ref is about."""
        return ascending(ref[len(self.prefix) : ref.index(END, len(self.prefix))])


@lru_cache(maxsize=1_024)
def space(thread_id: str, checkpoint_ns: str) -> Space:
    """The space of a namespace of a thread."""
    prefix = f"{thread_prefix(thread_id)}{_hashed(checkpoint_ns)}/"
    return Space(thread_id, checkpoint_ns, prefix, thread_name(thread_id, checkpoint_ns))


def thread_prefix(thread_id: str) -> str:
    """What the refs of all namespaces of a thread begin with."""
    return f"{ALL}{_hashed(thread_id)}/"


def run_prefix(run_id: str) -> str:
    """What the refs of a run's checkpoints begin with."""
    return f"{RUNS}{_hashed(run_id)}/"


def _hashed(text: str) -> str:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest)[:22].decode()


def descending(checkpoint_id: str) -> str:
    """An id, spelled so that greater ones come first.

    Its UTF-8 bytes, those that are not plain as an escape, each mirrored.
    """
    data = checkpoint_id.encode("utf-8", "surrogatepass")
    if not data.translate(None, _PLAIN):
        return data.translate(_MIRRORED).decode("ascii")
    spelled = "".join(
        chr(byte) if _LOW <= byte <= _HIGH else f"{'!' if byte < _LOW else '}'}{byte:02x}"
        for byte in data
    )
    return "".join(chr(_MIRROR - ord(char)) for char in spelled)


def ascending(spelled: str) -> str:
    """The id that `descending` spelled."""
    plain = spelled.encode("ascii").translate(_MIRRORED).decode("ascii")
    if "!" not in plain and "}" not in plain:
        return plain
    found = _ESCAPE.finditer(plain)
    return bytes(int(m[1], 16) if m[1] else ord(m[2]) for m in found).decode(
        "utf-8", "surrogatepass"
    )


def thread_name(thread_id: str, checkpoint_ns: str) -> str:
    """The casckpt thread of a space: the id, and `/+` before each level of the namespace.

    What a name may not have is percent-encoded, and `:` in a namespace is `=`.
    """
    name = _escaped(thread_id, "")
    if checkpoint_ns:
        levels = checkpoint_ns.split("|")
        name += "".join("/+" + _escaped(level, "=/").replace("%3A", "=") for level in levels)
    if len(name.encode()) > _NAME_BYTES_MAX:
        name = name[:_KEPT_CHARS].rstrip("/ %") + "%=" + _hashed(f"{thread_id}\0{checkpoint_ns}")
    return name


def _escaped(text: str, also: str) -> str:
    chars = [
        _percent(char)
        if char in _RESERVED or char in also or unicodedata.category(char) in _UNPRINTABLE
        else char
        for char in text
    ]
    # White space may not be first or last, "-" not first; "+" begins a namespace.
    for at in (0, -1):
        if chars and (chars[at].isspace() or (at == 0 and chars[at] in "-+")):
            chars[at] = _percent(chars[at])
    name = "".join(chars).replace("/+", "/%2B")
    if _FULL_ID.fullmatch(name):
        return _percent(name[0]) + name[1:]
    segments = name.split("/")
    return "/".join(
        "%" if not part else part.replace(".", "%2E") if part in {".", ".."} else part
        for part in segments
    )


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
