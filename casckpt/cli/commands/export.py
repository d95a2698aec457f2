"""`casckpt export`: checkpoints as JSON Lines, or one thread as JSON for people.

Imports: casckpt.bundle (files), casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import click

from casckpt.bundle.files import writing
from casckpt.cli import exits, style
from casckpt.cli.command import command
from casckpt.cli.complete import complete_thread
from casckpt.cli.files import output_path
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean
from casckpt.exchange import export_jsonl, export_thread

__all__ = ["export"]


@command(
    "export",
    short="write checkpoints as JSON Lines, or a thread as JSON",
    examples="""
        casckpt export -o all.jsonl                      # all threads
        casckpt export support/alice | jq -c .label      # a line a checkpoint
        casckpt export --prefix support/ --changes -o support.jsonl
        casckpt export support/alice --json              # one document, to be read
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("threads", nargs=-1, metavar="[THREAD]...", shell_complete=complete_thread)
@click.option("--prefix", help="All threads whose names begin so.")
@click.option("--jsonl", is_flag=True, help="JSON Lines, for 'casckpt import jsonl' (the default).")
@click.option("--json", "document", is_flag=True, help="One thread as one document, for people.")
@click.option("--changes", is_flag=True, help="Only what each checkpoint changed, not its state.")
@click.option("-o", "--output", "file", metavar="FILE", type=click.Path(), help="Not to stdout.")
@pass_session
def export(
    session: Session,
    threads: tuple[str, ...],
    prefix: str | None,
    jsonl: bool,
    document: bool,
    changes: bool,
    file: str | None,
) -> None:
    """Write checkpoints, with labels, tags, meta, times and forks, as JSON.

    Without a THREAD: those of all. What JSON cannot say is written as {"$casckpt": NAME,
    "value": ...}. 'casckpt import jsonl' reads the lines back, with the same ids
    (docs/exchange.md). FILE is replaced whole or not at all; counts go to standard error.
    """
    if threads and prefix is not None:
        msg = "name threads or give --prefix, not both"
        raise click.UsageError(msg, click.get_current_context())
    if document and (jsonl or changes or len(threads) != 1):
        msg = "--json takes one THREAD, and neither --jsonl nor --changes"
        raise click.UsageError(msg, click.get_current_context())
    named = file is not None and file != "-"
    sys.stdout.flush()
    opened = (
        writing(output_path(file, session.path))
        if file is not None and named
        else nullcontext(sys.stdout.buffer)
    )
    with session.read() as store, meter() as show, opened as target:
        if document:
            done = export_thread(store, target, threads[0], progress=show)
        else:
            done = export_jsonl(
                *(store, target, threads or None),
                prefix=prefix or "",
                changes=changes,
                progress=show,
            )
        target.flush()
    what = f"{done.checkpoints:,} checkpoint{'' if done.checkpoints == 1 else 's'}"
    of = f"{done.threads:,} thread{'' if done.threads == 1 else 's'}"
    to = f" to {clean(file)}" if file is not None and named else ""
    click.echo(f"exported {what} of {of}{to} ({style.size(done.bytes)})", err=True)
