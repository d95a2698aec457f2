"""What do a retention policy, a listener and autosave add to a save?

The same chat is saved in each way, one step in every store before the next step in any, in an
order that is new each time; so whatever else the machine does falls on all alike. The mean
says what it costs, for some of it is paid once in many saves; the worst says whether a save
is held up. Every state that must be there is loaded back and compared.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import casckpt
from bench.measure import Samples
from bench.questions.common import add_common, footer, scratch
from bench.report import document, human_us, table
from bench.workloads import synthetic_chat

__all__ = ["add_arguments", "all_verified", "render", "run"]

KEEP_LAST = 20
POLICIES = {
    "retention, last 20": casckpt.Retention(keep_last=KEEP_LAST),
    "retention, last 20, labels, days": casckpt.Retention(
        keep_last=KEEP_LAST, keep_labels=True, keep_every={"hour": 24, "day": 7}
    ),
}
PLAIN = "plain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--saves", type=int, default=2_000)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each way of saving, side by side."""
    ways = [PLAIN, *POLICIES, "a listener", "autosave"]
    chat = synthetic_chat(threads=1, messages=arguments.saves, seed=arguments.seed)
    states = [step.state for step in chat.steps()]
    rng = random.Random(arguments.seed)
    waits = {way: Samples() for way in ways}
    results = {}
    with ExitStack() as stack:
        base = stack.enter_context(scratch(arguments.folder, arguments.durability))
        threads, saves = {}, {}
        for way in ways:
            store = stack.enter_context(
                casckpt.open(
                    base / way, durability=arguments.durability, retention=POLICIES.get(way)
                )
            )
            threads[way] = store.thread("run")
            saves[way] = _saver(way, store, threads[way], stack)
        for state in states:
            for way in rng.sample(ways, len(ways)):
                start = time.perf_counter_ns()
                saves[way](state)
                waits[way].add(time.perf_counter_ns() - start)
        for way in ways:
            kept = len(states) if way not in POLICIES else min(KEEP_LAST, len(states))
            faults = [
                back for back in range(kept)
                if threads[way].load(f"~{back}") != states[len(states) - 1 - back]
            ]  # fmt: skip
            pruned = sum(c.pruned is not None for c in threads[way].log())
            mean_us = sum(waits[way].ns) / len(waits[way]) / 1e3
            results[way] = {
                "mean_us": mean_us, "pruned": pruned, "first_faults": faults[:3],
                **waits[way].as_json(),
            }  # fmt: skip
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "saves": arguments.saves,
    }  # fmt: skip
    return document("overhead", settings, results)


def _saver(
    way: str, store: casckpt.Store, thread: casckpt.Thread, stack: ExitStack
) -> Callable[[Any], Any]:
    if way == "a listener":
        heard: list[object] = []
        store.on("saved", heard.append)
    if way != "autosave":
        return thread.save
    box: dict[str, Any] = {}
    run = stack.enter_context(thread.autosave(lambda: box["state"]))

    def save(state: Any) -> None:
        box["state"] = state
        run.step()

    return save


def render(content: dict[str, Any]) -> str:
    """Mean, median, 99th percentile and worst, and the mean against that of a plain save."""
    plain = content["results"][PLAIN]["mean_us"]
    rows = [
        [way, human_us(result["mean_us"]), f"{result['mean_us'] / plain:.2f}",
         human_us(result["median_us"]), human_us(result["p99_us"]), human_us(result["max_us"]),
         result["pruned"]]
        for way, result in content["results"].items()
    ]  # fmt: skip
    header = ["way", "a save, mean", "of plain", "median", "p99", "worst", "pruned"]
    return "\n".join([table(header, rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every state that must be there came back."""
    return not any(result["first_faults"] for result in content["results"].values())
