"""JSON Lines of checkpoints: reading them (`lines` says what they are).

What `export_jsonl` wrote comes back with the same ids: each is computed, and compared. Lines
made by hand or by others may be much shorter: `{"thread": "t", "state": ...}` is a
checkpoint behind the one before it in that thread.

Invariants: threads move when everything has been read, and not before. An error names its line.

Imports: casckpt, errors, ids, format (records), bundle (files), history, tree (change, patch), exchange.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

import casckpt
from casckpt.bundle.files import BundleFile, reading
from casckpt.errors import (
    CasckptError,
    CorruptError,
    InvalidInputError,
    NotFoundError,
    PrunedError,
)
from casckpt.exchange.grafter import Come, Grafter
from casckpt.exchange.lines import VERSION, Progress, check_store
from casckpt.exchange.read_jsonform import from_form, parse
from casckpt.format.records import TagsRecord
from casckpt.history import names
from casckpt.history.graft import Grafted
from casckpt.history.left import checked_left
from casckpt.history.notes import ThreadOrigin
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.tree.patch import apply

__all__ = ["Imported", "import_jsonl", "time_ns"]

_TIME_NS_MAX: Final = (1 << 63) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID: Final = re.compile("[0-9a-fA-F]{64}")


class Imported(NamedTuple):
    """What was taken in."""

    threads: tuple[Grafted, ...]
    checkpoints: int


def import_jsonl(
    store: casckpt.Store,
    source: BundleFile,
    *,
    prefix: str = "",
    overwrite: bool = False,
    new_ids: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Take checkpoints in that stand in JSON Lines.

    Args:
        store: where to.
        source: the lines, UTF-8: a path, or an open binary file.
        prefix: put before each thread's name.
        overwrite: move threads, too, that have gone another way here (can be undone).
        new_ids: take checkpoints, too, that come out with other ids than the lines say: those
            that somebody has changed.
        progress: told the stage, and how many lines are done (of 0: unknown).

    Raises:
        InvalidInputError: a line that is none; `details` has its number.
        ConflictError: a thread has gone another way here; none was moved.
    """
    check_store(store)
    reader = _Reader(store, prefix, new_ids=new_ids)
    try:
        with reading(source) as file:
            return _import(reader, file, overwrite=overwrite, progress=progress)
    finally:
        store._ledger.forget()  # noqa: SLF001 - see Grafter


def _import(
    reader: _Reader, source: BinaryIO, *, overwrite: bool, progress: Progress | None
) -> Imported:
    number = 0
    for number, line in enumerate(source, 1):
        if line.strip():
            try:
                reader.line(line)
            except (CasckptError, _Malformed) as error:
                _place(error, number)
        if progress is not None:
            progress("importing", number, 0)
    try:
        threads = reader.end()
    except (CasckptError, _Malformed) as error:
        _place(error, number + 1)
    return reader.finish(threads, overwrite=overwrite)


class _Malformed(Exception):
    """A line that says nothing; the message says why."""


def _place(error: CasckptError | _Malformed, number: int) -> NoReturn:
    """Raise what is wrong with a line, with its number."""
    if isinstance(error, _Malformed):
        raise InvalidInputError(f"line {number}: {error}", line=number) from error
    if not isinstance(error, InvalidInputError | NotFoundError | CorruptError):
        raise error  # of the store, not of the line
    kind = type(error) if isinstance(error, InvalidInputError) else InvalidInputError
    details = {**error.details, "line": number}
    raise kind(f"line {number}: {error.message}", **details) from error


