"""Another process that does to a store what it is told: one child, asked again and again."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def carry_out(act: str, path: str, name: str, state: Any, now_ns: int) -> tuple[str, int]:
    """Open the store, do it, close the store; the answer, and what the clock says then."""
    import casckpt

    def clock() -> int:
        nonlocal now_ns
        now_ns += 1_000
        return now_ns

    with casckpt.open(path, durability="none", clock=clock) as store:
        thread, answer = store.thread(name), ""
        try:
            if act == "save":
                answer = thread.save(state).id
            elif act == "gc":
                store.gc(grace=0, pack=True)
            else:
                getattr(thread, act)()
        except casckpt.NotFoundError as error:
            answer = type(error).__name__
    return answer, now_ns


class Elsewhere:
    """The child; call it as `carry_out`."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.model.elsewhere"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __call__(self, *order: Any) -> Any:
        self.child.stdin.write(packed(order))
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, "the other process has failed"
        return unpacked(line)

    def close(self) -> None:
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(timeout=20)


def packed(value: Any) -> bytes:
    return base64.b64encode(pickle.dumps(value)) + b"\n"


def unpacked(line: bytes) -> Any:
    return pickle.loads(base64.b64decode(line))


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(packed(carry_out(*unpacked(line))))
        sys.stdout.buffer.flush()
