"""`casckpt gc`, `fsck`: work on the whole store.

Imports: click, casckpt.cli, upkeep (types).
"""

from __future__ import annotations

from datetime import timedelta

import click

import casckpt
from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.commands.pack import compacted_line, packed_line
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import age
from casckpt.cli.values import clean
from casckpt.upkeep.fsck import Level
from casckpt.upkeep.salvage import Salvaged

__all__ = ["fsck", "gc"]


@command(
    "gc",
    short="remove what nothing reaches any more, then pack",
    examples="""
        casckpt gc --dry-run                        # what would go
        casckpt gc
        casckpt gc --grace 0                        # also what an undo could still bring back
        casckpt gc --auto                           # only what pays: for a timer
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.option("--auto", is_flag=True, help="Decide by itself what pays, and say why.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
@click.option(
    "--grace",
    type=age,
    default="14 days",
    show_default=True,
    metavar="AGE",
    help="Keep what the reflog of this age reaches (2h, 30 days, 0).",
)
@click.option("--pack/--no-pack", default=None, help="Pack as well (default: if it pays).")
@click.option(
    "--compact",
    is_flag=True,
    help="Compact as well, with --auto if it pays; nobody else may have the store open.",
)
@json_option
@pass_session
def gc(
    session: Session,
    auto: bool,
    dry_run: bool,
    grace: timedelta,
    pack: bool | None,
    compact: bool,
    as_json: bool,
) -> None:
    """Remove what no thread, tag or young reflog entry reaches; then pack, if it pays.

    Never runs by itself. Others may read and write meanwhile. The file does not shrink but by
    --compact; its free pages are used again. With --auto nothing is done that does not pay:
    that is decided within milliseconds, and whoever is at the same work already goes on alone.
    """
    with session.read() if dry_run else session.open() as store, meter() as show:
        report = store.gc(
            auto=auto, dry_run=dry_run, grace=grace, pack=pack, compact=compact, progress=show
        )
    if as_json:
        output.print_json({"auto": auto, "dry_run": dry_run, **report.to_dict()})
        return
    if auto:
        for decision in report.decisions:
            click.echo(clean(str(decision)))
    if report.collected is not None:
        verb = "would remove" if dry_run else "removed"
        click.echo(
            f"{verb} {report.objects_removed:,} objects ({style.size(report.bytes_removed)});"
            f" {report.objects_live:,} stay"
            + (
                f", {report.objects_replaced:,} without their states"
                * bool(report.objects_replaced)
            )
        )
    if report.packed is not None:
        click.echo(packed_line(report.packed))
    if report.compacted is not None:
        click.echo(compacted_line(report.compacted))


def _say_salvaged(done: Salvaged, target: str, *, as_json: bool) -> None:
    if as_json:
        threads = [{**thread._asdict(), "whole": thread.whole} for thread in done.threads]
        output.print_json({**done._asdict(), "threads": threads})
        return
    kept = sum(thread.head is not None for thread in done.threads)
    click.echo(
        f"salvaged {kept:,} of {len(done.threads):,} threads, {done.checkpoints:,} checkpoints,"
        f" {done.objects:,} objects to {clean(target)}"
    )
    for thread in done.threads:
        if not thread.whole:
            ends = "is lost" if thread.head is None else f"ends at {thread.head[:16]}"
            was = f", was at {thread.was[:16]}" if thread.was else ""
            click.echo(f"{style.bad('damage')}: thread {clean(thread.name)} {ends}{was}")
    for what, ids in (("without its state", done.without_state), ("lost", done.lost)):
        for id in ids:
            click.echo(f"{what}: {id[:16]}")
    for what in done.unread:
        click.echo(clean(f"could not be read: {what}"))


@command(
    "fsck",
    short="check for damage",
    examples="""
        casckpt fsck
        casckpt fsck --level structure              # build some states anew, too
        casckpt fsck --json
        casckpt fsck --salvage new-store            # all that is whole, into a new store
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.option(
    "--level",
    type=click.Choice(["books", "data", "structure"]),
    default="data",
    show_default=True,
    help="How deep: indexes and records; every object; states built anew.",
)
@click.option(
    "--salvage",
    "target",
    metavar="NEWSTORE",
    type=click.Path(),
    help="Bring what is whole over into a new store; nothing else is checked.",
)
@json_option
@pass_session
def fsck(session: Session, level: Level, target: str | None, as_json: bool) -> None:
    """Check the store: its books, and every object against its id.

    Says what is damaged and which checkpoints need it. Exits with 5 if anything is damaged;
    what can be rebuilt ("untidy") is no damage. With --salvage the store is only read; names
    and ids stay as they are, and a thread whose head is lost ends where it is whole.
    """
    if target is not None:
        with meter() as show:
            done = casckpt.salvage(session.path, target, progress=show)
        _say_salvaged(done, target, as_json=as_json)
        if done.lost or done.unread or not all(thread.whole for thread in done.threads):
            click.get_current_context().exit(exits.CORRUPT)
        return
    with session.read() as store, meter() as show:
        report = store.fsck(level=level, progress=show)
    for found in report:
        if as_json:
            output.print_json(found.to_dict())
            continue
        damaged = found.severity == "damage"
        first, *rest = str(found).removeprefix(found.severity).split("\n")
        click.echo((style.bad(found.severity) if damaged else found.severity) + clean(first))
        for line in rest:
            click.echo(clean(line))
    if not as_json and not report:
        click.echo("no problems found")
    if not report.ok:
        click.get_current_context().exit(exits.CORRUPT)
