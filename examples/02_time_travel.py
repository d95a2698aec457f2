"""Find the step that broke something, go back to before it, and change one's mind.

A coding agent ran the tests after each step. They passed at first and fail at the end.
"""

import tempfile
from pathlib import Path
from typing import Any

import casckpt

BROKEN_BY_STEP = 23


def work(run: casckpt.Thread) -> None:
    """Thirty-two steps of an agent. One of them does harm, and nobody notices."""
    state: dict[str, Any] = {"files": {"app.py": "print('hello')\n"}, "tests": {"failed": 0}}
    for step in range(32):
        state["files"][f"part_{step % 7}.py"] = f"VALUE = {step}\n" * 20
        if step == BROKEN_BY_STEP:
            state["tests"]["failed"] = 3
        run.save(state, label="step", meta={"model": "small" if step % 2 else "large"})


def main() -> None:
    """Bisect the history, rewind, undo."""
    with (
        tempfile.TemporaryDirectory() as folder,
        casckpt.open(Path(folder) / "runs.casckpt") as store,
    ):
        run = store.thread("coder/42")
        work(run)

        # Bisect: each look opens one path of one state, whatever the states weigh.
        good, bad = 0, run.checkpoint().step
        while bad - good > 1:
            middle = (good + bad) // 2
            failed = run.load(f"@{middle}", path=["tests", "failed"])
            print(f"step {middle:2}: {failed} failed")
            good, bad = (good, middle) if failed else (middle, bad)
        culprit = store.checkpoint(f"coder/42@{bad}")
        assert culprit.step == BROKEN_BY_STEP
        culprit.tag("broke-the-tests")

        print(f"step {bad} changed:")
        for change in store.diff(run.checkpoint(f"@{good}"), culprit):
            print(" ", change.op, "/".join(map(str, change.path)))

        # Go on from before it. Nothing is lost: the way back is in the reflog.
        newest = run.checkpoint()
        run.rewind(f"@{good}")
        assert run.load(path=["tests", "failed"]) == 0
        run.undo()
        assert run.head == newest
        for move in run.reflog(limit=2):
            print(f"reflog: {move.kind} to {(move.new or 'nowhere')[:8]}")


if __name__ == "__main__":
    main()
