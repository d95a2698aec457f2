"""`casckpt find`: checkpoints by what is known of them.

Imports: click, casckpt.cli.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from casckpt.cli import exits, output
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_thread
from casckpt.cli.params import meta_option, page_options
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import moment

__all__ = ["find"]


@command(
    "find",
    short="checkpoints by label, tag, meta, time",
    examples="""
        casckpt find --label planned --tag green
        casckpt find --prefix support/ --since yesterday
        casckpt find --meta model=small -n 1 --json
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.option("--thread", shell_complete=complete_thread, help="In the history of this thread.")
@click.option(
    "--prefix", shell_complete=complete_thread, help="Saved in a thread whose name begins so."
)
@click.option("-l", "--label", help="With this label.")
@click.option("-t", "--tag", help="With this tag.")
@click.option("-k", "--key", help="With this key.")
@meta_option("With this fact, JSON or text; repeatable.")
@click.option("--since", type=moment, metavar="TIME", help="Not before (2026-11-20, '2h ago').")
@click.option("--until", type=moment, metavar="TIME", help="Before.")
@click.option("--pruned", is_flag=True, help="Those whose states were pruned, too.")
@page_options
@json_option
@pass_session
def find(
    session: Session,
    thread: str | None,
    prefix: str | None,
    label: str | None,
    tag: str | None,
    key: str | None,
    meta: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
    pruned: bool,
    limit: int | None,
    after: str | None,
    offset: int,
    as_json: bool,
) -> None:
    """List the checkpoints that fit every condition, newest first.

    Finds what was rewound away, too. To find nothing is no error.
    """
    with session.read() as store:
        found = store.find(
            thread=thread,
            prefix=prefix,
            label=label,
            tag=tag,
            key=key,
            meta=meta or None,
            since=since,
            until=until,
            pruned=pruned,
            limit=limit,
            after=after,
            offset=offset,
        )
        for checkpoint in found:
            if as_json:
                output.print_json(output.checkpoint_fields(checkpoint))
            else:
                click.echo(output.checkpoint_line(checkpoint))
