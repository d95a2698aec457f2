"""What commands print about checkpoints: stable JSON fields, and lines for people.

The fields of the JSON records are documented in docs/cli.md; they are only ever added to.

Imports: casckpt, casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

import click

import casckpt
from casckpt.cli import style
from casckpt.cli.heads import Heads
from casckpt.cli.times import ago, iso
from casckpt.cli.values import clean, one_line
from casckpt.exchange import to_form

__all__ = [
    "ID_DIGITS",
    "checkpoint_block",
    "checkpoint_fields",
    "checkpoint_line",
    "meta_of",
    "move_fields",
    "print_json",
    "short",
    "size_of",
    "stamp",
    "thread_fields",
    "when",
]

ID_DIGITS: Final = 10
"""Digits of an id shown to people; enough for millions of checkpoints."""


def print_json(record: dict[str, Any], *, err: bool = False) -> None:
    """One JSON object on a line of its own."""
    click.echo(json.dumps(record, ensure_ascii=False, separators=(", ", ": ")).encode(), err=err)


def short(id: str | None) -> str:
    """An id for people."""
    return "-" if id is None else id[:ID_DIGITS]


def when(time: datetime) -> str:
    """A time: relative on a terminal, ISO 8601 in UTC elsewhere."""
    return ago(time) if style.is_terminal() else iso(time)


def stamp(time: datetime) -> str:
    """A time in JSON: ISO 8601 in UTC, to the microsecond."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def checkpoint_fields(checkpoint: casckpt.Checkpoint) -> dict[str, Any]:
    """A checkpoint in JSON."""
    return {
        "id": checkpoint.id,
        "parent": checkpoint.parent,
        "thread": checkpoint.thread,
        "step": checkpoint.step,
        "label": checkpoint.label,
        "key": checkpoint.key,
        "tags": list(checkpoint.tags),
        "meta": to_form(meta_of(checkpoint)),
        "created_at": stamp(checkpoint.created_at),
        "size": size_of(checkpoint),
        "pruned": None if checkpoint.pruned is None else _pruned_fields(checkpoint.pruned),
    }


def _pruned_fields(pruned: casckpt.Pruned) -> dict[str, Any]:
    at = None if pruned.at is None else stamp(pruned.at)
    return {"at": at, "why": pruned.why, "collected": pruned.collected}


def meta_of(checkpoint: casckpt.Checkpoint) -> dict[str, Any]:
    """Its meta; {} if it has been collected with the state."""
    try:
        return dict(checkpoint.meta)
    except casckpt.PrunedError:
        return {}


def size_of(checkpoint: casckpt.Checkpoint) -> int | None:
    """Bytes of its state; None if that is not known any more."""
    try:
        return checkpoint.size
    except casckpt.PrunedError:
        return None


def checkpoint_line(
    checkpoint: casckpt.Checkpoint,
    *,
    heads: Heads | None = None,
    home: str | None = None,
    room: int | None = None,
    pruned: bool = True,
) -> str:
    """A checkpoint on one line: id, place, label, key, tags; size and time where there is room.

    Args:
        checkpoint: which.
        heads: to name the threads whose head it is.
        home: the thread that goes without saying.
        room: columns; None: those of the terminal, or no bound elsewhere.
        pruned: whether to say that its state was pruned.
    """
    if room is None:
        room = style.width() if style.is_terminal() else 1 << 20
    place = f"@{checkpoint.step}"
    if checkpoint.thread != home:
        place = f"{clean(checkpoint.thread)} {place}"
    parts: list[tuple[str, str | None]] = [(short(checkpoint.id), "yellow"), (place, None)]
    at_head = heads.at(checkpoint) if heads else []
    if at_head:
        parts.append((f"({', '.join(map(clean, at_head))})", "magenta"))
    if checkpoint.label is not None:
        parts.append((clean(checkpoint.label), "cyan"))
    if checkpoint.key is not None:
        parts.append((f"={clean(checkpoint.key)}", "blue"))
    parts.extend((f"#{clean(tag)}", "green") for tag in checkpoint.tags)
    if pruned and checkpoint.pruned is not None:
        parts.append(("pruned", "red"))
    left = room - sum(style.columns(text) + 2 for text, _ in parts)
    size = size_of(checkpoint)
    for text in (style.size(size) if size is not None else "", when(checkpoint.created_at)):
        if text and len(text) <= left:
            parts.append((text, "bright_black"))
            left -= len(text) + 2
    return "  ".join(style.paint(text, colour) if colour else text for text, colour in parts)


def checkpoint_block(checkpoint: casckpt.Checkpoint, *, heads: Heads | None = None) -> list[str]:
    """A checkpoint on several lines, one for each thing there is to say."""
    first = style.paint(f"checkpoint {checkpoint.id[:32]}", "yellow")
    at_head = heads.at(checkpoint) if heads else []
    if at_head:
        first += style.paint(f"  ({', '.join(map(clean, at_head))})", "magenta")
    lines = [first, f"Thread: {clean(checkpoint.thread)} @{checkpoint.step}"]
    if checkpoint.label is not None:
        lines.append(f"Label:  {style.paint(clean(checkpoint.label), 'cyan')}")
    if checkpoint.key is not None:
        lines.append(f"Key:    {style.paint(clean(checkpoint.key), 'blue')}")
    if checkpoint.tags:
        lines.append(f"Tags:   {style.good(' '.join(f'#{clean(tag)}' for tag in checkpoint.tags))}")
    meta, size, pruned = meta_of(checkpoint), size_of(checkpoint), checkpoint.pruned
    if meta:
        lines.append(f"Meta:   {one_line(meta, style.width() - 8)}")
    lines.append(f"Time:   {when(checkpoint.created_at)}")
    if size is not None:
        lines.append(f"Size:   {style.size(size)}")
    if pruned is not None:
        at = "" if pruned.at is None else f" {when(pruned.at)}"
        gone = ", collected by gc" if pruned.collected else ""
        lines.append(f"Pruned:{at}  {clean(pruned.why)}{gone}".rstrip())
    return lines


def thread_fields(info: casckpt.ThreadInfo) -> dict[str, Any]:
    """A thread in JSON."""
    return {
        "name": info.name,
        "head": info.head.id,
        "step": info.step,
        "created": stamp(info.created),
        "updated": stamp(info.updated),
        "forked_from": info.forked_from,
        "forked_at": info.forked_at,
    }


def move_fields(thread: str, move: casckpt.Move) -> dict[str, Any]:
    """A line of the reflog in JSON."""
    return {
        "thread": thread,
        "moves_ago": move.moves_ago,
        "kind": move.kind,
        "old": move.old,
        "new": move.new,
        "time": stamp(move.time),
        "message": move.message,
        "number": move.number,
        "position": move.position,
    }
