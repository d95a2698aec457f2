"""Stream: long bytes or text that is saved as it is read.

Invariants: at most WINDOW_BYTES and what the source gives at once are in memory; the tree is
that of the same value saved whole.

Imports: errors, format (constants), tree (assembly, blobs, guide).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from casckpt.errors import InvalidInputError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.tree.assembly import Assembly
from casckpt.tree.blobs import BlobRun, formed
from casckpt.tree.guide import BlobGuide

__all__ = ["Stream", "stream_form"]

READ_BYTES: Final = 1 << 20
"""Asked of a file at a time (of a text file: characters)."""
WINDOW_BYTES: Final = 4 << 20
"""Bytes put together before they are cut into pieces."""


class Stream:
    """Stands, in a state that is saved, for bytes or a str that need not fit in memory.

    ::

        run.save({"weights": casckpt.Stream(open("weights.bin", "rb"))})
        run.save({"weights": casckpt.Stream(Path("weights.bin"))})
        run.save({"log": casckpt.Stream(lines(), text=True)})

    What is saved, and loaded, is plain bytes or str, with the same id as if it had been there
    whole. Its pieces are stored as they come; if the save fails, they stay until gc.
    """

    __slots__ = ("_began", "_place", "_source", "text")
    __hash__ = None  # type: ignore[assignment]  # no key of a dict: it is read once

    def __init__(
        self, source: os.PathLike[str] | io.IOBase | Iterable[Any] | Any, *, text: bool = False
    ) -> None:
        """Nothing is read yet.

        Args:
            source: a path, which is opened and closed when it is saved; a file, read from where
                it stands and left open; or an iterable of bytes (or of str).
            text: the value is a str: the source gives str. A path is read as UTF-8, with
                its line ends as they are.

        Raises:
            InvalidInputError: no such source.
        """
        if isinstance(source, str | bytes | bytearray | memoryview):
            kind = type(source).__name__
            raise InvalidInputError(f"a {kind} is there already: save it as it is, or a Path")
        if isinstance(source, io.TextIOBase) and not text:
            raise InvalidInputError("a text file gives str: open it with 'rb', or say text=True")
        if not (hasattr(source, "read") or isinstance(source, os.PathLike | Iterable)):
            raise InvalidInputError(
                f"a stream is made of a path, a file or an iterable, not {type(source).__name__}"
            )
        self._source: Any = source
        self._began = False
        self._place: int | None = None
        self.text = text

    def blocks(self) -> Iterator[bytes]:
        """What the source gives, as bytes; text as UTF-8.

        Raises:
            InvalidInputError: it was read before and cannot be read again.
            UnsupportedValueError: it gives something else, or text that is no UTF-8.
            OSError: whatever reading the source raises.
        """
        with ExitStack() as files:
            for block in self._blocks(files):
                yield self._encoded(block)

    def _blocks(self, files: ExitStack) -> Iterator[Any]:
        source = self._source
        if isinstance(source, os.PathLike):
            path = Path(source)
            file: Any = path.open(encoding="utf-8", newline="") if self.text else path.open("rb")
            return _read(files.enter_context(file))
        if not hasattr(source, "read"):
            self._begin_again(can=iter(source) is not source)
            return iter(source)
        seekable = getattr(source, "seekable", None)
        self._begin_again(can=self._place is not None)
        if self._place is not None:
            source.seek(self._place)
        elif seekable is not None and seekable():
            self._place = source.tell()
        return _read(source)

    def _begin_again(self, *, can: bool) -> None:
        if self._began and not can:
            raise InvalidInputError("this stream was read before, and can be read only once")
        self._began = True

    def _encoded(self, block: Any) -> bytes:
        if self.text and isinstance(block, str):
            try:
                return block.encode()
            except UnicodeEncodeError:
                msg = "a stream of text with a lone surrogate: save such text whole"
                raise UnsupportedValueError(msg, type="str") from None
        if not self.text and isinstance(block, bytes | bytearray | memoryview):
            return bytes(block)
        wanted = "str" if self.text else "bytes"
        hint = "; say text=True" if isinstance(block, str) else ""
        kind = type(block).__name__
        raise UnsupportedValueError(f"a stream of {wanted} gave {kind}{hint}", type=kind)

    def __repr__(self) -> str:
        return f"<stream of {'text' if self.text else 'bytes'} from {self._source!r}>"


def _read(file: Any) -> Iterator[Any]:
    while block := file.read(READ_BYTES):
        yield block
    if block is None:
        raise UnsupportedValueError("a file that does not wait gave nothing", type="Stream")


def stream_form(
    assembly: Assembly, stream: Stream, prefix: bytes, old: BlobGuide | None
) -> tuple[bytes, BlobGuide | None]:
    """The encoding behind `prefix`, as `blobs.formed` gives it for the whole value."""
    tag = c.TAG_STR_TREE if stream.text else c.TAG_BYTES_TREE
    run = BlobRun(assembly, tag, old)
    window = bytearray()
    begun = False
    for block in stream.blocks():
        window += block
        if len(window) >= WINDOW_BYTES:
            begun = True
            del window[: run.part(bytes(window), is_all=False)]
    if not begun:
        return formed(assembly, bytes(window), prefix, tag, old)
    run.part(bytes(window), is_all=True)
    return run.form(prefix), run.guide()
