"""`casckpt import`: checkpoints that something else has kept, by kind of source.

A new kind is a command of its own module, entered in `SOURCES`. What it needs installed, it
imports when it runs.

Imports: click, casckpt.cli.
"""

from __future__ import annotations

from typing import Final

import click

from casckpt.cli.command import Command, Group
from casckpt.cli.commands.import_foreign import named_json, session_files
from casckpt.cli.commands.import_jsonl import import_jsonl_command
from casckpt.cli.commands.import_langgraph import import_langgraph_sqlite
from casckpt.cli.commands.import_trace import import_trace

__all__ = ["SOURCES", "import_"]

SOURCES: Final[tuple[Command, ...]] = (
    import_trace,
    import_jsonl_command,
    session_files,
    named_json,
    import_langgraph_sqlite,
)


@click.group(
    "import",
    cls=Group,
    commands=SOURCES,
    short_help="take over checkpoints from elsewhere",
    no_args_is_help=False,  # an error like any other
)
def import_() -> None:
    """Take over what something else has kept: a recorded run, another saver's database.

    The kind of source is a command of its own. The store is made if it was named and is
    not there.
    """
