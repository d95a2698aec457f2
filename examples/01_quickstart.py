"""Save the state of a small agent after each step, look back, load any step again."""

import tempfile
from pathlib import Path
from typing import Any

import casckpt


def main() -> None:
    """Save five steps, then read them in three ways."""
    with (
        tempfile.TemporaryDirectory() as folder,
        casckpt.open(Path(folder) / "agents.casckpt") as store,
    ):
        run = store.thread("support/alice")
        state: dict[str, Any] = {"messages": [], "open": ["refund", "rebooking"]}

        def say(role: str, text: str, label: str) -> casckpt.Checkpoint:
            state["messages"].append({"role": role, "content": text})
            return run.save(state, label=label)

        say("user", "My flight was cancelled. I need to be in Lisbon by noon.", "asked")
        say("assistant", "There is a seat on the 9:40. Shall I book it?", "offered")
        agreed = say("user", "Yes, please.", "agreed")
        state["open"].remove("rebooking")
        say("assistant", "Booked. Your refund follows within a week.", "done")

        # Newest first. Nothing of the states is read for this.
        for checkpoint in run.log():
            print(f"{checkpoint.id[:8]}  step {checkpoint.step}  {checkpoint.label}")

        # A whole state, exactly as it was.
        before = run.load(":agreed")
        assert before == agreed.load()
        assert before["open"] == ["refund", "rebooking"]

        # One path of it, and what has changed since.
        print("last word:", run.load(path=["messages", -1, "content"]))
        for change in agreed.diff(run.checkpoint()):
            print(change)


if __name__ == "__main__":
    main()
