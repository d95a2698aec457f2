"""What every command has: examples, its exit codes, `--json` where it lists or reports.

Invariant: a command without examples or exit codes cannot be declared.

Imports: click, casckpt.cli.exits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from casckpt.cli import exits

__all__ = ["Command", "Group", "command", "json_option"]

_F = TypeVar("_F", bound=Callable[..., Any])

_ALWAYS: Final = (exits.OK, exits.USAGE)


class Command(click.Command):
    """A click command whose help ends with examples and exit codes."""

    def __init__(
        self, *args: Any, examples: str, exit_codes: tuple[int, ...], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples.strip().splitlines()
        self.exit_codes = tuple(sorted({*_ALWAYS, *exit_codes}))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples as written, then what each exit code means."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"  {line.strip()}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), exits.MEANINGS[code]) for code in self.exit_codes])
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """Commands behind a common first word; each has its own help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where examples and exit codes are."""
        formatter.write_paragraph()
        formatter.write_text(f"Examples and exit codes: {ctx.command_path} COMMAND --help")
        super().format_epilog(ctx, formatter)


def command(
    name: str, *, short: str, examples: str, exit_codes: tuple[int, ...]
) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command.

    Args:
        name: of the command.
        short: what it is for, in a few words, as lists of commands say it.
        examples: command lines, each with a remark or none.
        exit_codes: besides 0 and 2, which every command has.
    """
    return click.command(
        name, cls=Command, short_help=short, examples=examples, exit_codes=exit_codes
    )


def json_option(function: _F) -> _F:
    """`--json`: one JSON object a line; errors on stderr in JSON too."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object a line, for programs."
    )(function)
