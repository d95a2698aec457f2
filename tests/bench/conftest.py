"""No test waits for the disk to settle: whoever else uses it would decide how long that takes."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def disk_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bench.replaying", "bench.questions.common"):
        monkeypatch.setattr(f"{module}.settle", lambda _: 0.0)
