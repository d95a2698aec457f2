"""`casckpt stats`: what a store, or a thread, holds and what its bytes are spent on.

Imports: click, casckpt, casckpt.cli.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import click

import casckpt
from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_thread
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import iso
from casckpt.cli.values import clean

__all__ = ["stats"]

_NAMES_MAX: Final = 10


@command(
    "stats",
    short="count and measure",
    examples="""
        casckpt stats                               # the whole store
        casckpt stats support/alice                 # one thread, and its largest values
        casckpt stats --json | jq .file_bytes
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("thread", required=False, shell_complete=complete_thread)
@json_option
@pass_session
def stats(session: Session, thread: str | None, as_json: bool) -> None:
    """Count threads, checkpoints, objects and bytes; reads every record, but no states.

    Of a THREAD: its checkpoints, labels, tags, times and sizes, and what its newest state has
    most of its bytes in.
    """
    with session.read() as store:
        if thread is not None:
            _thread_stats(store.thread(thread), as_json)
            return
        found = store.stats()
    if as_json:
        output.print_json({"store": str(session.path), **found.to_dict()})
        return
    factor = found.dedup_factor
    pruned = f", {found.pruned:,} pruned" if found.pruned else ""
    less = f", {factor:,.1f} times less than the states" if factor > 1 else ""
    rows = [
        ("store", clean(str(session.path))),
        ("engine", clean(found.engine)),
        ("threads", f"{found.threads:,}"),
        ("checkpoints", f"{found.checkpoints:,}{pruned}"),
        ("first", _moment(found.first, found.begun)),
        ("last", _moment(found.last, found.updated)),
        ("labels", _counted(found.labels)),
        ("tags", _counted(found.tags)),
        ("states", f"{style.size(found.states_bytes)} if each were written whole"),
        ("objects", f"{found.objects:,}"),
        ("uncompressed", style.size(found.payload_bytes)),
        ("stored", style.size(found.stored_bytes) + less),
        ("files", f"{style.size(found.file_bytes)}, {style.size(found.free_bytes)} of them free"),
    ]
    for line in style.table(rows):
        click.echo(line)
    click.echo()
    kind_rows = [("kind", "objects", "uncompressed", "stored")]
    kind_rows += [
        (name, f"{k.objects:,}", style.size(k.payload_bytes), style.size(k.stored_bytes))
        for name, k in found.kinds.items()
    ]
    for line in style.table(kind_rows, right={1, 2, 3}):
        click.echo(line)


def _thread_stats(thread: casckpt.Thread, as_json: bool) -> None:
    found = thread.summary()
    head = thread.head
    largest = head.largest() if head is not None and head.pruned is None else []
    if as_json:
        parts = [{"path": casckpt.format_path(one.path), "bytes": one.size} for one in largest]
        output.print_json({**found.to_dict(), "largest": parts})
        return
    rate = "" if found.per_hour is None else f", {found.per_hour:,.1f} an hour"
    pruned = f", {found.pruned:,} of them pruned" if found.pruned else ""
    rows = [
        ("thread", clean(found.thread)),
        ("checkpoints", f"{found.checkpoints:,}{pruned}"),
        ("first", f"{found.first[:16]}  {iso(found.begun)}"),
        ("last", f"{found.last[:16]}  {iso(found.updated)}"),
        ("span", f"{found.span}{rate}"),
        ("state", style.size(found.state_bytes)),
        ("states", f"{style.size(found.states_bytes)} if each were written whole"),
        ("labels", _counted(found.labels)),
        ("tags", _counted(found.tags)),
    ]
    for line in style.table(rows):
        click.echo(line)
    if largest:
        click.echo()
        part_rows = [("bytes", "largest values of the newest state")]
        part_rows += [
            (style.size(one.size), clean(casckpt.format_path(one.path)) or ".") for one in largest
        ]
        for line in style.table(part_rows, right={0}):
            click.echo(line)


def _moment(id: str | None, time: datetime | None) -> str:
    return "none" if id is None or time is None else f"{id[:16]}  {iso(time)}"


def _counted(counts: dict[str, int]) -> str:
    most = [f"{clean(name)} {count:,}" for name, count in list(counts.items())[:_NAMES_MAX]]
    more = [f"and {len(counts) - _NAMES_MAX} more"] if len(counts) > _NAMES_MAX else []
    return ", ".join(most + more) or "none"
