"""Size and manners of files: the rules we state are rules we run."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.house.rooms import ROOT, Module, modules

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

VIOLATIONS: dict[str, str] = {
    # path, or path:function -> the reason. An entry that is no longer needed is an error.
}

TEXT = {".py", ".md", ".toml", ".txt", ".json", ".cfg", ".ini", ".sh", ".yml", ".yaml", ""}

BANNED = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b"
)
MACHINE = re.compile(
    r"(?<![\w.])/(?:"
    + "|".join(["wo" + "rk/", "ro" + "ot/", "tmp/" + "venv", "home/" + "[a-z]"])
    + ")"
)


@cache
def files() -> tuple[Path, ...]:
    """The files of the project: those git knows, or all of them where there is no git."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        names = [name for name in listing.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        rooms = ("casckpt", "tests", "docs", "examples", "bench")
        names = [str(p.relative_to(ROOT)) for room in rooms for p in (ROOT / room).rglob("*")]
        names += [p.name for p in ROOT.iterdir()]
    paths = [ROOT / name for name in names]
    return tuple(p for p in paths if p.is_file() and p.suffix in TEXT and p.name != "LICENSE")


def sources() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def too_long() -> dict[str, int]:
    """Every file and function over its limit, with its number of lines."""
    found = {}
    for path in sources():
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            found[where(path)] = lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found[f"{where(path)}:{node.name}"] = lines
    return found


def test_files_and_functions_are_short() -> None:
    found = too_long()
    assert {name: n for name, n in found.items() if name not in VIOLATIONS} == {}
    assert [name for name in VIOLATIONS if name not in found] == [], "no longer violations"
    assert all(len(reason) > 20 for reason in VIOLATIONS.values())


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_a_module_opens_with_why(module: Module) -> None:
    text = ast.get_docstring(module.tree) or ""
    assert text, "a module says what it is for"
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(module.tree)):
        assert "Imports:" in text, "and what it may import ('Imports: ...')"


def _lines(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{where(path)}:{number}: {line.strip()[:80]}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_for_later_in_comments() -> None:
    assert not _lines(BANNED), "open an issue instead, or do it"


def test_no_path_of_somebodys_machine() -> None:
    assert not _lines(MACHINE)


def test_text_is_clean() -> None:
    wrong = []
    for path in files():
        data = path.read_bytes()
        # Golden files and transcripts may need odd bytes; prose and code do not.
        if path.suffix in {".py", ".md", ".toml"} and data:
            if b"\r" in data or not data.endswith(b"\n"):
                wrong.append(f"{where(path)}: line ends")
            if path.suffix != ".md" and re.search(rb"[ \t]+\n", data):
                wrong.append(f"{where(path)}: spaces at a line's end")
    assert not wrong


def test_every_lint_exception_has_its_reason() -> None:
    """In pyproject.toml each ignored rule has a comment, and each noqa names its rule."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rules = re.findall(r'^    "[A-Z]+[0-9]*",.*$', text, re.MULTILINE)
    assert len(rules) > 20
    assert [rule for rule in rules if "#" not in rule] == []
    bare = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?![:\[])")
    assert not [
        f"{where(path)}:{number}"
        for path in sources()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
