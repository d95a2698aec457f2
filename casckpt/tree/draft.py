# ruff: noqa: SLF001 - drafts are one family
"""What all drafts have in common, and the session they belong to.

A *draft* is a stored list, dict or set that can be changed: it holds what was stored, encoded,
and beside it what is new. Reading a container out of a draft gives a draft of that, the same
one as long as anybody holds it or it is changed; everything else is given as a value. What is
put in is kept as it is until the end, as a list or dict would keep it; a draft that has a place
already is copied, one that was taken out (popped, deleted, overwritten) is put in itself.

Invariants: a draft knows the draft it lies in, and tells it of its first change; nothing of
what is stored is ever changed.

Imports: errors, ids, format (cbor, constants), tree (edit_bytes, lazy, native, source, stream).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from casckpt.errors import CasckptError, InvalidInputError, UnsupportedValueError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import ObjectId
from casckpt.tree import native
from casckpt.tree.edit_bytes import head_at, link_at, unkey
from casckpt.tree.lazy import Opener
from casckpt.tree.source import Codec, ObjectSource
from casckpt.tree.stream import Stream

__all__ = ["Draft", "Session", "Slot", "Stored", "plain"]


_PLAIN = cbor.decoders({})
_SHORT_TEXT_MIN = cbor.TEXT << 5
_SHORT_TEXT_END = _SHORT_TEXT_MIN + 24
"""First bytes of text whose length they say."""
_SHORT_KEY = c.INLINE_BYTES_MAX // 4 - 1
"""Code points of a str that is certainly inlined."""
_ATOMS = frozenset((type(None), bool, int, float, str, bytes))
_PLAIN_MAJORS = frozenset((0, 1, cbor.BYTES, cbor.TEXT, 7))


class Stored(NamedTuple):
    """An entry that nobody has touched."""

    entry: bytes
    depth: int
    """Containers around it where it was stored."""


Slot = Any
"""What stands in a place of a draft: a `Stored`, a `Draft`, or a value that was put in."""


class Origin(NamedTuple):
    """Where a draft comes from."""

    entry: bytes
    """It as it stood in its parent: itself or a link."""
    form: bytes
    """Its encoding."""
    oid: ObjectId | None
    """The object that it was, if it was one."""
    depth: int
    """Containers around it."""


class Session:
    """One edit: what its drafts share."""

    def __init__(
        self, source: ObjectSource, codec: Codec, makers: dict[str, Callable[..., Draft]]
    ) -> None:
        """Begin.

        Args:
            source: where what is stored is read.
            codec: for types above the native ones.
            makers: what makes the drafts of a "list", a "dict" and a "set".
        """
        self.source = source
        self.codec = codec
        self.root: Draft | None = None
        self.result: Any = None
        """What the edit came to, once it did."""
        self._opener: Opener | None = None
        self._makers = makers
        self._open = True

    def close(self) -> None:
        """End it: its drafts can be used no more."""
        self._open = False
        self.root = None

    def check(self) -> None:
        """Raise InvalidInputError once the edit is over."""
        if not self._open:
            raise InvalidInputError("the edit is over: begin another with run.edit()")

    @property
    def opener(self) -> Opener:
        """What reads whole values; most edits need none."""
        if self._opener is None:
            self._opener = Opener(self.source, self.codec)
        return self._opener

    def value(self, entry: bytes) -> Any:
        """The whole value of an entry, of fresh objects."""
        first = entry[0]
        if _SHORT_TEXT_MIN <= first < _SHORT_TEXT_END:
            try:
                return entry[1:].decode()
            except UnicodeDecodeError:
                pass  # said below, as whatever is malformed
        if first >> 5 in _PLAIN_MAJORS:
            return cbor.decode(entry, _PLAIN)
        return self.opener.loader().value(entry)

    def encoded(self, member: Any) -> bytes:
        """A value as it stands in its parent; raises UnsupportedValueError."""
        return unkey(self.encoded_key(member))

    def encoded_key(self, key: Any) -> bytes:
        """A value as it stands as a key of a dict; raises UnsupportedValueError."""
        if type(key) is str and len(key) < _SHORT_KEY:
            try:
                return cbor.encode_text(key)
            except UnicodeEncodeError:
                pass  # stored otherwise
        return self.opener.encoded_key(key)

    def form(self, entry: bytes) -> tuple[bytes, ObjectId | None]:
        """What an entry is or links to; the object that it is, if it was one."""
        form, oid = entry, None
        while form.startswith(native.LINK_HEAD):
            oid = link_at(form)
            form = self.source.get(oid, c.KIND_VALUE)
        return form, oid

    def read(self, entry: bytes, owner: Draft | None, place: Any, depth: int) -> Any:
        """What an entry is for the user: a draft of a container, or a value.

        Args:
            entry: as it is stored.
            owner: the draft it lies in.
            place: where in what that one has stored; None: in one of its slots.
            depth: containers around it.
        """
        if entry and entry[0] >> 5 in _PLAIN_MAJORS:
            return self.value(entry)
        form, oid = self.form(entry)
        kind = _kind(form)
        if kind is None:
            return self.value(form)
        return self._makers[kind](self, Origin(entry, form, oid, depth), owner, place)


def _kind(form: bytes) -> str | None:
    major, tag, _ = head_at(form, 0)
    if major == cbor.ARRAY:
        return "list"
    if major == cbor.MAP:
        return "dict"
    if major == cbor.TAG:
        return {c.TAG_LIST_TREE: "list", c.TAG_MAP_TREE: "dict", c.TAG_SET: "set"}.get(tag)
    return None


class Draft(ABC):
    """A list, dict or set in the making."""

    __slots__ = ("__weakref__", "_origin", "_owner", "_place", "_session", "changed")

    type_name: str

    def __init__(self, session: Session, origin: Origin, owner: Draft | None, place: Any) -> None:
        self._session = session
        self._origin = origin
        self._owner = owner
        self._place = place
        self.changed = False
        """Whether it, or anything in it, is not as it was stored."""

    @property
    def checkpoint(self) -> Any:
        """The checkpoint that the edit came to, after it; None: nothing was saved."""
        return self._session.result

    @abstractmethod
    def load(self) -> Any:
        """The whole value as it is now, of fresh objects."""

    @abstractmethod
    def copy(self) -> Any:
        """A plain list, dict or set of what is in it; drafts among that stay drafts."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _clone_into(self, copy: Any) -> None:
        """Give a fresh draft of the same origin all changes, copied."""

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.load()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a draft is of no use outside its block: take its load()")

    def __repr__(self) -> str:
        if not self._session._open:
            return f"<draft of a {self.type_name}, closed>"
        return f"<draft of a {self.type_name} of {len(self):,}>"

    def _touch(self) -> None:
        """Before a change."""
        self._session.check()
        if not self.changed:
            self.changed = True
            if self._owner is not None:
                self._owner._child_changed(self)

    def _child_changed(self, child: Draft) -> None:
        """A draft in a slot, or read from a place, is about to change."""
        del child
        self._touch()

    def _checked(self, value: Any) -> Any:
        """A value that may be put in here; done for all before anything changes.

        Raises:
            UnsupportedValueError: it is this draft, or one that this one lies in.
        """
        if not isinstance(value, Draft):
            return value
        if value._session is not self._session:
            return value.load()
        around: Draft | None = self
        while around is not None:
            if around is value:
                msg = f"a {value.type_name} cannot be put inside itself"
                raise UnsupportedValueError(msg, type="cycle")
            around = around._owner
        return value

    def _taken(self, value: Any) -> Slot:
        """A checked value as a slot: drafts are adopted or copied."""
        if not isinstance(value, Draft):
            return value
        if value._owner is None and value is not self._session.root:
            value._owner, value._place = self, None
            return value
        return value._copied(self)

    def _copied(self, owner: Draft | None) -> Draft:
        copy = type(self)(self._session, self._origin, owner, None)
        if self.changed:
            copy.changed = True
            self._clone_into(copy)
        return copy

    def _let_go(self, slot: Slot) -> None:
        """Something was taken out of here: a draft may now be put in elsewhere."""
        if isinstance(slot, Draft) and slot._owner is self:
            slot._owner = slot._place = None

    def _copied_slot(self, slot: Slot, owner: Draft) -> Slot:
        if isinstance(slot, Draft):
            return slot._copied(owner)
        return slot if isinstance(slot, Stored) else _copied_value(slot)


def plain(value: Any) -> Any:
    """A copy of a value, with every draft in it replaced by what it holds now."""
    return _copied(value, lambda draft: draft.load())


def _copied_value(value: Any) -> Any:
    """A copy of a value; drafts in its lists, tuples and dicts stay themselves."""
    return _copied(value, lambda draft: draft)


def _copied(value: Any, settle: Callable[[Draft], Any]) -> Any:
    if isinstance(value, Draft):
        return settle(value)
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [_copied(item, settle) for item in value]
    if kind is tuple:
        return tuple([_copied(item, settle) for item in value])
    if kind is dict:
        return {key: _copied(item, settle) for key, item in value.items()}
    if kind is Stream:
        return value
    # Instances, arrays, collections. Some cannot be copied: a view, one that holds a lock.
    try:
        return copy.deepcopy(value)
    except CasckptError:  # of a draft in it
        raise
    except Exception:  # noqa: BLE001 - whatever a class raises
        return value