class _Reader:
    def __init__(self, store: casckpt.Store, prefix: str, *, new_ids: bool) -> None:
        self._ledger = store._ledger  # noqa: SLF001 - of the same family
        self._registry = store._registry  # noqa: SLF001
        self._grafter = Grafter(self._ledger)
        self._prefix = prefix
        self._new_ids = new_ids
        self._renamed: dict[ObjectId, ObjectId] = {}
        """Ids in the lines -> ids here, where they differ."""
        self._threads: dict[str, tuple[ObjectId, ThreadOrigin]] = {}
        self._lasts: dict[str, ObjectId] = {}
        self._tags: dict[ObjectId, TagsRecord] = {}
        self._begun = self._ended = False
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "casckpt": self._begin,
            "thread": self._thread,
            "checkpoint": self._checkpoint,
            "tags": self._moved_tags,
            "end": self._end,
        }

    def line(self, line: bytes) -> None:
        """Take one line."""
        record = parse(line)
        if type(record) is not dict:
            raise _Malformed("not a JSON object")
        if self._ended:
            raise _Malformed("something stands behind the end")
        kind = record.get("type", "checkpoint")
        take = self._kinds.get(kind) if type(kind) is str else None
        if take is None:
            raise _Malformed(f"no line has the type {kind!r} ({', '.join(self._kinds)})")
        take(record)

    def end(self) -> list[tuple[str, ObjectId, ThreadOrigin]]:
        """Once all lines are read: names, heads and origins of the threads here."""
        if self._begun and not self._ended:
            raise _Malformed("the lines are cut off: there is no end")
        named = self._threads or {
            name: (head, ThreadOrigin(self._ledger.ancestry.point(head).created_ns))
            for name, head in self._lasts.items()
        }
        if not named:
            raise _Malformed("there is no checkpoint in these lines")
        threads = []
        for name, (head, origin) in named.items():
            if origin.forked_at is not None and origin.forked_from is not None:
                known = origin.forked_from in named
                origin = origin._replace(
                    forked_at=self._renamed.get(origin.forked_at, origin.forked_at),
                    forked_from=(self._prefix if known else "") + origin.forked_from,
                )
            target = names.check_thread_name(self._prefix + name)
            threads.append((target, self._here(head), origin))
        return threads

    def finish(
        self, threads: list[tuple[str, ObjectId, ThreadOrigin]], *, overwrite: bool
    ) -> Imported:
        """Move the threads."""
        done = self._grafter.finish(threads, self._tags.values(), overwrite=overwrite)
        return Imported(tuple(done), self._grafter.checkpoints)

    def _begin(self, record: dict[str, Any]) -> None:
        version = _field(record, "version", int)
        if version != VERSION:
            msg = f"lines of version {version}, this reads version {VERSION}: upgrade casckpt"
            raise _Malformed(msg)
        self._begun = True

    def _thread(self, record: dict[str, Any]) -> None:
        name = names.check_thread_name(_field(record, "thread", str))
        if name in self._threads:
            raise _Malformed(f"the thread {name} stands twice")
        origin = ThreadOrigin(_time(record) or 0)
        if record.get("forked_at") is not None:
            forked_from = names.check_thread_name(_field(record, "forked_from", str))
            origin = origin._replace(forked_at=_id(record, "forked_at"), forked_from=forked_from)
        self._threads[name] = (_id(record, "head"), origin)

    def _checkpoint(self, record: dict[str, Any]) -> None:
        thread = names.check_thread_name(_field(record, "thread", str))
        if "parent" not in record:
            parent = self._lasts.get(thread)
        else:
            parent = None if record["parent"] is None else self._here(_id(record, "parent"))
        said = _id(record, "id") if "id" in record else None
        if "pruned" in record:
            oid = self._left(record["pruned"])
            if said is not None and oid != said:
                raise _Malformed("what is left of the checkpoint is of another")
            self._lasts[thread] = oid
            return
        meta = from_form(record.get("meta") or {})
        label = None if record.get("label") is None else _field(record, "label", str)
        come = Come(
            thread=thread,
            state=self._state(record, parent),
            parent=parent,
            created_ns=_time(record),
            label=label,
            tags=_tags(record),
            meta=meta,
            key=None if record.get("key") is None else _field(record, "key", str),
        )

        def agree(found: ObjectId) -> None:
            if said is not None and found != said and not self._new_ids:
                msg = (
                    f"the checkpoint comes out as {found.hex()[:16]}, not as {said.hex()[:16]}: "
                    "the line was changed (new ids can be allowed)"
                )
                raise _Malformed(msg)

        exactly = said is not None and not self._new_ids
        oid = self._grafter.add(come, exactly=exactly, agree=agree)
        if said is not None and said != oid:
            self._renamed[said] = oid
        self._lasts[thread] = oid

    def _left(self, pruned: Any) -> ObjectId:
        """Take what is left of a pruned checkpoint."""
        if type(pruned) is not dict:
            raise _Malformed('"pruned" must be an object')
        try:
            payload = base64.b64decode(_field(pruned, "left", str), validate=True)
        except ValueError:
            raise _Malformed('"left" must be base64') from None
        parents = checked_left(payload).record.parents
        if [self._here(parent) for parent in parents] != [*parents]:
            raise _Malformed("it cannot follow a parent that has a new id: its state is gone")
        return self._grafter.add_left(payload)

    def _state(self, record: dict[str, Any], parent: ObjectId | None) -> Any:
        if ("state" in record) == ("changes" in record):
            raise _Malformed('a checkpoint has a "state", or "changes"')
        if "state" in record:
            return from_form(record["state"], registry=self._registry)
        if parent is None:
            raise _Malformed("changes need a parent")
        before = self._grafter.state(parent)
        changes = [self._change(item) for item in _field(record, "changes", list)]
        try:
            return apply(before, changes, self._registry)
        except CasckptError as error:
            raise _Malformed(
                f"the changes do not fit the parent's state: {error.message}"
            ) from None

    def _change(self, item: Any) -> casckpt.Change:
        if type(item) is not dict:
            raise _Malformed("a change is a JSON object")
        parts = {
            name: from_form(item[name], registry=self._registry)
            for name in ("path", "value", "before")
            if name in item
        }
        path, before = parts.get("path"), parts.get("before", [])
        if type(path) is not list or type(before) is not list:
            raise _Malformed("the path of a change is an array of steps")
        op = _field(item, "op", str)
        return casckpt.Change(op, path, None, parts.get("value"), before=tuple(before))

    def _moved_tags(self, record: dict[str, Any]) -> None:
        oid = self._here(_id(record, "id"))
        self._tags[oid] = TagsRecord(oid, names.check_tags(_tags(record)))

    def _end(self, record: dict[str, Any]) -> None:
        if _field(record, "checkpoints", int) != self._grafter.checkpoints:
            raise _Malformed("the end counts other checkpoints than there are")
        self._ended = True

    def _here(self, oid: ObjectId) -> ObjectId:
        oid = self._renamed.get(oid, oid)
        try:
            self._ledger.ancestry.point(oid)
        except PrunedError:
            msg = f"checkpoint {oid.hex()[:16]} is neither in a line before nor in this store"
            raise _Malformed(msg) from None
        return oid


