"""Checkpoints that hand-made managers have kept in files: session files, and named checkpoints.

Both are JSON objects with a state and something about it, under names that differ. The first
of these that is there is taken; whatever else an object has goes to meta, under its own name:

| ours | theirs |
|---|---|
| state | `state`, `data`, `snapshot`, `values` |
| label | `reason`, `name`, `label` (session files), `name`, `label`, `reason` (named) |
| time | `timestamp`, `created_at`, `saved_at`, `time`, `ts`; of a session file else when it was changed |
| thread | `session_id`, `session`, `thread_id`; else the name of the folder or file; what no name may have is written as `-` |
| meta | `metadata` or `meta`, and everything else |

States are taken literally: whatever JSON has, NaN and Infinity, too. What cannot be taken is
skipped, and said to be.

Invariants: the same files come out with the same ids, so what was taken in before is not taken
in again. Names in files become names of threads, never of files. Threads move at the end.

Imports: casckpt, errors, ids, history, exchange (grafter, read_lines).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import casckpt
from casckpt.errors import InvalidInputError, LimitError, UnsupportedValueError
from casckpt.exchange.grafter import Come, Grafter
from casckpt.exchange.lines import Progress, check_store
from casckpt.exchange.read_lines import time_ns
from casckpt.history import meta as metas
from casckpt.history import names
from casckpt.history.graft import Grafted
from casckpt.history.notes import ThreadOrigin
from casckpt.ids import ObjectId

__all__ = ["Foreign", "Skipped", "import_named", "import_session_files"]

_STATES: Final = ("state", "data", "snapshot", "values")
_TIMES: Final = ("timestamp", "created_at", "saved_at", "time", "ts")
_SESSIONS: Final = ("session_id", "session", "thread_id")
_PARENTS: Final = ("parent_session_id", "parent_session")
_NUMBERS: Final = ("sequence", "step", "index", "number")
_METAS: Final = ("metadata", "meta")
_SPELLED: Final = re.compile(r"[~^:@{}\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What the name of a thread may not have."""
_DIGITS: Final = re.compile(r"(\d+)")


class Skipped(NamedTuple):
    """Something that was not taken in."""

    where: str
    """A file's name, or a place in a file."""
    why: str


class Foreign(NamedTuple):
    """What was taken in."""

    threads: tuple[Grafted, ...]
    checkpoints: int
    without_time: int
    """Checkpoints whose times are those of files, or of now."""
    skipped: tuple[Skipped, ...]


class _Found(NamedTuple):
    """One checkpoint of theirs."""

    where: str
    thread: str
    fields: dict[str, Any]
    time_ns: int | None
    known_time: bool
    parent: str | None
    """The name of the session that this one goes on from."""


