"""Comparing a store with the model: its heads after each step, everything at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import casckpt
from tests.exact import exact, same
from tests.model.keyed import check_keys
from tests.model.plain import Conflict, Gone, Kept, Missing, Model

__all__ = ["EXPECTED", "check_checkpoint", "check_everything", "check_heads"]

EXPECTED = {
    casckpt.ConflictError: Conflict,
    casckpt.PrunedError: Gone,
    casckpt.NotFoundError: Missing,
}


def check_heads(model: Model, store: casckpt.Store) -> None:
    found = [
        (info.name, info.head.id, info.step, (info.forked_from, info.forked_at))
        for info in store.threads()
    ]
    wanted = [
        (name, head, model.kept[head].step, model.lines[name].origin)
        for name, head in sorted(model.alive().items(), key=lambda item: item[0].encode())
    ]
    assert found == wanted
    for name, head, *_ in wanted:
        items = model.kept[head].state.get("items")
        if items is not None:
            assert same(store.thread(name).load(path="items[-1:]"), items[-1:])


def check_checkpoint(one: Kept, found: casckpt.Checkpoint) -> None:
    """All that a checkpoint says of itself."""
    assert (found.id, found.thread, found.parent, found.step, found.label, found.tags) == (
        *(one.id, one.thread, one.parent, one.step, one.label, one.tags),
    )
    assert (found._point.created_ns, found.key) == (one.created_ns, one.key)
    if one.readable:
        assert found.pruned is None
        assert exact(found.load()) == one.exact
        assert exact(found.meta) == exact(one.meta)
        for key in one.state.keys() - {"items"}:
            assert same(found.load(path=[key]), one.state[key])
        assert list(found.view()) == list(one.state)
    else:
        told = found.pruned
        assert told is not None
        assert told.collected == one.left
        with pytest.raises(casckpt.PrunedError):
            found.load()
        with pytest.raises(casckpt.PrunedError):
            found.view()


def check_everything(model: Model, store: casckpt.Store) -> None:
    check_heads(model, store)
    for one in model.kept.values():
        check_checkpoint(one, store.checkpoint(one.id))
        assert store.checkpoint(one.id[:20]).id == one.id
    for name, head in model.alive().items():
        line = list(model.history(head))
        assert ids(store.thread(name).log()) == [one.id for one in line]
        for label in {one.label for one in line} - {None}:
            fit = [one.id for one in line if one.label == label]
            assert ids(store.thread(name).log(label=label)) == fit
            assert store.checkpoint(f'{name}:"{label}"').id == fit[0]
        assert store.checkpoint(f"{name}@{line[-1].step}").id == line[-1].id
        counted = store.thread(name).summary()
        gone = sum(not one.readable for one in line)
        assert (counted.checkpoints, counted.pruned) == (len(line), gone)
        assert counted.tags == Counter(tag for one in line for tag in one.tags)
    check_reflogs(model, store)
    check_finding(model, store)


def check_reflogs(model: Model, store: casckpt.Store) -> None:
    for name in {*model.lines, "a", "b"}:
        try:
            wanted = model.reflog(name)
        except Missing:
            with pytest.raises(casckpt.NotFoundError):
                store.thread(name).reflog()
            continue
        found = list(store.thread(name).reflog())
        shown = [(m.kind, m.old, m.new, m.message) for m in wanted]
        assert [(m.kind, m.old, m.new, m.message) for m in found] == shown
        assert [m.moves_ago for m in found] == list(range(len(found)))
        if len(wanted) == len(model.lines[name].moves):
            for ago, move in enumerate(wanted):
                if (
                    all(m.new is None or m.new in model.kept for m in wanted[: ago + 1])
                    and move.new
                ):
                    assert store.checkpoint(f"{name}@{{{ago}}}").id == move.new


def check_finding(model: Model, store: casckpt.Store) -> None:
    shown = model.in_store()
    every = sorted(
        (one for one in model.kept.values() if one.id in shown), key=lambda one: -one.created_ns
    )
    assert ids(store.find(pruned=True)) == [one.id for one in every]
    readable = [one for one in every if one.readable]
    assert ids(store.find()) == [one.id for one in readable]
    assert ids(store.find(limit=3)) == [one.id for one in readable][:3]
    for prefix in ("a", "a/", "f", "in/"):
        fit = [one.id for one in readable if one.thread.startswith(prefix)]
        assert ids(store.find(prefix=prefix)) == fit
    for tag in {tag for one in every for tag in (*one.tags, *one.born)}:
        fit = [one.id for one in every if tag in one.tags]
        assert ids(store.find(tag=tag, pruned=True)) == fit
    for label in {one.label for one in every} - {None}:
        assert ids(store.find(label=label)) == [o.id for o in readable if o.label == label]
    check_keys(model, store, every)
    fit = [one.id for one in readable if one.meta.get("cost") == 1]
    assert ids(store.find(meta={"cost": 1})) == fit


def ids(found: Any) -> list[str]:
    return [one.id for one in found]
