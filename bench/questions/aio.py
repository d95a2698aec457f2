"""What do concurrent saves cost on an event loop, and does the loop go on meanwhile?

`--tasks` tasks, each with a thread of its own, save short chats. As plain calls on the loop;
with `casckpt.aio` one after the other; and all at once, when saves share commits. Beside them
LangGraph's AsyncSqliteSaver, all at once. A ticker on the same loop tells how long it was held
up at worst. Every state is loaded back and compared.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.measure import Samples
from bench.questions.common import add_common, footer, numbers, scratch
from bench.report import document, human_us, table
from bench.workloads import synthetic_chat

__all__ = ["add_arguments", "all_verified", "render", "run"]

TICK_S = 0.001

States = list[list[Any]]
"""By task, by step."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--tasks", type=numbers, default=[1, 8, 64, 256])
    parser.add_argument("--saves", type=int, default=20, help="of each task")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each way of saving, for each number of tasks."""
    ways: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "casckpt, on the loop": _plain,
        "casckpt.aio, one by one": _one_by_one,
        "casckpt.aio, together": _together,
    }
    missing = []
    try:
        import langgraph.checkpoint.sqlite.aio  # noqa: F401
    except ImportError as error:
        missing.append(f"langgraph-sqlite: {error}")
    else:
        ways["AsyncSqliteSaver, together"] = _langgraph
    results: dict[str, Any] = {}
    for tasks in arguments.tasks:
        chat = synthetic_chat(threads=tasks, messages=arguments.saves, seed=arguments.seed)
        by_thread: dict[str, list[Any]] = {}
        for step in chat.steps():
            by_thread.setdefault(step.thread, []).append(step.state)
        states = list(by_thread.values())
        for name, way in ways.items():
            with scratch(arguments.folder, arguments.durability) as base:
                outcome = asyncio.run(way(base / "store", states, arguments.durability))
            results.setdefault(name, {})[str(tasks)] = outcome
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "saves": arguments.saves,
        "not_run": missing,
    }  # fmt: skip
    return document("aio", settings, results)


async def _plain(path: Path, states: States, durability: Any) -> dict[str, Any]:
    import casckpt

    with casckpt.open(path, durability=durability) as store:

        async def save(task: int, state: Any) -> None:
            store.thread(f"t{task}").save(state)

        async def load(task: int, back: int) -> Any:
            return store.thread(f"t{task}").load(f"~{back}")

        return await _measured(states, save, load, together=True)


async def _one_by_one(path: Path, states: States, durability: Any) -> dict[str, Any]:
    return await _aio(path, states, durability, together=False)


async def _together(path: Path, states: States, durability: Any) -> dict[str, Any]:
    return await _aio(path, states, durability, together=True)


async def _aio(path: Path, states: States, durability: Any, *, together: bool) -> dict[str, Any]:
    import casckpt.aio

    async with casckpt.aio.open(path, durability=durability) as store:

        async def save(task: int, state: Any) -> None:
            await store.thread(f"t{task}").save(state)

        async def load(task: int, back: int) -> Any:
            return await store.thread(f"t{task}").load(f"~{back}")

        return await _measured(states, save, load, together=together)


async def _langgraph(path: Path, states: States, durability: Any) -> dict[str, Any]:
    from langgraph.checkpoint.base import empty_checkpoint
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        if durability == "none":
            await saver.conn.execute("PRAGMA synchronous=OFF")
        saved: dict[int, list[Any]] = {}

        async def save(task: int, state: Any) -> None:
            configs = saved.setdefault(task, [])
            before = {"configurable": {"thread_id": f"t{task}", "checkpoint_ns": ""}}
            checkpoint = {**empty_checkpoint(), "channel_values": {"state": state}}
            config = configs[-1] if configs else before
            configs.append(await saver.aput(config, checkpoint, {}, {}))  # type: ignore[arg-type]

        async def load(task: int, back: int) -> Any:
            found = await saver.aget_tuple(saved[task][-1 - back])
            assert found
            return found.checkpoint["channel_values"]["state"]

        return await _measured(states, save, load, together=True)


async def _measured(
    states: States,
    save: Callable[[int, Any], Awaitable[None]],
    load: Callable[[int, int], Awaitable[Any]],
    *,
    together: bool,
) -> dict[str, Any]:
    waits = Samples()
    stalls = Samples()

    async def tick() -> None:
        while True:
            start = time.perf_counter_ns()
            await asyncio.sleep(TICK_S)
            stalls.add(max(0, time.perf_counter_ns() - start - int(TICK_S * 1e9)))

    async def task(number: int) -> None:
        for state in states[number]:
            start = time.perf_counter_ns()
            await save(number, state)
            waits.add(time.perf_counter_ns() - start)
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    begin = time.perf_counter()
    if together:
        await asyncio.gather(*(task(number) for number in range(len(states))))
    else:
        for number in range(len(states)):
            await task(number)
    elapsed_s = time.perf_counter() - begin
    ticker.cancel()
    faults = [
        f"task {number}, step {step}"
        for number, mine in enumerate(states)
        for step, state in enumerate(mine)
        if await load(number, len(mine) - 1 - step) != state
    ]
    return {
        "saves": len(waits), "elapsed_s": elapsed_s, "stalls": stalls.as_json(),
        "first_faults": faults[:3], **waits.as_json(),
    }  # fmt: skip


def render(content: dict[str, Any]) -> str:
    """Saves per second, the wait of one, and how long the loop was held up."""
    rows = []
    for name, by_tasks in content["results"].items():
        for tasks, result in by_tasks.items():
            stalls = result["stalls"]
            rows.append(
                [name, int(tasks), f"{result['saves'] / result['elapsed_s']:,.0f}/s",
                 human_us(result["median_us"]), human_us(result["p99_us"]),
                 human_us(stalls["p99_us"]) if stalls else None,
                 human_us(stalls["max_us"]) if stalls else None]
            )  # fmt: skip
    header = ["subject", "tasks", "saves", "a save", "p99", "loop held up, p99", "worst"]
    return "\n".join([table(header, rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every state that was saved came back."""
    return not any(
        result["first_faults"] for by_tasks in content["results"].values() for result in by_tasks.values()
    )  # fmt: skip
