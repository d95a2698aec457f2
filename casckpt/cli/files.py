"""Input and output files: bytes from a file or standard input, files written whole or not.

Invariant: a file named with -o is either complete or as it was before; nothing is ever
written into a store's own folder.

Imports: casckpt, bundle (files), click.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

import click

import casckpt
from casckpt.bundle.files import naming

__all__ = [
    "copy_output",
    "input_source",
    "input_stream",
    "output_path",
    "output_stream",
    "read_input",
    "write_output",
]

COPY_BYTES: Final = 1 << 20
"""Copied at a time."""


def read_input(name: str | None) -> bytes:
    """The bytes of a file, or of standard input ("-", or no name)."""
    if name is None and sys.stdin.isatty():
        msg = "no FILE, and standard input is a terminal (use '-' to type a state, Ctrl-D to end)"
        raise click.UsageError(msg, click.get_current_context())
    if name is None or name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        msg = f"{name}: {error.strerror}"
        raise click.BadParameter(msg, click.get_current_context(), param_hint="FILE") from error


def input_source(name: str | None) -> BinaryIO:
    """A file, open until the command ends, or standard input ("-", or no name)."""
    if name is None or name == "-":
        return sys.stdin.buffer
    context = click.get_current_context()
    try:
        return context.with_resource(Path(name).open("rb"))
    except OSError as error:
        msg = f"{name}: {error.strerror}"
        raise click.BadParameter(msg, context, param_hint="FILE") from error


def write_output(data: bytes, name: str | None, store: Path) -> None:
    """Write to standard output ("-", or no name) or, atomically, to a file.

    Raises:
        InvalidInputError: the file would lie in the store, or is a folder.
        OSError: as the system says.
    """
    copy_output(io.BytesIO(data), name, store)


def copy_output(source: IO[Any], name: str | None, store: Path) -> None:
    """Write what a file holds, a piece at a time; raises as `write_output` does."""
    if name is None or name == "-":
        sys.stdout.flush()
        shutil.copyfileobj(source, sys.stdout.buffer, COPY_BYTES)
        sys.stdout.buffer.flush()
        return
    target = output_path(name, store)
    if target.exists() and not target.is_file():  # a device or a pipe takes bytes as they come
        with naming(target), target.open("wb") as file:
            shutil.copyfileobj(source, file, COPY_BYTES)
        return
    _replace(target, source)


def output_path(name: str, store: Path) -> Path:
    """Where a file to be written lies.

    Raises:
        InvalidInputError: in the store itself, or it is a folder.
    """
    # Through symbolic links, so that what a link points at is replaced, not the link.
    target = Path(os.path.realpath(name))
    inside = Path(os.path.realpath(store))
    if target == inside or inside in target.parents:
        msg = f"{name} lies in the store itself"
        raise casckpt.InvalidInputError(msg, file=name)
    if target.is_dir():
        msg = f"{name} is a folder"
        raise casckpt.InvalidInputError(msg, file=name)
    return target


def output_stream() -> BinaryIO:
    """Standard output, for bytes that are not for people.

    Raises:
        UsageError: it is a terminal.
    """
    if sys.stdout.isatty():
        msg = "this is not for terminals: name a FILE, or use a pipe"
        raise click.UsageError(msg, click.get_current_context())
    sys.stdout.flush()
    return sys.stdout.buffer


def input_stream() -> BinaryIO:
    """Standard input, for bytes."""
    return sys.stdin.buffer


def _replace(target: Path, source: IO[Any]) -> None:
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        error.filename = str(target)  # the name that the caller knows
        raise
    try:
        with naming(target), os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(source, file, COPY_BYTES)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode(target))
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, else those of any new file."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
