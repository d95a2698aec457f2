"""Names that people give: what may be the name of a thread, a label, a tag, a key.

Invariant: a thread's name holds no character that the grammar of revisions uses, and is never
64 hexadecimal digits; so `THREAD~2` reads one way only, and a full id never means a thread.

Imports: errors, path (quoting), format (limits).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from casckpt.errors import InvalidInputError, LimitError
from casckpt.format.constants import NAME_BYTES_MAX, TAGS_MAX
from casckpt.path import format_step

__all__ = ["check_key", "check_label", "check_tag", "check_tags", "check_thread_name"]

_RESERVED: Final = frozenset("~^:@{}")
_FULL_ID = re.compile("[0-9a-fA-F]{64}")
_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
"""Most names look like this, and then there is nothing more to look at."""
_PLAIN_CHARS_MAX: Final = 63
_PLAIN_TEXT: Final = re.compile(r"[!-~](?:[ -~]{0,61}[!-~])?")
"""The same of labels and tags."""
# Control characters, lone surrogates, line and paragraph separators: they have no place in a
# line of a listing, and surrogates have no UTF-8.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def check_thread_name(name: str) -> str:
    """The name itself, if a thread may have it.

    Raises:
        InvalidInputError: it may not; the message says why.
        LimitError: it is longer than NAME_BYTES_MAX bytes of UTF-8.
    """
    if type(name) is str and len(name) <= _PLAIN_CHARS_MAX and _PLAIN.fullmatch(name):
        return name
    _check_text("thread name", name)
    used = sorted(_RESERVED.intersection(name))
    if used:
        raise _refused("thread name", name, f"{' '.join(used)} belongs to the grammar of revisions")
    if name[0] == "-":
        raise _refused("thread name", name, 'it would read as an option ("-" first)')
    for segment in name.split("/"):
        if not segment:
            raise _refused("thread name", name, 'an empty segment (a "/" first, last or doubled)')
        if segment in {".", ".."}:
            raise _refused("thread name", name, f'the segment "{segment}"')
    if _FULL_ID.fullmatch(name):
        raise _refused("thread name", name, "64 hexadecimal digits are the id of a checkpoint")
    return name


def check_label(label: str | None) -> str | None:
    """The label itself, if it may be one; raises as `check_thread_name` does."""
    if label is None or (type(label) is str and _PLAIN_TEXT.fullmatch(label)):
        return label
    return _check_text("label", label)


def check_step_name(name: str) -> str:
    """The name of a workflow's step, if it may be a label; raises as `check_thread_name` does."""
    if type(name) is str and _PLAIN_TEXT.fullmatch(name):
        return name
    return _check_text("step's name", name)


def check_key(key: str | None) -> str | None:
    """The key itself, if it may be one; raises as `check_thread_name` does."""
    if key is None or (type(key) is str and _PLAIN_TEXT.fullmatch(key)):
        return key
    return _check_text("key", key)


def check_tag(tag: str) -> str:
    """The tag itself, if it may be one; raises as `check_thread_name` does."""
    if type(tag) is str and _PLAIN_TEXT.fullmatch(tag):
        return tag
    return _check_text("tag", tag)


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in the order given, each once.

    Raises:
        InvalidInputError: not an iterable of tags (one str is taken for a mistake).
        LimitError: more than TAGS_MAX of them.
    """
    if type(tags) is tuple and not tags:
        return ()
    if isinstance(tags, (str, bytes)):
        raise InvalidInputError(f"tags are a list of texts, not one: write [{tags!r}]")
    try:
        unique = tuple(dict.fromkeys(tags))
    except TypeError:
        raise InvalidInputError("tags are a list of texts") from None
    if len(unique) > TAGS_MAX:
        raise LimitError(f"more than {TAGS_MAX} tags on one checkpoint", limit=TAGS_MAX)
    return tuple(map(check_tag, unique))


def _check_text(what: str, text: str) -> str:
    # A subclass of str (an enum's member) would be written as something else.
    if type(text) is not str:
        raise InvalidInputError(f"a {what} is a str, not {type(text).__name__}")
    if not text:
        raise InvalidInputError(f"a {what} may not be empty")
    if any(unicodedata.category(char) in _UNPRINTABLE for char in text):
        raise _refused(what, text, "a control character, line separator or lone surrogate")
    if text != text.strip():
        raise _refused(what, text, "white space at its beginning or end")
    size_bytes = len(text.encode())
    if size_bytes > NAME_BYTES_MAX:
        raise LimitError(
            f"a {what} of {size_bytes} bytes; {NAME_BYTES_MAX} are allowed", limit=NAME_BYTES_MAX
        )
    return text


def _refused(what: str, text: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"not a {what}: {format_step(text[:200])}: {why}", name=text[:200])
