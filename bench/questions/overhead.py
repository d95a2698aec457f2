"""What do a retention policy, listeners, autosave and a key add to a save?

The same chat is saved in each way, one step in every store before the next step in any, in an
order that is new each time; so whatever else the machine does falls on all alike. The mean
says what it costs, for some of it is paid once in many saves; the worst says whether a save
is held up. Every state that must be there is loaded back and compared.

A step of autosave that finds nothing changed saves nothing: what it costs is to find that out. The
way of OpenTelemetry has the SDK with spans handed on in batches, and is left out where that is not
installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
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
UNCHANGED = "autosave, unchanged"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.add_argument("--saves", type=int, default=2_000)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each way of saving, side by side."""
    ways = [PLAIN, *POLICIES, "a listener", "autosave, changed", UNCHANGED, "key="]
    if importlib.util.find_spec("opentelemetry") and importlib.util.find_spec("opentelemetry.sdk"):
        ways.append("OpenTelemetry")
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
                if way == UNCHANGED:
                    saves[way](state)
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
    if way == "OpenTelemetry":
        stack.callback(_instrument(store))
    if way == "key=":
        turn = itertools.count()
        return lambda state: thread.save(state, key=f"turn-{next(turn)}")
    if not way.startswith("autosave"):
        return thread.save
    box: dict[str, Any] = {}
    run = stack.enter_context(thread.autosave(lambda: box["state"]))

    def save(state: Any) -> None:
        box["state"] = state
        run.step()

    return save


def _instrument(store: casckpt.Store) -> Callable[[], Any]:
    from opentelemetry.sdk import metrics, trace
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from casckpt.integrations import otel

    tracers, meters = trace.TracerProvider(), metrics.MeterProvider([InMemoryMetricReader()])
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    stop = otel.instrument(store, tracer_provider=tracers, meter_provider=meters)

    def end() -> None:
        stop()
        tracers.shutdown()
        meters.shutdown()

    return end


def render(content: dict[str, Any]) -> str:
    """Mean, median, 99th percentile and worst; mean and median against those of a plain save."""
    plain, median = (content["results"][PLAIN][name] for name in ("mean_us", "median_us"))
    rows = [
        [way, human_us(result["mean_us"]), f"{result['mean_us'] / plain:.2f}",
         human_us(result["median_us"]), f"{result['median_us'] / median:.2f}",
         human_us(result["p99_us"]), human_us(result["max_us"]),
         result["pruned"]]
        for way, result in content["results"].items()
    ]  # fmt: skip
    header = ["way", "a save, mean", "of plain", "median", "of plain", "p99", "worst", "pruned"]
    return "\n".join([table(header, rows), footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether every state that must be there came back."""
    return not any(result["first_faults"] for result in content["results"].values())
