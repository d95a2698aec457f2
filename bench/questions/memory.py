"""How much memory does one save, load, edit or look take, beyond the state itself?

A chat of N messages. Each operation runs in a process of its own: whatever it needs is made
first (the state to be saved; the store with the state in it), then the peak of the process's
memory within the call is taken, beyond what it had before. A loaded state is part of what a load
takes; `pickle.loads` beside it says how much that is at least. Two figures, because LMDB reads
its file through mapped pages, which are the kernel's to take back: without them, and (if it is
more) with them.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.children import Memory, measured
from bench.peers.base import PEERS, make
from bench.questions.common import add_common, footer, numbers, peers_of, scratch
from bench.report import document, human_bytes, table
from bench.workloads import chat_state

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = ("casckpt", "json-files", "pickle-sqlite", "langgraph-sqlite")
OURS = ("edit", "one path", "save again", "diff")
"""What only casckpt is asked for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.set_defaults(durability="none")
    parser.add_argument("--sizes", type=numbers, default=[1000, 10_000, 100_000])


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each size, each subject, each operation: a process."""
    peers, missing = peers_of(arguments.only)
    results = []
    for size in arguments.sizes:
        calls: dict[str, Any] = {}
        wrong = []
        with scratch(arguments.folder) as base:
            for name in (*(peer.name for peer in peers), "pickle"):
                operations = ("save", "load", *(OURS if name == "casckpt" else ()))
                for operation in operations:
                    if sys.stderr.isatty():
                        sys.stderr.write(f"\r\x1b[K{size:,} messages: {name} {operation}")
                    words = (name, operation, str(base / name), size, arguments.seed)
                    found = measured("bench.questions.memory:one", *words)
                    calls[f"{name} {operation}"] = found
                    wrong += [] if found["ok"] else [f"{name} {operation}"]
        results.append({"messages": size, "calls": calls, "wrong": wrong})
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "not_run": missing,
    }  # fmt: skip
    return document("memory", settings, results)


def one(name: str, operation: str, folder: str, size: int, seed: int) -> dict[str, Any]:
    """What each process does; the store is the one that `save` has left."""
    state = None if operation in ("load", "one path", "edit", "diff") else chat_state(size, seed)
    if name == "pickle":
        return _pickle(operation, Path(folder), state)
    assert name in PEERS
    peer: Any = make(name)
    peer.open(Path(folder), "none")
    call, right = _call(peer, operation, state, size)
    with Memory() as memory:
        found = call()
    ok = right(found)
    peer.close()
    return {**memory.as_json(), "ok": ok}


def _call(
    peer: Any, operation: str, state: Any, size: int
) -> tuple[Callable[[], Any], Callable[[Any], bool]]:
    if operation == "save":
        prepared = peer.prepare("chat", state, None)
        return lambda: peer.save("chat", prepared, None), lambda _: True
    if operation == "load":
        return lambda: peer.load_latest("chat"), lambda found: len(found["messages"]) >= size
    run = peer.store.thread("chat")
    if operation == "save again":
        # In another process than the first: nothing is known of the state before.
        state["messages"].append(state["messages"][0])
        return lambda: run.save(state), lambda made: len(made.view()["messages"]) == size + 1
    if operation == "one path":
        path = ["messages", size // 2, "id"]
        return lambda: run.load(path=path), lambda found: found.startswith("msg_")
    if operation == "diff":
        return lambda: list(peer.store.diff("chat~1", "chat")), bool

    def edit() -> Any:
        with run.edit() as draft:
            draft["messages"].append({"id": "msg_new", "content": "one more"})
        return run.head

    return edit, lambda made: len(made.view()["messages"]) == size + 1


def _pickle(operation: str, folder: Path, state: Any) -> dict[str, Any]:
    file = folder.with_suffix(".pickle")
    if operation == "save":
        with Memory() as memory:
            data = pickle.dumps(state, protocol=5)
        file.write_bytes(data)
        return {**memory.as_json(), "ok": True}
    data = file.read_bytes()
    with Memory() as memory:
        found = pickle.loads(data)
    return {**memory.as_json(), "ok": bool(found)}


def render(content: dict[str, Any]) -> str:
    """A row an operation, a column a size."""
    results = content["results"]
    names = dict.fromkeys(name for result in results for name in result["calls"])
    rows = [[name, *(_cell(result["calls"].get(name)) for result in results)] for name in names]
    sizes = [f"N = {result['messages']:,}" for result in results]
    wrong = [f"VOID at {r['messages']:,}: {what}" for r in results for what in r["wrong"]]
    title = "peak memory beyond the start (with mapped pages, where that is a tenth more)\n"
    return "\n".join([title, table(["operation", *sizes], rows), *wrong, footer(content)])


def _cell(found: dict[str, Any] | None) -> str | None:
    if not found or found["peak_own_bytes"] is None:
        return None
    own, rss = found["peak_own_bytes"], found["peak_rss_bytes"]
    text = str(human_bytes(own))
    return f"{text} ({human_bytes(rss)})" if rss > 1.1 * own + 1e6 else text


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every operation did what it should."""
    return not any(result["wrong"] for result in content["results"])
