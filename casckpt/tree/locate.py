"""From a node to a place inside it, reading only what lies on the way.

::

    find(opener, root, ("messages", -1, "content"))
    find(opener, root, ("messages", slice(-3, None)))     the last three, as a list

A step is a key of a dict (1, 1.0 and True are one, as in Python), an index of a list, a tuple
or an array (negative ones count from the end), the name of a field of a class, a `Token` of a
JSON Pointer, or a slice: of a list or tuple, of the code points of a str, of a bytes, of the
rows of an array. A set has no places.

Invariant: a step reads O(log n) objects of a container of n entries, a slice besides these
only the leaves or chunks that it covers.

Imports: errors, path, format (constants), tree (lazy, part).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from operator import index as as_index
from typing import Any, NamedTuple

from casckpt.errors import CorruptError, InvalidInputError, NotFoundError
from casckpt.format import constants as c
from casckpt.path import Token, format_path, format_step
from casckpt.tree import part
from casckpt.tree.lazy import BlobTree, ListTree, MapTree, Node, Opener, Wrapped

__all__ = ["Fields", "fields", "find"]

_NEAR_KEYS_MAX = 3
_KEYS_LOOKED_AT_MAX = 1000


class Fields(NamedTuple):
    """What an instance of a class was stored as."""

    flavour: str
    type_name: str
    fields: dict[Any, Node] | MapTree
    more: Node | None
    """What it held besides its fields, if anything."""


class _Missing(Exception):
    """There is nothing at a step."""

    def __init__(self, reason: str, near: Sequence[Any] = ()) -> None:
        super().__init__(reason)
        self.near = near


def find(opener: Opener, node: Node, path: Iterable[Any]) -> Node:
    """The node at a path, opened (never a `Link`).

    What `opener.load` makes of it is what Python would give for the same steps on the whole
    value; a slice of a list gives a list.

    Raises:
        InvalidInputError: a slice with step 0.
        NotFoundError: there is nothing there. The message has the path as far as it leads and
            the nearest keys or the length; `details` has `path` and `candidates`.
    """
    here = opener.open(node)
    steps = tuple(path)
    for position, step in enumerate(steps):
        if isinstance(step, slice) and step.step == 0:
            raise InvalidInputError("the step of a slice cannot be 0")
        try:
            here = opener.open(_step(opener, here, step))
        except _Missing as missing:
            where = format_path(steps[:position]) or "the state"
            whole = format_path(steps[: position + 1])
            near = [format_step(key) for key in missing.near]
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise NotFoundError(
                f"nothing at {whole}: {where} is {missing}{hint}", path=whole, candidates=near
            ) from None
    return here


def fields(opener: Opener, node: Wrapped) -> Fields:
    """The parts of a TAG_OBJECT.

    Raises:
        CorruptError: it is malformed.
    """
    content = node.content
    if isinstance(content, list | ListTree) and len(content) in {3, 4}:
        flavour, type_name, inner, *more = opener.items(content)
        type_name, inner = opener.load(type_name), opener.open(inner)
        if type(flavour) is str and type(type_name) is str and isinstance(inner, dict | MapTree):
            return Fields(flavour, type_name, inner, more[0] if more else None)
    msg = "the store holds a malformed instance of a class"
    raise CorruptError(msg)


def _step(opener: Opener, node: Node, step: Any) -> Node:
    if isinstance(node, dict | MapTree):
        return _under_key(opener, node, step, "a dict", "key")
    if isinstance(node, list | ListTree):
        return _at(opener, node, step, "list")
    if isinstance(node, Wrapped):
        return _in_wrapped(opener, node, step)
    if isinstance(node, str | bytes | BlobTree):
        name = "str" if isinstance(node, str) or getattr(node, "is_text", False) else "bytes"
        if not isinstance(step, slice):
            msg = f"a {name} of {len(node):,}, in which only slices have a place"
            raise _Missing(msg)
        return part.blob(opener, node, step) if isinstance(node, BlobTree) else node[step]
    raise _Missing(f"{_NAMES.get(type(node), 'a value')}, with nothing inside")


def _in_wrapped(opener: Opener, node: Wrapped, step: Any) -> Node:
    if node.tag == c.TAG_TUPLE:
        found = _at(opener, node.content, step, "tuple")
        return Wrapped(c.TAG_TUPLE, found) if isinstance(step, slice) else found
    if node.tag == c.TAG_OBJECT:
        parts = fields(opener, node)
        what = f"a {parts.type_name.rpartition(':')[2]}"
        return _under_key(opener, parts.fields, step, what, "field")
    if node.tag == c.TAG_NDARRAY:
        array = part.ArrayParts(opener, opener.open(node.content))
        if not array.shape:
            raise _Missing("an array without axes")
        if isinstance(step, slice):
            return array.rows(step)
        return array.row(_position(step, array.shape[0], "array"))
    if isinstance(step, slice) and node.tag == c.TAG_BYTEARRAY:
        return Wrapped(c.TAG_BYTEARRAY, _step(opener, node.content, step))
    if isinstance(step, slice) and node.tag == c.TAG_SURROGATES:
        # Its chunks are cut between bytes, not between characters.
        return opener.load(node)[step]
    raise _Missing(f"{_NAMES.get(node.tag, 'a value')}, with no places inside")


_NAMES: dict[Any, str] = {
    type(None): "None",
    bool: "a bool",
    int: "an int",
    float: "a float",
    c.TAG_SET: "a set",
    c.TAG_FROZENSET: "a frozenset",
    c.TAG_BYTEARRAY: "a bytearray",
    c.TAG_SURROGATES: "a str",
    c.TAG_ENUM: "a member of an enum",
}


def _at(opener: Opener, node: Node, step: Any, name: str) -> Node:
    if not isinstance(node, list | ListTree):
        msg = f"the store holds a {name} that is none"
        raise CorruptError(msg)
    if isinstance(step, slice):
        return list(part.items(opener, node, range(*step.indices(len(node)))))
    return part.item(opener, node, _position(step, len(node), name))


def _position(step: Any, length: int, name: str) -> int:
    """A step as an index from 0 up to the length."""
    what = f"{'an' if name == 'array' else 'a'} {name} of {length:,}"
    try:
        position = step.in_sequence() if isinstance(step, Token) else as_index(step)
    except (InvalidInputError, TypeError):
        reason = f"{what}, with indexes and no keys"
        raise _Missing(reason) from None
    if type(step) is bool or not -length <= position < length:
        raise _Missing(what)
    return position + length if position < 0 else position


def _under_key(
    opener: Opener, node: dict[Any, Node] | MapTree, step: Any, what: str, word: str
) -> Node:
    keys = step.in_mapping() if isinstance(step, Token) else (step,)
    for key in keys:
        try:
            return opener.get(node, key)
        except (KeyError, TypeError):  # not there, or a slice
            continue
    reason = f"{what} of {len(node):,} without that {word}"
    raise _Missing(reason, _near(opener, node, step))


def _near(opener: Opener, node: dict[Any, Node] | MapTree, step: Any) -> list[Any]:
    """The nearest keys, of the first thousand."""
    keys = list(islice(opener.keys(node), _KEYS_LOOKED_AT_MAX))
    if len(keys) <= _NEAR_KEYS_MAX:
        return keys
    if type(step) is int:
        return [key for key in keys if key == format_step(step)]
    if not isinstance(step, str):
        return []
    same = [key for key in keys if type(key) is int and format_step(key) == step]
    texts = [key for key in keys if isinstance(key, str)]
    return [*same, *get_close_matches(step, texts, n=_NEAR_KEYS_MAX)]
