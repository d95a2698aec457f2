"""What can be seen of a store, in components; and whether a crash left what it may leave.

A component is a thread (its head and history), its reflog, the state of a checkpoint, its tags. A
step that is atomic leaves all of them as before or all as after; of the others each component.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import casckpt
from casckpt import NotFoundError, Store

Picture = dict[tuple[str, str], Any]

GONE = "gone"


def picture(store: Store, known: Collection[str] = ()) -> Picture:
    """The store's components; of the checkpoints in histories, and of those known besides."""
    seen: Picture = {}
    points = dict.fromkeys(known)
    for info in store.threads():
        thread = store.thread(info.name)
        log = [(c.id, c.step, c.label, c.parent, c.thread) for c in thread.log()]
        seen["thread", info.name] = (log[0][0], tuple(log))
        seen["reflog", info.name] = tuple((m.kind, m.old, m.new) for m in _moves(thread))
        points.update(dict.fromkeys(id for id, *_ in log))
    for id in points:
        seen["state", id], seen["tags", id] = _checkpoint(store, id)
    return seen


def _moves(thread: casckpt.Thread) -> list[Any]:
    return list(thread.reflog())


def _checkpoint(store: Store, id: str) -> tuple[str, Any]:
    try:
        point = store.checkpoint(id)
        tags = point.tags
    except NotFoundError:
        return GONE, GONE
    try:
        return repr(point.load()), tags
    except NotFoundError:
        return GONE, tags


class Reference(NamedTuple):
    """What an undisturbed run looks like."""

    pictures: list[Picture]
    """Before the first step, and after each."""
    known: list[str]
    """Every checkpoint that ever was in a history."""
    calls: list[int]
    """How many calls of the shim's there had been: at the beginning, and after each step."""


def complaint(seen: Picture, before: Picture, after: Picture, *, atomic: bool) -> str | None:
    """What is neither as before nor as after."""
    if seen in (before, after):
        return None
    keys = {*seen, *before, *after}
    if atomic:
        wrong = [key for key in keys if seen.get(key) != before.get(key)]
        return f"half of a step: against before {wrong[:3]}, against after " + str(
            [key for key in keys if seen.get(key) != after.get(key)][:3]
        )
    for key in keys:
        if key[0] in {"thread", "reflog"} and _between(
            key[0], *(p.get(key) for p in (before, seen, after))
        ):
            continue
        if seen.get(key) not in (before.get(key), after.get(key)):
            return (
                f"{key}: is {str(seen.get(key))[:200]}, was {str(before.get(key))[:200]}, "
                f"becomes {str(after.get(key))[:200]}"
            )
    return None


def _between(kind: str, before: Any, seen: Any, after: Any) -> bool:
    """Some of several saves in one step were done: a history between the two."""
    if seen is None or after is None:
        return False
    old, now, new = ((p[1] if kind == "thread" else p) if p else () for p in (before, seen, after))
    return new[len(new) - len(now) :] == now and now[len(now) - len(old) :] == old


def look(path: Path, known: Collection[str]) -> Picture:
    """Open without repair, fsck, see everything; raises AssertionError if it is not sound."""
    with casckpt.open(path, create=False, durability="none") as store:
        report = store.fsck()
        assert report.ok, f"fsck: {[str(f) for f in report][:3]}"
        return picture(store, known)


def go_on(path: Path, seen: Picture) -> None:
    """The next ones save, collect, pack; what was there stays."""
    with casckpt.open(path, create=False, durability="none") as store:
        saved = store.thread("afterwards").save({"goes": "on"})
        store.gc(grace=0, pack=True)
        report = store.fsck()
        assert not list(report), f"fsck afterwards: {[str(f) for f in report][:3]}"
        assert store.thread("afterwards").load() == {"goes": "on"}
        assert saved == store.thread("afterwards").head
        heads = {("thread", t.name): store.thread(t.name).head.id for t in store.threads()}
        for key, value in seen.items():
            if key[0] == "thread":
                assert heads[key] == value[0], f"{key} has moved"
                text = seen["state", value[0]]
                state, _ = _checkpoint(store, value[0])
                assert state == text, f"{key}: its head is another one"
