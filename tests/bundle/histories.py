"""Stores with histories of every kind, and what of a store a bundle must carry."""

import random

from tests.exact import exact


def contents(store, names=None):
    """All that a bundle carries of some threads: names, origins, checkpoints, tags, states."""
    threads = {}
    for info in store.threads():
        if names is None or info.name in names:
            line = [
                (
                    c.id,
                    c.thread,
                    c.step,
                    c.label,
                    c.tags,
                    exact(c.meta),
                    c.created_at,
                    exact(c.load()),
                )
                for c in store.thread(info.name).log()
            ]
            threads[info.name] = (
                info.head.id,
                info.created,
                info.forked_from,
                info.forked_at,
                line,
            )
    return threads


def write_history(store, seed, steps=60):
    """A made-up history: saves, forks, rewinds, undos, tags added and taken away."""
    rng = random.Random(seed)
    names, states = ["a"], {}
    for number in range(steps):
        name = rng.choice(names)
        thread = store.thread(name)
        act = rng.random()
        if act < 0.7 or not thread.exists:
            state = states.setdefault(name, {"items": [], "text": "", "n": 0})
            state["n"] = number
            state["items"] += [
                {"k": rng.random(), "t": b"x" * rng.choice([3, 3_000])}
            ] * rng.choice([1, 40])
            state["text"] += rng.choice("abc") * rng.choice([1, 20_000])
            thread.save(
                {**state, (1, rng.random()): {rng.randrange(9)}},
                label=rng.choice([None, "plan", "done"]),
                tags=rng.choice([[], [], ["t"], ["t", "u"]]),
                meta=rng.choice([{}, {"cost": rng.random(), "why": ["x", None]}]),
            )
        elif act < 0.8:
            fork = f"{rng.choice('bcd')}/{number}"
            thread.fork(fork, at=f"@{rng.randrange(thread.head.step + 1)}")
            names.append(fork)
        elif act < 0.9:
            checkpoint = thread.checkpoint(f"@{rng.randrange(thread.head.step + 1)}")
            checkpoint.tag("later", f"n{number % 5}")
            if rng.random() < 0.5:
                checkpoint.untag("t", "later")
        elif act < 0.95:
            thread.rewind(f"@{rng.randrange(thread.head.step + 1)}")
        else:
            thread.undo()
    return rng
