"""`casckpt completion`: print what switches on completion in a shell.

Imports: click, casckpt.cli.
"""

from __future__ import annotations

import click

from casckpt.cli import complete
from casckpt.cli.command import command

__all__ = ["completion"]


@command(
    "completion",
    short="print a completion script",
    examples="""
        eval "$(casckpt completion bash)"          # in ~/.bashrc
        eval "$(casckpt completion zsh)"           # in ~/.zshrc
        casckpt completion fish | source           # in ~/.config/fish/config.fish
    """,
    exit_codes=(),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script for SHELL.

    It completes commands, options, threads, and revisions: after THREAD: come labels,
    after THREAD@ steps, after THREAD~ how far back.
    """
    click.echo(complete.script(ctx.find_root().command, shell), nl=False)
