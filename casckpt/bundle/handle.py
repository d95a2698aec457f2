"""Bundles: the public handle by which a store writes them and takes them in.

Imports: errors, ids, history (ledger), bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from casckpt.bundle.create import BundleReport, create
from casckpt.bundle.files import BundleFile, reading, writing
from casckpt.bundle.stream import PAYLOAD_BYTES_IN_ALL_MAX, BundleReader
from casckpt.bundle.unbundle import UnbundleReport, unbundle
from casckpt.bundle.verify import BundleSummary, Checker, Progress, check_all, verify
from casckpt.errors import CasckptError, InvalidInputError
from casckpt.history.ledger import Ledger
from casckpt.ids import ObjectId

__all__ = ["Bundles"]

_FULL_ID: Final = re.compile("[0-9a-fA-F]{64}")


class Named(Protocol):
    """What has an id, as a checkpoint has."""

    @property
    def id(self) -> str:
        """Its id, 64 digits."""


class Bundles:
    """Threads out of a store and into it, in one file; `Store.bundles` (docs/exchange.md)."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(
        self,
        file: BundleFile,
        threads: Iterable[str] | None = None,
        *,
        prefix: str = "",
        since: BundleFile | None = None,
        have: Iterable[Named | str] = (),
        progress: Progress | None = None,
    ) -> BundleReport:
        """Write threads, with all they need, into one file.

        Args:
            file: a path, whose file is replaced whole or not at all; or an open binary file.
            threads: their names; None: all that begin with `prefix`.
            prefix: see `threads`.
            since: an earlier bundle: what whoever took it in has is left out.
            have: checkpoints, or ids of them: they, and all before them, are left out.
            progress: called with a stage's name, and how much of how much is done.

        Raises:
            NotFoundError: no such thread, or none at all.
            InvalidInputError: not an id, or `since` is not a bundle.
            CorruptError: the earlier bundle is damaged; or something here is.
        """
        if isinstance(threads, str):
            raise InvalidInputError(f"threads= takes a list of names: write [{threads!r}]")
        if isinstance(have, str):
            raise InvalidInputError(f"have= takes a list of ids: write [{have!r}]")
        known = {_id(one) for one in have}
        if since is not None:
            known |= _known_by(since, progress)
        with writing(file) as target:
            return create(
                self._ledger, target, threads, prefix=prefix, have=known, progress=progress
            )

    def unbundle(
        self,
        file: BundleFile,
        *,
        prefix: str = "",
        rename: Mapping[str, str] | None = None,
        overwrite: bool = False,
        bytes_max: int | None = None,
        progress: Progress | None = None,
    ) -> UnbundleReport:
        """Take the threads of a bundle in; those that are here already move forward only.

        All of it is checked before anything is stored.

        Args:
            file: a path, or an open binary file.
            prefix: put before each thread's name.
            rename: names in the bundle -> names here; `prefix` comes before these, too.
            overwrite: move threads, too, that have gone another way here (can be undone).
            bytes_max: payload bytes it may expand to; None: 64 GiB.
            progress: called with a stage's name, and how much of how much is done (0: unknown).

        Raises:
            InvalidInputError: not a bundle, or a name that no thread may have.
            FormatVersionError: of a later version, or of a store with other parameters.
            CorruptError: it is damaged, cut off or forged; `details` has the offset.
            NotFoundError: what it builds on is not here.
            ConflictError: a thread has gone another way here.
            LimitError: it expands to more than `bytes_max`.
        """
        limit = PAYLOAD_BYTES_IN_ALL_MAX if bytes_max is None else bytes_max
        with reading(file) as source:
            return unbundle(
                *(self._ledger, source),
                prefix=prefix,
                rename=rename,
                overwrite=overwrite,
                bytes_max=limit,
                progress=progress,
            )

    @staticmethod
    def verify(
        file: BundleFile, *, bytes_max: int | None = None, progress: Progress | None = None
    ) -> BundleSummary:
        """Read a bundle through and check all of it that can be checked without a store.

        Args:
            file: a path, or an open binary file.
            bytes_max: payload bytes it may expand to; None: 64 GiB.
            progress: called with a stage's name, and how many objects are done (of 0: unknown).

        Raises:
            InvalidInputError: not a bundle.
            FormatVersionError: of a later version, or of a store with other parameters.
            CorruptError: damaged, cut off or forged; `details` has the offset.
            LimitError: it expands to more than `bytes_max`.
        """
        limit = PAYLOAD_BYTES_IN_ALL_MAX if bytes_max is None else bytes_max
        with reading(file) as source:
            return verify(source, bytes_max=limit, progress=progress)


def _known_by(file: BundleFile, progress: Progress | None) -> set[ObjectId]:
    """What whoever has taken a bundle in has."""
    with reading(file) as source:
        reader = BundleReader(source)
        try:
            checker = Checker(reader.head)
        except CasckptError as error:
            reader.place(error)
        check_all(reader, checker, progress)
    heads = {thread.head for thread in reader.head.threads}
    return heads | {oid for _, oid, _ in checker.tagged}


def _id(one: Any) -> ObjectId:
    text = getattr(one, "id", one)
    if type(text) is not str or not _FULL_ID.fullmatch(text):
        raise InvalidInputError(f"not the id of a checkpoint (64 hexadecimal digits): {text!r}")
    return ObjectId(bytes.fromhex(text))
