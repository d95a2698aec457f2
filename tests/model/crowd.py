"""One of many processes that use one store at once: what it does, and what it must never see.

    python -m tests.model.crowd STORE WHO THREADS ROUNDS

Each state carries a sum over itself, so a half-written one would be noticed. At the end it prints,
as JSON, what it saw that must not be, which races it won, and how long it waited at most.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import casckpt

POLICY = casckpt.Retention(keep_last=5)


def state_of(who: str, number: int, rng: random.Random) -> dict[str, Any]:
    items = [rng.randrange(1 << 40) for _ in range(rng.choice([3, 40, 2000]))]
    return {"who": who, "n": number, "items": items, "sum": sum(items) + number}


def check(state: Any) -> None:
    assert sum(state["items"]) + state["n"] == state["sum"], "half-written"


class Worker:
    """One OS thread of it."""

    def __init__(self, store: casckpt.Store, who: str) -> None:
        self.store, self.who, self.rng = store, who, random.Random(who)
        self.number = 0
        self.wins: list[str | None] = []
        self.shared = 0
        self.worst: dict[str, float] = {}
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []

    def run(self, rounds: int) -> None:
        acts = [(self.save, 5), (self.race, 5), (self.read, 6), (self.edit, 3), (self.diff, 3)]
        acts += [(self.fork, 2), (self.rewind, 2), (self.tag, 2), (self.prune, 1)]
        acts += [(self.gc, 1), (self.pack, 0.5)]
        for _ in range(rounds):
            [act] = self.rng.choices(*zip(*acts, strict=True))
            self.number += 1
            began = time.perf_counter()
            try:
                act()
            except casckpt.PrunedError:
                self.done["pruned meanwhile"] += 1
            except Exception as error:  # noqa: BLE001 (told to whoever started this)
                self.errors.append(f"{act.__name__}: {type(error).__name__}: {error}")
            took = time.perf_counter() - began
            self.worst[act.__name__] = max(took, self.worst.get(act.__name__, 0.0))
            self.done[act.__name__] += 1

    def state(self) -> dict[str, Any]:
        return state_of(self.who, self.number, self.rng)

    def any(self) -> casckpt.Thread:
        """A thread that is there, and stays."""
        names = [info.name for info in self.store.threads() if not info.name.startswith("fork/")]
        if not names:  # nobody has begun
            self.save()
        return self.store.thread(self.rng.choice(names or ["shared"]))

    def own(self) -> casckpt.Thread:
        return self.store.thread(f"own/{self.who}")

    def save(self) -> None:
        self.store.thread("shared").save(self.state(), label=self.who)
        self.shared += 1

    def race(self) -> None:
        run = self.store.thread("race")
        head = run.head
        try:
            run.save(self.state(), expect=head)
        except casckpt.ConflictError:
            self.done["lost a race"] += 1
        else:
            self.wins.append(head.id if head else None)

    def read(self) -> None:
        for checkpoint in self.any().log(limit=4):
            try:
                check(checkpoint.load())
            except casckpt.PrunedError:
                self.done["pruned meanwhile"] += 1

    def edit(self) -> None:
        self.own().save(self.state())
        with self.own().edit() as draft:
            draft["items"].append(7)
            draft["sum"] += 7
        check(self.own().load())

    def diff(self) -> None:
        run = self.any()
        after = run.head
        before = run.checkpoint(f"~{min(after.step, 2)}") if after else None
        if before is not None:
            assert before.diff(after).apply(before.load()) == after.load()

    def fork(self) -> None:
        name = f"fork/{self.who}/{self.number}"
        fork = self.any().fork(name)
        check(fork.load())
        fork.save(self.state())
        if self.rng.random() < 0.7:
            fork.delete()
            try:
                fork.undo()
            except casckpt.NotFoundError:  # gc, which runs without grace here, has forgotten it
                self.done["forgotten meanwhile"] += 1
            else:
                fork.delete()

    def rewind(self) -> None:
        self.own().save(self.state())
        saved = self.own().save(self.state())
        self.own().rewind("~1")
        assert self.own().undo() == saved
        self.own().rewind("~1")

    def tag(self) -> None:
        checkpoint = self.any().checkpoint()
        checkpoint.tag(self.who)
        assert self.who in checkpoint.tags
        assert checkpoint in self.store.find(tag=self.who, pruned=True)
        checkpoint.untag(self.who)

    def prune(self) -> None:
        self.any().prune(POLICY)

    def gc(self) -> None:
        self.alone(lambda: self.store.gc(grace=0))

    def pack(self) -> None:
        self.alone(lambda: self.store.pack(keep=50))

    def alone(self, work: Callable[[], object]) -> None:
        try:
            work()
        except casckpt.StorageError as error:
            if not error.details.get("busy"):
                raise
            self.done["busy"] += 1


def main(path: str, who: str, threads: int, rounds: int) -> None:
    with casckpt.open(path, durability="none") as store:
        store.thread(f"own/{who}-0").save(state_of(who, 0, random.Random(who)))
        workers = [Worker(store, f"{who}-{n}") for n in range(threads)]
        print("ready", flush=True)
        sys.stdin.readline()
        running = [threading.Thread(target=worker.run, args=(rounds,)) for worker in workers]
        for one in running:
            one.start()
        for one in running:
            one.join()
    keys = ("wins", "shared", "worst", "done", "errors")
    print(json.dumps([{key: getattr(worker, key) for key in keys} for worker in workers]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
