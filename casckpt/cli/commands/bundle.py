"""`casckpt bundle`: threads out of a store and into another, in one file.

Imports: casckpt, casckpt.bundle (types), click, casckpt.cli.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import click

import casckpt
from casckpt.bundle.files import BundleFile
from casckpt.bundle.handle import Bundles
from casckpt.bundle.stream import BundleReader
from casckpt.bundle.unbundle import UnbundledThread
from casckpt.cli import exits, output, style
from casckpt.cli.command import Command, Group, command, json_option
from casckpt.cli.complete import complete_thread
from casckpt.cli.files import input_stream, output_path, output_stream, read_input
from casckpt.cli.progress import meter
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean

__all__ = ["SHOWN", "bundle"]

SHOWN: Final[dict[str, str]] = {
    "new": "new",
    "forward": "moved forward",
    "overwritten": "overwritten ('casckpt undo' takes it back)",
    "unchanged": "as it was",
    "ahead": "as it was: what is here comes after what came",
}
"""What became of a thread, for people."""


@command(
    "create",
    short="write threads into one file",
    examples="""
        casckpt bundle create all.bundle                      # all threads
        casckpt bundle create alice.bundle support/alice support/alice-b
        casckpt bundle create more.bundle --since all.bundle  # only what came after
        casckpt bundle create - --prefix support/ | ssh there casckpt bundle unbundle -
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("threads", nargs=-1, metavar="[THREAD]...", shell_complete=complete_thread)
@click.option("--prefix", help="All threads whose names begin so.")
@click.option(
    "--since",
    metavar="BUNDLE",
    type=click.Path(exists=True, dir_okay=False),
    help="Leave out what whoever took this bundle in has.",
)
@click.option(
    "--have",
    metavar="IDS",
    type=click.Path(),
    help="Leave out these checkpoints and all before them: a file of ids, one a line.",
)
@json_option
@pass_session
def create(
    session: Session,
    file: str,
    threads: tuple[str, ...],
    prefix: str | None,
    since: str | None,
    have: str | None,
    as_json: bool,
) -> None:
    """Write threads, with all they need, into FILE ("-": standard output).

    Without a THREAD: all of them. States, labels, tags, meta, times and forks go along; the
    reflog does not. FILE is replaced whole or not at all.
    """
    if threads and prefix is not None:
        msg = "name threads or give --prefix, not both"
        raise click.UsageError(msg, click.get_current_context())
    began = time.perf_counter()
    ids = [] if have is None else _ids(read_input(have), have)
    target: BundleFile = output_stream() if file == "-" else output_path(file, session.path)
    with session.read() as store, meter() as show:
        done = store.bundles.create(
            *(target, threads or None),
            prefix=prefix or "",
            since=since,
            have=ids,
            progress=show,
        )
    facts: dict[str, Any] = {
        "threads": list(done.threads),
        "checkpoints": done.checkpoints,
        "objects": done.objects,
        "prerequisites": list(done.prerequisites),
        "pruned": done.pruned,
        "payload_bytes": done.payload_bytes,
        "file_bytes": done.file_bytes,
        "seconds": round(time.perf_counter() - began, 3),
    }
    piped = file == "-"
    if as_json:
        output.print_json(facts, err=piped)
        return
    click.echo(
        f"bundled {_count(done.checkpoints, 'checkpoint')} of {_count(len(done.threads), 'thread')}"
        f"{'' if piped else ' into ' + clean(file)} ({style.size(done.file_bytes)})",
        err=piped,
    )
    _say_needed(done.prerequisites, err=piped)


