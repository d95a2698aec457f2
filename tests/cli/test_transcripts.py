"""The transcripts, each in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.harness import Step, pattern, play, steps

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(path, monkeypatch)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 8


def test_the_harness_sees_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary: wrong output, a wrong exit code and missing output all fail."""
    for text in ("$ casckpt threads\nnothing\n? 3\n", "$ casckpt threads\n...\n? 4\n"):
        file = tmp_path / "wrong.txt"
        file.write_text(text)
        with pytest.raises(AssertionError):
            play(file, monkeypatch)
    assert not pattern(["a", "b"]).fullmatch("a\n")
    assert not pattern(["<id>"]).fullmatch("xyz\n")
    assert pattern(["a", "...", "b"]).fullmatch("a\n1\n2\nb\n")


def test_steps_are_read(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    file.write_text("# remark\n$ one\n< in\nout\n? 3\n\n$ two\n")
    assert list(steps(file)) == [
        Step(2, "one", ["in"], ["out", ""], 3),
        Step(7, "two"),
    ]
