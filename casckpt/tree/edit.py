"""Editing a state: open it as a draft, change that, build the new state.

::

    edit = Edit(source, codec, root)     root: as a record has it; None: an empty dict
    edit.draft["messages"].append(message)
    built = edit.build(sink)             as FastBuilder builds the same value
    edit.close()

Invariants: those of `tree.edit_writer`; nothing is written before `build`.

Imports: errors, format (cbor), ids, tree (draft, draft_dict, draft_list, draft_set, edit_writer,
fast, source).
"""

from __future__ import annotations

from typing import Any

from casckpt.errors import InvalidInputError
from casckpt.format import cbor
from casckpt.ids import ObjectId
from casckpt.tree.draft import Draft, Session
from casckpt.tree.draft_dict import DictDraft
from casckpt.tree.draft_list import ListDraft
from casckpt.tree.draft_set import SetDraft
from casckpt.tree.edit_writer import EditWriter
from casckpt.tree.fast import Built
from casckpt.tree.source import Codec, ObjectSink, ObjectSource

__all__ = ["Edit"]

_NOTHING = cbor.head(cbor.MAP, 0)
_MAKERS = {"list": ListDraft, "dict": DictDraft, "set": SetDraft}


class Edit:
    """One state in the making."""

    def __init__(
        self,
        source: ObjectSource,
        codec: Codec,
        root: bytes | None,
        *,
        base: ObjectId | None = None,
    ) -> None:
        """Open a state.

        Args:
            source: where it is stored.
            codec: for types above the native ones.
            root: its encoding, or a link to it; None: there is none yet, begin with {}.
            base: the object that holds the root (its record).

        Raises:
            InvalidInputError: it is no list, dict or set, so there is nothing to edit.
        """
        self._codec = codec
        self._base = base
        self._session = Session(source, codec, dict(_MAKERS))
        draft = self._session.read(_NOTHING if root is None else root, None, None, 0)
        if not isinstance(draft, Draft):
            msg = (
                f"a state of type {type(draft).__name__} has no parts to edit: "
                f"save another with save()"
            )
            raise InvalidInputError(msg)
        self._session.root = draft
        self.draft: Any = draft
        """The root."""
        self._is_new = root is None

    @property
    def changed(self) -> bool:
        """Whether anything was changed; a state that there was none of has been."""
        return self._is_new or bool(self.draft.changed)

    @property
    def oid(self) -> ObjectId | None:
        """The object that the root was, if it was not in the record itself."""
        oid: ObjectId | None = self.draft._origin.oid  # noqa: SLF001 - its own draft
        return oid

    def build(self, sink: ObjectSink) -> Built:
        """Build the state as it is now.

        Raises:
            UnsupportedValueError: a value that cannot be stored exactly; names its path.
            LimitError: nested too deep (or in itself).
        """
        return EditWriter(sink, self._codec, base=self.oid or self._base).write(self.draft)

    def close(self, result: Any = None) -> None:
        """End it; `result` is what the drafts give as `checkpoint`."""
        self._session.result = result
        self._session.close()
