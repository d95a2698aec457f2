r"""Revisions: how a checkpoint is named in a text. Grammar and syntax tree only.

::

    revision = [ start ] [ "@{" number "}" ] *suffix      not empty
    start    = name of a thread, or 4 to 64 hexadecimal digits of an id
    suffix   = "~" [ number ]     so many back (1)       "^"          one back
             | "@" number         step                   ":" label    newest with that label
             | "@=" key           the one with that key
    label, key = bare | '"' *( char | '\"' | '\\' ) '"'

docs/revisions.md is normative, and runs as a test. What a revision means in a given store is
`casckpt.history.resolve`'s business.

Imports: errors, history.names, path (quoting).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from casckpt.errors import InvalidInputError
from casckpt.history.names import check_key, check_label, check_thread_name
from casckpt.path import format_step

__all__ = [
    "ID_DIGITS_MIN",
    "AtStep",
    "Back",
    "Keyed",
    "Labelled",
    "MovesAgo",
    "Revision",
    "Suffix",
    "format_revision",
    "is_id_prefix",
    "parse_revision",
]

ID_DIGITS_MIN: Final = 4
"""Fewer digits of an id name too much to be meant."""
_TEXT_CHARS_MAX: Final = 8192
"""Room for the longest name and label with every character escaped, and some steps."""
_SUFFIXES_MAX: Final = 64

_ID_PREFIX = re.compile(f"[0-9a-fA-F]{{{ID_DIGITS_MIN},64}}")
_START = re.compile(r"[^~^:@{}]*")
# A number has at most 18 digits: it fits 63 bits, as a record's step does.
_MOVES = re.compile(r"@\{([0-9]{1,18})\}")
_BACK = re.compile(r"~([0-9]{0,18})|(\^)")
_STEP = re.compile(r"@([0-9]{1,18})")
_LABEL = re.compile(r'(:|@=)(?:"((?:[^"\\]|\\["\\])*)"|([^~^:@{}"\\\s]+))')


@dataclass(frozen=True, slots=True)
class Back:
    """So many checkpoints back, parent by parent."""

    steps: int


@dataclass(frozen=True, slots=True)
class AtStep:
    """The ancestor with that step (or the checkpoint itself)."""

    step: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """The newest checkpoint with that label, beginning with the one reached so far."""

    label: str


@dataclass(frozen=True, slots=True)
class Keyed:
    """The checkpoint with that key."""

    key: str


@dataclass(frozen=True, slots=True)
class MovesAgo:
    """Where the thread's head stood so many moves ago (saves are moves)."""

    moves: int


Suffix = Back | AtStep | Labelled | Keyed | MovesAgo


class Revision(NamedTuple):
    """A parsed revision."""

    start: str | None
    """A thread's name or the beginning of an id: the store decides. None: the thread at hand."""
    suffixes: tuple[Suffix, ...] = ()
    """To be taken from left to right; `MovesAgo` only first."""


def is_id_prefix(text: str) -> bool:
    """Whether `text` could be (the beginning of) an id."""
    return _ID_PREFIX.fullmatch(text) is not None


def parse_revision(text: str) -> Revision:
    """Parse a revision.

    Raises:
        InvalidInputError: it does not parse; `details` has the `position` (0-based).
    """
    if not isinstance(text, str):
        raise InvalidInputError(f"a revision is a text, not {type(text).__name__}")
    if len(text) > _TEXT_CHARS_MAX:
        raise InvalidInputError(f"a revision of more than {_TEXT_CHARS_MAX} characters")
    if not text:
        raise InvalidInputError('an empty revision (the newest checkpoint is "~0")', position=0)
    start = _START.match(text)
    assert start is not None  # noqa: S101 - the pattern matches the empty text
    name, at = start[0] or None, start.end()
    if name is not None and not is_id_prefix(name):
        check_thread_name(name)
    suffixes: list[Suffix] = []
    while at < len(text):
        suffix, at = _suffix(text, at, first=not suffixes)
        suffixes.append(suffix)
        if len(suffixes) > _SUFFIXES_MAX:
            raise _error(text, at, f"more than {_SUFFIXES_MAX} suffixes")
    return Revision(name, tuple(suffixes))


def _suffix(text: str, at: int, *, first: bool) -> tuple[Suffix, int]:
    if found := _BACK.match(text, at):
        return Back(int(found[1]) if found[1] else 1), found.end()
    if found := _MOVES.match(text, at):
        if not first:
            raise _error(text, at, '"@{...}" follows a thread\'s name, before anything else')
        return MovesAgo(int(found[1])), found.end()
    if found := _STEP.match(text, at):
        return AtStep(int(found[1])), found.end()
    if found := _LABEL.match(text, at):
        name = re.sub(r"\\(.)", r"\1", found[2]) if found[3] is None else found[3]
        made, check = (Labelled, check_label) if found[1] == ":" else (Keyed, check_key)
        try:
            check(name)
        except InvalidInputError as error:
            raise _error(text, found.end(1), error.message) from None
        return made(name), found.end()
    raise _error(text, at, _expected(text[at : at + 2]))


def _expected(rest: str) -> str:
    if rest.startswith("@"):
        return 'expected a step, as in "@17", a key, as in "@=k1", or moves, as in "@{2}"'
    if rest.startswith(":"):
        return 'expected a label, as in ":planned" or :"odd label"'
    return 'expected "~", "^", "@" or ":"'


def format_revision(revision: Revision) -> str:
    """The text of a revision; `parse_revision` gives it back."""
    parts = [revision.start or ""]
    for suffix in revision.suffixes:
        match suffix:
            case Back(count):
                parts.append(f"~{count}")
            case AtStep(step):
                parts.append(f"@{step}")
            case MovesAgo(count):
                parts.append(f"@{{{count}}}")
            case Labelled(label):
                parts.append(_named(":", label))
            case Keyed(key):
                parts.append(_named("@=", key))
    return "".join(parts)


def _named(sign: str, name: str) -> str:
    plain = _LABEL.fullmatch(sign + name)
    if plain is not None and plain[3] is not None:
        return sign + name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{sign}"{escaped}"'


def _error(text: str, position: int, message: str) -> InvalidInputError:
    return InvalidInputError(
        f"revision {format_step(text[:200])}, character {position}: {message}",
        text=text[:200],
        position=position,
    )
