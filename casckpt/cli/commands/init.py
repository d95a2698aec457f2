"""`casckpt init`: make a store.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

from pathlib import Path

import click

import casckpt
from casckpt.cli import exits
from casckpt.cli.command import command, json_option
from casckpt.cli.output import print_json
from casckpt.cli.session import STORE_NAME, Session, pass_session
from casckpt.cli.values import clean

__all__ = ["init"]


@command(
    "init",
    short="make an empty store",
    examples="""
        casckpt init                         # .casckpt in this folder
        casckpt -s agents.casckpt init
    """,
    exit_codes=(exits.STORAGE, exits.STORE_FILE),
)
@json_option
@pass_session
def init(session: Session, as_json: bool) -> None:
    """Make an empty store: the one named with -s, else .casckpt in this folder.

    A store that is there already stays as it is.
    """
    path = session.path if session.named else Path(STORE_NAME)
    existed = True
    try:
        casckpt.open(path, create=False, read_only=True).close()
    except casckpt.NotAStoreError:
        existed = False
        casckpt.open(path, create=True).close()
    if as_json:
        print_json({"store": str(path), "created": not existed})
    else:
        said = "there is a store already:" if existed else "made an empty store:"
        click.echo(f"{said} {clean(str(path))}")
