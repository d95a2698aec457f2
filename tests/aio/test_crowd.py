"""An event loop among other processes: it waits for no lock of theirs, and loses nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import casckpt
import casckpt.aio

Go = Callable[[Coroutine[Any, Any, None]], None]
TASKS = 50
TICKS = 100
SECONDS_MAX = 3
"""So long the lock is held if nobody asks for it back: longer than TICKS of a free loop."""

HOLDER = """
import select, sys, lmdb
with lmdb.open(sys.argv[1], max_dbs=16).begin(write=True):
    print("held", flush=True)
    select.select([sys.stdin], [], [], float(sys.argv[2]))
"""

WRITER = """
import sys, casckpt
from datetime import timedelta
with casckpt.open(sys.argv[1], durability="none") as store:
    print("open", flush=True)
    for number in range(150):
        store.thread(sys.argv[2]).save({"number": number, "text": "x" * 500})
        if number % 30 == 0:
            store.gc(grace=timedelta(hours=1))
"""


@contextmanager
def child(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first word."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    assert process.returncode == 0


async def ticks_while_held(path: Path, save: Callable[[int], Awaitable[Any]]) -> int:
    """How often the loop comes round, up to TICKS, while another process has the lock."""
    with child(HOLDER, path, SECONDS_MAX) as holder:
        tasks = [asyncio.ensure_future(save(number)) for number in range(TASKS)]
        ticks = 0
        while ticks < TICKS and holder.poll() is None:
            await asyncio.sleep(0.001)
            ticks += 1
        assert ticks < TICKS or not any(task.done() for task in tasks), "nobody held it"
    await asyncio.gather(*tasks)
    return ticks


def test_the_loop_waits_for_no_other_process(go: Go, tmp_path: Path) -> None:
    async def main() -> None:
        async with casckpt.aio.open(tmp_path / "s", durability="none") as store:
            ticks = await ticks_while_held(
                tmp_path / "s", lambda n: store.thread(f"t{n}").save({"n": n})
            )
            assert ticks == TICKS
            for number in range(TASKS):
                assert await store.thread(f"t{number}").load() == {"n": number}

    go(main())


def test_a_loop_that_waits_is_noticed(go: Go, tmp_path: Path) -> None:
    async def main() -> None:
        with casckpt.open(tmp_path / "s", durability="none") as store:

            async def save(number: int) -> None:
                store.thread(f"t{number}").save({"n": number})

            assert await ticks_while_held(tmp_path / "s", save) < TICKS

    go(main())


def test_tasks_among_writers_and_gc(go: Go, tmp_path: Path) -> None:
    saved: dict[str, Any] = {}

    async def main() -> None:
        async with casckpt.aio.open(tmp_path / "s", durability="none") as store:

            async def agent(who: int) -> None:
                run = store.thread(f"task/{who}")
                for number in range(8):
                    state = {"who": who, "number": number, "text": f"{who} " * 200}
                    saved[(await run.save(state)).id] = state

            with child(WRITER, tmp_path / "s", "one"), child(WRITER, tmp_path / "s", "two"):
                await asyncio.gather(*(agent(who) for who in range(TASKS)))
                await store.gc(grace=timedelta(hours=1))
            for id, state in saved.items():
                assert await (await store.checkpoint(id)).load() == state
            assert (await store.fsck()).ok

    go(main())
    assert len(saved) == 8 * TASKS
