"""The chapter of docs/design.md on promises names tests that are there."""

import re

import pytest

from tests.docs.blocks import ROOT

CHAPTER = (ROOT / "docs" / "design.md").read_text().partition("## What holds each promise")[2]
ROWS = re.findall(
    r"^\| (?!promise)([^|]+) \| (`.+`) \|$", CHAPTER.partition("\n## ")[0], re.MULTILINE
)


def test_there_are_rows():
    assert len(ROWS) > 15


@pytest.mark.parametrize(("promise", "cell"), ROWS, ids=[promise for promise, _ in ROWS])
def test_the_tests_are_there(promise, cell):
    tests = re.findall(r"`([^`]+)::(test_\w+)`", cell)
    assert len(tests) == cell.count("`") // 2, promise
    for file, name in tests:
        assert f"\ndef {name}(" in (ROOT / file).read_text().replace("async def", "def"), name
