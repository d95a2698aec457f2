"""Looking for damage, at three depths.

- *books*: the engine's own (rows, index, refs, log, postings), and refs, log, tags and
  postings against the records they speak of;
- *data*: besides, every object's bytes against its id, its payload against docs/format.md,
  what it refers to against what was stored as its children; steps, times and jumps;
- *structure*: besides, states are built anew, slowly, and must come out as they are stored.

If anything is damaged, the heads are walked down to say which checkpoints need it.

Invariants: damage in one place does not keep the others from being looked at (but a damaged
page of the file does: nothing else can then be read without danger). Nothing is written.

Imports: errors, ids, storage (engine interface), history (ledger), upkeep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from casckpt.errors import CorruptError, InvalidInputError, NotFoundError
from casckpt.history.ledger import Ledger
from casckpt.ids import ID_BYTES, ObjectId
from casckpt.storage.engine import StoredObject
from casckpt.upkeep import books, structure
from casckpt.upkeep.contents import references
from casckpt.upkeep.needs import Need, needs
from casckpt.upkeep.report import DAMAGE, Finding, Progress, Report

__all__ = ["LEVELS", "Level", "check"]

Level = Literal["books", "data", "structure"]

LEVELS: Final[tuple[Level, ...]] = ("books", "data", "structure")
"""Each includes those before it."""
_TOLD_EVERY: Final = 256


def check(ledger: Ledger, *, level: Level = "data", progress: Progress | None = None) -> Report:
    """What is wrong.

    Args:
        ledger: the store.
        level: how deep to look.
        progress: told how far it is.

    Raises:
        InvalidInputError: no such level.
        StorageError: the file cannot be read; or gc removes things all the time.
    """
    if level not in LEVELS:
        raise InvalidInputError(f"level= takes one of {', '.join(LEVELS)}, not {level!r}")
    tell = progress or _silent
    ledger.forget()  # what is stored is asked for, not what is remembered
    findings, final = _engine(ledger, level, tell)
    if final:
        return Report(findings, level=level)
    steps: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("refs", lambda: books.refs(ledger)),
        ("log", lambda: books.log(ledger)),
        ("postings", lambda: books.postings(ledger, tell)),
    ]
    if level != "books":
        steps.append(("ancestry", lambda: books.ancestry(ledger, tell)))
    if level == "structure":
        steps.append(("structure", lambda: structure.check(ledger, tell)))
    for stage, step in steps:
        tell(stage, 0, 0)
        known = {found.id for found in findings if found.severity == DAMAGE} - {None}
        findings += [found for found in _caught(stage, step) if found.id not in known]
    if any(found.severity == DAMAGE for found in findings):
        tell("needs", 0, 0)
        findings = _with_needs(ledger, findings)
    return Report(dict.fromkeys(findings), level=level)


def _silent(_stage: str, _done: int, _total: int) -> None:
    pass


def _engine(ledger: Ledger, level: Level, tell: Progress) -> tuple[list[Finding], bool]:
    """What the engine finds; and whether nothing else may be looked at."""
    done = 0

    def children(stored: StoredObject) -> list[ObjectId]:
        nonlocal done
        done += 1
        if not done % _TOLD_EVERY:
            tell("objects", done, 0)
        return references(stored)

    findings, final = [], False
    tell("books", 0, 0)
    for problem in ledger.engine.check(data=level != "books", children=children):
        id = (problem.id or problem.prefix).hex() or None
        findings.append(Finding(problem.severity, problem.what, id))
        final |= problem.final
    return findings, final


def _caught(stage: str, step: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from step()
    except (CorruptError, NotFoundError) as error:
        id = error.details.get("object")
        yield Finding(DAMAGE, f"{stage}: {error.message}", id if isinstance(id, str) else None)


def _with_needs(ledger: Ledger, findings: list[Finding]) -> list[Finding]:
    """The findings, each with who needs what it is about; and what only the walk found."""
    suspects = frozenset(
        ObjectId(bytes.fromhex(found.id))
        for found in findings
        if found.severity == DAMAGE and found.id is not None and len(found.id) == 2 * ID_BYTES
    )
    walked = needs(ledger, suspects)
    told: set[ObjectId] = set()
    out = []
    for found in findings:
        if found.severity == DAMAGE and found.id is not None:
            for oid, need in walked.items():
                if oid.hex().startswith(found.id):
                    told.add(oid)
                    found = _needed(found._replace(id=oid.hex()), need)
        out.append(found)
    for oid, need in walked.items():
        if oid not in told:
            what = f"object {oid.hex()[:16]} is lost or cannot be read"
            out.append(_needed(Finding(DAMAGE, what, oid.hex()), need))
    return out


def _needed(found: Finding, need: Need) -> Finding:
    return found._replace(needed_by=tuple(need.shown), needed_by_count=need.total)
