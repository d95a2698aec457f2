"""The pages of a file, looked at before LMDB follows what they say.

LMDB maps the file and believes it: a page that is damaged can lead it out of the file, which
kills the process. py-lmdb's verifier reads the file without mapping it. What it passes over is
looked at here: pages in use that lie behind the end of the file, and a newest commit that is lost.

Opening looks at all pages of a small file, and of a large one at those that opening itself
reads; `check` looks at all.

The verifier is for a file at rest. While others write, a commit never changes pages that the
commit before it reaches, so what was found holds if no commit came meanwhile.

Invariants: nothing is written; the file is not mapped.

Imports: lmdb, errors, files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb
from lmdb import verify

from casckpt.errors import CorruptError
from casckpt.storage.lmdb.files import DATA

__all__ = ["VERIFY_BYTES_MAX", "expect_sound", "lost_commit", "page_problems"]

VERIFY_BYTES_MAX: Final = 1 << 20
"""A file up to this is looked at whole when it is opened: some 3 ms a megabyte."""
RETRIES: Final = 5
"""Times that a commit may come while a file is looked at."""

# LMDB counts one leaf too many when a list that had pages of its own loses its last entry.
# Nothing goes by that figure, and the entries are counted besides.
_MISCOUNTED: Final = re.compile(r"main/(posts|index) DB: walked \d+ leaf pages\b.*, record says")


_Verifier: Any = verify._Verifier  # noqa: SLF001 - it has no types, and says in words what it finds


class _Whole(_Verifier):  # type: ignore[misc]  # no types
    """All pages."""

    def problems(self) -> list[str]:
        found = [what for what in self.verify() if not _MISCOUNTED.search(what)]
        there = self.filesize // self.psize
        lost = sum(self.live[there:])
        if lost:
            found.append(f"{lost} pages in use lie behind the end of the file")
        return found


class _Start(_Whole):
    """The pages that opening reads: the list of tables, and the table `meta`."""

    def _verify_tree(self, name: str, *args: Any, **more: Any) -> tuple[int, int]:
        if name not in {"main", "main/meta"}:
            return 0, 0
        found: tuple[int, int] = super()._verify_tree(name, *args, **more)
        return found

    def _check_cover(self) -> None:
        """Most pages were not looked at."""


def expect_sound(env: lmdb.Environment, path: Path) -> None:
    """Refuse a file that LMDB cannot read without danger; see above for how much is looked at.

    Raises:
        CorruptError: it is cut off, or a page is damaged.
    """
    info = env.info()
    size = (path / DATA).stat().st_size
    cut = size < (info["last_pgno"] + 1) * env.stat()["psize"]
    # The last pages may be free, and never have been written: that is rare, and sound.
    look = _Whole if cut or size <= VERIFY_BYTES_MAX else _Start
    for _ in range(RETRIES):
        before = env.info()["last_txnid"]
        problems = _look(path, look)
        if not problems:
            return
        if env.info()["last_txnid"] == before:
            how = "the file is cut off" if cut else "a page of the file is damaged"
            mend = "'casckpt fsck --salvage NEWSTORE' brings over what is whole"
            raise CorruptError(f"{path}: {how} ({problems[0]}); {mend}", path=str(path))


def page_problems(path: Path) -> list[str]:
    """What is wrong with the pages of a file at rest."""
    return _look(path, _Whole)


def _look(path: Path, look: type[_Whole]) -> list[str]:
    try:
        with (path / DATA).open("rb") as file:
            return look(file, file.seek(0, os.SEEK_END)).problems()
    except verify.VerifyError as error:
        return [str(error)]


class _Roots(NamedTuple):
    """Numbers of the commits whose roots are in the file."""

    first: int
    second: int


class _Metas(_Verifier):  # type: ignore[misc]  # no types
    def roots(self) -> _Roots:
        self.detect_engine()
        self.load_metas()
        return _Roots(self._read_meta(0, 1).txnid, self._read_meta(1, self.psize).txnid)


def lost_commit(path: Path) -> str:
    """What is wrong if the root of the newest commit is damaged; "" if it is not.

    Commits write their roots in two places in turn, so these are of commits that follow
    each other. LMDB takes the higher one that it can read.
    """
    try:
        with (path / DATA).open("rb") as file:
            roots = _Metas(file, file.seek(0, os.SEEK_END)).roots()
    except verify.VerifyError as error:
        return str(error)
    if abs(roots.first - roots.second) == 1 or roots == (0, 0):
        return ""
    return (
        f"the root of a commit is damaged (numbers {roots.first} and {roots.second}): the newest"
        " commits may be lost"
    )
