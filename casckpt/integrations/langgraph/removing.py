"""Removing and copying: threads, runs, old checkpoints.

What is removed loses its row, and is gone for LangGraph at once. Its bytes go with the next
`casckpt gc` after the grace period, unless something else still reaches them: a checkpoint's
history, a tag, another thread.

Invariants: a row and the head it belongs to change in one commit; what a `DeltaChannel` of a
kept checkpoint is computed from is kept with it. Whatever others do meanwhile, no row and no head
comes to point at a checkpoint whose state is gone (`taking`).

Imports: history (ancestry, ledger, notes, placing, states), ids, storage (engine interface),
tree.edit, vault, integrations.langgraph (catalogue, keys, putting, taking).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from casckpt.history import notes
from casckpt.history.ancestry import Point
from casckpt.history.ledger import Ledger, expected
from casckpt.history.placing import Content, place
from casckpt.history.states import put_edit, put_meta
from casckpt.ids import ObjectId
from casckpt.integrations.langgraph import keys
from casckpt.integrations.langgraph.catalogue import Catalogue, Row
from casckpt.integrations.langgraph.keys import Space
from casckpt.integrations.langgraph.putting import head_move
from casckpt.integrations.langgraph.taking import settle, take
from casckpt.storage.engine import Posting, RefUpdate
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
        names = [space.name for space in spaces]

        def act(updates: list[RefUpdate]) -> None:
            self._ledger.engine.commit(refs=[*updates, *self._ends(names)])

        settle(self._ledger, names[0], lambda: self._catalogue.removals(thread_id), act)

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
        ids = {row.checkpoint_id for row in gone}

        def look() -> list[Row]:
            return [row for row in self._catalogue.rows(space) if row.checkpoint_id not in ids]

        def act(left: list[Row]) -> None:
            ref = self._ledger.ref(space.name)
            if not left:
                self._ledger.engine.commit(refs=[*updates, *self._ends([space.name])])
            elif ref is None or ref.target in {row.record for row in left}:
                self._ledger.engine.commit(refs=updates)
            else:
                newest = left[0].record
                move = head_move(self._ledger, ref, space.name, newest, None)
                take(self._ledger, [*updates, move], [newest])

        settle(self._ledger, space.name, look, act)

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

    # --- copies ------------------------------------------------------------------------------

    def copy_thread(self, source_id: str, target_id: str) -> None:
        """Give a thread the checkpoints of another: rows that point at the same records."""
        if source_id == target_id:
            return
        spaces = list(self._catalogue.spaces(source_id)) or [keys.space(source_id, "")]
        for source in spaces:
            self._copy(source, keys.space(target_id, source.checkpoint_ns))

    def _copy(self, source: Space, target: Space) -> None:
        def look() -> list[Row]:
            return list(self._catalogue.rows(source))

        def act(rows: list[Row]) -> None:
            if not rows:
                return
            updates = [update for row in rows for update in row.updates(target)]
            for row in rows:
                updates += self._catalogue.stale(row._replace(space=target))
                updates += self._catalogue.task_updates(target, row)
            head = self._ledger.head(source.name)
            at = rows[0].record if head is None else head.id
            move = self._begin(source, target, at)
            take(self._ledger, [move, *updates], [at, *(row.record for row in rows)])

        settle(self._ledger, target.name, look, act)

    def _begin(self, source: Space, target: Space, at: ObjectId) -> RefUpdate:
        """The move of the target's head; logged as a fork if there is no such thread."""
        ledger = self._ledger
        ref = ledger.ref(target.name)
        if ref is not None and ref.target is not None:
            return head_move(ledger, ref, target.name, at, None)
        now_ns = max(ledger.clock(), 0)
        origin = notes.ThreadOrigin(now_ns, at, source.name)
        return RefUpdate(
            *(notes.thread_ref(target.name), at, expected(ref), origin.encode()),
            log=notes.Note("fork", (source.name,)).encode(),
            time_ns=now_ns,
        )

    # --- pruning -----------------------------------------------------------------------------

    def prune(self, thread_id: str, *, keep_last: int = 1, max_age_ns: int | None = None) -> None:
        """Remove all but some checkpoints of each namespace, and what those need.

        Args:
            thread_id: whose.
            keep_last: so many with the greatest ids stay.
            max_age_ns: so do those not older than this.
        """
        for space in list(self._catalogue.spaces(thread_id)):

            def look(space: Space = space) -> dict[str, Row]:
                return {row.checkpoint_id: row for row in self._catalogue.rows(space)}

            def act(rows: dict[str, Row], space: Space = space) -> None:
                kept: dict[str, Row] = {}
                for newer, row in enumerate(rows.values()):
                    if newer < keep_last or self._is_young(row, max_age_ns):
                        self._add_closure(kept, rows, row)
                if len(kept) < len(rows):
                    self._cut(space, rows, kept)

            settle(self._ledger, space.name, look, act)

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
        ref = self._ledger.ref(space.name)
        at = ids.get(ref.target, "") if ref is not None and ref.target is not None else ""
        head = made.get(at) or made[next(iter(rows))]
        move = head_move(self._ledger, ref, space.name, head.id, None)
        draft.commit([move, *updates], add=postings)

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
