"""Fenced blocks of a Markdown page, for the tests and for .ci/run.

`python tests/docs/blocks.py README.md sh 2` prints the second `sh` block of the README: that
is how .ci/run takes its commands from the page that people read, so that they cannot drift.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w+-]*)(?P<rest>.*)$")


class Block(NamedTuple):
    """One fenced block."""

    language: str
    line: int
    """Of its first line of text, counted from 1."""
    text: str


class Command(NamedTuple):
    """One command of a transcript, with what it printed."""

    line: int
    command: str
    output: str


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if not opening:
            continue
        begin, indent = at, len(opening["indent"])
        while lines[at].strip() != opening["fence"]:
            at += 1
        text = "\n".join(line[indent:] for line in lines[begin:at])
        yield Block(opening["language"], begin + 1, text + "\n")
        at += 1


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block: `$ ` begins one, `> ` continues it."""
    line, command, output = 0, [], []
    for number, text in enumerate(block.text.splitlines(), block.line):
        if text.startswith("$ "):
            if command:
                yield Command(line, "\n".join(command), "\n".join(output))
            line, command, output = number, [text[2:]], []
        elif text.startswith("> ") and command and not output:
            command.append(text[2:])
        elif command:
            output.append(text)
        else:
            message = f"line {number}: a console block begins with '$ '"
            raise ValueError(message)
    if command:
        yield Command(line, "\n".join(command), "\n".join(output))


def main() -> None:
    """Print one block: page, language, number from 1."""
    page, language, number = sys.argv[1:]
    found = [block for block in blocks(Path(page)) if block.language == language]
    sys.stdout.write(found[int(number) - 1].text)


if __name__ == "__main__":
    main()
