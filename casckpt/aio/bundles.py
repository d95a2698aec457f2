"""Bundles: threads out of an async store and into it, in one file.

Imports: bundle, aio.crew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from casckpt.aio.crew import Crew
from casckpt.bundle.create import BundleReport
from casckpt.bundle.files import BundleFile
from casckpt.bundle.handle import Bundles as Plain
from casckpt.bundle.unbundle import UnbundleReport
from casckpt.bundle.verify import BundleSummary, Progress

__all__ = ["Bundles"]


class Bundles:
    """What `casckpt.Store.bundles` has, awaited; files are read and written in other OS threads."""

    __slots__ = ("_crew", "_plain")

    def __init__(self, crew: Crew, plain: Plain) -> None:
        self._crew = crew
        self._plain = plain

    async def create(
        self,
        file: BundleFile,
        threads: Iterable[str] | None = None,
        *,
        prefix: str = "",
        since: BundleFile | None = None,
        have: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> BundleReport:
        """Write threads, with all they need, into one file."""
        return await self._crew.read(
            lambda: self._plain.create(
                file, threads, prefix=prefix, since=since, have=have, progress=progress
            )
        )

    async def unbundle(
        self,
        file: BundleFile,
        *,
        prefix: str = "",
        rename: Mapping[str, str] | None = None,
        overwrite: bool = False,
        bytes_max: int | None = None,
        progress: Progress | None = None,
    ) -> UnbundleReport:
        """Take the threads of a bundle in. Saves go on meanwhile."""
        return await self._crew.read(
            lambda: self._plain.unbundle(
                file,
                prefix=prefix,
                rename=rename,
                overwrite=overwrite,
                bytes_max=bytes_max,
                progress=progress,
            )
        )

    async def verify(
        self, file: BundleFile, *, bytes_max: int | None = None, progress: Progress | None = None
    ) -> BundleSummary:
        """Read a bundle through and check all of it that can be checked without a store."""
        return await self._crew.read(
            lambda: self._plain.verify(file, bytes_max=bytes_max, progress=progress)
        )
