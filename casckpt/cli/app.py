"""The command `casckpt`: options before the command, the commands by what they are for.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click

import casckpt
from casckpt.cli import complete
from casckpt.cli.commands.bundle import bundle
from casckpt.cli.commands.checkout import checkout
from casckpt.cli.commands.completion import completion
from casckpt.cli.commands.demo import demo
from casckpt.cli.commands.diff import diff
from casckpt.cli.commands.export import export
from casckpt.cli.commands.find import find
from casckpt.cli.commands.importing import import_
from casckpt.cli.commands.init import init
from casckpt.cli.commands.log import log
from casckpt.cli.commands.moves import fork, reflog, rewind, rm, undo
from casckpt.cli.commands.pack import compact, pack
from casckpt.cli.commands.prune import prune
from casckpt.cli.commands.save import save
from casckpt.cli.commands.show import show
from casckpt.cli.commands.stats import stats
from casckpt.cli.commands.tag import tag
from casckpt.cli.commands.threads import threads
from casckpt.cli.commands.upkeep import fsck, gc
from casckpt.cli.session import Session

__all__ = ["GROUPS", "PipeClosedError", "app"]

GROUPS: Final[dict[str, tuple[click.Command, ...]]] = {
    "Begin": (demo, init, save, import_),
    "Look": (threads, log, show, checkout, diff, find, reflog),
    "Move": (fork, rewind, undo, tag, rm),
    "Exchange": (export, bundle),
    "Upkeep": (prune, gc, pack, compact, fsck, stats),
    "Shell": (completion,),
}

FIRST: Final = """\
casckpt keeps checkpoints of Python state: every step of an agent, small on
disk, to be loaded, compared, forked and rewound.

First things to try:

  casckpt demo                            a short agent run, saved and explored
  casckpt init                            a store in this folder
  echo '{"n": 1}' | casckpt save me/try   a state, saved in a thread
  casckpt log                             what was saved
  casckpt --help                          all commands
"""


class PipeClosedError(Exception):
    """The reader of our output went away."""


class App(click.Group):
    """The group; lists its commands by what they are for."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a closed pipe is not an error of ours."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise PipeClosedError from error
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in their groups."""
        del ctx
        for title, members in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(c.name or "", c.get_short_help_str(80)) for c in members])


@click.group(
    cls=App,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-s",
    "--store",
    envvar="CASCKPT_STORE",
    show_envvar=True,
    metavar="STORE",
    help="The store; else the nearest .casckpt in this folder or above.",
)
@click.version_option(casckpt.__version__, message="casckpt %(version)s")
@click.pass_context
def app(ctx: click.Context, store: str | None) -> None:
    """Checkpoints of Python state: content-addressed, forkable, small."""
    ctx.obj = Session(store)
    if ctx.invoked_subcommand is None:
        click.echo(FIRST, nl=False)


for _members in GROUPS.values():
    for _member in _members:
        app.add_command(_member)

complete.register()
