"""What the writers do while they are killed, cut off and failed: programs of named steps.

A program is made from a seed and is the same each time, ids included: the clock is the number
of the step. So one undisturbed run says what must be there after each step (`picture`), and
whatever a crash leaves is compared with that.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import casckpt
from casckpt import NotFoundError, Retention, StorageError, Store
from casckpt.storage.lmdb import choose, commit, compact

SECOND = 1_000_000_000
BORN = 1_700_000_000 * SECOND
THREADS = ("a", "b", "c/d")
WORDS = ["alpha", "beta", "gamma", "Größe", "δέλτα", "x" * 40]

# Small, so that small stores go through what large ones do: commits in parts, many blocks.
commit.PART_BYTES_MAX = 40_000  # type: ignore[misc]
choose.TARGET_BYTES = 20_000  # type: ignore[misc]
compact.BATCH_BYTES = 30_000  # type: ignore[misc]


class Clock:
    """Time is the number of the step."""

    def __init__(self) -> None:
        self.step = 0

    def __call__(self) -> int:
        return BORN + self.step * SECOND


class Step(NamedTuple):
    """One call that is acknowledged when it returns."""

    name: str
    atomic: bool
    """All of it is there, or nothing; else each thread is as before or as after."""
    run: Callable[[Store, random.Random], Any]


def state_of(rng: random.Random, size: int = 6) -> dict[str, Any]:
    items = [{"role": rng.choice(WORDS), "text": rng.choice(WORDS) * rng.randint(1, 30)}
             for _ in range(rng.randint(1, size))]  # fmt: skip
    return {"items": items, "n": rng.random(), "raw": rng.randbytes(rng.randint(0, 60))}


def _thread(store: Store, rng: random.Random) -> casckpt.Thread:
    return store.thread(rng.choice([t.name for t in store.threads()]))


def save(store: Store, rng: random.Random) -> None:
    thread = _thread(store, rng)
    state = thread.load()
    if not isinstance(state, dict):
        state = {}
    thread.save(
        {**state, **state_of(rng)}, label=rng.choice([None, "L"]), tags=rng.choice([[], [], ["t"]])
    )


def begin(store: Store, rng: random.Random) -> None:
    store.thread(f"new/{rng.randrange(10**6)}").save(state_of(rng, 20))


def save_long(store: Store, rng: random.Random) -> None:
    texts = [f"{n} {rng.random()}" * 8 for n in range(1500)]
    _thread(store, rng).save({"texts": texts, "noise": rng.randbytes(150_000)})


def stream(store: Store, rng: random.Random) -> None:
    source = io.BytesIO(rng.randbytes(300_000))
    store.thread("streams").save({"file": casckpt.Stream(source)})


def edit(store: Store, rng: random.Random) -> None:
    with store.thread("edited").edit() as draft:
        for n in range(rng.randint(1, 300)):
            draft[f"key {n}"] = rng.random()
        draft.setdefault("list", []).append(rng.randbytes(30))


def batch(store: Store, rng: random.Random) -> None:
    with store.batch():
        for number, name in enumerate(("batch/1", "batch/2", *THREADS[:1], "batch/1")):
            store.thread(name).save({"batch": number, **state_of(rng)}, tags=["batch"])


def fork(store: Store, rng: random.Random) -> None:
    thread = _thread(store, rng)
    at = rng.choice(list(thread.log()))
    with suppress(NotFoundError):  # its state was pruned
        thread.fork(f"fork/{rng.randrange(10**6)}", at=at)


def rewind(store: Store, rng: random.Random) -> None:
    thread = _thread(store, rng)
    with suppress(NotFoundError):
        thread.rewind(rng.choice(list(thread.log())))


def tag(store: Store, rng: random.Random) -> None:
    point = rng.choice(list(_thread(store, rng).log()))
    point.tag("golden", rng.choice(WORDS))


def untag(store: Store, _: random.Random) -> None:
    tagged = sorted(store.find(tag="golden"), key=lambda c: c.id)
    for point in tagged[:1]:
        point.untag("golden")


def delete(store: Store, rng: random.Random) -> None:
    _thread(store, rng).delete()


def undo(store: Store, rng: random.Random) -> None:
    with suppress(NotFoundError):  # PrunedError too: gc has been there
        _thread(store, rng).undo()


def undelete(store: Store, _: random.Random) -> None:
    for name in THREADS:
        if not store.thread(name).exists:
            with suppress(NotFoundError):
                store.thread(name).undo()
                return


def prune(store: Store, rng: random.Random) -> None:
    _thread(store, rng).prune(Retention(keep_last=rng.randint(1, 3)))


def prune_all(store: Store, _: random.Random) -> None:
    store.prune({"": Retention(keep_last=2), "fork/": Retention(keep_last=1)})


def unprune(store: Store, rng: random.Random) -> None:
    with suppress(NotFoundError):
        _thread(store, rng).unprune()


def gc(store: Store, _: random.Random) -> None:
    store.gc(grace=0)


def gc_auto(store: Store, _: random.Random) -> None:
    store.gc(auto=True)


def pack(store: Store, rng: random.Random) -> None:
    store.pack(keep=rng.choice([0, 0, 5]))


def compact_(store: Store, _: random.Random) -> None:
    store.compact()


def unbundle(store: Store, rng: random.Random) -> None:
    bundle = Path(store.path).parent / "bundle"
    store.bundles.unbundle(bundle, prefix=f"u{rng.randrange(10**6)}/")


def reindex(store: Store, _: random.Random) -> None:
    store.reindex()


def sync(store: Store, _: random.Random) -> None:
    store.sync()


def workflow(store: Store, rng: random.Random) -> None:
    with store.thread("flow").workflow(f"w{rng.randrange(10**6)}") as flow:
        flow.step("one", lambda: state_of(rng))


def langgraph(store: Store, rng: random.Random) -> None:
    from langgraph.checkpoint.base import empty_checkpoint

    from casckpt.integrations.langgraph import CasckptSaver

    saver = CasckptSaver(store)
    number = rng.randrange(10**6)
    point = {**empty_checkpoint(), "id": f"{number:032x}", "ts": "2026-01-01T00:00:00+00:00"}
    point["channel_values"] = {"messages": [rng.choice(WORDS) for _ in range(9)]}
    point["channel_versions"] = {"messages": 1}
    config = {"configurable": {"thread_id": "lg", "checkpoint_ns": ""}}
    saver.put(config, point, {"source": "loop", "step": 0, "parents": {}}, {"messages": 1})


STEPS = {
    step.name: step
    for step in (
        Step("save", True, save),
        Step("begin", True, begin),
        Step("save-long", True, save_long),
        Step("stream", True, stream),
        Step("edit", True, edit),
        Step("batch", True, batch),
        Step("fork", True, fork),
        Step("rewind", True, rewind),
        Step("tag", True, tag),
        Step("untag", True, untag),
        Step("delete", True, delete),
        Step("undo", True, undo),
        Step("undelete", True, undelete),
        Step("prune", False, prune),
        Step("prune-all", False, prune_all),
        Step("unprune", False, unprune),
        Step("gc", False, gc),
        Step("gc-auto", False, gc_auto),
        Step("pack", False, pack),
        Step("compact", False, compact_),
        Step("unbundle", False, unbundle),
        Step("reindex", False, reindex),
        Step("sync", True, sync),
        Step("workflow", False, workflow),
        Step("langgraph", False, langgraph),
    )
}


def program(seed: int, names: list[str] | None = None) -> list[Step]:
    """Every step there is, in an order of its own, with saves between; or the steps named."""
    if names is not None:
        return [STEPS[name] for name in names]
    try:
        import langgraph.checkpoint.base  # noqa: F401 - is it there?
    except ImportError:
        order = [name for name in STEPS if name != "langgraph"]
    else:
        order = list(STEPS)
    rng = random.Random(seed)
    rng.shuffle(order)
    return [STEPS[n] for name in order for n in (name, "save")]


def prepare(place: Path, seed: int) -> None:
    """`place/base`, a store with some history, and `place/bundle`."""
    rng, clock = random.Random(seed), Clock()
    clock.step = -100
    for name, threads in (("base", THREADS), ("other", ("x", "y"))):
        with casckpt.open(place / name, durability="none", clock=clock) as store:
            for thread in threads:
                for number in range(6):
                    clock.step += 1
                    label = "even" if number % 2 == 0 else None
                    store.thread(thread).save(
                        state_of(rng, 12), label=label, tags=[thread[0]] if number == 1 else []
                    )
            store.thread(threads[0]).rewind("~2")
            if name == "other":
                store.bundles.create(place / "bundle")


def perform(
    path: Path, steps: list[Step], seed: int, durability: str, *, patience: int = 0
) -> Iterator[tuple[str, int, Store]]:
    """Carry the steps out; yields "begin" before and "done" after each, with its number.

    A step that fails yields "failed" and is tried again, `patience` times in all.
    """
    clock = Clock()
    with casckpt.open(path, create=False, durability=durability, clock=clock) as store:
        for number, step in enumerate(steps):
            clock.step = number
            yield "begin", number, store
            while not _done(step, store, random.Random(f"{seed} {number}"), patience):
                patience -= 1
                yield "failed", number, store
            yield "done", number, store


def _done(step: Step, store: Store, rng: random.Random, patience: int) -> bool:
    """Whether a step succeeded; nothing of its error stays alive."""
    try:
        step.run(store, rng)
    except StorageError:
        if not patience:
            raise
        return False
    return True
