"""A tag and its content: what a value above the native ones is written as.

Also the two ways in which that fails, worded the same everywhere: `unsupported` for a value
that cannot be written exactly, `corrupt` for content that no value is written as.

Invariant: `reduce(restore(tag, content)) == (tag, content)`, exactly, for all content that
`restore` accepts. One value has one content.

Imports: errors.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from casckpt.errors import CorruptError, UnsupportedValueError

__all__ = ["Tagged", "corrupt", "items", "shown", "text", "unsupported"]

_SHOWN_MAX = 80


class Tagged(NamedTuple):
    """What `Registry.reduce` gives."""

    tag: int
    """One of the TAG_ constants."""
    content: Any
    """Native values, or values that reduce again."""


def corrupt(what: str) -> NoReturn:
    """Raise CorruptError: the store holds `what`."""
    msg = f"the store holds {what}"
    raise CorruptError(msg)


def unsupported(cls: type, why: str) -> UnsupportedValueError:
    """The error for a value of this type; the tree adds where it lies."""
    return UnsupportedValueError(why, type=f"{cls.__module__}.{cls.__qualname__}")


def shown(value: Any) -> str:
    """A value in a message: its repr, if it is a plain one, cut if it is long."""
    kind = type(value)
    if kind is str or kind is bytes:
        cut = value[:_SHOWN_MAX]
        return repr(cut) if len(cut) == len(value) else f"{cut!r}..."
    if kind is int and value.bit_length() > _SHOWN_MAX:
        return f"an int of {value.bit_length()} bits"  # Python may refuse to print it
    return repr(value) if kind in {int, bool, float} else f"a {kind.__name__}"


def items(content: Any, count: int, what: str) -> list[Any]:
    """Content that must be a list of `count` items."""
    if type(content) is not list or len(content) != count:
        corrupt(f"{what} that is not a list of {count} items")
    return content


def text(content: Any, what: str) -> str:
    """Content that must be a str."""
    if type(content) is not str:
        corrupt(f"{what} that is no text")
    return content
