"""Help: every command has examples that parse and exit codes that exist; docs/cli.md agrees."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

import casckpt
from casckpt.cli import exits
from casckpt.cli.app import GROUPS, app
from casckpt.cli.command import Command
from tests.cli.harness import casckpt as run

FIRST_WORDS = [command for group in GROUPS.values() for command in group]
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
    "prune",
    "reflog",
    "tag",
    "find",
    "rm",
    "gc",
    "pack",
    "compact",
    "fsck",
    "stats",
    "import",
    "bundle",
    "export",
    "demo",
    "completion",
]


def _commands(members: Iterable[click.Command], before: str = "") -> Iterator[tuple[str, Command]]:
    """What can be run, with all its words: `import trace`."""
    for member in members:
        name = f"{before}{member.name}"
        if isinstance(member, click.Group):
            yield from _commands(member.commands.values(), f"{name} ")
        else:
            assert isinstance(member, Command)
            yield name, member


COMMANDS = dict(_commands(FIRST_WORDS))
each_command = pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)


def test_the_commands_are_those_promised() -> None:
    assert sorted(app.commands) == sorted(NAMES)
    assert sorted(command.name or "" for command in FIRST_WORDS) == sorted(NAMES)


@each_command
def test_help_has_examples_and_exit_codes(name: str, command: Command) -> None:
    done = run([*name.split(), "--help"])
    assert done.exit_code == 0
    assert "Examples:" in done.output
    assert f"casckpt {name}" in done.output
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


@each_command
def test_examples_parse(name: str, command: Command, folder: Path) -> None:
    """Names of files are not looked at; options, arguments and choices are."""
    lines = _lines(command)
    assert any(f" {name} " in f"{line} " for line in lines)
    (folder / "all.bundle").touch()
    (folder / "sessions").mkdir()
    (folder / "run.jsonl").touch()
    (folder / "run.jsonl.zst").touch()
    (folder / "checkpoints.sqlite").touch()
    for line in lines:
        args = shlex.split(line)[1:]
        with app.make_context("casckpt", args) as ctx:
            # click keeps the command's own words aside, under a name that changed with 8.2.
            known = vars(ctx)
            aside = known.get("_protected_args") or known.get("protected_args") or []
            _parse(app, ctx, [*aside, *ctx.args])


def _parse(group: click.Group, ctx: click.Context, args: list[str]) -> None:
    name, found, rest = group.resolve_command(ctx, args)
    assert found is not None
    if isinstance(found, click.Group):
        _parse(found, ctx, rest)
        return
    with found.make_context(name, rest, parent=ctx):
        pass


def test_a_group_lists_its_commands() -> None:
    for group in FIRST_WORDS:
        if isinstance(group, click.Group):
            done = run([group.name or "", "--help"])
            assert done.exit_code == 0
            assert all(name in done.output for name in group.commands)
            alone = run([group.name or ""])
            assert (alone.exit_code, alone.stderr.count("\n")) == (2, 1)
            assert max(map(len, done.output.splitlines())) <= 100


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


@each_command
def test_the_page_describes_every_command_and_option(name: str, command: Command) -> None:
    section = re.search(rf"^### `casckpt {name}\b.*?(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/cli.md has no section for {name}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "as_json":
            long = next(name for name in parameter.opts if name.startswith("--"))
            assert long in section[0], f"docs/cli.md: {name} {long}"


def test_without_arguments_help_is_short() -> None:
    done = run([])
    assert done.exit_code == 0
    assert "casckpt demo" in done.output
    assert len(done.output.splitlines()) < 15


def test_version() -> None:
    assert run(["--version"]).output == f"casckpt {casckpt.__version__}\n"
