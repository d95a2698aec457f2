"""A state machine over the whole public API, against the plain model.

Each rule does one thing to the store and to the model, and compares what comes of it, errors
included. Several handles take turns: two stores on one path, an asyncio handle, and (if told so)
another process; so what one remembers must not hide what another did.
After every step the heads are compared, at the end everything, and fsck has to be silent.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import casckpt
from casckpt.aio.crew import Crew
from casckpt.aio.store import Store as AioStore
from casckpt.history import retaining
from casckpt.storage.memory import MemoryEngine
from tests.exact import same
from tests.model.carried import Carried
from tests.model.checks import EXPECTED, check_checkpoint, check_everything, check_heads
from tests.model.given import (
    NAMES,
    PICK,
    WHICH,
    Clock,
    labels,
    maybe,
    metas,
    names,
    some_tags,
    values,
)
from tests.model.keyed import Keyed
from tests.model.paged import Paged
from tests.model.plain import Conflict, Kept, Missing, Model
from tests.model.policy import Rules
from tests.model.tended import Tended
from tests.model.thinned import EVERY, Thinned


class Machine(Carried, Keyed, Paged, Tended, Thinned, RuleBasedStateMachine):
    """One store; `engine` is "memory" or "lmdb"."""

    engine = "memory"
    steps = 0
    """Carried out in all, for the report."""
    elsewhere: Callable[..., Any] | None = None
    """Does something to the store at a path in another process."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.clock = Model(), Clock()
        self.bundles: list[tuple[bytes, dict[str, Any]]] = []
        self.done = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.done.callback(shutil.rmtree, self.folder)
        self.runner: asyncio.Runner | None = None
        self.aio: AioStore | None = None
        self.memory: MemoryEngine | None = None
        self.done.enter_context(mock.patch.object(retaining, "EVERY", EVERY))

    @initialize(
        first=st.lists(st.tuples(names, values, labels, some_tags, maybe), max_size=10),
        then=st.sets(st.sampled_from(["delete", "fork", "grow", "key", "tag", "thin", "undo"])),
    )
    def begin(self, first: list[Any], then: set[str]) -> None:
        """Some history, so that short runs have something to work on."""
        self.stores = [self._open(), self._open()]
        for number, (name, value, label, tags, tagged) in enumerate(first):
            self._save(name, value, label, tags if tagged else (), None, number)
        if not first:
            return
        if "key" in then:
            for name in ("a", "b"):
                self._save_keyed(name, self.grown(name, 0), {}, "k", 0)
        if "fork" in then:
            self.fork("a", "f/1", len(first), "inner")
            self.fork("b", "f/2", len(first) + 1, "any")
            self._save("f/2", 0, None, (), None, 0)
        if "tag" in then:
            self.tag(["seen"], len(first), True, "inner")
        if "thin" in then:
            for name in self.model.alive():
                self.prune(name, 0, Rules(last=1), dry=False)
        if "grow" in then:
            held = ("tag", "fork")[len(first) % 2]
            some = [(number, None, ()) for number in range(3)]
            self.save_with_retention("a", some, {"": Rules(last=1)}, True, len(first), held)
        if "undo" in then:
            self.rewind("a", len(first), True, "any")
            self._save("a", 0, None, (), None, 0)
            self.undo("a", 0, 2)
        if "delete" in then:
            self.delete("b", 0)

    def _open(self, **more: Any) -> casckpt.Store:
        if self.engine == "memory":
            return casckpt.open("memory:", engine=self._shared, clock=self.clock, **more)
        path = self.folder / "store"
        return casckpt.open(path, durability="none", clock=self.clock, **more)

    def _shared(self, _: str, header: bytes) -> MemoryEngine:
        """One for all handles."""
        self.memory = self.memory or MemoryEngine(header)
        return self.memory

    def _leave(self, store: casckpt.Store) -> None:
        if self.engine == "lmdb":
            store.close()

    def teardown(self) -> None:
        try:
            if hasattr(self, "stores"):
                self._finish()
        finally:
            if self.runner is not None:
                self.runner.run(self.aio.close())
                self.runner.close()
            for store in [*getattr(self, "stores", ()), *filter(None, [self.grower])]:
                store.close()
            self.done.close()

    def _finish(self) -> None:
        self.stores.append(self._open())
        check_everything(self.model, self.stores[-1])
        assert [str(one) for one in self.stores[-1].fsck()] == []
        self.stores[0].gc(grace=0)
        self.model.gc(self.clock.now_ns, 0)
        for store in self.stores:
            check_everything(self.model, store)
        assert [str(one) for one in self.stores[-1].fsck(level="structure")] == []

    def store(self, pick: int) -> casckpt.Store:
        return self.stores[pick % len(self.stores)]

    def some(self, pick: int, which: str = "any") -> str:
        """A checkpoint; if there are any, one of those that are rare."""
        found = [one.id for one in self.model.kept.values() if self.model.is_one(one, which)]
        return (found or list(self.model.kept))[pick % len(found or self.model.kept)]

    def both(self, real: Callable[[], Any], model: Callable[[], Any]) -> tuple[Any, Any]:
        """Do it to both; either both are refused for the same reason, or none is."""
        try:
            expected = model()
        except (Missing, Conflict) as due:
            wanted = next(k for k, v in EXPECTED.items() if v is type(due))
            with pytest.raises(wanted):
                real()
            return None, None
        return real(), expected

    def keep(
        self, saved: casckpt.Checkpoint, state: Any, label: str | None = None, **more: Any
    ) -> Kept:
        """What the model keeps of a checkpoint: all but id and time is what was asked for."""
        parent = more.get("parent", self.model.head(saved.thread))
        born = tuple(more.get("tags", ()))
        one = Kept(
            id=saved.id,
            thread=more.get("thread", saved.thread),
            parent=parent,
            step=0 if parent is None else self.model.kept[parent].step + 1,
            label=label,
            born=born,
            tags=born,
            meta=more.get("meta") or {},
            state=deepcopy(state),
            created_ns=int(saved._point.created_ns),
            key=more.get("key"),
        )
        assert saved.id not in self.model.kept
        check_checkpoint(one, saved)
        return one

    def grown(self, name: str, value: Any) -> dict[str, Any]:
        """The head's state and more."""
        head = self.model.head(name)
        state = deepcopy(self.model.kept[head].state) if head else {"items": []}
        state["items"] = [*state.get("items", []), value][-6:]
        return state

    # saving

    @rule(name=names, value=values, label=labels, tags=some_tags, meta=metas, pick=PICK)
    def save(
        self, name: str, value: Any, label: str | None, tags: Any, meta: Any, pick: int
    ) -> None:
        self._save(name, value, label, tags, meta, pick)

    def _save(self, name: str, value: Any, label: Any, tags: Any, meta: Any, by: Any) -> None:
        state, store = self.grown(name, value), by if type(by) is casckpt.Store else self.store(by)
        saved = store.thread(name).save(state, label=label, tags=tags, meta=meta)
        one = self.keep(saved, state, label, tags=tags, meta=meta, thread=name)
        self.model.saved(one, one.created_ns)

    @rule(name=names, value=values, tags=some_tags, pick=PICK, stale=st.booleans())
    def save_expecting(self, name: str, value: Any, tags: Any, pick: int, stale: bool) -> None:
        head = self.model.head(name)
        wanted = self.some(pick) if stale and self.model.kept else head
        state, thread = self.grown(name, value), self.store(pick).thread(name)
        if wanted == head:
            saved = thread.save(state, tags=tags, expect=wanted)
            one = self.keep(saved, state, None, tags=tags)
            self.model.saved(one, one.created_ns)
            return
        with pytest.raises(casckpt.ConflictError) as caught:
            thread.save(state, tags=tags, expect=wanted)
        details = caught.value.details
        assert (details["expected"], details["actual"]) == (wanted, head)
        beside = self.store(pick + 1).checkpoint(details["saved"])
        self.model.place(self.keep(beside, state, None, parent=wanted))

    @rule(name=names, value=values, label=labels, pick=PICK, how=st.sampled_from("asdn"))
    def edit(self, name: str, value: Any, label: str | None, pick: int, how: str) -> None:
        head = self.model.head(name)
        state = deepcopy(self.model.kept[head].state) if head else {}
        with self.store(pick).thread(name).edit(label=label) as draft:
            for value_of in (draft, state):
                if how == "a" and "items" in value_of:
                    value_of["items"].append(value)
                elif how == "s":
                    value_of[f"key {pick % 3}"] = value
                elif how == "d" and "items" in value_of and len(value_of["items"]):
                    del value_of["items"][pick % len(value_of["items"])]
        if draft.checkpoint.id != head:
            one = self.keep(draft.checkpoint, state, label)
            self.model.saved(one, one.created_ns)
        else:
            assert label is None
            assert same(state, self.model.kept[head].state)

    @rule(two=st.tuples(names, names), value=values, pick=PICK, fails=st.booleans())
    def batch(self, two: tuple[str, str], value: Any, pick: int, fails: bool) -> None:
        store, kept = self.store(pick), []
        before = deepcopy(self.model)
        try:
            with store.batch():
                for name in two:
                    state = self.grown(name, value)
                    one = self.keep(store.thread(name).save(state), state, None)
                    self.model.saved(one, one.created_ns)
                    kept.append(one)
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            self.model = before
            for one in kept:
                with pytest.raises(casckpt.NotFoundError):
                    store.checkpoint(one.id)

    @rule(name=names, value=values, act=st.sampled_from(["save", "undo", "edit"]))
    def awaited(self, name: str, value: Any, act: str) -> None:
        """The same by casckpt.aio, on the first store."""
        if self.runner is None:
            self.runner, crew = asyncio.Runner(), Crew(1)
            plain = self.runner.run(crew.open(lambda: self.stores[0]))
            self.aio = AioStore(crew, plain)
        thread, state = self.aio.thread(name), self.grown(name, value)
        if act == "undo":
            self.both(
                lambda: self.runner.run(thread.undo()), lambda: self.model.undo(name, self.clock())
            )
            return

        async def edit() -> Any:
            async with thread.edit() as draft:
                draft.clear()
                draft.update(state)
            return await thread.head

        saved = self.runner.run(thread.save(state) if act == "save" else edit())
        one = self.keep(self.stores[-1].checkpoint(saved.id), state, None)
        self.model.saved(one, one.created_ns)

    @precondition(lambda self: self.elsewhere is not None)
    @rule(name=names, value=values, act=st.sampled_from(["save", "undo", "delete", "gc"]))
    def elsewhere_(self, name: str, value: Any, act: str) -> None:
        """The same in another process."""
        state, path = self.grown(name, value), self.folder / "store"

        def real() -> Any:
            answer, self.clock.now_ns = type(self).elsewhere(
                act, str(path), name, state, self.clock.now_ns
            )
            if answer in {"PrunedError", "NotFoundError"}:
                raise getattr(casckpt, answer)(answer)
            return answer

        if act == "save":
            one = self.keep(self.stores[0].checkpoint(real()), state, None)
            self.model.saved(one, one.created_ns)
        elif act == "gc":
            real()
            self.model.gc(self.clock.now_ns, 0)
        else:
            self.both(real, lambda: getattr(self.model, act)(name, self.clock()))

    # moving

    @precondition(lambda self: self.model.kept)
    @rule(name=names, fork=st.sampled_from([*NAMES, "f/1", "f/2"]), pick=PICK, which=WHICH)
    def fork(self, name: str, fork: str, pick: int, which: str) -> None:
        oid, store = self.some(pick, which), self.store(pick)
        self.both(
            lambda: store.thread(name).fork(fork, oid),
            lambda: self.model.fork(name, fork, oid, self.clock()),
        )

    @precondition(lambda self: self.model.kept)
    @rule(name=st.sampled_from([*NAMES, "f/1"]), pick=PICK, near=st.booleans(), which=WHICH)
    def rewind(self, name: str, pick: int, near: bool, which: str) -> None:
        oid, to = self.some(pick, which), None
        line = list(self.model.history(self.model.head(name)))
        if near and line:
            to = pick % len(line)
            oid = line[to].id
        revision = oid if to is None else f"~{to}"
        self.both(
            lambda: self.store(pick).thread(name).rewind(revision),
            lambda: self.model.rewind(name, oid, self.clock()),
        )

    @rule(name=st.sampled_from([*NAMES, "f/1"]), pick=PICK, times=st.integers(1, 3))
    def undo(self, name: str, pick: int, times: int) -> None:
        for _ in range(times):
            real, expected = self.both(
                lambda: self.store(pick).thread(name).undo(),
                lambda: self.model.undo(name, self.clock()),
            )
            assert (real.id if real else None) == expected

    @rule(name=names, pick=PICK)
    def delete(self, name: str, pick: int) -> None:
        self.both(
            lambda: self.store(pick).thread(name).delete(),
            lambda: self.model.delete(name, self.clock()),
        )

    # tags

    @precondition(lambda self: self.model.kept)
    @rule(tags=some_tags, pick=PICK, add=st.booleans(), which=WHICH)
    def tag(self, tags: list[str], pick: int, add: bool, which: str) -> None:
        one = self.model.kept[self.some(pick, which)]
        handle = self.store(pick).checkpoint(one.id)
        if add:
            handle.tag(*tags)
            new = [*one.tags, *(tag for tag in tags if tag not in one.tags)]
        else:
            handle.untag(*tags)
            new = [tag for tag in one.tags if tag not in tags]
        self.model.retag(one.id, new, self.clock())
        assert handle.tags == one.tags == tuple(new)

    # reading

    @precondition(lambda self: self.model.kept)
    @rule(pick=PICK, other=PICK)
    def compare(self, pick: int, other: int) -> None:
        a, b = (self.model.kept[self.some(n)] for n in (pick, other))
        if a.readable and b.readable:
            changes = self.store(pick).diff(a.id, b.id)
            assert same(changes.apply(deepcopy(a.state)), b.state)

    @invariant()
    def heads_are_the_models(self) -> None:
        type(self).steps += 1
        if hasattr(self, "stores"):
            check_heads(self.model, self.store(self.clock.now_ns // 1000))
