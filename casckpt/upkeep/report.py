"""What fsck tells: findings, and the report that holds them.

Imports: nothing of casckpt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, overload

__all__ = ["DAMAGE", "UNTIDY", "Finding", "Progress", "Report"]

DAMAGE: Final = "damage"
"""Bytes are wrong or lost."""
UNTIDY: Final = "untidy"
"""Nothing is lost: gc or `Store.reindex` puts it in order."""

Progress = Callable[[str, int, int], None]
"""Told the name of a stage, and how much of how much is done (0: unknown)."""


class Finding(NamedTuple):
    """Something that is not as docs/format.md promises."""

    severity: str
    """"damage" or "untidy"."""
    what: str
    """One sentence for people."""
    id: str | None = None
    """The object it is about: 64 digits, or the first 32 where no more are left of it."""
    needed_by: tuple[str, ...] = ()
    """The first checkpoints that cannot be read without it: "THREAD@STEP ID", or the id
    alone for one that no thread has any more."""
    needed_by_count: int = 0
    """How many there are."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self._asdict(), "needed_by": list(self.needed_by)}

    def __str__(self) -> str:
        text = f"{self.severity}: {self.what}"
        if not self.needed_by:
            return text
        more = self.needed_by_count - len(self.needed_by)
        others = f" and {more:,} more" if more else ""
        return f"{text}\n  needed by {', '.join(self.needed_by)}{others}"


class Report(Sequence[Finding]):
    """What fsck found; empty: all is well."""

    def __init__(self, findings: Iterable[Finding], *, level: str) -> None:
        """Keep the findings of a check that went as deep as `level`."""
        self._findings = tuple(findings)
        self.level = level
        """How deep it looked: "books", "data" or "structure"."""

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged; something may be untidy."""
        return not any(found.severity == DAMAGE for found in self._findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...

    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self._findings[index]

    def __len__(self) -> int:
        return len(self._findings)

    def __repr__(self) -> str:
        damaged = sum(found.severity == DAMAGE for found in self)
        untidy = len(self) - damaged
        return f"<Report of {self.level}: {damaged} damaged, {untidy} untidy>"

    def __str__(self) -> str:
        return "\n".join(map(str, self._findings)) or "no problems found"
