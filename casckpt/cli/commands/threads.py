"""`casckpt threads`: the threads of a store.

Imports: click, casckpt.cli.
"""

from __future__ import annotations

import click

from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_thread
from casckpt.cli.params import offset_option
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean

__all__ = ["threads"]


@command(
    "threads",
    short="list threads",
    examples="""
        casckpt threads
        casckpt threads support/ -n 20
        casckpt threads --json | jq -r .name
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("prefix", shell_complete=complete_thread, default="")
@click.option("-n", "--limit", type=click.IntRange(0), help="At most so many.")
@click.option(
    "--after", shell_complete=complete_thread, metavar="THREAD", help="Only those behind this one."
)
@offset_option
@json_option
@pass_session
def threads(
    session: Session, prefix: str, limit: int | None, after: str | None, offset: int, as_json: bool
) -> None:
    """List threads by name, those that begin with PREFIX."""
    with session.read() as store:
        found = store.threads(prefix=prefix, limit=limit, after=after, offset=offset)
        if as_json:
            for info in found:
                output.print_json(output.thread_fields(info))
            return
        rows = [
            (
                clean(info.name),
                f"@{info.step}",
                output.short(info.head.id),
                output.when(info.updated),
                f"from {clean(info.forked_from)}" if info.forked_from else "",
            )
            for info in found
        ]
        for line in style.table(rows):
            click.echo(line)