@command(
    "verify",
    short="check a bundle, without a store",
    examples="""
        casckpt bundle verify all.bundle
        curl -s https://example.org/all.bundle | casckpt bundle verify -
    """,
    exit_codes=(exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@json_option
def verify(file: str, as_json: bool) -> None:
    """Read FILE ("-": standard input) through, and check every object in it."""
    source: BundleFile = input_stream() if file == "-" else file
    with meter() as show:
        found = Bundles.verify(source, progress=show)
    if as_json:
        threads = [
            {"thread": name, "head": head}
            for name, head in zip(found.threads, found.heads, strict=True)
        ]
        facts = found._asdict()
        del facts["heads"]
        output.print_json({**facts, "threads": threads})
        return
    click.echo(
        f"{clean(file)} is sound: {_count(found.checkpoints, 'checkpoint')},"
        f" {_count(found.objects, 'object')}, {style.size(found.file_bytes)}"
    )
    rows = zip(map(clean, found.threads), map(output.short, found.heads), strict=True)
    for line in style.table(list(rows)):
        click.echo(f"  {line}")
    _say_needed(found.prerequisites)


@command(
    "unbundle",
    short="take the threads of a bundle in",
    examples="""
        casckpt bundle unbundle all.bundle
        casckpt bundle unbundle all.bundle --prefix from-bob/
        casckpt bundle unbundle all.bundle --rename support/alice=support/alice-2
        casckpt -s copy.casckpt bundle unbundle all.bundle
    """,
    exit_codes=(
        *(exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--prefix", default="", help="Put before each thread's name.")
@click.option(
    "--rename", metavar="OLD=NEW", multiple=True, help="Another name for a thread; repeatable."
)
@click.option("--overwrite", is_flag=True, help="Also threads that have gone another way here.")
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    metavar="N",
    help="Refuse what expands to more (default: 64 GiB).",
)
@json_option
@pass_session
def unbundle(
    session: Session,
    file: str,
    prefix: str,
    rename: tuple[str, ...],
    overwrite: bool,
    max_bytes: int | None,
    as_json: bool,
) -> None:
    """Take the threads in FILE ("-": standard input) in.

    All of FILE is checked before anything is stored. Threads that are here already move
    forward; one that has gone another way is an error, unless --overwrite.
    """
    renamed = _renamed(rename)
    if file != "-":
        with Path(file).open("rb") as begin:
            BundleReader(begin)  # before a store is made for it
    source: BundleFile = input_stream() if file == "-" else file
    with session.open_or_create(bulk=True) as store:
        with meter() as show:
            done = store.bundles.unbundle(
                source,
                prefix=prefix,
                rename=renamed,
                overwrite=overwrite,
                bytes_max=max_bytes,
                progress=show,
            )
        store.sync()
    if as_json:
        output.print_json(
            {**done._asdict(), "threads": [thread._asdict() for thread in done.threads]}
        )
        return
    rows = [_row(thread) for thread in done.threads]
    for line in style.table(rows):
        click.echo(line)
    click.echo(
        f"took in {_count(done.checkpoints_new, 'new checkpoint')} of {done.checkpoints:,},"
        f" {_count(done.objects_new, 'new object')} of {done.objects:,}"
    )


def _row(thread: UnbundledThread) -> tuple[str, str, str]:
    return clean(thread.name), output.short(thread.head), SHOWN[thread.how]


def _renamed(given: tuple[str, ...]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in given:
        old, equals, new = text.partition("=")
        if not old or not equals or not new:
            msg = f"--rename takes OLD=NEW, not {text!r}"
            raise click.UsageError(msg, click.get_current_context())
        if old in renamed:
            msg = f"--rename gives {old!r} two names"
            raise click.UsageError(msg, click.get_current_context())
        renamed[old] = new
    return renamed


def _ids(data: bytes, name: str) -> list[str]:
    """Ids, one a line; what stands behind a "#" is a remark."""
    found = []
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                whole = len(bytes.fromhex(text)) == 32
            except ValueError:
                whole = False
            if not whole:
                msg = f"{name}, line {number}: not the id of a checkpoint (64 hexadecimal digits)"
                raise casckpt.InvalidInputError(msg, line=number)
            found.append(text)
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _say_needed(ids: tuple[str, ...], *, err: bool = False) -> None:
    if ids:
        what = f"it builds on {_count(len(ids), 'checkpoint')}, which must be there already:"
        click.echo("\n  ".join([what, *ids]), err=err)


COMMANDS: Final[tuple[Command, ...]] = (create, verify, unbundle)


@click.group(
    "bundle",
    cls=Group,
    commands=COMMANDS,
    short_help="threads as one file, out and in",
    no_args_is_help=False,  # an error like any other
)
def bundle() -> None:
    """Carry threads, with all they need, from one store to another in one file."""
