"""What a store should hold, as plain dicts and lists: the model of the state machine.

It shares no code with casckpt. A thread is its list of moves; a position in that list says
where undo goes on. What gc may take is said by reachability over parents, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.exact import exact

__all__ = ["Conflict", "Gone", "Kept", "Line", "Missing", "Model", "Shift", "take_in"]


class Missing(Exception):
    """NotFoundError is due."""


class Gone(Missing):
    """PrunedError is due."""


class Conflict(Exception):
    """ConflictError is due."""


@dataclass
class Kept:
    """A checkpoint."""

    id: str
    thread: str
    parent: str | None
    step: int
    label: str | None
    born: tuple[str, ...]
    """The tags it was saved with."""
    meta: dict
    state: Any
    created_ns: int
    key: str | None = None
    tags: tuple[str, ...] = ()
    changed: bool = False
    """Whether the tags were changed since: then they are kept apart."""
    marked: tuple[int, str] | None = None
    """When and by which policy it was pruned."""
    left: bool = False
    """Whether gc has taken its state."""
    _exact: Any = None

    def __deepcopy__(self, _: Any) -> Kept:
        """States are not changed here, so they need no copy."""
        return replace(self)

    @property
    def exact(self) -> Any:
        """The state, as it is compared."""
        if self._exact is None:
            self._exact = exact(self.state)
        return self._exact

    @property
    def readable(self) -> bool:
        return self.marked is None and not self.left


@dataclass
class Shift:
    """One move of a thread."""

    kind: str
    old: str | None
    new: str | None
    time_ns: int
    message: str = ""
    back_to: int = 0
    """Of an undo: where in the list of moves it has gone back to."""
    origin: tuple[str | None, str | None] = (None, None)
    """Of a delete: what the thread was forked from, and at."""


@dataclass
class Line:
    """A thread; without a head it was deleted."""

    head: str | None = None
    moves: list[Shift] = field(default_factory=list)
    origin: tuple[str | None, str | None] = (None, None)


@dataclass
class Pruning:
    """One entry of the memory of a thread's prunings."""

    time_ns: int
    why: str
    ids: tuple[str, ...] = ()
    undone: bool = False
    is_run: bool = True


