"""What the state machine draws from: names, states, and a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st

NAMES = ("a", "b", "a/b")
LABELS = (None, None, "plan", "done")
TAGS = ("golden", "seen", "x y")
DAY_NS = 86_400 * 10**9
PICK = st.integers(0, 999)
WHICH = st.sampled_from(["any", "pruned", "inner", "elsewhere"])
"""Of checkpoints (`Model.is_one`): by chance alone, some kinds would hardly be met."""
maybe = st.booleans()
names, labels = st.sampled_from(NAMES), st.sampled_from(LABELS)
some_tags = st.lists(st.sampled_from(TAGS), unique=True, max_size=2)
metas = st.sampled_from([None, None, {"cost": 1}, {"why": ["x", None], "n": 1.5}])

GROWN: list[Callable[[int], Any]] = [
    lambda n: n,
    lambda n: [n, -0.0, float("nan"), (n,)],
    lambda n: {"role": "user", "content": f"message {n} " * (n % 40)},
    lambda n: [{"id": i, "text": "word " * (i % 9)} for i in range(n % 170)],
    lambda n: f"{n} text " * (n * 5),
    lambda n: bytes(range(256)) * (n % 90),
    lambda n: {f"k{i}": i * n for i in range(n % 400)},
    lambda n: {n, str(n)},
]
values = st.builds(lambda grow, n: grow(n), st.sampled_from(GROWN), PICK)


class Clock:
    """Grows by a microsecond each time it is asked; days go by when a rule says so."""

    def __init__(self) -> None:
        self.now_ns = 1_780_000_000_000_000_000

    def __call__(self) -> int:
        self.now_ns += 1_000
        return self.now_ns
