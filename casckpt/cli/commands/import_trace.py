"""`casckpt import trace`: a recorded run becomes checkpoints.

Imports: casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import time

import click

from casckpt.cli import exits, output
from casckpt.cli.command import command, json_option
from casckpt.cli.progress import progress
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean
from casckpt.exchange.replay import replay, survey

__all__ = ["import_trace"]


@command(
    "trace",
    short="save a recorded run, step by step",
    examples="""
        casckpt import trace run.jsonl.zst
        casckpt -s runs.casckpt import trace run.jsonl --prefix 2026-11/
    """,
    exit_codes=(exits.NOT_FOUND, exits.CONFLICT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--prefix", default="", help="Put before each thread's name.")
@json_option
@pass_session
def import_trace(session: Session, file: str, prefix: str, as_json: bool) -> None:
    """Save each step of a recorded run: JSON lines, plain or compressed with zstd.

    Threads, labels and forks of the recording become threads, labels and forks here.
    Nothing is imported if the recording is malformed or a thread exists already. The
    format is described in docs/cli.md.
    """
    began = time.perf_counter()
    plan = survey(file)
    with session.open_or_create(bulk=True) as store:
        saved = replay(store, file, prefix=prefix)
        with progress(saved, plan.checkpoints, "importing") as steps:
            count = sum(1 for _ in steps)
        store.sync()
    seconds = time.perf_counter() - began
    if as_json:
        output.print_json(
            {
                "threads": len(plan.threads),
                "checkpoints": count,
                "forks": plan.forks,
                "seconds": round(seconds, 3),
            }
        )
        return
    click.echo(
        f"imported {count:,} checkpoints in {len(plan.threads):,} threads"
        f" ({plan.forks:,} forks) from {clean(file)} in {seconds:.1f} s"
    )