@dataclass
class Model:
    """A store."""

    kept: dict[str, Kept] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    tag_log: list[tuple[int, str]] = field(default_factory=list)
    """When the tags of what were changed, as far as that holds the checkpoint."""
    prunings: dict[str, list[Pruning]] = field(default_factory=dict)

    # looking

    def head(self, name: str) -> str | None:
        line = self.lines.get(name)
        return None if line is None else line.head

    def alive(self) -> dict[str, str]:
        """Threads and their heads."""
        return {name: line.head for name, line in sorted(self.lines.items()) if line.head}

    def history(self, oid: str | None) -> Iterator[Kept]:
        while oid is not None:
            yield self.kept[oid]
            oid = self.kept[oid].parent

    def owned(self, name: str, key: str) -> Kept | None:
        """What a thread has given a key, in its history."""
        line = self.history(self.head(name))
        return next((one for one in line if one.key == key and one.thread == name), None)

    def meant(self, head: str, key: str) -> Kept | None:
        """What a key means in the history of a head: its own thread's comes first."""
        line = [one for one in self.history(head) if one.key == key]
        own = [one for one in line if one.thread == self.kept[head].thread]
        return next(iter(own + line), None)

    def in_store(self) -> set[str]:
        """What `find` has to show: of threads that exist, or in the history of one."""
        alive = self.alive()
        found = {one.id for one in self.kept.values() if one.thread in alive}
        for head in alive.values():
            found |= {one.id for one in self.history(head)}
        return found

    def reflog(self, name: str) -> list[Shift]:
        """The newest first; saves that were collected are skipped."""
        if name not in self.lines:
            raise Missing
        shown, skip = [], False
        for move in reversed(self.lines[name].moves):
            if move.kind == "save":
                skip = skip or move.new not in self.kept
                if skip:
                    continue
            skip = False
            shown.append(move)
        return shown

    def is_one(self, one: Kept, which: str) -> bool:
        """Whether a checkpoint is of that kind: "any" is."""
        if which == "pruned":
            return one.marked is not None
        if which == "inner":
            head = self.head(one.thread)
            return one.readable and one.id != head and any(one is old for old in self.history(head))
        if which == "elsewhere":
            return one.thread not in self.alive()
        return True

    # moving

    def place(self, one: Kept) -> None:
        self.kept[one.id] = one

    def saved(self, one: Kept, time_ns: int) -> None:
        """It is the new head of its thread."""
        self.place(one)
        line = self.lines.setdefault(one.thread, Line())
        if line.head is None:
            line.origin = (None, None)
        self._move(line, Shift("save", line.head, one.id, time_ns, one.label or ""))

    def _move(self, line: Line, move: Shift) -> None:
        line.moves.append(move)
        line.head = move.new
        if move.new is not None:
            self.kept[move.new].marked = None

    def take(self, oid: str) -> Kept:
        """What a thread may move to."""
        if oid not in self.kept or self.kept[oid].left:
            raise Gone
        return self.kept[oid]

    def fork(self, origin: str, name: str, oid: str, time_ns: int) -> None:
        self.take(oid)
        line = self.lines.get(name, Line())
        if line.head is not None:
            raise Conflict
        self.lines[name] = line
        line.origin = (origin, oid)
        self._move(line, Shift("fork", None, oid, time_ns, f"from {origin}"))

    def imported(
        self, name: str, oid: str, origin: tuple[str | None, str | None], time_ns: int
    ) -> None:
        line = self.lines.setdefault(name, Line())
        if line.head is None:
            line.origin = origin
        self._move(line, Shift("import", line.head, oid, time_ns))

    def rewind(self, name: str, oid: str, time_ns: int) -> None:
        line = self.lines.get(name)
        if line is None or line.head is None:
            raise Missing
        if oid != line.head:
            self.take(oid)
            self._move(line, Shift("rewind", line.head, oid, time_ns))

    def delete(self, name: str, time_ns: int) -> None:
        line = self.lines.get(name)
        if line is None or line.head is None:
            raise Missing
        self._move(line, Shift("delete", line.head, None, time_ns, origin=line.origin))

    def undo(self, name: str, time_ns: int) -> str | None:
        line = self.lines.get(name)
        if line is None:
            raise Missing
        at = len(line.moves)
        if at and line.moves[-1].kind == "undo":
            at = line.moves[-1].back_to
        if not at:
            raise Missing
        undone = line.moves[at - 1]
        if undone.old is not None:
            self.take(undone.old)
        if undone.kind == "delete":
            line.origin = undone.origin
        self._move(line, Shift("undo", line.head, undone.old, time_ns, back_to=at - 1))
        return undone.old

    # tags

    def retag(self, oid: str, tags: Iterable[str], time_ns: int) -> None:
        one, new = self.kept[oid], tuple(tags)
        if new == one.tags:
            return
        if new or (one.changed and one.tags):
            self.tag_log.append((time_ns, oid))
        one.tags, one.changed = new, True

    # pruning

    def prune(self, name: str, ids: list[str], why: str, time_ns: int) -> None:
        for oid in ids:
            self.kept[oid].marked = (time_ns, why)
        if ids:
            self.prunings.setdefault(name, []).append(Pruning(time_ns, why, tuple(ids)))

    def unprune(self, name: str, time_ns: int) -> set[str]:
        runs = [run for run in self.prunings.get(name, []) if run.is_run and not run.undone]
        if not runs:
            raise Missing
        back = {o for o in runs[-1].ids if o in self.kept and self.kept[o].marked}
        if not back:
            raise Gone
        for oid in back:
            self.kept[oid].marked = None
        runs[-1].undone = True
        self.prunings[name].append(Pruning(time_ns, "", is_run=False))
        return back

    # collecting

    def gc(self, now_ns: int, grace_ns: int) -> int:
        """Take what nothing holds; how many checkpoints went."""
        since = now_ns - grace_ns
        held = set(self.alive().values())
        for line in self.lines.values():
            for move in line.moves:
                if move.time_ns >= since and move.kind != "save":
                    held |= {move.old, move.new}
        due = {one.id for one in self.kept.values() if one.marked and one.marked[0] < since}
        roots = held | {one.id for one in self.kept.values() if one.tags and one.id not in due}
        roots |= {one.id for one in self.kept.values() if one.tags and one.changed}
        roots |= {oid for time_ns, oid in self.tag_log if time_ns >= since}
        live: set[str] = set()
        for root in roots & self.kept.keys():
            for one in self.history(root):
                if one.id in live:
                    break
                live.add(one.id)
        for oid in due & live - held:
            self.kept[oid].left, self.kept[oid].marked = True, None
        dead = self.kept.keys() - live
        for oid in dead:
            del self.kept[oid]
        self._forget(since)
        return len(dead)

    def _forget(self, since: int) -> None:
        def logged(line: Line) -> list[int]:
            return [move.time_ns for move in line.moves if move.kind != "save"]

        gone = [n for n, x in self.lines.items() if not x.head and max(logged(x)) < since]
        for name in gone:
            del self.lines[name]
        for name in [n for n, runs in self.prunings.items() if runs[-1].time_ns < since]:
            del self.prunings[name]


def take_in(
    model: Model,
    held: dict[str, tuple[str, tuple[str | None, str | None], list[Kept]]],
    prefix: str,
    time_ns: int,
    *,
    overwrite: bool,
) -> None:
    """Take a bundle in: by thread its head, its origin, and its line as they were."""
    for head, _, _ in held.values():
        if head in model.kept and model.kept[head].left:
            raise Gone
    moves = []
    for name, (head, origin, line) in held.items():
        here = model.head(prefix + name)
        ids = {one.id for one in line}
        if here is None or here in ids - {head} or (overwrite and here != head):
            known = prefix + origin[0] if origin[0] in held else origin[0]
            moves.append((prefix + name, head, (known, origin[1])))
        elif here != head and head not in {one.id for one in model.history(here)}:
            raise Conflict
    came = {one.id: one for _, _, line in held.values() for one in line}
    for one in sorted(came.values(), key=lambda one: one.step):
        if one.id not in model.kept:
            left = not one.readable
            new = replace(one, marked=None, left=left, tags=one.born, changed=False)
            model.place(new)
        if one.changed:
            known, tags = model.kept[one.id], one.tags
            if known.changed and not overwrite:
                tags = tuple(dict.fromkeys((*known.tags, *tags)))
            model.retag(one.id, tags, time_ns)
    for name, head, origin in moves:
        model.imported(name, head, origin, time_ns)
