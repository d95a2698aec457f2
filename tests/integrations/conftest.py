"""The savers that the tests of LangGraph run on: in memory, and in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["memory", "disk"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    from casckpt.integrations.langgraph import CasckptSaver

    path = "memory:" if request.param == "memory" else str(tmp_path / "store")
    with CasckptSaver(path) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def source(folder: Path) -> Iterator[Any]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string(str(folder / "checkpoints.sqlite")) as saver:
        saver.setup()
        yield saver


@pytest.fixture
def store() -> Iterator[Any]:
    import casckpt

    with casckpt.open("memory:") as opened:
        yield opened
