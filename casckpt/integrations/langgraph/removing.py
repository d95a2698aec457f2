"""Removing and copying: threads, runs, old checkpoints.

What is removed loses its row, and is gone for LangGraph at once. Its bytes go with the next
`casckpt gc` after the grace period, unless something else still reaches them: a checkpoint's
history, a tag, another thread.

Invariants: a row and the head it belongs to change in one commit; what a `DeltaChannel` of a
kept checkpoint is computed from is kept with it.

Imports: history (ancestry, ledger, notes, placing, states), ids, storage (engine interface),
tree.edit, vault, integrations.langgraph (catalogue, keys, putting).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from casckpt.history import notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import RETRIES_MAX, Ledger, crowded, expected
from casckpt.history.placing import Content, place
from casckpt.history.states import put_edit, put_meta
from casckpt.ids import ObjectId
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.catalogue import Catalogue, Row
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.putting import head_move
from casckpt.storage.engine import Posting, RefConflict, RefUpdate
from casckpt.tree.edit import Edit
from casckpt.vault import Draft

__all__ = ["Remover"]

DELTA_COUNTERS: Final = "counters_since_delta_snapshot"
"""The metadata that name the delta channels of a checkpoint."""


class Remover:
    """Removes from one store."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue) -> None:
        self._ledger = ledger
        self._catalogue = catalogue

    def delete_thread(self, thread_id: str) -> None:
        """Remove all of a thread; one that is not there is fine."""
        spaces = {*self._catalogue.spaces(thread_id), keys.space(thread_id, "")}
        self._commit(self._catalogue.removals(thread_id), ended=spaces)

    def delete_for_runs(self, run_ids: Iterable[str]) -> None:
        """Remove the checkpoints of these runs, with their writes, from all threads."""
        gone: dict[Space, list[Row]] = {}
        for run_id in dict.fromkeys(run_ids):
            for row in self._catalogue.of_run(run_id):
                gone.setdefault(row.space, []).append(row)
        for space, rows in gone.items():
            self._drop(space, rows)

    def _drop(self, space: Space, gone: list[Row]) -> None:
        """Remove rows; the head goes back to the newest that is left, if its own is gone."""
        updates = [update for row in gone for update in row.removals()]
        updates += [update._replace(target=None) for row in gone for update in self._tasks(row)]
        left = set(self._catalogue.rows(space)).difference(gone)
        if not left:
            self._commit(updates, ended=[space])
            return
        newest = max(left, key=lambda row: row.checkpoint_id.encode())
        for _ in range(RETRIES_MAX):
            ref = self._ledger.ref(space.name)
            records = {row.record for row in left}
            moved = [] if ref is None or ref.target in records else [self._move(space, newest)]
            try:
                self._ledger.engine.commit(refs=[*updates, *moved])
            except RefConflict:
                continue
            return
        raise crowded(space.name)

    def _commit(self, updates: list[RefUpdate], *, ended: Iterable[Space]) -> None:
        """Remove rows, and with them the threads of spaces that have none left."""
        names = [space.name for space in ended]
        for _ in range(RETRIES_MAX):
            try:
                self._ledger.engine.commit(refs=[*updates, *self._ends(names)])
            except RefConflict:
                continue
            return
        raise crowded(names[0])

    def _ends(self, names: list[str]) -> Iterator[RefUpdate]:
        for name in names:
            ref = self._ledger.ref(name)
            if ref is not None and ref.target is not None:
                yield RefUpdate(
                    *(notes.thread_ref(name), None, ref, ref.info),
                    log=notes.Note("delete", (ref.info,)).encode(),
                    time_ns=self._ledger.clock(),
                )

    def _tasks(self, row: Row) -> list[RefUpdate]:
        return self._catalogue.task_updates(row.space, row)

    def _move(self, space: Space, row: Row) -> RefUpdate:
        return head_move(self._ledger, self._ledger.ref(space.name), space.name, row.record, None)

    # --- copies ------------------------------------------------------------------------------

    def copy_thread(self, source_id: str, target_id: str) -> None:
        """Give a thread the checkpoints of another: rows that point at the same records."""
        if source_id == target_id:
            return
        spaces = list(self._catalogue.spaces(source_id)) or [keys.space(source_id, "")]
        for source in spaces:
            target = keys.space(target_id, source.checkpoint_ns)
            rows = list(self._catalogue.rows(source))
            if not rows:
                continue
            updates = [update for row in rows for update in row.updates(target)]
            for row in rows:
                updates += self._catalogue.stale(row._replace(space=target))
            updates += [
                update for row in rows for update in self._catalogue.task_updates(target, row)
            ]
            head = self._ledger.head(source.name)
            at = rows[0].record if head is None else head.id
            self._copy(source, target, at, updates)

    def _copy(self, source: Space, target: Space, at: ObjectId, updates: list[RefUpdate]) -> None:
        ledger = self._ledger
        for _ in range(RETRIES_MAX):
            ref = ledger.ref(target.name)
            if ref is not None and ref.target is not None:
                move = head_move(ledger, ref, target.name, at, None)
            else:
                now_ns = max(ledger.clock(), 0)
                origin = notes.ThreadOrigin(now_ns, at, source.name)
                move = RefUpdate(
                    *(notes.thread_ref(target.name), at, expected(ref), origin.encode()),
                    log=notes.Note("fork", (source.name,)).encode(),
                    time_ns=now_ns,
                )
            try:
                ledger.engine.commit(refs=[move, *updates])
            except RefConflict:
                continue
            return
        raise crowded(target.name)

    # --- pruning -----------------------------------------------------------------------------

    def prune(self, thread_id: str, *, keep_last: int = 1, max_age_ns: int | None = None) -> None:
        """Remove all but some checkpoints of each namespace, and what those need.

        Args:
            thread_id: whose.
            keep_last: so many with the greatest ids stay.
            max_age_ns: so do those not older than this.
        """
        for space in list(self._catalogue.spaces(thread_id)):
            rows = {row.checkpoint_id: row for row in self._catalogue.rows(space)}
            kept: dict[str, Row] = {}
            for newer, row in enumerate(rows.values()):
                if newer < keep_last or self._is_young(row, max_age_ns):
                    self._add_closure(kept, rows, row)
            if len(kept) < len(rows):
                self._cut(space, rows, kept)

    def _is_young(self, row: Row, max_age_ns: int | None) -> bool:
        if max_age_ns is None:
            return False
        created_ns = self._ledger.ancestry.point(row.record).created_ns
        return self._ledger.clock() - created_ns <= max_age_ns

    def _add_closure(self, kept: dict[str, Row], rows: dict[str, Row], row: Row) -> None:
        """Keep a row, and the ancestors that its delta channels are computed from.

        A channel is computed from the writes of every ancestor back to one that has its value.
        """
        ancestry, catalogue = self._ledger.ancestry, self._catalogue
        record = ancestry.record(row.record)
        wanted = set(catalogue.metadata(record).get(DELTA_COUNTERS, ()))
        wanted -= catalogue.channels(record)
        kept[row.checkpoint_id] = row
        seen = {row.checkpoint_id}
        while wanted:
            before = rows.get(row.parent_id or "")
            if before is None or before.checkpoint_id in seen:
                return
            kept[before.checkpoint_id] = row = before
            seen.add(row.checkpoint_id)
            wanted -= catalogue.channels(ancestry.record(row.record))

    def _cut(self, space: Space, rows: dict[str, Row], kept: dict[str, Row]) -> None:
        """Remove the other rows, and store the kept checkpoints anew, without the history."""
        gone = [row for row in rows.values() if row.checkpoint_id not in kept]
        draft = self._ledger.vault.draft()
        made: dict[str, Point] = {}
        updates: list[RefUpdate] = []
        postings: list[Posting] = []
        # A parent has a smaller step than its child.
        point = self._ledger.ancestry.point
        for row in sorted(kept.values(), key=lambda row: point(row.record).step):
            again, added = self._again(draft, row, made.get(row.parent_id or ""))
            made[row.checkpoint_id] = again
            postings += added
            updates += row._replace(record=again.id).updates()
        updates += [update for row in gone for update in row.removals()]
        updates += [update._replace(target=None) for row in gone for update in self._tasks(row)]
        ids = {row.record: row.checkpoint_id for row in rows.values()}
        for _ in range(RETRIES_MAX):
            ref = self._ledger.ref(space.name)
            at = ids.get(ref.target, "") if ref is not None and ref.target is not None else ""
            head = made.get(at) or made[next(iter(rows))]
            move = head_move(self._ledger, ref, space.name, head.id, None)
            try:
                draft.commit([move, *updates], add=postings)
            except RefConflict:
                continue
            return
        raise crowded(space.name)

    def _again(self, draft: Draft, row: Row, before: Point | None) -> tuple[Point, list[Posting]]:
        """The checkpoint of a row, put after another one; nothing of its state is copied."""
        ledger = self._ledger
        old = ledger.ancestry.record(row.record)
        edit = Edit(ledger.vault, ledger.codec, old.root, base=row.record)
        try:
            root = put_edit(draft, edit)
        finally:
            edit.close()
        meta = put_meta(draft, ledger.codec, self._catalogue.meta(old))
        placed = place(
            *(draft, ledger.ancestry, before, Content(root, meta, old.label, old.tags)),
            thread=old.thread,
            time_ns=old.created_ns,
            base=row.record,
        )
        return ledger.ancestry.keep(*placed), placed.postings
