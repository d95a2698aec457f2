"""The pages do what they say: every block of them runs, in order, in an empty directory.

- `python` blocks share one namespace a page, and run with warnings as errors;
- `console` blocks are transcripts: `$ command`, then what it prints (stdout and stderr), in
  which `...` stands for anything, an id for any id of that length and a time for any time; a
  command must succeed (`|| echo "exit $?"` shows another code); `$ export NAME=VALUE` holds for
  the rest of the page;
- `sh` blocks run and must succeed. The first two of the README set up a machine: .ci/run runs
  them, in a clean clone.
What is not to be run is fenced as `text`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import ROOT, Block, blocks, commands
from tests.frameworks import skip_without

PAGES = [
    ROOT / "README.md",
    *sorted(p for p in (ROOT / "docs").glob("*.md")),
]
SETUP_BLOCKS = 2
RUN = {"python", "sh", "console"}
SHOWN = {"text", "json", "toml", "cddl", "abnf", "ebnf", "bibtex", "diff"}
COMMAND_SECONDS_MAX = 60
ID = re.compile(r"\b[0-9a-f]{8,64}\b")
EXPORT = re.compile(r"export (?P<name>[A-Z_]+)=(?P<value>[\w./:-]+)")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `casckpt` and `python` are those under test, and no more."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "casckpt"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom casckpt.cli.main import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    (tmp_path / "home").mkdir()
    return {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "HOME": str(tmp_path / "home"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def run(command: str, env: dict[str, str], *, where: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{where}: $ {command}\n{done.stdout}"
    return done.stdout


def blurred(text: str) -> str:
    """The text without what differs from run to run: ids and times; line ends trimmed."""
    text = TIME.sub("<time>", text)
    text = ID.sub(lambda found: f"<{len(found[0])} digits>", text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def matches(expected: str, actual: str) -> bool:
    """Whether a transcript's text, `...` standing for anything, fits what was printed."""
    pattern = ".*?".join(re.escape(part) for part in blurred(expected).split("..."))
    return re.fullmatch(pattern, blurred(actual), re.DOTALL) is not None


def run_python(block: Block, page: Path, module: ModuleType) -> None:
    # Empty lines in front, so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
    exec(code, vars(module))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_runs(
    page: Path, shell: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(page.stem)
    if page.stem == "langgraph":
        pytest.importorskip("langgraph.checkpoint.sqlite", reason="one it brings threads from")
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    module = ModuleType(re.sub(r"\W", "_", f"page_{page.stem}"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    setup = SETUP_BLOCKS if page.name == "README.md" else 0
    for block in blocks(page):
        where = f"{name(page)}:{block.line}"
        if block.language == "python":
            run_python(block, page, module)
        elif block.language == "console":
            for line, command, expected in commands(block):
                if setting := EXPORT.fullmatch(command):
                    shell[setting["name"]] = setting["value"]
                printed = run(command, shell, where=f"{name(page)}:{line}")
                assert matches(expected, printed), f"{name(page)}:{line}: printed\n{printed}"
        elif block.language == "sh" and setup:
            setup -= 1
        elif block.language == "sh":
            run(block.text, shell, where=where)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_fence_says_what_it_is(page: Path) -> None:
    odd = [f"{name(page)}:{b.line}" for b in blocks(page) if b.language not in RUN | SHOWN]
    assert not odd, f"fence as one of {sorted(RUN | SHOWN)}"


def test_the_readme_begins_with_the_two_commands() -> None:
    shell_blocks = [b.text for b in blocks(ROOT / "README.md") if b.language == "sh"]
    first, second = shell_blocks[:SETUP_BLOCKS]
    for block in (first, second):
        assert "-m venv" in block
        assert "pip install" in block
    assert first.rstrip().endswith("casckpt demo")
    assert "[test]" in second
    assert "pytest" in second


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ("saved 1", "saved 1\n", True),
        ("saved ...", "saved 0f3a\n", True),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("saved 1", "saved 2\n", False),
        ("a...", "b a", False),
        ("", "noise", False),
        ("94537f6282 saved 2026-11-20T22:39:29Z", "0a537f6283 saved 2027-01-02T03:04:05Z", True),
        ("94537f6282 saved", "0a537f62 saved", False),
        (".", "x", False),
    ],
)
def test_a_transcript_is_compared_for_real(expected: str, actual: str, *, fits: bool) -> None:
    assert matches(expected, actual) is fits


def test_commands_of_a_block() -> None:
    block = Block("console", 7, "$ one \\\n> two\nout\n\n$ three\n")
    assert [tuple(c) for c in commands(block)] == [(7, "one \\\ntwo", "out\n"), (11, "three", "")]
    with pytest.raises(ValueError, match="begins with"):
        list(commands(Block("console", 1, "no prompt\n")))


def test_a_wrong_block_is_seen(tmp_path: Path) -> None:
    """A canary: a page whose block fails makes its test fail, with the page's line."""
    page = tmp_path / "page.md"
    page.write_text("# t\n\n```python\nassert 1 == 2\n```\n")
    (block,) = blocks(page)
    with pytest.raises(AssertionError) as caught:
        run_python(block, page, ModuleType("page"))
    assert caught.traceback[-1].lineno + 1 == 4
