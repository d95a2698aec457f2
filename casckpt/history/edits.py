"""One edit of a thread: its head's state is opened, changed, and saved as the new head.

Invariants: what is saved has the head that was edited as its parent, or there is a conflict:
an edit is made of what was read, so another writer's state is never built upon unseen.

Imports: ids, history (ancestry, keys, ledger, meta, names), tree.edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from casckpt.history import keys, names
from casckpt.history import meta as metas
from casckpt.history.ancestry import Point
from casckpt.history.ledger import AnyHead, Ledger, conflict
from casckpt.ids import ObjectId
from casckpt.tree.edit import Edit

__all__ = ["Editing"]


class Editing:
    """A `with` block that gives a draft; see `Thread.edit`."""

    def __init__(
        self,
        ledger: Ledger,
        thread: str,
        shown: Callable[[Point], Any],
        *,
        label: str | None,
        tags: Iterable[str],
        meta: Mapping[str, Any] | None,
        key: str | None,
        expect: ObjectId | AnyHead | None,
    ) -> None:
        """Prepare.

        Args:
            ledger: the open store.
            thread: its name.
            shown: makes of a point what the drafts give as `checkpoint`.
            label: that of the checkpoint.
            tags: its tags.
            meta: facts about it.
            key: its key.
            expect: what the head must be when the edit begins.

        Raises:
            InvalidInputError: a label, tag, meta or key that cannot be.
        """
        self._ledger = ledger
        self._thread = thread
        self._shown = shown
        self._label = names.check_label(label)
        self._tags = names.check_tags(tags)
        self._meta = metas.check_meta(meta)
        self._key = names.check_key(key)
        self._expect = expect
        self._edits: list[tuple[Edit, Point | None]] = []

    def __enter__(self) -> Any:
        """The draft of the head's state; of {} if the thread has no checkpoint.

        Raises:
            InvalidInputError: the state is no list, dict or set.
            ConflictError: the head is not what was expected, or the key is taken.
        """
        ledger = self._ledger
        head = ledger.head(self._thread)
        head_id = None if head is None else head.id
        if not isinstance(self._expect, AnyHead) and self._expect != head_id:
            raise conflict(self._thread, self._expect, head_id)
        if self._key is not None and head is not None:
            taken = keys.owned(ledger.books, self._key, self._thread, head)
            if taken is not None:
                raise keys.conflict(taken)
        root = None if head_id is None else ledger.ancestry.record(head_id).root
        edit = Edit(ledger.vault, ledger.codec, root, base=head_id)
        self._edits.append((edit, head))
        return edit.draft

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save what is new; nothing after an exception."""
        result: Any = None
        try:
            if kind is None:
                result = self.save()
        finally:
            self.close(result)

    def save(self) -> Any:
        """Save what is new; what the drafts are to give as `checkpoint`.

        Calling it again saves again: for when what was saved came to nothing (a batch that
        failed).
        """
        edit, point = self._edits[-1]
        facts = (self._label, self._tags, self._meta, self._key)
        if point is None or edit.changed or any(facts):
            point = self._save(edit, point)
        return self._shown(point)

    def close(self, result: Any) -> None:
        """End the edit; the drafts give `result` as `checkpoint`, and nothing else."""
        self._edits.pop()[0].close(result)

    def _save(self, edit: Edit, head: Point | None) -> Point:
        return self._ledger.append_edit(
            self._thread,
            edit,
            head,
            label=self._label,
            tags=self._tags,
            meta=self._meta,
            key=self._key,
        )