def import_session_files(
    store: casckpt.Store,
    folder: str | Path,
    *,
    thread: str | None = None,
    prefix: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Foreign:
    """Take in a folder of JSON files, each a checkpoint of a session.

    A session that says which one it goes on from is a fork of that, if that is in the folder, too.

    Args:
        store: where to.
        folder: the files that end in .json are read, in order of time.
        thread: the thread's name, whatever the files say.
        prefix: put before each thread's name.
        overwrite: move threads, too, that have gone another way here (can be undone).
        progress: told the stage, and how many checkpoints are done of how many.

    Raises:
        InvalidInputError: nothing in the folder can be taken in.
        ConflictError: a thread has gone another way here.
    """
    check_store(store)
    skipped: list[Skipped] = []
    found = list(_session_files(Path(folder), thread, skipped))
    taking = _Taking(store, prefix, ("reason", "name", "label"), skipped)
    return taking.take(found, str(folder), overwrite=overwrite, progress=progress)


def import_named(
    store: casckpt.Store,
    text: bytes | str,
    *,
    where: str = "checkpoints",
    thread: str | None = None,
    prefix: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Foreign:
    """Take in the exported JSON of a session's named checkpoints.

    Args:
        store: where to.
        text: an array of checkpoints, or an object with one as `checkpoints`.
        where: what the text is called; the thread's name, if nothing else says one.
        thread: the thread's name, whatever the text says.
        prefix: put before each thread's name.
        overwrite: move threads, too, that have gone another way here (can be undone).
        progress: told the stage, and how many checkpoints are done of how many.

    Raises:
        InvalidInputError: not such a text, or nothing in it can be taken in.
        ConflictError: a thread has gone another way here.
    """
    check_store(store)
    skipped: list[Skipped] = []
    found = list(_named(text, where, thread, skipped))
    taking = _Taking(store, prefix, ("name", "label", "reason"), skipped)
    return taking.take(found, where, overwrite=overwrite, progress=progress)


def _session_files(folder: Path, thread: str | None, skipped: list[Skipped]) -> Iterator[_Found]:
    seen: dict[str, str] = {}
    for path in sorted(folder.iterdir(), key=lambda path: _natural(path.name)):
        if path.is_dir():
            skipped.append(Skipped(path.name, "a folder"))
            continue
        if path.suffix.lower() != ".json":
            skipped.append(Skipped(path.name, "not a .json file"))
            continue
        if not path.is_file():  # a pipe, a link to nowhere
            skipped.append(Skipped(path.name, "not a file that can be read"))
            continue
        try:
            fields = _parsed(path.read_bytes())
        except (InvalidInputError, OSError) as error:
            skipped.append(Skipped(path.name, _why(error)))
            continue
        if type(fields) is not dict:
            skipped.append(Skipped(path.name, "not a JSON object"))
            continue
        same = seen.setdefault(json.dumps(fields, sort_keys=True), path.name)
        if same != path.name:
            skipped.append(Skipped(path.name, f"the same as {same}"))
            continue
        time = _time(fields)
        yield _Found(
            where=path.name,
            thread=thread or _text(fields, _SESSIONS) or folder.resolve().name,
            fields=fields,
            time_ns=path.stat().st_mtime_ns if time is None else time,
            known_time=time is not None,
            parent=_text(fields, _PARENTS),
        )


def _named(text: Any, where: str, thread: str | None, skipped: list[Skipped]) -> Iterator[_Found]:
    if not isinstance(text, bytes | str):
        msg = f"text= takes the JSON itself, bytes or str, not {type(text).__name__}"
        raise InvalidInputError(msg)
    parsed = _parsed(text)
    around = parsed if type(parsed) is dict else {}
    items = around.get("checkpoints", around if _first(around, _STATES) else parsed)
    if type(items) is dict:
        items = [items] if _first(items, _STATES) else [_with_name(*item) for item in items.items()]
    if type(items) is not list:
        msg = f'{where}: not an array of checkpoints, nor an object with one as "checkpoints"'
        raise InvalidInputError(msg)
    for number, fields in enumerate(items):
        place = f"{where}[{number}]"
        if type(fields) is not dict:
            skipped.append(Skipped(place, "not a JSON object"))
            continue
        time = _time(fields)
        own = thread or _text(fields, _SESSIONS) or _text(around, _SESSIONS) or where
        yield _Found(place, own, fields, time, time is not None, None)


class _Taking:
    """Puts what was found into a store."""

    def __init__(
        self,
        store: casckpt.Store,
        prefix: str,
        labels: tuple[str, ...],
        skipped: list[Skipped],
    ) -> None:
        self._prefix = prefix
        self._labels = labels
        self._skipped = skipped
        self._grafter = Grafter(store._ledger)  # noqa: SLF001 - of the same family
        self._ledger = store._ledger  # noqa: SLF001
        self._lines: dict[str, list[tuple[int, ObjectId]]] = {}
        """Of each thread: time and id of its checkpoints."""
        self._origins: dict[str, ThreadOrigin] = {}
        self._targets: dict[str, str] = {}
        self._without_time = 0

    def take(
        self, found: list[_Found], where: str, *, overwrite: bool, progress: Progress | None
    ) -> Foreign:
        """Take in all that can be."""
        try:
            return self._take(found, where, overwrite=overwrite, progress=progress)
        finally:
            self._ledger.forget()  # see Grafter

    def _take(
        self, found: list[_Found], where: str, *, overwrite: bool, progress: Progress | None
    ) -> Foreign:
        threads: dict[str, list[_Found]] = {}
        for one in found:
            if not _first(one.fields, _STATES):
                tried = ", ".join(_STATES)
                self._skipped.append(Skipped(one.where, f"it has no state (none of {tried})"))
            else:
                threads.setdefault(one.thread, []).append(one)
        done = 0
        for name in _parents_first(threads):
            self._begin(name, threads[name], threads)
            for one in _in_order(threads[name]):
                try:
                    self._checkpoint(name, one)
                except (UnsupportedValueError, LimitError) as error:
                    self._skipped.append(Skipped(one.where, error.message))
                    continue
                done += 1
                if progress is not None:
                    progress("importing", done, len(found))
        if not self._lines:
            more = "".join(f"; {place}: {why}" for place, why in self._skipped[:1])
            raise InvalidInputError(f"nothing in {where} is a checkpoint{more}")
        heads = [
            (self._target(name), line[-1][1], self._origins[name])
            for name, line in self._lines.items()
        ]
        grafted = self._grafter.finish(heads, overwrite=overwrite)
        return Foreign(tuple(grafted), done, self._without_time, tuple(self._skipped))

    def _target(self, session: str) -> str:
        """The thread of a session; what no name may have is written as "-"."""
        known = self._targets.get(session)
        if known is not None:
            return known
        segments = [_SPELLED.sub("-", part.strip()).lstrip("-") for part in session.split("/")]
        kept = "/".join(part for part in segments if part not in {"", ".", ".."})
        target = names.check_thread_name(self._prefix + kept)
        if target in self._targets.values():
            msg = f"two sessions would be the thread {target}: take them in one by one (thread=)"
            raise InvalidInputError(msg, thread=target)
        self._targets[session] = target
        return target

    def _begin(self, name: str, found: list[_Found], threads: dict[str, list[_Found]]) -> None:
        """Where the thread begins: at the session it goes on from, if that is here, too."""
        first = _in_order(found)[0]
        created_ns = self._ledger.clock() if first.time_ns is None else first.time_ns
        origin = ThreadOrigin(created_ns)
        parent = next((one.parent for one in found if one.parent in threads), None)
        before = [
            oid
            for time, oid in self._lines.get(parent or "", ())
            if first.time_ns is None or time <= first.time_ns
        ]
        if parent is not None and before:
            origin = ThreadOrigin(created_ns, before[-1], self._target(parent))
        self._origins[name] = origin

    def _checkpoint(self, name: str, one: _Found) -> None:
        line = self._lines.get(name, [])
        parent = line[-1][1] if line else self._origins[name].forked_at
        rest = dict(one.fields)
        state = rest.pop(_first(rest, _STATES) or "")
        label = self._label(rest)
        if one.known_time:
            del rest[_first(rest, _TIMES) or ""]
        come = Come(
            self._target(name), state, parent, one.time_ns, label, (), self._meta(one, rest)
        )
        oid = self._grafter.add(come)
        self._without_time += not one.known_time
        time = self._ledger.ancestry.point(oid).created_ns
        self._lines.setdefault(name, []).append((time, oid))

    def _label(self, rest: dict[str, Any]) -> str | None:
        """The label, taken out of the fields; what can be none stays there, for meta."""
        field = _first(rest, self._labels)
        if field is None or type(rest[field]) is not str:
            return None
        try:
            names.check_label(rest[field])
        except InvalidInputError:
            return None
        return str(rest.pop(field))

    def _meta(self, one: _Found, rest: dict[str, Any]) -> dict[str, Any]:
        own = _first(rest, _METAS)
        if own is not None and type(rest[own]) is dict:
            own_facts = rest.pop(own)
            rest = {**rest, **own_facts}
        try:
            return metas.check_meta(rest)
        except LimitError as error:
            self._skipped.append(Skipped(one.where, f"only its meta: {error.message}"))
            return {}


def _with_name(name: str, fields: Any) -> Any:
    """A checkpoint that stands under its name, or its id."""
    return {"name": name, **fields} if type(fields) is dict else fields


def _why(error: InvalidInputError | OSError) -> str:
    return error.message if isinstance(error, InvalidInputError) else error.strerror or str(error)


def _parsed(text: bytes | str) -> Any:
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"not JSON: {error}") from error


def _first(fields: dict[str, Any], wanted: Iterable[str]) -> str | None:
    """The first of these fields that is there, and not null."""
    return next((name for name in wanted if fields.get(name) is not None), None)


def _text(fields: dict[str, Any], wanted: Iterable[str]) -> str | None:
    name = _first(fields, wanted)
    value = None if name is None else fields[name]
    return str(value) if type(value) in {str, int} and value != "" else None


def _time(fields: dict[str, Any]) -> int | None:
    name = _first(fields, _TIMES)
    return None if name is None else time_ns(fields[name])


def _natural(name: str) -> list[tuple[int, str]]:
    """So that 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _in_order(found: list[_Found]) -> list[_Found]:
    """By time if all have one of their own, else by number if all have one, else as found."""
    if all(one.known_time for one in found):
        return sorted(found, key=lambda one: one.time_ns or 0)
    numbers = [_first(one.fields, _NUMBERS) for one in found]
    if all(field is not None for field in numbers):
        keys = [one.fields[field or ""] for one, field in zip(found, numbers, strict=True)]
        if all(type(key) is int for key in keys):
            return [one for _, one in sorted(zip(keys, found, strict=True), key=lambda p: p[0])]
    return found


def _parents_first(threads: dict[str, list[_Found]]) -> list[str]:
    """The names of threads, each behind the one it goes on from; circles are cut."""
    order: dict[str, None] = {}
    for name in threads:
        line: dict[str, None] = {}
        here: str | None = name
        while here is not None and here not in order and here not in line:
            line[here] = None
            here = next((one.parent for one in threads[here] if one.parent in threads), None)
        order.update(dict.fromkeys(reversed(line)))
    return list(order)
