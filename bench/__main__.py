"""`python -m bench QUESTION`: each question one command; without one, the list of them.

Imports: bench.budget, bench.questions.* (one when it is asked).
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import budget, page
from bench.report import write_json

__all__ = ["QUESTIONS", "main"]

QUESTIONS = {
    "replay": ("bench.run", "what do recorded or synthetic runs cost in bytes and time?"),
    "save": ("bench.questions.save", "how does a save depend on the size of the state?"),
    "disk": ("bench.questions.disk", "how do the bytes on disk grow with the steps?"),
    "load": ("bench.questions.load", "how does loading, whole or one path, depend on the size?"),
    "edit": ("bench.questions.edit", "what does a change cost when only the change is given?"),
    "diff": ("bench.questions.diff", "what does it take to see one change among many entries?"),
    "find": ("bench.questions.find", "how fast is a checkpoint found among very many?"),
    "bulk": ("bench.questions.bulk", "what does a store of a million checkpoints cost?"),
    "refs": ("bench.questions.refs", "what do fork, rewind, undo and tag cost?"),
    "gc": ("bench.questions.gc", "how fast is garbage found and removed, in what memory?"),
    "pack": ("bench.questions.pack", "what does packing cost and save; how long do writers wait?"),
    "fsck": ("bench.questions.fsck", "how long does checking take, in what memory?"),
    "shapes": ("bench.questions.shapes", "what do states cost that are no chats?"),
    "memory": ("bench.questions.memory", "how much memory do save, load and edit take?"),
    "instructions": ("bench.questions.instructions", "how many instructions does a save take?"),
    "blob": ("bench.questions.blob", "how fast are large bytes and arrays with few changes?"),
    "writers": ("bench.questions.writers", "what happens when many processes write at once?"),
    "aio": ("bench.questions.aio", "what do concurrent saves cost on an event loop?"),
    "overhead": (
        "bench.questions.overhead",
        "what do retention, listeners, autosave and a key add to a save?",
    ),
    "start": ("bench.questions.start", "how long do import and a first command take?"),
    "graph": ("bench.questions.graph", "what do real LangGraph graphs cost, by checkpointer?"),
}
RESULTS = Path(__file__).resolve().parent / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; 1 if a verification failed, 2 for a wrong call."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["budget"]:
        return _budget(arguments[1:])
    if not arguments or arguments[0] not in QUESTIONS:
        print(f"{__doc__}\nQuestions:")
        for name, (_, text) in QUESTIONS.items():
            print(f"  {name:8} {text}")
        print("  budget   what was promised, what was measured? (bench/budget.py)")
        print("\nEach takes --help, --json FILE, and --record (into bench/results/).")
        return 0 if arguments[:1] in ([], ["--help"], ["-h"]) else 2
    name, *rest = arguments
    question = importlib.import_module(QUESTIONS[name][0])
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {name}",
        description=question.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    question.add_arguments(parser)
    if name != "replay":
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    parser.add_argument(
        "--record", nargs="?", const="", metavar="NAME",
        help="write the results to bench/results/ under the question's name, or this one",
    )  # fmt: skip
    options = parser.parse_args(rest)
    content = question.run(options)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    print(question.render(content))
    if options.json:
        write_json(options.json, content)
    if options.record is not None:
        write_json(RESULTS / f"{options.record or name}.json", content)
    return 0 if question.all_verified(content) else 1


def _budget(arguments: list[str]) -> int:
    """Measure everything if asked to, then print the table from the recorded results."""
    parser = argparse.ArgumentParser(
        prog="python -m bench budget",
        description=budget.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    budget.add_arguments(parser)
    options = parser.parse_args(arguments)
    code = 0
    if options.run:
        for name, words in budget.commands(options.traces).items():
            print(f"\n== {' '.join(words)}\n", flush=True)
            # A process each: no question inherits another's memory or open files.
            command = [sys.executable, "-m", "bench", *words, "--record", name]
            code |= subprocess.run(command, cwd=RESULTS.parent.parent).returncode
    results = budget.read_results(RESULTS)
    print(budget.render(results))
    if options.write:
        for path in page.PAGES:
            text = path.read_text(encoding="utf-8")
            path.write_text(page.filled(text, results), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
