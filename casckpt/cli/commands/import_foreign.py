"""`casckpt import session-files` and `named-json`: what hand-made managers have kept in files.

Imports: casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.commands.bundle import SHOWN
from casckpt.cli.files import read_input
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean
from casckpt.exchange import Foreign, import_named, import_session_files

__all__ = ["named_json", "session_files"]

_CODES: Final = (
    *(exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
_SHOWN_MAX: Final = 20
"""Lines of what was skipped; --json has them all."""


@command(
    "session-files",
    short="a folder of JSON files, each a checkpoint of a session",
    examples="""
        casckpt import session-files sessions
        casckpt import session-files sessions --thread support/alice
    """,
    exit_codes=_CODES,
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--thread", help="The thread's name, whatever the files say.")
@click.option("--prefix", default="", help="Put before each thread's name.")
@click.option("--overwrite", is_flag=True, help="Also threads that have gone another way here.")
@json_option
@pass_session
def session_files(
    session: Session,
    folder: str,
    thread: str | None,
    prefix: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Take in the .json files of FOLDER, each with a state, a reason, a stage and a time.

    Which fields become what: docs/exchange.md. What cannot be taken is skipped, and listed.
    """
    with session.open_or_create(bulk=True) as store:
        with meter() as show:
            done = import_session_files(
                *(store, Path(folder)),
                thread=thread,
                prefix=prefix,
                overwrite=overwrite,
                progress=show,
            )
        store.sync()
    _report(done, as_json=as_json)


@command(
    "named-json",
    short="an exported JSON of named checkpoints",
    examples="""
        casckpt import named-json run.json
        my-manager --export | casckpt import named-json - --thread support/alice
    """,
    exit_codes=_CODES,
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--thread", help="The thread's name, whatever the file says.")
@click.option("--prefix", default="", help="Put before each thread's name.")
@click.option("--overwrite", is_flag=True, help="Also threads that have gone another way here.")
@json_option
@pass_session
def named_json(
    session: Session,
    file: str,
    thread: str | None,
    prefix: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Take in FILE ("-": standard input): checkpoints with name, data, metadata and timestamp.

    Which fields become what: docs/exchange.md. What cannot be taken is skipped, and listed.
    """
    text = read_input(file)
    with session.open_or_create(bulk=True) as store:
        with meter() as show:
            done = import_named(
                *(store, text),
                where="checkpoints" if file == "-" else Path(file).stem,
                thread=thread,
                prefix=prefix,
                overwrite=overwrite,
                progress=show,
            )
        store.sync()
    _report(done, as_json=as_json)


def _report(done: Foreign, *, as_json: bool) -> None:
    if as_json:
        threads = [
            {"name": t.name, "how": t.how, "old": t.old and t.old.hex(), "head": t.head.hex()}
            for t in done.threads
        ]
        skipped = [one._asdict() for one in done.skipped]
        facts = {"checkpoints": done.checkpoints, "without_time": done.without_time}
        output.print_json({"threads": threads, **facts, "skipped": skipped})
        return
    for one in done.skipped[:_SHOWN_MAX]:
        click.echo(f"skipped {clean(one.where)}: {clean(one.why)}", err=True)
    if len(done.skipped) > _SHOWN_MAX:
        click.echo(f"skipped {len(done.skipped) - _SHOWN_MAX:,} more (--json lists all)", err=True)
    rows = [(clean(t.name), output.short(t.head.hex()), SHOWN[t.how]) for t in done.threads]
    for line in style.table(rows):
        click.echo(line)
    late = f", {done.without_time:,} of them without a time" if done.without_time else ""
    click.echo(
        f"took in {done.checkpoints:,} checkpoint{'' if done.checkpoints == 1 else 's'}{late};"
        f" skipped {len(done.skipped):,}"
    )
