"""`casckpt diff`: what differs between two states.

Imports: casckpt, casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

import casckpt
from casckpt.cli import changes, exits, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision
from casckpt.cli.output import print_json
from casckpt.cli.params import path_option
from casckpt.cli.session import Session, pass_session
from casckpt.exchange import to_form

__all__ = ["diff"]


@command(
    "diff",
    short="what differs between two states",
    examples="""
        casckpt diff support/alice                      # what its last save changed
        casckpt diff support/alice~3 support/alice
        casckpt diff support/alice support/alice-b --path plan
        casckpt diff a b --patch > a-to-b.json          # RFC 6902
        casckpt diff a b --stat --exit-code
    """,
    exit_codes=(
        exits.DIFFERENT,
        exits.NOT_FOUND,
        exits.CORRUPT,
        exits.STORAGE,
        exits.STORE_FILE,
    ),
)
@click.argument("a", shell_complete=complete_revision)
@click.argument("b", required=False, shell_complete=complete_revision)
@path_option
@click.option("--stat", is_flag=True, help="Only count.")
@click.option("--patch", is_flag=True, help="As a JSON Patch (RFC 6902).")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything differs.")
@json_option
@pass_session
def diff(
    session: Session,
    a: str,
    b: str | None,
    path: str | None,
    stat: bool,
    patch: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show what must change in A to make it B; with A alone, what A's save changed.

    + is added, - removed, ~ replaced. Indexes of a list count as the changes before have
    left it. Only what differs is read.
    """
    if stat + patch + as_json > 1:
        msg = "choose one of --stat, --patch and --json"
        raise click.UsageError(msg, click.get_current_context())
    with session.read() as store:
        found = store.diff(*_ends(store, a, b), path=path)
        if patch:
            click.echo(json.dumps(found.to_json_patch()))
        elif stat:
            for line in changes.summary(found):
                click.echo(line)
        elif as_json:
            for change in found:
                print_json(_fields(change))
        else:
            _print(found)
        if exit_code and found:
            click.get_current_context().exit(exits.DIFFERENT)


def _ends(
    store: casckpt.Store, a: str, b: str | None
) -> tuple[casckpt.Checkpoint, casckpt.Checkpoint]:
    first = store.checkpoint(a)
    if b is not None:
        return first, store.checkpoint(b)
    if first.parent is None:
        msg = f"{a} is the first of its history: there is nothing before it to compare with"
        raise casckpt.NotFoundError(msg, revision=a)
    return store.checkpoint(first.parent), first


def _print(found: Iterable[casckpt.Change]) -> None:
    room = style.width()
    for change in found:
        for line in changes.lines(change, room):
            click.echo(line)


def _fields(change: casckpt.Change) -> dict[str, Any]:
    fields = {
        "op": change.op,
        "path": casckpt.format_path(change.path),
        "steps": [to_form(step) for step in change.path],
    }
    if change.op != "add":
        fields["old"] = to_form(change.old)
    if change.op != "remove":
        fields["new"] = to_form(change.new)
    return fields
