"""Channels: the values of a new checkpoint on their way into a tree.

What the put of the parent has left in memory says what is as it was (`proofs`), and what that
became: then only what is new is serialized and encoded. Without it, as in a process that has
just started, the parent's state is changed: channels whose versions are the same are not
looked at, the others are put anew.

Invariants: a channel is taken for unchanged if its version is the parent's and it is not among
the new ones; of a list, the items whose prints are the same.

Imports: errors, format.records, history (ancestry, ledger, states), tree (edit, parts), vault,
integrations.langgraph (forms, given, lists, proofs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from casckpt.errors import UnsupportedValueError
from casckpt.format.records import CheckpointRecord
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger
from casckpt.history.states import Settled, put_edit, put_parts
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.given import NewCheckpoint
from casckpt.integrations.langgraph.lists import Lists
from casckpt.integrations.langgraph.proofs import Left, ListProof
from casckpt.tree.edit import Edit
from casckpt.tree.parts import Made, Part
from casckpt.vault import Draft

__all__ = ["REST", "Channels", "Parent"]

REST: Final = "__casckpt__"
"""Where a state has what meta cannot hold: a channel may not be called so."""


class Parent(NamedTuple):
    """What a checkpoint is made of."""

    point: Point | None = None
    record: CheckpointRecord | None = None
    """If there is nothing left of its put."""
    left: Left | None = None
    """What its put left in memory, if that was here and the last."""
    versions: Mapping[str, Any] = {}
    seen: Mapping[str, Any] = {}


class Channels:
    """The channels of one new checkpoint."""

    def __init__(
        self, new: NewCheckpoint, forms: Forms, parent: Parent, lists: Lists | None
    ) -> None:
        """Take them; without `lists`, the serializer's bytes are kept."""
        self._new = new
        self._forms = forms
        self._known = lists if forms.opens else None
        self._parent = parent
        self._values: Mapping[str, Any] = new.checkpoint["channel_values"]
        self.lists: dict[str, ListProof] = {}
        """Once they are put: the proofs of those that are lists."""
        self.made: dict[str, Made] = {}
        """Once they are put: what they became."""

    def put(self, draft: Draft, ledger: Ledger, rest: dict[str, Any]) -> Settled:
        """Encode the state; `rest` goes in as well, if there is any.

        Raises:
            UnsupportedValueError, LimitError: a value that no tree can hold.
            TypeError: one that the serializer does not know.
        """
        if REST in self._values:
            raise UnsupportedValueError(f"no channel may be called {REST!r}")
        left = self._parent.left
        if left is None and self._parent.record is not None:
            return self._changed(draft, ledger, rest)
        parts = self._parts({} if left is None else left.made)
        if rest:
            parts[REST] = Part(rest)
        settled = put_parts(draft, ledger.codec, parts, None if left is None else left.base)
        self.made = {name: part.made for name, part in parts.items() if name != REST}
        return settled

    def _is_unchanged(self, name: str) -> bool:
        version = self._new.checkpoint.get("channel_versions", {}).get(name)
        return (
            version is not None
            and name not in self._new.new_versions
            and self._parent.versions.get(name) == version
        )

    def _parts(self, made: Mapping[str, Made]) -> dict[str, Part]:
        """The values, those of the parent in its order."""
        proofs = {} if self._parent.left is None else self._parent.left.lists
        parts = {}
        for name in (*(n for n in made if n in self._values), *self._values):
            if name in parts:
                continue
            value, old = self._values[name], made.get(name)
            if old is not None and self._is_unchanged(name):
                parts[name] = Part.same(old)
                if name in proofs:
                    self.lists[name] = proofs[name]
            elif self._known is None:
                parts[name] = Part(self._forms.closed(value))
            elif type(value) is list:
                proof = proofs.get(name) or ListProof()
                parts[name] = self._known.channel(name, value, old, proof)
                self.lists[name] = self._known.proof(name)
            else:
                parts[name] = Part(self._known.stored(name, value))
        return parts

    def _changed(self, draft: Draft, ledger: Ledger, rest: dict[str, Any]) -> Settled:
        """The parent's state with what changed."""
        assert self._parent.record is not None  # noqa: S101 - asked before
        base = None if self._parent.point is None else self._parent.point.id
        edit = Edit(ledger.vault, ledger.codec, self._parent.record.root, base=base)
        try:
            state: Any = edit.draft
            for name in [name for name in state if name not in self._values]:
                del state[name]
            for name, value in self._values.items():
                if name in state and self._is_unchanged(name):
                    continue
                if type(value) is list and self._known is not None:
                    self.lists[name] = ListProof().extended(value, 0)
                    state[name] = self._forms.stored_items(value)
                else:
                    opened = self._known is not None
                    state[name] = (self._forms.stored if opened else self._forms.closed)(value)
            if rest:
                state[REST] = rest
            return put_edit(draft, edit)
        finally:
            edit.close()
