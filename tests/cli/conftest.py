"""Every test of the command line runs in an empty folder, with no terminal and no colour."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CASCKPT_STORE", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return place
