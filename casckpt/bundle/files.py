"""A file, named by a path or given as an open one.

Invariant: a file named by a path is written whole, or it stays as it was.

Imports: errors.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final

from casckpt.errors import InvalidInputError

__all__ = ["BundleFile", "naming", "reading", "writing"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
BundleFile = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file that is open."""


@contextmanager
def reading(file: BundleFile) -> Iterator[BinaryIO]:
    """The file, open to be read; an OSError passes through.

    Raises:
        InvalidInputError: neither a path nor a binary file.
    """
    if not isinstance(file, str | os.PathLike):
        yield _binary(file, "read")
        return
    with Path(file).open("rb") as source:
        yield source


@contextmanager
def writing(file: BundleFile) -> Iterator[BinaryIO]:
    """The file, open to be written.

    A path's file is replaced when the block ends, and left as it was if that is an exception;
    a device or a pipe is written to as it is. An OSError passes through.

    Raises:
        InvalidInputError: the path is a folder's; or neither a path nor a binary file.
    """
    if not isinstance(file, str | os.PathLike):
        yield _binary(file, "write")
        return
    # Through symbolic links, so that what a link points at is replaced, not the link.
    target = Path(os.path.realpath(file))
    if target.is_dir():
        raise InvalidInputError(f"{os.fsdecode(file)} is a folder", file=os.fsdecode(file))
    if target.exists() and not target.is_file():
        with naming(target), target.open("wb") as sink:
            yield sink
        return
    part, handle = _part(target)
    try:
        with naming(target), os.fdopen(handle, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Say of a full disk which file was written: the system does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _FULL:
            error.filename = str(target)
        raise


def _binary(file: Any, method: str) -> BinaryIO:
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise InvalidInputError(
            f"a path or an open binary file is needed, not {type(file).__name__}"
            f" (of a file: open it with mode {method[0]}b)"
        )
    opened: BinaryIO = file
    return opened


def _part(target: Path) -> tuple[Path, int]:
    """A new file beside the target."""
    for number in count():
        part = target.with_name(f".{target.name[:200]}.{os.getpid()}-{number}.part")
        try:
            return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        except OSError as error:
            error.filename = str(target)  # the name that the caller knows
            raise
    raise AssertionError  # pragma: no cover - count() does not end
