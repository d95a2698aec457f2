"""What happens when many processes write at once?

The same number of saves (short chats, a thread a process) by one process, and by `--processes`
at the same time into one store; all start at a signal. The time counts from the first start to
the last end. Each process then loads its states again and compares them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.peers.base import Unavailable, make
from bench.questions.common import add_common, footer, scratch
from bench.report import ROOT, document, human_us, table
from bench.verify import verify
from bench.workloads import Workload, synthetic_chat

__all__ = ["add_arguments", "all_verified", "render", "run"]

SUBJECTS = ("casckpt", "json-files", "pickle-sqlite", "diskcache", "langgraph-sqlite")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser, peers=SUBJECTS)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--saves", type=int, default=400, help="in all")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One process, then many, for each subject."""
    results: dict[str, Any] = {}
    missing: list[str] = []
    for name in arguments.only.split(","):
        try:
            make(name)
        except Unavailable as error:
            missing.append(str(error))
            continue
        with scratch(arguments.folder, arguments.durability) as base:
            results[name] = {
                str(count): _together(name, count, base / str(count), arguments)
                for count in (1, arguments.processes)
            }
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "saves": arguments.saves,
        "processes": arguments.processes, "not_run": missing,
    }  # fmt: skip
    return document("writers", settings, results)


def _together(name: str, count: int, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    peer = make(name)
    peer.open(folder, arguments.durability)  # made before anyone races for it
    peer.close()
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.questions.writers", name, str(folder),
             arguments.durability, str(number), str(arguments.saves // count)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    for child in children:
        assert child.stdout
        child.stdout.readline()  # ready
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    outcomes = [child.communicate() for child in children]
    errors = [
        text.strip().splitlines()[-1]
        for child, (_, text) in zip(children, outcomes, strict=True)
        if child.returncode
    ]
    reports = [json.loads(out) for out, _ in outcomes if out.strip()]
    begin = min((report["begin_s"] for report in reports), default=0.0)
    return {
        # The monotonic clock is the machine's, so that processes can be compared.
        "elapsed_s": max((report["end_s"] for report in reports), default=0.0) - begin,
        "saves": sum(report["saves"] for report in reports),
        "errors": errors,
        "unverified": [report["first_faults"] for report in reports if report["faults"]],
        "median_us": max((report["median_us"] for report in reports), default=None),
        "p99_us": max((report["p99_us"] for report in reports), default=None),
    }


def _chat(number: int, saves: int) -> Workload:
    """One thread, its name different for each process."""
    chat = synthetic_chat(threads=1, messages=saves, seed=number + 1)
    return Workload(
        chat.name, chat.seed, lambda: ({**e, "thread": f"w{number}"} for e in chat.events())
    )


def write(name: str, folder: Path, durability: Any, number: int, saves: int) -> dict[str, Any]:
    """What each process does."""
    from bench.measure import Samples, timed_ns

    workload = _chat(number, saves)
    steps = list(workload.steps())
    peer = make(name)
    peer.open(folder, durability)
    print("ready", flush=True)
    sys.stdin.readline()
    samples = Samples()
    begin_s = time.monotonic()
    for step in steps:
        prepared = peer.prepare(step.thread, step.state, step.label)
        samples.add(timed_ns(peer.save, step.thread, prepared, step.label)[0])
    end_s = time.monotonic()
    verdict = verify([peer], steps, plain=True)[name]
    peer.close()
    times = {"begin_s": begin_s, "end_s": end_s}
    return {"saves": len(samples), **times, **samples.as_json(), **verdict.as_json()}


def render(content: dict[str, Any]) -> str:
    """Saves per second alone and together."""
    many = str(content["settings"]["processes"])
    rows = []
    for name, result in content["results"].items():
        one, all_ = result["1"], result[many]
        speeds = [r["saves"] / r["elapsed_s"] if r["elapsed_s"] else 0.0 for r in (one, all_)]
        rows.append(
            [name, f"{speeds[0]:,.0f}/s", f"{speeds[1]:,.0f}/s",
             f"{speeds[1] / speeds[0]:.2f}x" if speeds[0] else None,
             human_us(all_["p99_us"]), len(all_["errors"])]
        )  # fmt: skip
    errors = [
        f"{name}: {error}"
        for name, result in content["results"].items()
        for error in sorted({*result["1"]["errors"], *result[many]["errors"]})
    ]
    header = ["subject", "1 process", f"{many} processes", "together", "worst p99", "failed"]
    return "\n".join([table(header, rows), *errors, footer(content)])


def all_verified(content: dict[str, Any]) -> bool:
    """Whether casckpt had no error and every state that was saved came back."""
    return not any(
        outcome["unverified"] or (name == "casckpt" and outcome["errors"])
        for name, result in content["results"].items()
        for outcome in result.values()
    )


if __name__ == "__main__":
    subject, place, how, mine, times = sys.argv[1:]
    print(json.dumps(write(subject, Path(place), how, int(mine), int(times))))
