"""`casckpt import jsonl`: checkpoints that stand in JSON Lines.

Imports: casckpt.bundle (files), casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import click

from casckpt.bundle.files import reading
from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.commands.bundle import SHOWN
from casckpt.cli.files import input_stream
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean
from casckpt.exchange import Imported, import_jsonl

__all__ = ["import_jsonl_command", "report"]


@command(
    "jsonl",
    short="checkpoints that stand in JSON Lines",
    examples="""
        casckpt import jsonl run.jsonl
        casckpt -s copy.casckpt import jsonl run.jsonl --prefix copy/
        ssh there casckpt export support/alice | casckpt import jsonl -
    """,
    exit_codes=(
        *(exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--prefix", default="", help="Put before each thread's name.")
@click.option("--overwrite", is_flag=True, help="Also threads that have gone another way here.")
@click.option("--new-ids", is_flag=True, help="Also checkpoints that somebody has changed.")
@json_option
@pass_session
def import_jsonl_command(
    session: Session, file: str, prefix: str, overwrite: bool, new_ids: bool, as_json: bool
) -> None:
    """Take checkpoints in that stand in FILE ("-": standard input), one a line.

    What 'casckpt export' wrote comes back with the same ids. A line may be as short as
    {"thread": "t", "state": ...} (docs/exchange.md). Threads move once all lines are read.
    """
    source = input_stream() if file == "-" else file
    with reading(source) as lines, session.open_or_create(bulk=True) as store:
        with meter() as show:
            done = import_jsonl(
                *(store, lines),
                prefix=prefix,
                overwrite=overwrite,
                new_ids=new_ids,
                progress=show,
            )
        store.sync()
    report(done, as_json=as_json)


def report(done: Imported, *, as_json: bool) -> None:
    """Print what was taken in."""
    threads = [
        {
            "name": thread.name,
            "how": thread.how,
            "old": None if thread.old is None else thread.old.hex(),
            "head": thread.head.hex(),
        }
        for thread in done.threads
    ]
    if as_json:
        output.print_json({"threads": threads, "checkpoints": done.checkpoints})
        return
    rows = [(clean(t.name), output.short(t.head.hex()), SHOWN[t.how]) for t in done.threads]
    for line in style.table(rows):
        click.echo(line)
    click.echo(f"took in {done.checkpoints:,} checkpoint{'' if done.checkpoints == 1 else 's'}")
