"""The entry point: runs a command and turns every foreseeable failure into one line.

Invariants: no traceback for anything a user, a disk or a store can cause; the exit code is
the one of `casckpt.cli.exits`; with `--json` the error is one JSON object on stderr.

Imports: casckpt, click.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

import casckpt
from casckpt.cli import exits
from casckpt.cli.app import PipeClosedError, app
from casckpt.cli.streams import drop_output, open_streams
from casckpt.cli.style import colour_wanted
from casckpt.cli.values import clean

__all__ = ["main", "run"]


def main() -> None:
    """What the `casckpt` executable runs."""
    open_streams()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # told already; Python would try once more, and tell it its own way
        drop_output()
    sys.exit(code)


def run(args: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        its exit code.
    """
    as_json = "--json" in args
    # A terminal that cannot show a character gets an escape for it, never a crash.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app.main(
            list(args), prog_name="casckpt", standalone_mode=False, color=colour_wanted()
        )
        return code if isinstance(code, int) else exits.OK
    except click.ClickException as error:
        return _report("usage", error.format_message(), as_json, hint=_usage_hint(error))
    except casckpt.CasckptError as error:
        hint = _hint(error, args)
        return _report(error.code, error.message, as_json, details=error.details, hint=hint)
    except PipeClosedError:
        # Python flushes standard output once more on its way out: let that go nowhere.
        drop_output()
        return exits.PIPE_CLOSED
    except (click.Abort, KeyboardInterrupt):
        return _report("interrupted", "interrupted", as_json, exit_code=exits.INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        closed = error.errno == errno.EBADF and not where
        why = "standard input or output is closed" if closed else error.strerror or error
        return _report("storage", f"{where}{why}", as_json)


def _usage_hint(error: click.ClickException) -> str | None:
    ctx = getattr(error, "ctx", None)
    return f"see '{ctx.command_path} --help'" if ctx is not None else None


def _hint(error: casckpt.CasckptError, args: Sequence[str]) -> str | None:
    if error.code == "invalid-input":
        command = _command(args)
        return f"see 'casckpt {command} --help'" if command else None
    if error.code == "not-found" and "thread" in error.details:
        return None if error.details.get("candidates") else "'casckpt threads' lists all"
    # An offset is one in a file that came from elsewhere: the store is not damaged.
    if error.code == "corrupt" and "fsck" not in error.message and "offset" not in error.details:
        return "'casckpt fsck' says what else is damaged"
    return None


def _command(args: Sequence[str]) -> str:
    """The words of the command in these arguments."""
    words: list[str] = []
    commands: Mapping[str, click.Command] = app.commands
    for arg in args:
        found = commands.get(arg)
        if found is not None:
            words.append(arg)
            if not isinstance(found, click.Group):
                break
            commands = found.commands
    return " ".join(words)


def _report(
    code: str,
    message: str,
    as_json: bool,
    *,
    details: dict[str, Any] | None = None,
    hint: str | None = None,
    exit_code: int | None = None,
) -> int:
    number = exits.BY_CODE[code] if exit_code is None else exit_code
    if as_json:
        record = {"error": code, "message": message, "exit": number, "details": details or {}}
        click.echo(json.dumps(record, ensure_ascii=False, default=str), err=True)
    else:
        line = " ".join(message.split())
        click.echo(f"casckpt: {clean(line)}" + (f" ({hint})" if hint else ""), err=True)
    return number
