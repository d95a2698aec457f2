"""`casckpt tag`: list, add and remove tags.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

import click

from casckpt.cli import exits, output
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean

__all__ = ["tag"]


@command(
    "tag",
    short="list, add or remove tags",
    examples="""
        casckpt tag support/alice golden reviewed   # add
        casckpt tag -d support/alice golden         # remove
        casckpt tag support/alice                   # list
        casckpt find --tag golden
    """,
    exit_codes=(
        exits.NOT_FOUND,
        exits.CONFLICT,
        exits.CORRUPT,
        exits.STORAGE,
        exits.STORE_FILE,
    ),
)
@click.argument("revision", metavar="REV", shell_complete=complete_revision)
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("-d", "--delete", is_flag=True, help="Remove instead of adding.")
@json_option
@pass_session
def tag(
    session: Session, revision: str, tags: tuple[str, ...], delete: bool, as_json: bool
) -> None:
    """Add each TAG to REV, or remove it; without a TAG, list those of REV."""
    if delete and not tags:
        msg = "-d needs the tags to remove"
        raise click.UsageError(msg, click.get_current_context())
    with session.open() if tags else session.read() as store:
        checkpoint = store.checkpoint(revision)
        if delete:
            checkpoint.untag(*tags)
        elif tags:
            checkpoint.tag(*tags)
        if as_json:
            output.print_json(output.checkpoint_fields(checkpoint))
        else:
            for name in checkpoint.tags:
                click.echo(clean(name))
