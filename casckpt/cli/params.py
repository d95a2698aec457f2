"""Options that several commands share.

Imports: casckpt, casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

import casckpt
from casckpt.cli.complete import complete_revision
from casckpt.exchange import from_json

__all__ = ["meta_option", "offset_option", "page_options", "path_option"]

_F = TypeVar("_F", bound=Callable[..., Any])


def _meta(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", ctx, param)
        if key in meta:
            raise click.BadParameter(f"{key!r} is given twice", ctx, param)
        try:
            meta[key] = from_json(text)
        except casckpt.InvalidInputError:
            meta[key] = text
    return meta


def meta_option(text: str) -> Callable[[_F], _F]:
    """`--meta KEY=VALUE`, repeatable; a value is JSON where it is valid JSON, else text."""
    return click.option(
        "-m", "--meta", metavar="KEY=VALUE", multiple=True, callback=_meta, help=text
    )


offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, metavar="N", help="Pass over so many."
)


def page_options(function: _F) -> _F:
    """`--limit`, `--after`, `--offset` of what lists checkpoints."""
    after = click.option(
        "--after",
        metavar="REV",
        shell_complete=complete_revision,
        help="Only those behind this one: where the page before ended.",
    )
    limit = click.option("-n", "--limit", type=click.IntRange(0), help="At most so many.")
    return limit(after(offset_option(function)))


path_option = click.option(
    "-p", "--path", metavar="PATH", help="A place in the state: messages[-1].content, /messages/0."
)
