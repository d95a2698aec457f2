"""`casckpt fork`, `rewind`, `undo`, `rm`, `reflog`: moves of a thread's head.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

import click

import casckpt
from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision, complete_thread
from casckpt.cli.params import offset_option
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean

__all__ = ["fork", "reflog", "rewind", "rm", "undo"]

_READ = (exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE)
_WRITE = (exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE)


def _say(kind: str, thread: str, head: casckpt.Checkpoint | None, *, as_json: bool) -> None:
    if as_json:
        head_fields = None if head is None else output.checkpoint_fields(head)
        output.print_json({"thread": thread, "move": kind, "head": head_fields})
    elif head is None:
        click.echo(f"{clean(thread)} is gone ('casckpt undo {clean(thread)}' brings it back)")
    else:
        click.echo(f"{clean(thread)} is at {output.checkpoint_line(head, home=thread)}")


@command(
    "fork",
    short="begin a thread at any checkpoint",
    examples="""
        casckpt fork support/alice support/alice-b                  # at the head
        casckpt fork support/alice:planned support/alice-b
        casckpt fork 3f2a91c0 support/retry
    """,
    exit_codes=_WRITE,
)
@click.argument("revision", metavar="REV", shell_complete=complete_revision)
@click.argument("new", metavar="NEW_THREAD", shell_complete=complete_thread)
@json_option
@pass_session
def fork(session: Session, revision: str, new: str, as_json: bool) -> None:
    """Begin NEW_THREAD at REV. History before it is shared, no data is copied."""
    with session.open() as store:
        origin = store.checkpoint(revision)
        made = store.thread(origin.thread).fork(new, at=origin)
        _say("fork", new, made.head, as_json=as_json)


@command(
    "rewind",
    short="move a thread's head back",
    examples="""
        casckpt rewind support/alice '~3'
        casckpt rewind support/alice :planned
        casckpt undo support/alice                  # if that was a mistake
    """,
    exit_codes=_WRITE,
)
@click.argument("thread", shell_complete=complete_thread)
@click.argument("revision", metavar="REV", shell_complete=complete_revision)
@json_option
@pass_session
def rewind(session: Session, thread: str, revision: str, as_json: bool) -> None:
    """Move the head of THREAD to REV: '~3' and ':planned' begin at its head.

    Nothing is deleted: 'undo' and 'reflog' know what was rewound away.
    """
    with session.open() as store:
        _say("rewind", thread, store.thread(thread).rewind(revision), as_json=as_json)


@command(
    "undo",
    short="take back a thread's last move",
    examples="""
        casckpt undo support/alice
        casckpt undo support/alice && casckpt undo support/alice    # two moves back
    """,
    exit_codes=_WRITE,
)
@click.argument("thread", shell_complete=complete_thread)
@json_option
@pass_session
def undo(session: Session, thread: str, as_json: bool) -> None:
    """Take back the last move of THREAD's head, whatever it was: save, rewind, fork, rm.

    Once more goes further back.
    """
    with session.open() as store:
        _say("undo", thread, store.thread(thread).undo(), as_json=as_json)


@command(
    "rm",
    short="delete threads",
    examples="""
        casckpt rm support/alice-b
        casckpt undo support/alice-b                # until gc has passed
    """,
    exit_codes=_WRITE,
)
@click.argument(
    "names", metavar="THREAD...", nargs=-1, required=True, shell_complete=complete_thread
)
@json_option
@pass_session
def rm(session: Session, names: tuple[str, ...], as_json: bool) -> None:
    """Delete threads. Their checkpoints stay until gc, and 'undo' brings them back."""
    with session.open() as store:
        for name in dict.fromkeys(names):
            store.thread(name).checkpoint()  # all are there, or nothing is changed
        for name in dict.fromkeys(names):
            store.thread(name).delete()
            _say("delete", name, None, as_json=as_json)


@command(
    "reflog",
    short="where a thread's head has been",
    examples="""
        casckpt reflog support/alice
        casckpt show 'support/alice@{1}'            # the head before the last move
    """,
    exit_codes=_READ,
)
@click.argument("thread", shell_complete=complete_thread)
@click.option("-n", "--limit", type=click.IntRange(0), help="At most so many.")
@click.option(
    "--after", metavar="POSITION", help="Only those behind this one (its position in --json)."
)
@offset_option
@json_option
@pass_session
def reflog(
    session: Session, thread: str, limit: int | None, after: str | None, offset: int, as_json: bool
) -> None:
    """List the moves of THREAD's head, newest first: saves, rewinds, forks, undos."""
    with session.read() as store:
        moves = store.thread(thread).reflog(limit=limit, after=after, offset=offset)
        if as_json:
            for move in moves:
                output.print_json(output.move_fields(thread, move))
            return
        rows = [
            (
                f"{clean(thread)}@{{{move.moves_ago}}}",
                output.short(move.new),
                move.kind,
                clean(move.message),
                output.when(move.time),
            )
            for move in moves
        ]
        for line in style.table(rows):
            click.echo(line)
