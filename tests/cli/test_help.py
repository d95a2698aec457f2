"""Help: every command has examples that parse and exit codes that exist; docs/cli.md agrees."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import casckpt
from casckpt.cli import exits
from casckpt.cli.app import GROUPS, app
from casckpt.cli.command import Command
from tests.cli.harness import casckpt as run

COMMANDS = [command for group in GROUPS.values() for command in group]
PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text(encoding="utf-8")
NAMES = [
    "init",
    "save",
    "threads",
    "log",
    "show",
    "checkout",
    "diff",
    "fork",
    "rewind",
    "undo",
    "reflog",
    "tag",
    "find",
    "rm",
    "gc",
    "pack",
    "compact",
    "fsck",
    "stats",
    "import-trace",
    "demo",
    "completion",
]


def test_the_commands_are_those_promised() -> None:
    assert sorted(app.commands) == sorted(NAMES)
    assert sorted(command.name or "" for command in COMMANDS) == sorted(NAMES)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_has_examples_and_exit_codes(command: Command) -> None:
    done = run([command.name or "", "--help"])
    assert done.exit_code == 0
    assert "Examples:" in done.output
    assert f"casckpt {command.name}" in done.output
    codes = done.output.partition("Exit codes:")[2]
    assert re.findall(r"^ +(\d+)  ", codes, re.MULTILINE) == [str(c) for c in command.exit_codes]
    assert {0, 2} <= set(command.exit_codes) <= set(exits.MEANINGS)
    assert max(map(len, done.output.splitlines())) <= 100


def _lines(command: Command) -> list[str]:
    """The command lines of the examples: without remarks, pipes and what is around them."""
    found = []
    for line in command.examples:
        text = re.sub(r"\s+#.*$", "", line.strip())
        for part in re.split(r"\s(?:\||&&)\s", text):
            part = re.sub(r"\s+>\s+\S+$", "", part)
            if part.startswith("casckpt"):
                found.append(part)
            inner = re.search(r"\$\((casckpt .*?)\)", part)
            if inner:
                found.append(inner[1])
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_parse(command: Command, folder: Path) -> None:
    """Names of files are not looked at; options, arguments and choices are."""
    lines = _lines(command)
    assert any(f" {command.name}" in line for line in lines)
    (folder / "run.jsonl").touch()
    (folder / "run.jsonl.zst").touch()
    for line in lines:
        args = shlex.split(line)[1:]
        with app.make_context("casckpt", args) as ctx:
            # click keeps the command's own words aside, under a name that changed with 8.2.
            known = vars(ctx)
            aside = known.get("_protected_args") or known.get("protected_args") or []
            name, found, rest = app.resolve_command(ctx, [*aside, *ctx.args])
            assert found is not None
            with found.make_context(name, rest, parent=ctx):
                pass


def test_every_error_class_has_its_exit_code() -> None:
    classes = [
        value
        for value in vars(casckpt).values()
        if isinstance(value, type) and issubclass(value, casckpt.CasckptError)
    ]
    assert {cls.code for cls in classes} | {"usage"} == set(exits.BY_CODE)
    for cls in classes:
        for parent in cls.__bases__:
            if parent in classes and parent is not casckpt.CasckptError:
                assert exits.BY_CODE[cls.code] == exits.BY_CODE[parent.code]


def test_the_page_has_the_table_of_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert {int(code): text for code, text in rows} == exits.MEANINGS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_page_describes_every_command_and_option(command: Command) -> None:
    section = re.search(
        rf"^### `casckpt {command.name}\b.*?(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert section, f"docs/cli.md has no section for {command.name}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "as_json":
            long = next(name for name in parameter.opts if name.startswith("--"))
            assert long in section[0], f"docs/cli.md: {command.name} {long}"


def test_without_arguments_help_is_short() -> None:
    done = run([])
    assert done.exit_code == 0
    assert "casckpt demo" in done.output
    assert len(done.output.splitlines()) < 15


def test_version() -> None:
    assert run(["--version"]).output == f"casckpt {casckpt.__version__}\n"
