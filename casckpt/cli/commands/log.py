"""`casckpt log`: the checkpoints of a thread, or of the whole store, newest first.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import click

import casckpt
from casckpt.cli import exits, lanes, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision, complete_thread
from casckpt.cli.heads import Heads
from casckpt.cli.params import page_options
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import moment

__all__ = ["log"]


@command(
    "log",
    short="list checkpoints, newest first; draw forks",
    examples="""
        casckpt log                                     # everything, newest first
        casckpt log support/alice --oneline -n 20
        casckpt log --graph                             # threads and their forks
        casckpt log support/alice --label planned --since '2h ago'
        casckpt log support/alice~10 -n 5
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument(
    "revision", metavar="[THREAD|REV]", shell_complete=complete_revision, required=False
)
@click.option("--graph", is_flag=True, help="Draw the forks, one line a checkpoint.")
@click.option("--brief", is_flag=True, help="In a graph: heads, forks and tags; count the rest.")
@click.option("--oneline", is_flag=True, help="One line a checkpoint.")
@page_options
@click.option(
    "--prefix", shell_complete=complete_thread, help="Saved in a thread whose name begins so."
)
@click.option("-l", "--label", help="Only with this label.")
@click.option("-t", "--tag", help="Only with this tag.")
@click.option("--since", type=moment, metavar="TIME", help="Not before (2026-11-20, '2h ago').")
@click.option("--until", type=moment, metavar="TIME", help="Before.")
@json_option
@pass_session
def log(
    session: Session,
    revision: str | None,
    graph: bool,
    brief: bool,
    oneline: bool,
    limit: int | None,
    after: str | None,
    offset: int,
    prefix: str | None,
    label: str | None,
    tag: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """List checkpoints, newest first: the history of THREAD (or from REV), or all.

    With --graph, the histories of all threads (or of those that share history with THREAD),
    each fork drawn as a lane of its own.
    """
    filtered = any(given is not None for given in (label, tag, since, until))
    if graph and filtered:
        msg = "--graph draws whole histories: no --label, --tag, --since or --until with it"
        raise click.UsageError(msg, click.get_current_context())
    if graph and (after is not None or offset or prefix is not None):
        msg = "--graph draws from the heads: no --after, --offset or --prefix with it"
        raise click.UsageError(msg, click.get_current_context())
    if brief and not graph:
        msg = "--brief is for drawings: give --graph, too"
        raise click.UsageError(msg, click.get_current_context())
    if revision is not None and prefix is not None:
        msg = "--prefix is for the whole store: leave THREAD out, or --prefix"
        raise click.UsageError(msg, click.get_current_context())
    wanted: dict[str, Any] = {
        "label": label, "tag": tag, "since": since, "until": until,
        "limit": limit, "after": after, "offset": offset,
    }  # fmt: skip
    with session.read() as store:
        start = None if revision is None else store.checkpoint(revision)
        if graph:
            chosen = list(_newest(_family(store, start), store, limit))
            if not as_json:
                _print_graph(store, chosen, brief=brief)
                return
            found: Iterable[casckpt.Checkpoint] = chosen
        elif start is None:
            found = store.find(**wanted, prefix=prefix, pruned=True)
        else:
            found = store.thread(start.thread).log(at=start, **wanted)
        home = None if start is None else start.thread
        _print(store, found, home=home, oneline=oneline, as_json=as_json)


def _print(
    store: casckpt.Store,
    found: Iterable[casckpt.Checkpoint],
    *,
    home: str | None,
    oneline: bool,
    as_json: bool,
) -> None:
    if as_json:
        for checkpoint in found:
            output.print_json(output.checkpoint_fields(checkpoint))
        return
    heads = Heads(store)
    for number, checkpoint in enumerate(found):
        if oneline:
            click.echo(output.checkpoint_line(checkpoint, heads=heads, home=home))
            continue
        if number:
            click.echo()
        click.echo("\n".join(output.checkpoint_block(checkpoint, heads=heads)))


def _family(store: casckpt.Store, start: casckpt.Checkpoint | None) -> list[casckpt.Checkpoint]:
    """The heads to draw: all of them, or `start` and those whose histories meet its own."""
    heads = [info.head for info in store.threads()]
    if start is None:
        return heads
    first = start.ancestor(0)
    return [start, *(head for head in heads if head.ancestor(0) == first)]


def _newest(
    heads: list[casckpt.Checkpoint], store: casckpt.Store, limit: int | None
) -> Iterator[casckpt.Checkpoint]:
    """Checkpoints of these histories, newest first, each once."""
    waiting = [(-head.created_at.timestamp(), head.id, head) for head in heads]
    heapq.heapify(waiting)
    seen: set[str] = set()
    while waiting and (limit is None or len(seen) < limit):
        _, id, checkpoint = heapq.heappop(waiting)
        if id in seen:
            continue
        seen.add(id)
        yield checkpoint
        if checkpoint.parent is not None and checkpoint.parent not in seen:
            parent = store.checkpoint(checkpoint.parent)
            heapq.heappush(waiting, (-parent.created_at.timestamp(), parent.id, parent))


def _print_graph(store: casckpt.Store, chosen: list[casckpt.Checkpoint], *, brief: bool) -> None:
    heads = Heads(store)
    by_id = {checkpoint.id: checkpoint for checkpoint in chosen}
    parents = {id: checkpoint.parent for id, checkpoint in by_id.items()}
    skipped: dict[str, int] = {}
    if brief:
        keep = {id for id, checkpoint in by_id.items() if checkpoint.tags or heads.at(checkpoint)}
        parents, skipped = lanes.condense(parents, keep)
    ranks = {checkpoint.id: -rank for rank, checkpoint in enumerate(chosen)}
    for row in lanes.draw(parents, ranks):
        if row.id is None:
            click.echo(style.dim(row.lanes))
            continue
        room = style.width() - len(row.lanes) - 1 if style.is_terminal() else None
        # Each lane begins at a head, which says its thread.
        checkpoint = by_id[row.id]
        line = output.checkpoint_line(checkpoint, heads=heads, home=checkpoint.thread, room=room)
        click.echo(f"{style.dim(row.lanes)} {line}")
        if skipped.get(row.id):
            click.echo(style.dim(f"{row.below[:-1]}: {skipped[row.id]} more"))
        elif row.below.endswith(":"):
            click.echo(style.dim(row.below))
