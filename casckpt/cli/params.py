"""Options that several commands share.

Imports: casckpt, casckpt.exchange, click.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

import casckpt
from casckpt.exchange import from_json

__all__ = ["meta_option", "path_option"]

_F = TypeVar("_F", bound=Callable[..., Any])


def _meta(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", ctx, param)
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


path_option = click.option(
    "-p", "--path", metavar="PATH", help="A place in the state: messages[-1].content, /messages/0."
)
