"""Transcripts: files of commands and what they print, run in an empty folder.

    # a remark, at the beginning or behind an empty line
    $ casckpt save alice -            a command line, run in this process
    < {"n": 1}                        a line of its standard input
    <id>  alice @0  <size>  <time>    what it prints, standard output and error as they come
    ? 3                               its exit code, if not 0

`<id>`, `<time>`, `<size>`, `<n>` (any number) and `...` (anything within a line) are
wildcards; a line that is only `...` stands for any number of lines. `$ write NAME` makes a
file of the `<` lines; `$ cat NAME` prints one; `$ export NAME=VALUE` sets a variable.
`$NAME` is replaced by what `$ remember NAME PATTERN` took from the output before it (the
first group of the pattern).
"""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from casckpt.cli.main import run

WILD = {
    "<id>": r"[0-9a-f]{4,64}",
    "<time>": r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|just now|\d+ (?:s|min|h|days) ago)",
    "<size>": r"\d[\d.,]* ?(?:B|kB|MB|GB)",
    "<n>": r"\d[\d.,]*",
    "...": r".*",
}
_PARTS = re.compile("(" + "|".join(map(re.escape, WILD)) + ")")


@dataclass
class Step:
    """One command, what goes in, what must come out."""

    line: int
    command: str
    stdin: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    exit_code: int = 0


@dataclass
class Result:
    """What a command did."""

    exit_code: int
    output: str
    stdout: bytes
    stderr: str


def steps(path: Path) -> Iterator[Step]:
    """The commands of a transcript."""
    step: Step | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("$ "):
            if step:
                yield step
            step = Step(number, line[2:])
        elif line.startswith("#") and (step is None or step.expected[-1:] in ([], [""])):
            continue
        elif step is None:
            if line.strip():
                message = f"{path.name}:{number}: output before the first command"
                raise ValueError(message)
        elif line == "<" or line.startswith("< "):
            step.stdin.append(line[2:])
        elif line.startswith("? "):
            step.exit_code = int(line[2:])
        else:
            step.expected.append(line)
    if step:
        yield step


def casckpt(args: list[str], stdin: bytes = b"") -> Result:
    """Run a command line in this process."""
    both = io.BytesIO()
    out, err = _Copied(both), _Copied(both)
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        mock.patch.object(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True)),
        mock.patch.object(sys, "stderr", io.TextIOWrapper(err, "utf-8", write_through=True)),
    ):
        try:
            exit_code = run(args)
        except SystemExit as exit:  # completion ends so
            exit_code = int(exit.code or 0)
        return Result(
            exit_code,
            both.getvalue().decode(errors="replace"),
            out.getvalue(),
            err.getvalue().decode(errors="replace"),
        )


class _Copied(io.BytesIO):
    """Keeps what is written, and copies it to where the other stream's output goes too."""

    def __init__(self, both: io.BytesIO) -> None:
        super().__init__()
        self._both = both

    def write(self, data: Any) -> int:
        self._both.write(data)
        return super().write(data)


def pattern(expected: list[str]) -> re.Pattern[str]:
    """What the output must match; empty lines at the end do not count."""
    text = list(expected)
    while text and not text[-1].strip():
        text.pop()
    lines = []
    for line in text:
        if line == "...":
            lines.append(r"(?:.*\n)*?")
            continue
        parts = (WILD.get(part, re.escape(part)) for part in _PARTS.split(line.rstrip()))
        lines.append("".join(parts) + r" *\n")
    return re.compile("".join(lines))


class Session:
    """A folder in which the commands of one transcript run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._known: dict[str, str] = {}
        self._last = ""

    def filled(self, text: str) -> str:
        """The text with what was remembered in the place of its names."""
        return re.sub(r"\$([A-Z]+)", lambda m: self._known[m[1]], text)

    def run(self, step: Step) -> tuple[int, str]:
        """Run one command: exit code and output."""
        words = shlex.split(self.filled(step.command))
        stdin = "".join(f"{line}\n" for line in step.stdin)
        match words[0]:
            case "casckpt":
                done = casckpt(words[1:], stdin.encode())
                self._last = done.output
                return done.exit_code, done.output
            case "write":
                Path(words[1]).write_text(stdin, encoding="utf-8")
            case "cat":
                return 0, Path(words[1]).read_text(encoding="utf-8")
            case "export":
                name, _, value = words[1].partition("=")
                self._patch.setenv(name, value)
            case "remember":
                found = re.search(words[2], self._last)
                assert found, f"{words[2]!r} is not in\n{self._last}"
                self._known[words[1]] = found[1]
            case _:
                message = f"a transcript has no command {words[0]!r}"
                raise ValueError(message)
        return 0, ""


def play(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a transcript and compare."""
    session = Session(monkeypatch)
    for step in steps(path):
        exit_code, output = session.run(step)
        where = f"{path.name}:{step.line}: $ {step.command}"
        shown = output if output.endswith("\n") or not output else output + "\n"
        want = pattern(list(map(session.filled, step.expected)))
        # Trailing empty lines of what was printed do not count either.
        trimmed = shown.rstrip("\n") + "\n" if shown.strip() else ""
        assert want.fullmatch(trimmed), f"{where}\nprinted:\n{shown}\nexit code {exit_code}"
        assert exit_code == step.exit_code, f"{where}: exit code {exit_code}\n{shown}"