def _field(record: dict[str, Any], name: str, kind: type) -> Any:
    if name not in record:
        raise _Malformed(f'"{name}" is missing')
    if type(record[name]) is not kind:
        wanted = {str: "text", int: "a whole number", list: "an array"}[kind]
        raise _Malformed(f'"{name}" must be {wanted}')
    return record[name]


def _id(record: dict[str, Any], name: str) -> ObjectId:
    text = _field(record, name, str)
    if not _ID.fullmatch(text):
        raise _Malformed(f'"{name}" must be the id of a checkpoint ({2 * ID_BYTES} digits)')
    return ObjectId(bytes.fromhex(text))


def _tags(record: dict[str, Any]) -> list[str]:
    tags = record.get("tags", [])
    if type(tags) is not list:
        raise _Malformed('"tags" must be an array')
    return list(tags)


def _time(record: dict[str, Any]) -> int | None:
    if "created_ns" in record:
        found = _field(record, "created_ns", int)
        if not 0 <= found <= _TIME_NS_MAX:
            raise _Malformed('"created_ns" is out of range')
        return int(found)
    if record.get("created_at") is None:
        return None
    found = time_ns(record["created_at"])
    if found is None:
        raise _Malformed('"created_at" is not a time (ISO 8601)')
    return found


def time_ns(value: Any) -> int | None:
    """Nanoseconds since 1970-01-01 UTC, of an ISO 8601 text or a number; None: it is no time.

    A text without a zone is taken for UTC. A number counts seconds, or milliseconds,
    microseconds or nanoseconds if it would otherwise lie far in the future.
    """
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        found = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    elif type(value) is int or (type(value) is float and abs(value) < _TIME_NS_MAX):
        unit = 1_000_000_000
        while unit > 1 and abs(value) * unit >= 1 << 63:
            unit //= 1_000
        # A float has no more than microseconds to tell.
        found = value * unit if type(value) is int else round(value * unit / 1_000) * 1_000
    else:
        return None
    return found if 0 <= found <= _TIME_NS_MAX else None
