"""`casckpt checkout`: a state, out of the store.

Imports: casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import sys

import click

from casckpt.cli import exits
from casckpt.cli.command import command
from casckpt.cli.complete import complete_revision
from casckpt.cli.files import copy_output, write_output
from casckpt.cli.params import path_option
from casckpt.cli.session import Session, pass_session
from casckpt.exchange import to_cbor, to_json

__all__ = ["checkout"]


@command(
    "checkout",
    short="write a state as JSON or CBOR",
    examples="""
        casckpt checkout support/alice > state.json
        casckpt checkout support/alice~3 -o state.json --format pretty
        casckpt checkout support/alice --path 'messages[-1].content'
        casckpt checkout a --format cbor | casckpt save b --format cbor
        casckpt checkout support/alice --path /model/weights --format raw -o weights.bin
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("revision", metavar="REV", shell_complete=complete_revision)
@click.option("-o", "--output", "file", metavar="FILE", type=click.Path(), help="Not to stdout.")
@path_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "pretty", "cbor", "raw"]),
    help="Default: pretty on a terminal, else json (one line).",
)
@pass_session
def checkout(
    session: Session, revision: str, file: str | None, path: str | None, form: str | None
) -> None:
    """Write the state of REV, or the part at PATH, to standard output or FILE.

    What JSON cannot say is written as {"$casckpt": NAME, "value": ...}; 'save' reads it
    back exactly (docs/cli.md). With --format raw the bytes of a long value are written as they
    are, piece by piece: bytes, a str as UTF-8, the items of an array. FILE is replaced whole
    or not at all.
    """
    with session.read() as store:
        checkpoint = store.checkpoint(revision)
        if form == "raw":
            with checkpoint.open(path) as source:
                copy_output(source, file, session.path)
            return
        state = checkpoint.load(path=path)
    to_terminal = file in {None, "-"} and sys.stdout.isatty()
    if form is None:
        form = "pretty" if to_terminal else "json"
    if form == "cbor":
        if to_terminal:
            msg = "CBOR is not for terminals: use -o FILE or a pipe"
            raise click.UsageError(msg, click.get_current_context())
        data = to_cbor(state)
    else:
        data = to_json(state, indent=2 if form == "pretty" else None).encode() + b"\n"
    write_output(data, file, session.path)
