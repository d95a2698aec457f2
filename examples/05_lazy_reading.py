"""Look into a large state without loading it, and see how little a small change writes."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import casckpt

MESSAGES = 20_000


def conversation() -> dict[str, Any]:
    """A long chat, and a table beside it."""
    return {
        "messages": [
            {
                "role": "user" if n % 2 else "assistant",
                "content": f"message {n}: " + "so " * (n % 40),
            }
            for n in range(MESSAGES)
        ],
        "users": {f"user-{n:05}": {"visits": n % 17} for n in range(5_000)},
    }


def main() -> None:
    """Views, paths, slices; the cost of an append and of an edit deep inside."""
    with (
        tempfile.TemporaryDirectory() as folder,
        casckpt.open(Path(folder) / "chat.casckpt") as store,
    ):
        run = store.thread("chat/long")
        state = conversation()
        first = run.save(state)

        # A view is a Mapping or Sequence that reads what is asked for: counts in the inner nodes
        # say where message 12,345 lies, so a handful of chunks is opened, not 20,000 messages.
        view = run.view()
        messages = view["messages"]
        assert isinstance(view, Mapping)
        assert isinstance(messages, Sequence)
        assert len(messages) == MESSAGES
        print(messages[12_345]["content"][:15])
        print([message["role"] for message in messages[-3:]])
        assert "user-04711" in view["users"]
        assert run.load(path='users["user-04711"].visits') == 4711 % 17

        # Two changes in twenty thousand messages.
        state["messages"].append({"role": "user", "content": "one more"})
        state["messages"][7]["content"] = "edited"
        objects = store.stats().objects
        second = run.save(state)
        print("objects written for two changes:", store.stats().objects - objects)

        # The diff reads what differs and nothing else.
        changes = list(store.diff(first, second))
        for change in changes:
            print(change)
        assert len(changes) == 2

        # A view stays at its checkpoint, whatever is saved after it.
        assert len(messages) == MESSAGES


if __name__ == "__main__":
    main()
