"""`casckpt save`: a state from JSON or CBOR becomes a checkpoint.

Imports: casckpt, casckpt.exchange, casckpt.path, click, casckpt.cli.
"""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any

import click

import casckpt
from casckpt.cli import exits
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision, complete_thread
from casckpt.cli.files import input_source, read_input
from casckpt.cli.output import checkpoint_fields, checkpoint_line, print_json
from casckpt.cli.params import meta_option
from casckpt.cli.session import Session, pass_session
from casckpt.exchange import from_cbor, from_json
from casckpt.path import Token

__all__ = ["save"]


@command(
    "save",
    short="save a state from JSON in a thread",
    examples="""
        casckpt save support/alice state.json --label planned --tag green
        my-agent | casckpt save support/alice --meta cost=0.02 --meta model=small
        casckpt save support/alice next.json --expect 3f2a91c0   # only if that is the head
        casckpt save support/alice weights.bin --format raw --path /model/weights
    """,
    exit_codes=(
        exits.NOT_FOUND,
        exits.CONFLICT,
        exits.CORRUPT,
        exits.STORAGE,
        exits.STORE_FILE,
    ),
)
@click.argument("thread", shell_complete=complete_thread)
@click.argument("file", required=False, type=click.Path())
@click.option("-l", "--label", help="What kind of moment this is.")
@click.option("-t", "--tag", "tags", multiple=True, help="A mark to find it by; repeatable.")
@click.option("-k", "--key", help="An id of your own, one in the thread.")
@meta_option("A fact about it, JSON or text; repeatable.")
@click.option(
    "--expect",
    shell_complete=complete_revision,
    metavar="REV",
    help="Save only if REV is the head ('none': only if the thread is new).",
)
@click.option(
    "-p", "--path", metavar="PATH", help="Put it there in the head's state, and keep the rest."
)
@click.option("--format", "form", type=click.Choice(["json", "cbor", "raw"]), default="json")
@click.option("--plain", is_flag=True, help='Take objects with a "$casckpt" key literally.')
@json_option
@pass_session
def save(
    session: Session,
    thread: str,
    file: str | None,
    label: str | None,
    tags: tuple[str, ...],
    meta: dict[str, Any],
    key: str | None,
    expect: str | None,
    path: str | None,
    form: str,
    plain: bool,
    as_json: bool,
) -> None:
    """Save a state, read from FILE or standard input, as the new head of THREAD.

    The state is plain JSON, or the JSON form that 'checkout' writes, in which tuples,
    bytes, times and so on are marked (docs/cli.md). A store named with -s is made if it
    is not there. With --format raw it is the bytes as they are, read a piece at a time.
    """
    state: Any
    if form == "raw":
        state = casckpt.Stream(input_source(file))
    else:
        data = read_input(file)
        state = from_cbor(data) if form == "cbor" else from_json(data, plain=plain)
    with session.open_or_create() as store:
        run = store.thread(thread)
        wanted: dict[str, Any] = {"label": label, "tags": tags, "meta": meta, "key": key}
        if expect is not None:
            wanted["expect"] = _expected(run, expect)
        if path is None:
            checkpoint = run.save(state, **wanted)
        else:
            with run.edit(**wanted) as draft:
                _put(draft, path, state)
            checkpoint = draft.checkpoint
        if as_json:
            print_json(checkpoint_fields(checkpoint))
        else:
            click.echo(checkpoint_line(checkpoint))


def _expected(run: casckpt.Thread, expect: str) -> casckpt.Checkpoint | None:
    return None if expect == "none" else run.checkpoint(expect)


def _put(draft: Any, path: str, value: Any) -> None:
    """Set what lies at a path in a draft; raises NotFoundError where there is no such place."""
    steps = casckpt.parse_path(path)
    if not steps:
        raise casckpt.InvalidInputError("the whole state: leave --path out")
    try:
        for step in steps[:-1]:
            draft = draft[_key(draft, step)]
        draft[_key(draft, steps[-1])] = value
    except (LookupError, TypeError) as error:
        msg = f"nothing can be put at {path}: it takes a dict or list there"
        raise casckpt.NotFoundError(msg, path=path) from error


def _key(draft: Any, step: Any) -> Any:
    """A step as the key or index it means here; raises TypeError where nothing can be put."""
    if not isinstance(draft, MutableSequence | MutableMapping):
        raise TypeError(step)
    if not isinstance(step, Token):
        return step
    if isinstance(draft, MutableSequence):
        return step.in_sequence()
    keys = step.in_mapping()
    return next((key for key in keys if key in draft), keys[0])
