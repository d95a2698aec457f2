"""`casckpt import langgraph-sqlite`: the database of LangGraph's SqliteSaver.

Imports: casckpt (integrations.langgraph when it runs), click, casckpt.cli.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

import casckpt
from casckpt.cli import exits, output
from casckpt.cli.command import command, json_option
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean

if TYPE_CHECKING:
    from casckpt.integrations.langgraph import ImportReport

__all__ = ["import_langgraph_sqlite"]


@command(
    "langgraph-sqlite",
    short="the threads of LangGraph's SqliteSaver",
    examples="""
        casckpt -s agents.casckpt import langgraph-sqlite checkpoints.sqlite
        casckpt import langgraph-sqlite checkpoints.sqlite --prefix old/ --no-verify
    """,
    exit_codes=(
        *(exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT, exits.STORAGE),
        exits.STORE_FILE,
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--prefix", default="", help="Put before each thread id.")
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Read everything back and compare it with FILE.",
)
@json_option
@pass_session
def import_langgraph_sqlite(
    session: Session, file: str, prefix: str, verify: bool, as_json: bool
) -> None:
    """Take over all threads, checkpoints and pending writes that SqliteSaver or
    AsyncSqliteSaver keep in FILE.

    FILE is only read, and may be in use. What is there already is left as it is, so the
    command can be run again. No class that FILE names is imported.
    """
    try:
        from casckpt.integrations.langgraph import import_sqlite
        from casckpt.integrations.langgraph.sqlite import SqliteSource
    except ImportError:
        msg = 'LangGraph is not installed: pip install "casckpt[langgraph]"'
        raise click.UsageError(msg, click.get_current_context()) from None
    began = time.perf_counter()
    SqliteSource(file).close()  # what is none is refused before a store is made
    with session.open_or_create(bulk=True) as store, meter() as show:
        report = import_sqlite(store, file, prefix=prefix, verify=verify, progress=show)
        store.sync()
    seconds = time.perf_counter() - began
    if as_json:
        output.print_json({**report._asdict(), "seconds": round(seconds, 3)})
    else:
        _show(report, file, seconds)
    if report.different:
        msg = f"{len(report.different)} checkpoints differ from {file}"
        raise casckpt.ConflictError(msg, different=list(report.different))
    if report.unreadable:
        msg = f"{len(report.unreadable)} checkpoints could not be read and were left out"
        raise casckpt.UnsupportedValueError(msg, unreadable=list(report.unreadable))


def _show(report: ImportReport, file: str, seconds: float) -> None:
    click.echo(
        f"imported {report.imported:,} of {report.checkpoints:,} checkpoints"
        f" in {report.threads:,} threads from {clean(file)} in {seconds:.1f} s"
    )
    if report.present:
        click.echo(f"{report.present:,} were there already")
    click.echo(f"{report.writes:,} pending writes")
    if report.equal is not None:
        click.echo(f"verified: {report.equal:,} equal, {len(report.different):,} different")
    for title, names in (("different", report.different), ("unreadable", report.unreadable)):
        for name in names[:10]:
            click.echo(f"{title}: {clean(name)}")
        if len(names) > 10:
            click.echo(f"... and {len(names) - 10:,} more")
