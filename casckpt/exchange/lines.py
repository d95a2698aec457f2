"""JSON Lines of checkpoints: writing them.

Every line is one JSON object, told apart by its `type`:

| type | fields |
|---|---|
| `casckpt` | `version`: the first line |
| `thread` | `thread`, `head`, `created_ns`, `forked_at`, `forked_from`: one a thread, before all checkpoints |
| `checkpoint` | `id`, `parent`, `thread`, `step`, `created_at`, `created_ns`, `label`, `tags`, `key` if it has one, and `meta` with `state` or `changes`, or `pruned` |
| `tags` | `id`, `tags`: those a checkpoint has now, if they were changed after it was saved |
| `end` | `threads`, `checkpoints`: how many there were |

States and meta are in JSON form (`jsonform`). Of a checkpoint whose state was pruned there are
neither: `pruned` says when (`at`) and `why`, and in `left`, base64, what is left of its record. Changes are those of `casckpt diff`, each `op`,
`path` (an array of steps), `value` and `before`, as `Change` has them; they begin with the state
of the parent, which stands in a line before.

Invariants: checkpoints come after their parents, each once. The same threads give the same
lines. Memory is one state.

Imports: casckpt, errors, ids, path, format (records), bundle (files), history, exchange (jsonform).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple

import casckpt
from casckpt.bundle.files import BundleFile, writing
from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.exchange.jsonform import room, to_form
from casckpt.format.records import PrunedRecord
from casckpt.history.ledger import Ledger
from casckpt.history.left import left_of
from casckpt.history.notes import ThreadOrigin
from casckpt.history.times import from_ns
from casckpt.ids import ObjectId
from casckpt.path import Path

__all__ = [
    "VERSION",
    "Exported",
    "Progress",
    "check_store",
    "chosen",
    "export_jsonl",
    "export_thread",
]

VERSION: Final = 1
_NOT_FOR_PEOPLE: Final = frozenset({"type", "created_ns"})
Progress = Callable[[str, int, int], None]


class Exported(NamedTuple):
    """What was written."""

    threads: int
    checkpoints: int
    bytes: int


class _Sink:
    """Counts what it writes."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.bytes = 0

    def line(self, record: dict[str, Any]) -> None:
        self.text(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")

    def text(self, text: str) -> None:
        data = text.encode()
        self._target.write(data)
        self.bytes += len(data)


def export_jsonl(
    store: casckpt.Store,
    target: BundleFile,
    threads: Iterable[str] | None = None,
    *,
    prefix: str = "",
    changes: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write checkpoints as JSON Lines; `import_jsonl` reads them back, with the same ids.

    Args:
        store: where from.
        target: a path, whose file is replaced whole or not at all; or an open binary file.
        threads: their names; None: all that begin with `prefix`.
        prefix: see `threads`.
        changes: of a checkpoint whose parent is among them, only what it changed.
        progress: told the stage, and how many checkpoints are done of how many.

    Raises:
        NotFoundError: no such thread, or none at all.
    """
    check_store(store)
    with writing(target) as file:
        return _export(store, _Sink(file), chosen(store, threads, prefix), changes, progress)


def _export(
    store: casckpt.Store,
    sink: _Sink,
    infos: list[casckpt.ThreadInfo],
    changes: bool,  # noqa: FBT001 - of this file
    progress: Progress | None,
) -> Exported:
    sink.line({"type": "casckpt", "version": VERSION})
    for info in infos:
        sink.line(
            {
                "type": "thread",
                "thread": info.name,
                "head": info.head.id,
                "created_ns": _origin_ns(store, info.name),
                "forked_at": info.forked_at,
                "forked_from": info.forked_from,
            }
        )
    order = list(_oldest_first(store, infos))
    for done, id in enumerate(order, 1):
        checkpoint = _checkpoint(store, id)
        with room():
            for record in _lines(store, checkpoint, changes=changes):
                sink.line(record)
        if progress is not None:
            progress("exporting", done, len(order))
    sink.line({"type": "end", "threads": len(infos), "checkpoints": len(order)})
    return Exported(len(infos), len(order), sink.bytes)


def export_thread(
    store: casckpt.Store, target: BundleFile, thread: str, *, progress: Progress | None = None
) -> Exported:
    """Write one thread as one JSON document, for people: oldest first, indented.

    Raises:
        NotFoundError: no such thread.
    """
    check_store(store)
    with writing(target) as file:
        (info,) = chosen(store, [thread], "")
        return _export_one(store, _Sink(file), info, progress)


def _export_one(
    store: casckpt.Store, sink: _Sink, info: casckpt.ThreadInfo, progress: Progress | None
) -> Exported:
    facts = {"thread": info.name, "forked_from": info.forked_from, "forked_at": info.forked_at}
    begin = json.dumps(facts, ensure_ascii=False, indent=2).removesuffix("\n}")
    sink.text(f'{begin},\n  "checkpoints": [')
    order = list(_oldest_first(store, [info]))
    for done, id in enumerate(order, 1):
        checkpoint = _checkpoint(store, id)
        with room():
            (record, *_) = _lines(store, checkpoint, changes=False)
            record["tags"] = list(checkpoint.tags)
            record.get("pruned", {}).pop("left", None)
            shown = {name: part for name, part in record.items() if name not in _NOT_FOR_PEOPLE}
            text = json.dumps(shown, ensure_ascii=False, allow_nan=False, indent=2)
        sink.text(("\n" if done == 1 else ",\n") + _indented(text))
        if progress is not None:
            progress("exporting", done, len(order))
    sink.text("\n  ]\n}\n")
    return Exported(1, len(order), sink.bytes)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def check_store(store: Any) -> None:
    """Raises InvalidInputError if it is no store, or an async one."""
    if not isinstance(store, casckpt.Store):
        raise InvalidInputError(
            f"a casckpt.Store is needed, not {type(store).__module__}.{type(store).__qualname__}"
            f" (of an async store: await store.run(lambda plain: ...) gives it)"
        )


def chosen(
    store: casckpt.Store, threads: Iterable[str] | None, prefix: str
) -> list[casckpt.ThreadInfo]:
    """The threads to be exported; raises NotFoundError if there are none."""
    if isinstance(threads, str):
        msg = f"threads= takes a list of names: write [{threads!r}]"
        raise InvalidInputError(msg)
    if threads is None:
        found = store.threads(prefix)
    else:
        found = []
        for name in sorted(set(threads), key=str.encode):
            store.thread(name).checkpoint()  # says which names are near
            found += [info for info in store.threads(name, limit=1) if info.name == name]
    if not found:
        msg = "there is no thread to export"
        raise NotFoundError(msg, prefix=prefix)
    return found


def _oldest_first(store: casckpt.Store, infos: list[casckpt.ThreadInfo]) -> Iterator[str]:
    """The ids of the threads' checkpoints, each once, parents before children."""
    seen: set[str] = set()
    for info in infos:
        line = []
        for checkpoint in store.thread(info.name).log():
            if checkpoint.id in seen:
                break
            line.append(checkpoint.id)
        seen.update(line)
        yield from reversed(line)


def _checkpoint(store: casckpt.Store, id: str) -> casckpt.Checkpoint:
    ledger = store._ledger  # noqa: SLF001 - of the same family
    return casckpt.Checkpoint(ledger, ledger.ancestry.point(ObjectId(bytes.fromhex(id))))


def _lines(
    store: casckpt.Store, checkpoint: casckpt.Checkpoint, *, changes: bool
) -> Iterator[dict[str, Any]]:
    ledger = store._ledger  # noqa: SLF001 - of the same family
    point = ledger.ancestry.point(ObjectId(bytes.fromhex(checkpoint.id)))
    record: dict[str, Any] = {
        "type": "checkpoint",
        "id": checkpoint.id,
        "parent": checkpoint.parent,
        "thread": checkpoint.thread,
        "step": checkpoint.step,
        "created_at": _iso(checkpoint.created_at),
        "created_ns": point.created_ns,
        "label": checkpoint.label,
        "tags": list(point.tags),
    }
    if point.key is not None:
        record["key"] = point.key
    left = left_of(ledger, point)
    if left is None:
        record["meta"] = to_form(checkpoint.meta)
    if left is not None:
        why = PrunedRecord.decode(left).note
        at = None if why.time_ns is None else _iso(from_ns(why.time_ns))
        record["pruned"] = {"at": at, "why": why.why, "left": base64.b64encode(left).decode()}
    elif changes and checkpoint.parent is not None and _whole(ledger, point.parent):
        difference = store.diff(checkpoint.parent, checkpoint)
        record["changes"] = [_change(store, change) for change in difference]
    else:
        record["state"] = to_form(checkpoint.load(), registry=store._registry)  # noqa: SLF001
    yield record
    if checkpoint.tags != point.tags:
        yield {"type": "tags", "id": checkpoint.id, "tags": list(checkpoint.tags)}


def _whole(ledger: Ledger, parent: ObjectId | None) -> bool:
    """Whether the parent's state goes along."""
    return parent is not None and left_of(ledger, ledger.ancestry.point(parent)) is None


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _change(store: casckpt.Store, change: casckpt.Change) -> dict[str, Any]:
    registry = store._registry  # noqa: SLF001 - of the same family

    def steps(path: Path) -> Any:
        return to_form(list(path), registry=registry)

    record: dict[str, Any] = {"op": change.op, "path": steps(change.path)}
    if change.op != "remove":
        record["value"] = to_form(change.new, registry=registry)
    if change.before:
        record["before"] = steps(change.before)
    return record


def _origin_ns(store: casckpt.Store, thread: str) -> int:
    ref = store._ledger.ref(thread)  # noqa: SLF001 - of the same family
    return 0 if ref is None else ThreadOrigin.decode(ref.info).created_ns
