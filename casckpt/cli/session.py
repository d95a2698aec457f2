"""Which store a command works on, and opening it.

Invariant: a command that only reads never creates anything.

Imports: casckpt, click.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import casckpt
from casckpt.cli.values import clean

__all__ = ["STORE_NAME", "Session", "locate", "pass_session"]

STORE_NAME: Final = ".casckpt"
"""What `init` makes, and what is looked for upward from the current folder."""


def locate(named: str | None) -> Path | None:
    """The store named by -s or CASCKPT_STORE, else the nearest one upward, else None."""
    if named:
        return Path(named)
    if Path(STORE_NAME).exists():
        return Path(STORE_NAME)
    above = (folder / STORE_NAME for folder in Path.cwd().parents)
    return next(filter(Path.exists, above), None)


class Session:
    """What the options before the command say."""

    def __init__(self, named: str | None) -> None:
        self.named = named

    @property
    def path(self) -> Path:
        """Where the store is, or would be.

        Raises:
            NotFoundError: none is named, and there is none upward.
        """
        if self.named == "memory:":
            msg = "a store in memory would be gone when the command ends"
            raise click.UsageError(msg, click.get_current_context())
        path = locate(self.named)
        if path is None:
            msg = "no store here or in a folder above: make one with 'casckpt init', or name one with -s"
            raise casckpt.NotFoundError(msg)
        return path

    def open(self) -> casckpt.Store:
        """Open the store to read and write; it must exist."""
        return casckpt.open(self._existing(), create=False)

    def read(self) -> casckpt.Store:
        """Open the store to read; it must exist."""
        return casckpt.open(self._existing(), create=False, read_only=True)

    def open_or_create(self, *, bulk: bool = False) -> casckpt.Store:
        """Open the store; create it if it was named and is not there, and say so.

        With `bulk`, single saves need not survive power loss: the caller ends with
        `Store.sync`. Only in a store that is new may power loss cost more than those.
        """
        path = self.path
        exists = path.exists()
        if not exists:
            click.echo(f"created {clean(str(path))}", err=True)
        if not bulk:
            return casckpt.open(path, create=True)
        return casckpt.open(path, create=True, durability="relaxed" if exists else "none")

    def _existing(self) -> Path:
        path = self.path
        if not path.exists():
            msg = f"no store at {path}"
            raise casckpt.NotFoundError(msg, path=str(path))
        return path


pass_session = click.make_pass_decorator(Session)
