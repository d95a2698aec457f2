"""Shell completion: commands, threads, and revisions, in the three shells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import casckpt
from tests.cli.harness import casckpt as run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(folder: Path) -> Path:
    with casckpt.open(folder / ".casckpt") as store:
        alice = store.thread("support/alice")
        for n, label in enumerate(["planned", "tool call", "replied"]):
            alice.save({"n": n}, label=label)
        store.thread("sales/bob").save({})
    return folder


def offered(shell: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is offered for the last word, through click's own machinery."""
    for name, value in {
        "_CASCKPT_COMPLETE": f"{shell}_complete",
        "COMP_LINE": " ".join(["casckpt", *words]),
        "COMP_BREAKS": "",
        "COMP_WORDS": " ".join(["casckpt", *words]),
        "COMP_CWORD": str(len(words)) if shell != "fish" else words[-1],
    }.items():
        monkeypatch.setenv(name, value)
    lines = run([]).output.strip().splitlines()
    if shell == "zsh":
        return [value.replace("\\:", ":") for value in lines[1::3]]
    return [line.partition(",")[2].partition("\t")[0] for line in lines]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["re"], ["reflog", "rewind"]),
        (["log", "--gr"], ["--graph"]),
        (["undo", "su"], ["support/alice"]),
        (["show", "s"], ["sales/bob", "support/alice"]),
        (["show", "support/alice:"], ["support/alice:replied", "support/alice:planned"]),
        (["show", "support/alice:p"], ["support/alice:planned"]),
        (["show", "support/alice@"], ["support/alice@2", "support/alice@1", "support/alice@0"]),
        (["show", "support/alice~"], ["support/alice~0", "support/alice~1", "support/alice~2"]),
        (["rewind", "support/alice", "support/alice~1"], ["support/alice~1"]),
        (["show", "nobody:"], []),
        (["completion", "z"], ["zsh"]),
    ],
    ids=" ".join,
)
def test_offers(
    store: Path,
    shell: str,
    words: list[str],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del store
    assert offered(shell, words, monkeypatch) == expected


def test_ids_are_offered(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with casckpt.open(store / ".casckpt", create=False) as opened:
        id = opened.checkpoint("support/alice").id
    assert offered("bash", ["show", id[:6]], monkeypatch) == [id[:12]]


def test_without_a_store_it_is_silent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered("bash", ["show", "s"], monkeypatch) == []
    (folder / "text").write_text("no store")
    assert offered("bash", ["-s", "text", "show", "s"], monkeypatch) == []
    assert sorted(path.name for path in folder.iterdir()) == ["text"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(shell: str) -> None:
    done = run(["completion", shell])
    assert done.exit_code == 0
    assert f"_CASCKPT_COMPLETE={shell}_complete" in done.output


def test_bash_cuts_words_at_colons(store: Path, tmp_path: Path) -> None:
    """A revision has the very characters at which bash cuts words: try it in a real one."""
    program = tmp_path / "bin" / "casckpt"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom casckpt.cli.main import main\nmain()\n", encoding="utf-8"
    )
    program.chmod(0o755)
    script = """
        eval "$(casckpt completion bash)"
        try() {
            COMP_LINE="$1" COMP_POINT=${#1} COMPREPLY=()
            _casckpt_completion casckpt
            echo "${COMPREPLY[*]}"
        }
        try 'casckpt show support/al'
        try 'casckpt show support/alice:p'
        try 'casckpt show support/alice@'
        try 'casckpt rewind support/alice '
    """
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=store,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "support/alice",
        "planned",
        "2 1 0",
        "sales/bob support/alice",
    ]
