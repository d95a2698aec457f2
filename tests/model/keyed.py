"""Rules of the state machine for keys: ids of checkpoints that the caller gives."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import precondition, rule

import casckpt
from tests.exact import same
from tests.model.given import PICK, labels, metas, names, some_tags, values
from tests.model.plain import Kept, Model

__all__ = ["KEYS", "Keyed", "check_keys"]

KEYS = ("k", "turn 1", "turn 2")
keys = st.sampled_from(KEYS)


class Keyed:
    """What `Machine` takes over."""

    model: Model

    @rule(
        name=names,
        said=st.fixed_dictionaries({"label": labels, "tags": some_tags, "meta": metas}),
        value=values,
        key=keys,
        pick=PICK,
        stale=st.booleans(),
    )
    def save_with_key(
        self, name: str, said: dict[str, Any], value: Any, key: str, pick: int, stale: bool
    ) -> None:
        """A key that is free; or one that is taken, and then something else is saved."""
        state = {**self.grown(name, value), "key": pick}
        taken, head = self.model.owned(name, key), self.model.head(name)
        if not stale or (taken is not None and _is(taken, state, said)):
            self._save_keyed(name, state, said, key, pick)
            return
        wanted = self.some(pick) if self.model.kept else None
        thread = self.store(pick).thread(name)
        if taken is None and wanted == head:
            saved = thread.save(state, **said, key=key, expect=wanted)
            one = self.keep(saved, state, key=key, **said)
            self.model.saved(one, one.created_ns)
            return
        with pytest.raises(casckpt.ConflictError) as caught:
            thread.save(state, **said, key=key, expect=wanted)
        details = caught.value.details
        if taken is not None:
            assert details["existing"] == taken.id
        else:
            beside = self.store(pick + 1).checkpoint(details["saved"])
            given = {**said, "tags": ()}
            self.model.place(self.keep(beside, state, parent=wanted, **given))

    @precondition(lambda self: any(one.key for one in self.model.kept.values()))
    @rule(pick=PICK, name=names, changed=st.sampled_from(["", "", "", "label", "tags", "meta"]))
    def repeat(self, pick: int, name: str, changed: str) -> None:
        """What was saved under a key, once more; or nearly that."""
        with_key = [one for one in self.model.kept.values() if one.key]
        one = with_key[pick % len(with_key)]
        if pick % 4:
            name = one.thread
        said = {"label": one.label, "tags": one.born, "meta": one.meta}
        other = {
            "label": "other",
            "tags": (*one.born, f"new {len(one.born)}"),
            "meta": {"other": 1},
        }
        if changed:
            said[changed] = other[changed]
        self._save_keyed(name, deepcopy(one.state), said, one.key, pick)

    def _save_keyed(
        self, name: str, state: Any, said: dict[str, Any], key: Any, pick: Any
    ) -> Kept | None:
        """What was saved, or was there; None: it was a conflict."""
        store = pick if isinstance(pick, casckpt.Store) else self.store(pick)
        thread, taken = store.thread(name), self.model.owned(name, key)
        if taken is not None and not _is(taken, state, said):
            with pytest.raises(casckpt.ConflictError) as caught:
                thread.save(state, **said, key=key)
            assert caught.value.details["existing"] == taken.id
            return None
        saved = thread.save(state, **said, key=key)
        if taken is not None:
            assert saved.id == taken.id
            return taken
        one = self.keep(saved, state, key=key, **said)
        self.model.saved(one, one.created_ns)
        return one

    @rule(name=names, value=values, key=keys, pick=PICK)
    def edit_with_key(self, name: str, value: Any, key: str, pick: int) -> None:
        """Taken is taken, here; and a key alone is worth a checkpoint."""
        head = self.model.head(name)
        state = deepcopy(self.model.kept[head].state) if head else {}
        thread, taken = self.store(pick).thread(name), self.model.owned(name, key)
        if taken is not None:
            with pytest.raises(casckpt.ConflictError) as caught, thread.edit(key=key):
                pytest.fail("the block has begun")
            assert caught.value.details["existing"] == taken.id
            return
        with thread.edit(key=key) as draft:
            if pick % 3:
                draft["edited"] = state["edited"] = value
        one = self.keep(draft.checkpoint, state, key=key)
        self.model.saved(one, one.created_ns)

    @rule(name=names, value=values, several=st.lists(keys, max_size=3), fails=st.booleans())
    def batch_with_keys(self, name: str, value: Any, several: list[str], fails: bool) -> None:
        """What a batch holds back has its keys in it, and if it fails, they are free."""
        store, before = self.store(len(several)), deepcopy(self.model)
        try:
            with store.batch():
                for number, key in enumerate(several):
                    state = {**self.grown(name, value), "number": number}
                    taken = self.model.owned(name, key)
                    if taken is not None and number % 2:
                        state = deepcopy(taken.state)
                    self._save_keyed(name, state, {}, key, store)
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            self.model = before


def _is(one: Kept, state: Any, said: dict[str, Any]) -> bool:
    """Whether it was saved with just this."""
    return (
        same(one.state, state)
        and one.label == said.get("label")
        and one.born == tuple(said.get("tags", ()))
        and same(one.meta, said.get("meta") or {})
    )


def check_keys(model: Model, store: casckpt.Store, shown: list[Kept]) -> None:
    """All that is found by keys; `shown` is what find shows, newest first."""
    for key in KEYS:
        fit = [one for one in shown if one.key == key]
        assert [one.id for one in store.find(key=key, pruned=True)] == [one.id for one in fit]
        found = [one.id for one in store.find(key=key, limit=2)]
        assert found == [one.id for one in fit if one.readable][:2]
        for name, head in model.alive().items():
            due = model.meant(head, key)
            thread = store.thread(name)
            own = [one.id for one in store.find(thread=name, key=key, pruned=True)]
            assert own == [one.id for one in model.history(head) if one.key == key]
            if due is None:
                with pytest.raises(casckpt.NotFoundError):
                    thread.checkpoint(key=key)
            else:
                assert thread.checkpoint(key=key).id == due.id
                assert store.checkpoint(f'{name}@="{key}"').id == due.id
