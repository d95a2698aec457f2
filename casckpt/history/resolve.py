"""What a revision means: from a parsed text to a checkpoint, or to an error that helps.

A start is a thread's name if there is a thread of that name, else the beginning of an id. A
full id (64 digits) is never a name.

Imports: errors, ids, format (constants), storage (engine interface), history (ancestry, collected, find, keys,
ledger, listing, moves, notes, revision).
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.format.constants import KIND_CHECKPOINT, KIND_NAMES, KIND_PRUNED
from casckpt.history import collected, keys, notes
from casckpt.history.ancestry import Point
from casckpt.history.find import Query, find
from casckpt.history.ledger import Ledger
from casckpt.history.listing import near_threads
from casckpt.history.moves import head_moves_ago
from casckpt.history.revision import (
    ID_DIGITS_MIN,
    AtStep,
    Back,
    Keyed,
    Labelled,
    MovesAgo,
    Revision,
    Suffix,
    format_revision,
    is_id_prefix,
    parse_revision,
)
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.storage.engine import Ref

__all__ = ["head_of", "resolve", "with_key"]

_MATCHES_MAX: Final = 4_096
"""Objects of any kind looked at for one prefix: more digits are asked for beyond."""
_SHOWN_MAX: Final = 5
_LABELS_MAX: Final = 1_000


def resolve(ledger: Ledger, text: str, thread: str | None = None, at: Point | None = None) -> Point:
    """The checkpoint that a revision names.

    Args:
        ledger: the store.
        text: the revision.
        thread: what a revision without a start begins at.
        at: the head of that thread, if it is at hand.

    Raises:
        InvalidInputError: it does not parse, or lacks a start and there is no thread at hand.
        NotFoundError: there is no such checkpoint; `details["candidates"]` may hold others.
    """
    revision = parse_revision(text)
    suffixes = list(revision.suffixes)
    if revision.start is None:
        if thread is None:
            raise InvalidInputError(
                f"which thread? Write THREAD{format_revision(revision)}", text=text
            )
        point = _thread_at(ledger, thread, suffixes, at)
    else:
        point = _start(ledger, revision, suffixes)
    for suffix in suffixes:
        point = _step(ledger, point, suffix, text)
    return point


def head_of(ledger: Ledger, thread: str) -> Point:
    """The head of a thread; NotFoundError with near names if it has none."""
    head = ledger.head(thread)
    if head is None:
        raise _no_thread(ledger, thread)
    return head


def _start(ledger: Ledger, revision: Revision, suffixes: list[Suffix]) -> Point:
    start = revision.start or ""
    wants_moves = bool(suffixes) and isinstance(suffixes[0], MovesAgo)
    ref = _thread_ref(ledger, start)
    # A deleted thread has no head, but its moves are still known.
    if ref is not None and (ref.target is not None or wants_moves):
        return _thread_at(ledger, start, suffixes, None)
    if not is_id_prefix(start):
        raise _no_thread(ledger, start)
    point = _by_id(ledger, start.lower())
    if wants_moves:
        raise InvalidInputError(f'"@{{...}}" follows a thread\'s name; {start} is an id')
    return point


def _thread_ref(ledger: Ledger, name: str) -> Ref | None:
    """The ref of a thread; a full id is never one."""
    return None if len(name) == 2 * ID_BYTES and is_id_prefix(name) else ledger.ref(name)


def _thread_at(ledger: Ledger, thread: str, suffixes: list[Suffix], at: Point | None) -> Point:
    """Where a thread stands, or stood; takes the suffix that says so."""
    if not suffixes or not isinstance(suffixes[0], MovesAgo):
        return head_of(ledger, thread) if at is None else at
    ref, ago = ledger.ref(thread), suffixes[0].moves
    if ref is None:
        raise _no_thread(ledger, thread)
    del suffixes[0]
    target = head_moves_ago(ledger, thread, ref, ago)
    if target is None:
        raise NotFoundError(f"{thread} did not exist {ago} moves ago", thread=thread)
    return ledger.ancestry.point(target)


def _step(ledger: Ledger, point: Point, suffix: Suffix, text: str) -> Point:
    found: Point | None
    match suffix:
        case Back(steps):
            found = ledger.ancestry.ancestor(point, point.step - steps)
            why = f"only {point.step} checkpoints lie before it"
        case AtStep(step):
            found = ledger.ancestry.ancestor(point, step)
            why = f"the history has steps 0 to {point.step}"
        case Labelled(label):
            found = next(find(ledger, Query(label=label), at=point, limit=1), None)
            why = f"no checkpoint in the history has the label {label!r}"
            if found is None:
                near = _near(ledger, notes.LABELS, label)
                hint = f" (near: {', '.join(near)})" if near else ""
                raise NotFoundError(f"{text}: {why}{hint}", revision=text, candidates=near)
        case Keyed(key):
            return with_key(ledger, point, key, text)
        case MovesAgo():
            raise InvalidInputError(f'{text}: "@{{...}}" comes first', text=text)
    if found is None:
        raise NotFoundError(f"{text}: {why}", revision=text)
    return found


def with_key(ledger: Ledger, at: Point, key: str, text: str) -> Point:
    """The checkpoint that has a key in the history of `at`.

    Raises:
        NotFoundError: none has; the message begins with `text`.
    """
    found = keys.seen(ledger.books, key, at)
    if found is None:
        near = _near(ledger, notes.KEYS, key)
        hint = f" (near: {', '.join(near)})" if near else ""
        msg = f"{text}: no checkpoint in the history has the key {key!r}{hint}"
        raise NotFoundError(msg, key=key, candidates=near)
    return found


def _by_id(ledger: Ledger, prefix: str) -> Point:
    if len(prefix) == 2 * ID_BYTES:
        return _by_full_id(ledger, ObjectId(bytes.fromhex(prefix)))
    ids = ledger.engine.ids_with_prefix(prefix, limit=_MATCHES_MAX)
    matches: list[Point] = []
    for oid, stored in zip(ids, ledger.engine.read(ids), strict=True):
        if stored is not None and stored.kind in {KIND_CHECKPOINT, KIND_PRUNED}:
            matches.append(ledger.ancestry.point(oid))
    if not matches:
        when = collected.find(ledger.engine, prefix)
        if when is not None:
            raise collected.error(f"checkpoint {prefix}", when, revision=prefix)
        raise _no_thread(ledger, prefix)
    if len(matches) > 1:
        matches.sort(key=lambda point: -point.created_ns)
        candidates = [point.id.hex() for point in matches]
        shown = ", ".join(_described(point) for point in matches[:_SHOWN_MAX])
        more = f" and {len(matches) - _SHOWN_MAX} more" if len(matches) > _SHOWN_MAX else ""
        raise NotFoundError(
            f"{prefix} is the beginning of {len(matches)} ids: {shown}{more}; write more digits",
            revision=prefix,
            candidates=candidates,
        )
    return matches[0]


def _by_full_id(ledger: Ledger, oid: ObjectId) -> Point:
    (stored,) = ledger.engine.read([oid])
    if stored is None:
        if collected.find(ledger.engine, oid.hex()) is not None:
            raise collected.gone(ledger.engine, oid)
        raise NotFoundError(f"no checkpoint {oid.hex()}", revision=oid.hex())
    if stored.kind not in {KIND_CHECKPOINT, KIND_PRUNED}:
        kind = KIND_NAMES.get(stored.kind, "object")
        raise NotFoundError(f"{oid.hex()[:16]} is a {kind}, not a checkpoint", revision=oid.hex())
    return ledger.ancestry.point(oid)


def _described(point: Point) -> str:
    return f"{point.id.hex()[:16]} ({point.thread}@{point.step})"


def _no_thread(ledger: Ledger, name: str) -> NotFoundError:
    near = near_threads(ledger, name)
    hint = f" (near: {', '.join(near)})" if near else ""
    if _thread_ref(ledger, name) is not None:
        return NotFoundError(
            f"the thread {name} was deleted (undo brings it back){hint}",
            thread=name,
            candidates=near,
        )
    what = f"no thread {name}"
    if is_id_prefix(name):
        what = f"no thread and no checkpoint {name}"
    elif len(name) < ID_DIGITS_MIN and all(char in "0123456789abcdefABCDEF" for char in name):
        what += f" (an id takes {ID_DIGITS_MIN} digits or more)"
    return NotFoundError(what + hint, thread=name, candidates=near)


def _near(ledger: Ledger, kind: bytes, name: str) -> list[str]:
    lists = ledger.engine.posting_lists(kind, limit=_LABELS_MAX)
    known = [found[len(kind) :].decode(errors="replace") for found in lists]
    return get_close_matches(name, known, cutoff=0.5)
