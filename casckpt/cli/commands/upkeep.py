"""`casckpt gc`, `fsck`, `stats`: work on the whole store.

Imports: click, casckpt.cli.
"""

from __future__ import annotations

from datetime import timedelta

import click

from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import age
from casckpt.cli.values import clean

__all__ = ["fsck", "gc", "stats"]


@command(
    "gc",
    short="remove what nothing reaches any more",
    examples="""
        casckpt gc --dry-run                        # what would go
        casckpt gc
        casckpt gc --grace 0                        # also what an undo could still bring back
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@click.option(
    "--grace",
    type=age,
    default="14 days",
    show_default=True,
    metavar="AGE",
    help="Keep what the reflog of this age reaches (2h, 30 days, 0).",
)
@json_option
@pass_session
def gc(session: Session, dry_run: bool, grace: timedelta, as_json: bool) -> None:
    """Remove what no thread, tag or young reflog entry reaches.

    Never runs by itself. Others may read and write meanwhile. The file does not shrink;
    its free pages are used again.
    """
    with session.read() if dry_run else session.open() as store, meter() as show:
        report = store.gc(dry_run=dry_run, grace=grace, progress=show)
    fields = {
        "dry_run": dry_run,
        "objects_live": report.objects_live,
        "objects_removed": report.objects_removed,
        "bytes_removed": report.bytes_removed,
        "seconds": round(report.seconds, 3),
    }
    if as_json:
        output.print_json(fields)
        return
    verb = "would remove" if dry_run else "removed"
    click.echo(
        f"{verb} {report.objects_removed:,} objects ({style.size(report.bytes_removed)});"
        f" {report.objects_live:,} stay"
    )


@command(
    "fsck",
    short="check for damage",
    examples="""
        casckpt fsck
        casckpt fsck --json
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@json_option
@pass_session
def fsck(session: Session, as_json: bool) -> None:
    """Check the store: its books, and every object against its id.

    Exits with 5 if anything is damaged; what can be rebuilt ("untidy") is no damage.
    """
    damaged = problems = 0
    with session.read() as store:
        for problem in store.fsck():
            problems += 1
            damaged += problem.severity == "damage"
            if as_json:
                output.print_json(
                    {"severity": problem.severity, "what": problem.what, "id": problem.id}
                )
            else:
                severity = style.bad(problem.severity) if damaged else problem.severity
                click.echo(f"{severity}: {clean(problem.what)}")
    if not as_json and not problems:
        click.echo("no problems found")
    if damaged:
        click.get_current_context().exit(exits.CORRUPT)


@command(
    "stats",
    short="count and measure",
    examples="""
        casckpt stats
        casckpt stats --json | jq .file_bytes
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@json_option
@pass_session
def stats(session: Session, as_json: bool) -> None:
    """Count threads, checkpoints, objects and bytes."""
    with session.read() as store:
        found = store.stats()
    if as_json:
        kinds = {name: kind._asdict() for name, kind in found.kinds.items()}
        output.print_json({"store": str(session.path), **found._asdict(), "kinds": kinds})
        return
    rows = [
        ("store", clean(str(session.path))),
        ("engine", clean(found.engine)),
        ("threads", f"{found.threads:,}"),
        ("checkpoints", f"{found.checkpoints:,}"),
        ("objects", f"{found.objects:,}"),
        ("uncompressed", style.size(found.payload_bytes)),
        ("stored", style.size(found.stored_bytes)),
        ("files", f"{style.size(found.file_bytes)}, {style.size(found.free_bytes)} of them free"),
    ]
    for line in style.table(rows):
        click.echo(line)
    click.echo()
    kind_rows = [("kind", "objects", "uncompressed", "stored")]
    kind_rows += [
        (name, f"{k.objects:,}", style.size(k.payload_bytes), style.size(k.stored_bytes))
        for name, k in found.kinds.items()
    ]
    for line in style.table(kind_rows, right={1, 2, 3}):
        click.echo(line)
