"""`casckpt demo`: a short recorded agent run, replayed and looked through.

Every line of output that follows a `$` is what that very command prints; every figure is
measured here and now.

Imports: casckpt, casckpt.exchange, click, casckpt.cli.
"""

from __future__ import annotations

import shlex
import tempfile
import textwrap
from importlib import resources
from pathlib import Path
from typing import Final

import click

import casckpt
from casckpt.cli import exits, style
from casckpt.cli.command import command
from casckpt.exchange import to_json
from casckpt.exchange.replay import replay

__all__ = ["demo"]

_COLUMNS_MAX: Final = 96
_MAIN: Final = "support/case-4127"
_AGAIN: Final = "support/case-4127-b"


@command(
    "demo",
    short="a recorded agent run, saved and looked through",
    examples="""
        casckpt demo
        casckpt demo --keep demo.casckpt && casckpt -s demo.casckpt log --graph
    """,
    exit_codes=(exits.CONFLICT, exits.STORAGE, exits.STORE_FILE),
)
@click.option(
    "--keep", metavar="DIR", type=click.Path(), help="Make the store here, and leave it there."
)
@click.pass_context
def demo(ctx: click.Context, keep: str | None) -> None:
    """Save a recorded agent run step by step, then look back, fork, rewind and compare.

    The run: a support agent of an outdoor shop takes a wrong turn; a fork does better.
    """
    if keep is not None:
        _tour(ctx, Path(keep), kept=True)
        return
    with tempfile.TemporaryDirectory(prefix="casckpt-demo-") as folder:
        _tour(ctx, Path(folder) / "demo.casckpt", kept=False)


def _tour(ctx: click.Context, place: Path, *, kept: bool) -> None:
    whole = _save(place)

    def run(line: str) -> None:
        click.echo(style.strong(f"$ casckpt {line}"))
        args = ["-s", str(place), *shlex.split(line)]
        with style.as_on_terminal(_COLUMNS_MAX):
            ctx.find_root().command.main(
                args, prog_name="casckpt", standalone_mode=False, color=ctx.color
            )
        click.echo()

    run(f"log {_MAIN} --oneline -n 5")
    _say_how_small(place, whole)
    _say(
        f"At step 8 the agent took a wrong turn: it refunded what was to be exchanged. The"
        f" thread was forked just before that, and the fork ({_AGAIN}) did better."
    )
    run("log --graph --brief")
    _say("What one step did (one revision: compared with the one before it).")
    run(f"diff {_MAIN}@9")
    _say("How the two ends differ, below one path.")
    run(f"diff {_MAIN} {_AGAIN} --path case")
    _say("Back to the moment of the plan: a pointer moves, and undo takes it back.")
    run(f"rewind {_MAIN} :planned")
    run(f"undo {_MAIN}")
    _say_what_next(place, kept=kept)


def _say(text: str) -> None:
    click.echo(textwrap.fill(text, min(style.width(), 80)))
    click.echo()


def _save(place: Path) -> list[int]:
    """Replay the recording; sizes of its states as JSON, in bytes."""
    _say(
        "A support agent helps a customer of an outdoor shop, as recorded. Its whole state"
        " (messages, tools, plan, case, usage) is saved after every step:"
    )
    data = resources.files("casckpt.cli") / "data" / "support.jsonl"
    with resources.as_file(data) as file, casckpt.open(place) as store:
        saved = replay(store, file)
        return [len(to_json(checkpoint.load()).encode()) for checkpoint in saved]


def _say_how_small(place: Path, whole: list[int]) -> None:
    with casckpt.open(place, create=False) as store:
        found = store.stats()
    share = found.stored_bytes / sum(whole)
    _say(f"{len(whole)} checkpoints, any of which can be loaded back, are small:")
    rows = [
        ("  each state written whole, as JSON", style.size(sum(whole)), ""),
        ("  what casckpt stored", style.size(found.stored_bytes), f"{share:.0%} of that"),
        ("  its files on disk, free pages included", style.size(found.file_bytes), ""),
    ]
    for line in style.table(rows):
        click.echo(line)
    click.echo()


def _say_what_next(place: Path, *, kept: bool) -> None:
    where = shlex.quote(str(place)) if kept else "demo.casckpt"
    lines = [] if kept else [f"casckpt demo --keep {where}"]
    lines += [
        f"export CASCKPT_STORE={where}",
        "casckpt log --graph",
        f"casckpt show {_MAIN}:planned",
        f"casckpt checkout {_AGAIN} --path 'messages[-1].content'",
        f"casckpt diff {_MAIN} {_AGAIN} --stat",
    ]
    click.echo("To look around yourself:")
    click.echo()
    for line in lines:
        click.echo(f"  {line}")
