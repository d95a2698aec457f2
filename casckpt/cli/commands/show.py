"""`casckpt show`: one checkpoint, and the outline of its state.

Imports: casckpt, casckpt.exchange, casckpt.tree (view), click, casckpt.cli.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import click

from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_revision
from casckpt.cli.params import path_option
from casckpt.cli.session import Session, pass_session
from casckpt.cli.values import clean, kind, length, one_line
from casckpt.exchange import to_form
from casckpt.tree.view import Excerpt, MappingView, SequenceView, excerpts

__all__ = ["show"]

_EXCERPT: Final = 1000
"""Characters of a long text that are read: more than a line has."""
_ENTRIES_MAX: Final = 40
"""Entries of a container that are shown; of a longer list, as many from both ends together."""


@command(
    "show",
    short="one checkpoint, and an outline of its state",
    examples="""
        casckpt show support/alice
        casckpt show support/alice:planned --path messages
        casckpt show 3f2a91c0 --path 'messages[-1].content'
    """,
    exit_codes=(exits.NOT_FOUND, exits.CORRUPT, exits.STORAGE, exits.STORE_FILE),
)
@click.argument("revision", metavar="REV", shell_complete=complete_revision)
@path_option
@json_option
@pass_session
def show(session: Session, revision: str, path: str | None, as_json: bool) -> None:
    """Show a checkpoint and what its state (or the part at PATH) consists of.

    Long values are cut, and only what is shown is read; 'checkout' writes them whole.
    """
    with session.read() as store:
        checkpoint = store.checkpoint(revision)
        view = checkpoint.view(path=path)
        if as_json:
            fields = output.checkpoint_fields(checkpoint)
            output.print_json({**fields, "path": path, "state": _state_fields(view)})
            return
        if path is None:
            click.echo("\n".join(output.checkpoint_block(checkpoint)))
            click.echo()
        for line in _outline(view):
            click.echo(line)


def _entries(view: Any) -> Iterator[tuple[Any, Any]] | None:
    if isinstance(view, MappingView | SequenceView):
        return excerpts(view, _EXCERPT)
    if isinstance(view, Mapping):
        return iter(view.items())
    if isinstance(view, Sequence) and not isinstance(view, str | bytes | bytearray | range):
        return enumerate(view)
    return None


def _state_fields(view: Any) -> dict[str, Any]:
    entries = _entries(view)
    fields = {"type": kind(view), "length": length(view)}
    if entries is None:
        return {**fields, "entries": None}
    shown = [
        {"key": to_form(key), "type": kind(_begin(item)), "length": _length(item)}
        for key, item in islice(entries, _ENTRIES_MAX)
    ]
    return {**fields, "entries": shown}


def _outline(view: Any) -> Iterator[str]:
    entries = _entries(view)
    if entries is None:
        if isinstance(view, str):
            yield from map(clean, view.split("\n"))
        else:
            yield one_line(view, 1 << 20)
        return
    yield style.strong(f"{kind(view)} of {length(view):,}")
    rows = [
        (
            one_line(key, 30) if not isinstance(key, str) else clean(key),
            _kind_and_length(item),
            item,
        )
        for key, item in islice(entries, _ENTRIES_MAX)
    ]
    names = [style.columns(name) for name, _, _ in rows]
    kinds = [len(about) for _, about, _ in rows]
    for name, about, item in rows:
        gap = " " * (max(names) - style.columns(name))
        begin = f"  {style.paint(name, 'cyan')}{gap}  {style.dim(about.ljust(max(kinds)))}"
        room = style.width() - max(names) - max(kinds) - 6
        yield f"{begin}  {one_line(_begin(item), max(room, 20))}".rstrip()
    left = (length(view) or 0) - len(rows)
    if left:
        yield style.dim(f"  and {left:,} more")


def _kind_and_length(value: Any) -> str:
    size, name = _length(value), kind(_begin(value))
    if name == "str" and size is not None:
        return f"str {style.size(size)}" if size > 60 else "str"
    return name if size is None else f"{name} of {size:,}"


def _begin(value: Any) -> Any:
    """A value, or how it begins."""
    return value.begin if isinstance(value, Excerpt) else value


def _length(value: Any) -> int | None:
    return value.length if isinstance(value, Excerpt) else length(value)
