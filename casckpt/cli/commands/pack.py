"""`casckpt pack`, `compact`: the same content in fewer bytes.

Imports: click, casckpt.cli, storage (reports).
"""

from __future__ import annotations

import click

from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.storage.engine import CompactReport, PackReport

__all__ = ["compact", "compacted_line", "pack", "packed_line"]


@command(
    "pack",
    short="store what is there more densely",
    examples="""
        casckpt pack
        casckpt pack --keep 10000 --seconds 60      # each night, say
        casckpt pack && casckpt compact             # as small as it gets
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Leave about N of the newest objects as they are.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    metavar="S",
    help="Stop after about S seconds; the next run goes on.",
)
@json_option
@pass_session
def pack(session: Session, keep: int, seconds: float | None, as_json: bool) -> None:
    """Compress objects together, in blocks; nothing that can be seen changes but sizes.

    Never runs by itself. Others may read and write meanwhile. The file does not shrink; its
    free pages are used again, or given back by compact.
    """
    with session.open() as store, meter() as show:
        report = store.pack(keep=keep, seconds_max=seconds, progress=show)
    if as_json:
        output.print_json(
            {
                "objects_packed": report.objects_packed,
                "blocks_written": report.blocks_written,
                "payload_bytes": report.payload_bytes,
                "bytes_before": report.bytes_before,
                "bytes_after": report.bytes_after,
                "complete": report.complete,
                "seconds": round(report.seconds, 3),
            }
        )
        return
    click.echo(packed_line(report))
    if not report.complete:
        click.echo("time was up: there is more to pack")


@command(
    "compact",
    short="give free bytes of the file back to the disk",
    examples="""
        casckpt compact
        casckpt -s runs.casckpt compact --json
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@json_option
@pass_session
def compact(session: Session, as_json: bool) -> None:
    """Write the file anew without its free pages. Nobody else may have the store open.

    Whatever happens meanwhile, the old file or the new one is there, whole. Needs as much
    space on the disk as the new file.
    """
    with session.open() as store, meter() as show:
        report = store.compact(progress=show)
    if as_json:
        output.print_json(
            {
                "bytes_before": report.bytes_before,
                "bytes_after": report.bytes_after,
                "seconds": round(report.seconds, 3),
            }
        )
        return
    click.echo(compacted_line(report))


def packed_line(report: PackReport) -> str:
    """What packing came to."""
    return (
        f"packed {report.objects_packed:,} objects into {report.blocks_written:,} blocks:"
        f" {style.size(report.bytes_before)} became {style.size(report.bytes_after)}"
    )


def compacted_line(report: CompactReport) -> str:
    """What compacting came to."""
    return f"{style.size(report.bytes_before)} became {style.size(report.bytes_after)}"
