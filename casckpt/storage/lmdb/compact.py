"""Compacting: the file is written anew, densely, and takes the old one's place.

LMDB's own compacting copy leaves out free pages, but copies half-empty ones as they are;
packing leaves many. Here every table is written in the order of its keys, so that all pages
are full. Numbers, signs, everything that is stored stays as it is.

The new file is made in a folder inside the store's, `.compact-*`, synced, and then renamed:
at any moment one whole file is there. Nobody else has the store open meanwhile
(`Space.replace`).

Invariants: the old file is not written; a damaged one is not replaced.

Imports: lmdb, errors, the engine interface, its neighbours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import lmdb

from casckpt.errors import CorruptError
from casckpt.storage.engine import CompactReport
from casckpt.storage.lmdb import faults, files, pages, tables
from casckpt.storage.lmdb.space import Space

__all__ = ["compact"]

BATCH_BYTES: Final = 32 << 20
"""Written in one transaction: LMDB keeps its dirty pages in memory."""
PAGE: Final = 1024
"""Entries between two looks at the bytes."""
_FOLDER: Final = ".compact-"

Progress = Callable[[str, int, int], None]


def compact(space: Space, progress: Progress | None) -> CompactReport:
    """See `Engine.compact`."""
    began = time.perf_counter()
    path = Path(space.path)
    before = files.size(path)
    workshop: list[Path] = []

    def build() -> Path:
        for left in path.glob(_FOLDER + "*"):  # of one that was killed: we are alone
            shutil.rmtree(left, ignore_errors=True)
        workshop.append(Path(tempfile.mkdtemp(prefix=_FOLDER, dir=path)))
        return _build(path, workshop[0], progress)

    try:
        space.replace(build)
    except lmdb.Error as error:
        raise faults.of_lmdb(error, space.path) from error
    except OSError as error:
        raise faults.of_os(error, space.path) from error
    finally:
        for folder in workshop:
            shutil.rmtree(folder, ignore_errors=True)
    after = files.size(path)
    return CompactReport(before, after, time.perf_counter() - began)


def _build(path: Path, workshop: Path, progress: Progress | None) -> Path:
    problems = pages.page_problems(path)
    if problems:
        msg = f"{path}: a page is damaged ({problems[0]}); nothing was changed; run fsck"
        raise CorruptError(msg, path=str(path))
    options: dict[str, Any] = {"max_dbs": tables.COUNT_MAX, "lock": False, "metasync": False}
    old = lmdb.open(os.fsencode(path), readonly=True, create=False, **options)
    try:
        new = lmdb.open(
            os.fsencode(workshop),
            map_size=max(old.info()["map_size"], 1 << 26),
            mode=0o666,
            sync=False,
            lib_version=old.lib_version()[0],
            **options,
        )
        try:
            _copy(old, new, str(path), progress)
            new.sync(True)
        finally:
            new.close()
    finally:
        old.close()
    made = workshop / files.DATA
    _dress(made, path / files.DATA)
    return made


def _dress(made: Path, like: Path) -> None:
    """Give the new file the old one's mode and, as far as that is permitted, owner."""
    stat = like.stat()
    shutil.copymode(like, made)
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(made, stat.st_uid, stat.st_gid)
    with made.open("rb") as file:
        os.fsync(file.fileno())


def _copy(
    old: lmdb.Environment, new: lmdb.Environment, path: str, progress: Progress | None
) -> None:
    there = tables.open_tables(old, path)
    writer = _Writer(new)
    with old.begin(buffers=True) as source:
        counts = [source.stat(table)["entries"] for table in there]
        done = 0
        for name, table, count in zip(tables.Tables._fields, there, counts, strict=True):
            with source.cursor(table) as cursor:
                entries = iter(cursor)
                while page := list(islice(entries, PAGE)):
                    writer.put(name, page)
                    done += len(page)
                    if progress is not None:
                        progress("copy", done, sum(counts))
            if writer.copied[name] != count:
                raise CorruptError(f"{path}: table {name!r} cannot be read to its end; run fsck")
    writer.commit()


class _Writer:
    """Fills a new file, in as few transactions as memory permits: each leaves some free pages."""

    def __init__(self, env: lmdb.Environment) -> None:
        self._env = env
        self._txn = env.begin(write=True)
        self._tables = tables.create_tables(env, self._txn)
        self._bytes = 0
        self.copied: Counter[str] = Counter()
        """Entries by table."""

    def put(self, name: str, page: list[tuple[Any, Any]]) -> None:
        """Append the next entries of a table."""
        if self._bytes > BATCH_BYTES:
            self.commit()
            self._txn = self._env.begin(write=True)
        with self._txn.cursor(getattr(self._tables, name)) as cursor:
            _, added = cursor.putmulti(page, dupdata=name in tables.DUPLICATES, append=True)
        self.copied[name] += added
        self._bytes += sum(len(key) + len(value) for key, value in page)

    def commit(self) -> None:
        """End the transaction."""
        self._txn.commit()
        self._bytes = 0
