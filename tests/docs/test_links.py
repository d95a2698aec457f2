"""Every relative link of every page leads somewhere, headings included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import FENCE, ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")],
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> list[str]:
    """The lines of a page outside of its fenced blocks."""
    kept, fence = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        found = FENCE.match(line)
        if fence:
            if line.strip() == fence:
                fence = ""
        elif found:
            fence = found["fence"]
        else:
            kept.append(line)
    return kept


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, spelled as GitHub spells them."""
    found: set[str] = set()
    for line in prose(page):
        if not re.match(r"#{1,6} ", line):
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("# ")).lower()
        anchor = re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-")
        copy, number = anchor, 0
        while copy in found:
            number += 1
            copy = f"{anchor}-{number}"
        found.add(copy)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall("\n".join(prose(page))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        fits = there.exists() and there.is_relative_to(ROOT)
        if fits and anchor and there.suffix == ".md":
            fits = anchor in anchors(there)
        if not fits:
            broken.append(target)
    assert not broken


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    open_pages = [ROOT / "README.md"]
    while open_pages:
        page = open_pages.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        for target in LINK.findall("\n".join(prose(page))):
            file = target.partition("#")[0]
            if file.endswith(".md") and ":" not in target:
                open_pages.append((page.parent / file).resolve())
    assert not [p.relative_to(ROOT).as_posix() for p in PAGES if p not in seen]
